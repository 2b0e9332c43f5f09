POLYSIM=@BASE@/v1/partner
curl -sS "$POLYSIM/users" \
  -H "X-API-Key: $POLYSIM_KEY" -H "Content-Type: application/json" \
  -d '{"external_id": "nw-0093", "email": "ines@example.org"}' | tee trader.json
USER_ID=$(grep -o '"user_id":[0-9]*' trader.json | cut -d: -f2)
