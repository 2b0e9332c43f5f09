curl -sS "$POLYSIM/accounts/$ACCOUNT_ID" -H "X-API-Key: $POLYSIM_KEY"
curl -sS "$POLYSIM/accounts/$ACCOUNT_ID/trades?limit=100" -H "X-API-Key: $POLYSIM_KEY"
