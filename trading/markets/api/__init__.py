"""Market data, one module per door."""
