curl -sS "$POLYSIM/users/$USER_ID/login-link" \
  -H "X-API-Key: $POLYSIM_KEY" -H "Content-Type: application/json" -d '{}'
