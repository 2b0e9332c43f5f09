"""Reading markets: lists, one market, displayed prices, history. Pages and API use the same."""

from trading.markets.selectors.catalogue import (
    HOT_VOLUME_USD,
    CategoryRow,
    EventPage,
    MarketFilter,
    find_outcome,
    get_market,
    get_market_by_slug,
    get_outcome_by_token,
    is_catalogue_empty,
    list_categories,
    list_events,
    list_markets,
    list_outcomes_by_token,
    load_markets,
)
from trading.markets.selectors.history import CandleRow, list_candles
from trading.markets.selectors.quotes import MarketQuote, quote_markets

__all__ = [
    "HOT_VOLUME_USD",
    "CandleRow",
    "CategoryRow",
    "EventPage",
    "MarketFilter",
    "MarketQuote",
    "find_outcome",
    "get_market",
    "get_market_by_slug",
    "get_outcome_by_token",
    "is_catalogue_empty",
    "list_candles",
    "list_categories",
    "list_events",
    "list_markets",
    "list_outcomes_by_token",
    "load_markets",
    "quote_markets",
]
