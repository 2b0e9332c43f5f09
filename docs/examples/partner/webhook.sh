curl -sS "$POLYSIM/webhooks" \
  -H "X-API-Key: $POLYSIM_KEY" -H "Content-Type: application/json" \
  -d '{"url": "https://hooks.northwind.example/polysim", "event_types": ["trade.filled", "account.closed"]}'
