curl -sS "$POLYSIM/accounts" \
  -H "X-API-Key: $POLYSIM_KEY" -H "Content-Type: application/json" \
  -d "{\"user_id\": $USER_ID, \"external_id\": \"nw-ch-17\",
       \"stage\": \"challenge\", \"starting_balance\": \"25000.00\",
       \"rules\": {\"profit_target_pct\": 8}}" | tee account.json
ACCOUNT_ID=$(grep -o '"account_id":"[^"]*"' account.json | head -n 1 | cut -d'"' -f4)
