"""The matcher: keeps an index of open orders over all buildings and fills them as books move."""
