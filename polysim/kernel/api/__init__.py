"""Conventions of every `/v1` door: errors, limits, numbers, paging (accounts-api 2)."""
