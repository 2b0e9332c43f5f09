"""Doors of the prop programs."""
