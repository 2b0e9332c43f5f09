"""Live books in Valkey: what services read, and the depletion overlay shared by all accounts.

`stream_prices` writes both books of a market in one script together with its `seq` and the
depletion reset, so a reader never meets half a market. Contracts: polymarket-feed 5, trading-api 7.
"""

from trading.markets.books.state import (
    ABSENT,
    LIVE,
    SCALE,
    STALE,
    SYNCING,
    FeedState,
    LiveMarket,
    Mark,
    Quote,
    TokenBook,
)
from trading.markets.books.store import (
    add_held_interest,
    claim_print,
    give_back_depth,
    note_page_interest,
    read_feed_state,
    read_live_market,
    read_live_markets,
    read_marks,
    read_quotes,
    replace_held_interest,
    take_depth,
)
from trading.markets.books.writer import MarketWrite, write_market

__all__ = [
    "ABSENT",
    "LIVE",
    "SCALE",
    "STALE",
    "SYNCING",
    "FeedState",
    "LiveMarket",
    "Mark",
    "MarketWrite",
    "Quote",
    "TokenBook",
    "add_held_interest",
    "claim_print",
    "give_back_depth",
    "note_page_interest",
    "read_feed_state",
    "read_live_market",
    "read_live_markets",
    "read_marks",
    "read_quotes",
    "replace_held_interest",
    "take_depth",
    "write_market",
]
