"""The web terminal: one module a page, each making one call to services or selectors."""
