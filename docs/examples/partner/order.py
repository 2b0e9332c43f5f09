order = api.post(
    f"/accounts/{account_id}/orders",
    json={
        "market_id": market_id,
        "side": "BUY",
        "outcome": "Yes",
        "quantity": "10",
        "order_type": "limit",
        "price": "0.42",
        "client_order_id": "nw-o-551",
    },
)
