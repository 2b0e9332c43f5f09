"""Markets, events and books as the API shows them (trading-api 2.1 to 2.4)."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from polysim.kernel.clock import iso_text, to_milliseconds
from polysim.kernel.money import from_scaled, price_text
from trading.markets.books import LIVE, SCALE, LiveMarket, TokenBook
from trading.markets.models import Event, Market, Outcome
from trading.markets.polymarket.snapshots import BookText, book_hash
from trading.markets.pricing import Book
from trading.markets.selectors import HOT_VOLUME_USD, MarketQuote
from trading.markets.selectors.quotes import payouts_of

SPREAD_SHOWN_MAX = 100_000
TOKEN_ID = re.compile(r"[0-9]{1,80}")


def plain_text(number: Decimal | None) -> str | None:
    """A decimal without needless zeros or exponent: "48210.75", "5", "0"."""
    if number is None:
        return None
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def level_text(price: int) -> str:
    """A scaled price of a book level, at least 2 decimals, exact: "0.60", "0.605", "0.00025"."""
    text = f"{from_scaled(price):.6f}".rstrip("0")
    decimals = len(text.partition(".")[2])
    return text + "0" * max(0, 2 - decimals)


def market_row(market: Market, quote: MarketQuote) -> dict[str, Any]:
    """The list row of 2.1."""
    outcomes = outcomes_of(market)
    volume = volume_of(market)
    event = market.event
    return {
        "id": market.venue_id,
        "condition_id": market.condition_id,
        "slug": market.slug,
        "question": market.question,
        "outcomes": [outcome.label for outcome in outcomes],
        "active": market.is_active,
        "closed": market.is_closed,
        "is_hot": volume is not None and volume > HOT_VOLUME_USD,
        "image_url": market.image_url or None,
        "category": market.category or None,
        "clob_token_ids": [outcome.token_id for outcome in outcomes],
        "volume_24h": plain_text(volume),
        "last_price": price_text(quote.prices[0]),
        "neg_risk": market.is_neg_risk,
        "event_group_id": event.venue_id if event else None,
        "event_title": event.title if event else None,
        "end_date": iso_text(market.ends_at),
        "live_price": live_price(market, quote),
    }


def live_price(market: Market, quote: MarketQuote) -> dict[str, Any] | None:
    """What the market shows now; null while no price was ever seen."""
    if not quote.is_known:
        return None
    first, second = quote.prices
    return {
        "buy": price_text(first),
        "sell": price_text(second),
        "best_bid": price_text(quote.best_bid),
        "best_ask": price_text(quote.best_ask),
        "spread": price_text(quote.spread),
        "last_trade": price_text(quote.last_trade),
        "volume": plain_text(volume_of(market)),
        "source": quote.source,
        "updated_at": iso_text(quote.updated_at),
        "outcomes": outcome_prices(market, quote),
    }


def outcome_prices(market: Market, quote: MarketQuote) -> list[dict[str, Any]]:
    """Label, displayed price and token of each outcome."""
    return [
        {
            "label": outcome.label,
            "price": price_text(quote.prices[outcome.index]),
            "token_id": outcome.token_id,
        }
        for outcome in outcomes_of(market)
    ]


def market_detail(market: Market, quote: MarketQuote) -> dict[str, Any]:
    """The object of 2.2 without its book."""
    payouts = payouts_of(market)
    outcomes = outcomes_of(market)
    winners = [outcome.label for outcome in outcomes if payouts and payouts[outcome.index] == 1]
    tokens = [
        {
            "token_id": outcome.token_id,
            "outcome": outcome.label,
            "price": json_number(quote.prices[outcome.index]),
            "winner": outcome.label in winners,
        }
        for outcome in outcomes
    ]
    return {
        **market_row(market, quote),
        "resolved_outcome": winners[0] if winners else None,
        "archived": market.is_archived,
        "archived_at": iso_text(market.archived_at),
        "tokens": tokens,
        "question_id": market.condition_id,
        "market_slug": market.slug,
        "last_trade_price": price_text(quote.last_trade),
        "accepting_orders": market.is_tradable and payouts is None,
        "min_order_size": plain_text(market.min_order_size),
        "tick_size": plain_text(market.tick_size),
    }


def event_row(event: Event, markets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An event of 2.3 with its markets' rows."""
    return {
        "id": event.venue_id,
        "slug": event.slug,
        "title": event.title,
        "image": event.image_url or None,
        "end_date": iso_text(event.ends_at),
        "is_hot": event.volume_24h is not None and event.volume_24h > HOT_VOLUME_USD,
        "category": event.category or None,
        "neg_risk": event.is_neg_risk,
        "markets": list(markets),
    }


