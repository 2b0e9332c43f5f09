"""Doors of the firm's office."""
