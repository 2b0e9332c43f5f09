curl -sS -X POST "$POLYSIM/accounts/$ACCOUNT_ID/reset" \
  -H "X-API-Key: $POLYSIM_KEY" -H "Content-Type: application/json" \
  -H "Idempotency-Key: reset-nw-ch-17-1" -d '{"reason": "second try"}'
