import os

import httpx

api = httpx.Client(
    base_url="@BASE@/v1/partner",
    headers={"X-API-Key": os.environ["POLYSIM_KEY"]},
)
trader = api.post("/users", json={"external_id": "nw-0093", "email": "ines@example.org"})
trader.raise_for_status()
user_id = trader.json()["user_id"]
print(trader.json())
