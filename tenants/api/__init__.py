"""Doors of the identity service."""
