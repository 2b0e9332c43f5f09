"""Reading orders, positions and accounts, for pages and API alike."""