def book_object(
    outcome: Outcome, live: LiveMarket, *, depth: int | None, now: datetime
) -> dict[str, Any] | None:
    """The book of 2.4, worst level first; None when the outcome has none at all."""
    token = live.books[outcome.index]
    book = token_book(live, outcome.index)
    if book is None:
        return None
    market = outcome.market
    shown = Book(bids=book.bids[:depth], asks=book.asks[:depth])
    timestamp_ms = token.venue_ms if token and token.venue_ms else live.confirmed_at_ms
    bids = tuple((level_text(price), size_text(size)) for price, size in reversed(shown.bids))
    asks = tuple((level_text(price), size_text(size)) for price, size in reversed(shown.asks))
    last_trade = live.last_trade(outcome.index)
    text = BookText(
        market=market.condition_id,
        asset_id=outcome.token_id,
        timestamp=str(timestamp_ms),
        bids=bids,
        asks=asks,
        min_order_size=plain_text(market.min_order_size),
        tick_size=plain_text(market.tick_size) or "",
        neg_risk=market.is_neg_risk,
        last_trade_price="" if last_trade is None else level_text(last_trade),
    )
    return {
        "token_id": outcome.token_id,
        "asset_id": outcome.token_id,
        "market": market.condition_id,
        "hash": book_hash(text),
        "timestamp": text.timestamp,
        "bids": [{"price": price, "size": size} for price, size in bids],
        "asks": [{"price": price, "size": size} for price, size in asks],
        "min_order_size": text.min_order_size,
        "tick_size": text.tick_size,
        "neg_risk": market.is_neg_risk,
        "last_trade_price": text.last_trade_price,
        "mid": mid_text(book),
        "spread": spread_text(book),
        "stale": True if is_stale(live, now) else None,
    }


def token_book(live: LiveMarket, index: int) -> Book | None:
    """The token's own book, else its complement mirrored; None when neither was ever seen."""
    own: TokenBook | None = live.books[index]
    if own is not None:
        return own.book
    if live.books[1 - index] is None:
        return None
    return live.merged_book(index)


def is_stale(live: LiveMarket, now: datetime) -> bool:
    """Whether the book is served from memory because the feed no longer confirms it."""
    return live.status != LIVE or not live.feed.is_running(to_milliseconds(now))


def mid_text(book: Book) -> str | None:
    """Midpoint of a two-sided book, exact to half a tick."""
    if book.best_bid is None or book.best_ask is None:
        return None
    return level_text((book.best_bid + book.best_ask) // 2)


def spread_text(book: Book) -> str | None:
    """Spread of a two-sided book, at most 0.10."""
    if book.best_bid is None or book.best_ask is None:
        return None
    return level_text(min(book.best_ask - book.best_bid, SPREAD_SHOWN_MAX))


def size_text(size: int) -> str:
    """Scaled shares: "10", "0.5"."""
    whole, rest = divmod(size, SCALE)
    return f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)


def json_number(value: Decimal | None) -> float | int | None:
    """A JSON number with the same digits, for the few members that clients want as numbers."""
    return None if value is None else float(value)


def outcomes_of(market: Market) -> list[Outcome]:
    """Both outcomes in order, as the selectors loaded them."""
    outcomes: list[Outcome] = market.outcomes_in_order  # type: ignore[attr-defined]
    return outcomes


def volume_of(market: Market) -> Decimal | None:
    """24 h volume in dollars; None while not observed."""
    stats: Any = getattr(market, "stats", None)
    return None if stats is None else stats.volume_24h


def rows_of(markets: Sequence[Market], quotes: Mapping[str, MarketQuote]) -> list[dict[str, Any]]:
    """List rows of many markets."""
    return [market_row(market, quotes[market.condition_id]) for market in markets]
