"""The trader's pages of challenges (prop-client 6, ui.md)."""
