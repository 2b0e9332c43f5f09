curl -sS "$POLYSIM/accounts/$ACCOUNT_ID/orders" \
  -H "X-API-Key: $POLYSIM_KEY" -H "Content-Type: application/json" \
  -d '{"market_id": "0x...", "side": "BUY", "outcome": "Yes", "quantity": "10",
       "order_type": "limit", "price": "0.42", "client_order_id": "nw-o-551"}'
