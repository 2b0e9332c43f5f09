"""The trading app's door of the public API."""
