account = api.post(
    "/accounts",
    json={
        "user_id": user_id,
        "external_id": "nw-ch-17",
        "stage": "challenge",
        "starting_balance": "25000.00",
        "rules": {"profit_target_pct": 8},
    },
)
account.raise_for_status()
account_id = account.json()["account_id"]
print(account.json()["equity"])
