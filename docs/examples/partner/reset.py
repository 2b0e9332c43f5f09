again = api.post(
    f"/accounts/{account_id}/reset",
    json={"reason": "second try"},
    headers={"Idempotency-Key": "reset-nw-ch-17-1"},
)
again.raise_for_status()
print(again.json()["attempt"], again.json()["reset"])
