"""The wallets' door of the public API."""
