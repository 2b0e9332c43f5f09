"""`stream_prices`: the one process between the venue and everybody else (polymarket-feed 5)."""
