envelope = api.get(f"/accounts/{account_id}").raise_for_status().json()
print(envelope["equity"], envelope["drawdown_pct"])

cursor = None  # keep it beside what you processed; poll again with it
while True:
    query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
    page = api.get(f"/accounts/{account_id}/trades", params=query).raise_for_status().json()
    for trade in page["data"]:
        print(trade["seq"], trade["side"], trade["quantity"], trade["price"])
    cursor = page["next_cursor"]
    if not page["has_more"]:
        break
