"""News that travel upward: sent on commit, received by `trading` (architecture, Imports).

Both are sent with `sender=Market` and without any row, so that a receiver reads what is true then.
"""

from django.dispatch import Signal

#: `market_ids: list[int]`, `now: datetime`. The venue closed these markets: open orders expire.
market_closed = Signal()

#: `market_id: int`, `version: int`, `now: datetime`. A result was written (version 1) or corrected
#: (2 and more): positions settle by `MarketResolution` of that version.
market_resolved = Signal()
