"""Frames that travel to browsers and bots, serialised once by whoever publishes them.

Pure. Every frame starts with its type, so that the hub sorts frames without decoding them; a
socket puts its own `seq` in front. Numbers are decimal text. Contract: trading-api 10.1.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trading.markets.books.state import (
    ABSENT,
    SCALE,
    STATUS_ORDER,
    FeedState,
    TokenBook,
    last_trade_of,
    merge_pair,
    newest_trade,
)
from trading.markets.pricing import Book, displayed_price

PRICE_PREFIX = '{"type":"price"'
BOOK_PREFIX = '{"type":"book"'
TRADE_PREFIX = '{"type":"trade"'
FEED_PREFIX = '{"type":"feed"'

BOOK_LEVELS = 12
SPREAD_REPORTED_MAX = 100_000  # 0.10, trading-api 2.4

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class MarketCard:
    """What frames say about a market besides its books. `volume` is decimal text of dollars."""

    condition_id: str
    labels: tuple[str, str]
    token_ids: tuple[str, str]
    volume: str = "0"
    is_active: bool = True
    is_closed: bool = False


def price_text(price: int | None) -> str | None:
    """A scaled price with at least 2 and at most 4 decimals, half-up: 650_000 -> "0.65"."""
    if price is None:
        return None
    # Half-up to the four decimals that every door shows (trading-api 0).
    hundredths_of_cents = (price + 50) // 100
    text = f"{hundredths_of_cents // 10_000}.{hundredths_of_cents % 10_000:04d}"
    if text.endswith("00"):
        return text[:-2]
    return text[:-1] if text.endswith("0") else text


def size_text(size: int | None) -> str | None:
    """Scaled shares without trailing zeros: 219_217_767 -> "219.217767"."""
    if size is None:
        return None
    whole, fraction = divmod(size, SCALE)
    return f"{whole}.{fraction:06d}".rstrip("0") if fraction else str(whole)


def time_text(milliseconds: int) -> str:
    """ISO-8601 UTC with milliseconds and `Z`."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Books = tuple[TokenBook | None, TokenBook | None]


def market_status(books: Books) -> str:
    """The worse of both tokens' states; `absent` when a book is missing."""
    states = [book.status if book else ABSENT for book in books]
    return max(states, key=STATUS_ORDER.index)


def price_frame(
    card: MarketCard,
    books: Books,
    *,
    emit_ms: int,
    changed_ms: int,
    confirmed_ms: int,
    connection: str = "",
    source: str = "websocket",
    merged: tuple[Book, Book] | None = None,
) -> str:
    """The price frame of 10.1 without `seq`.

    `confirmed_at_ms` and `connection` let a page compute the age: the later of the frame's own
    time and the time that the newest feed frame gives for this connection.
    """
    merged = merged or merge_pair(books)
    prices = [displayed_price(merged[index], last_trade_of(books, index)) for index in (0, 1)]
    outcomes: list[dict[str, Any]] = []
    tokens: dict[str, Any] = {}
    for index in (0, 1):
        outcome: dict[str, Any] = {
            "label": card.labels[index],
            "token_id": card.token_ids[index],
            "price": price_text(prices[index]),
            "best_bid": price_text(merged[index].best_bid),
            "best_ask": price_text(merged[index].best_ask),
        }
        own = books[index]
        if own is not None and own.last_trade is not None:
            outcome["last_trade"] = price_text(own.last_trade)
        outcomes.append(outcome)
        tokens[card.token_ids[index]] = {
            "label": card.labels[index],
            "price": price_text(prices[index]),
        }
    updated_at = time_text(changed_ms)
    frame: dict[str, Any] = {
        "type": "price",
        "market_id": card.condition_id,
        "condition_id": card.condition_id,
        "emit_ts_ms": emit_ms,
        "source": source,
        "buy": price_text(prices[0]),
        "sell": price_text(prices[1]),
        "best_bid": price_text(merged[0].best_bid),
        "best_ask": price_text(merged[0].best_ask),
        **_last_trade(books),
        "volume": card.volume,
        "active": card.is_active,
        "closed": card.is_closed,
        "outcomes": outcomes,
        "tokens": tokens,
        "updated_at": updated_at,
        "ws_updated_at": updated_at,
        "status": market_status(books),
        "confirmed_at_ms": confirmed_ms,
        "connection": connection,
    }
    return _encode(frame)


def _last_trade(books: Books) -> dict[str, str | None]:
    """The market's newest trade from outcome 0's side: a buy of outcome 1 is a sale of it."""
    newest = newest_trade(books)
    if newest is None:
        return {}
    index, book = newest
    side = book.last_trade_side
    if index == 1 and side is not None:
        side = "SELL" if side == "BUY" else "BUY"
    return {
        "last_trade": price_text(last_trade_of(books, 0)),
        "last_trade_side": side,
        "last_trade_size": size_text(book.last_trade_size),
    }


def _ladder(levels: tuple[tuple[int, int], ...]) -> list[list[str | None]]:
    return [[price_text(price), size_text(size)] for price, size in levels[:BOOK_LEVELS]]


def catalogue_price_frame(
    card: MarketCard, *, price: int | None, updated_ms: int, emit_ms: int
) -> str:
    """The price frame of a market that is not live, from the catalogue's price of outcome 0."""
    mirror = None if price is None else SCALE - price
    labelled = zip(card.labels, card.token_ids, (price, mirror), strict=True)
    outcomes = [
        {"label": label, "token_id": token_id, "price": price_text(own)}
        for label, token_id, own in labelled
    ]
    frame: dict[str, Any] = {
        "type": "price",
        "market_id": card.condition_id,
        "condition_id": card.condition_id,
        "emit_ts_ms": emit_ms,
        "source": "gamma_poller",
        "buy": price_text(price),
        "sell": price_text(mirror),
        "volume": card.volume,
        "active": card.is_active,
        "closed": card.is_closed,
        "outcomes": outcomes,
        "tokens": {
            str(outcome["token_id"]): {"label": outcome["label"], "price": outcome["price"]}
            for outcome in outcomes
        },
        "updated_at": time_text(updated_ms),
        "status": ABSENT,
        "confirmed_at_ms": updated_ms,
        "connection": "",
    }
    return _encode(frame)


def book_frame(
    condition_id: str,
    books: Books,
    *,
    emit_ms: int,
    confirmed_ms: int,
    connection: str = "",
    merged: tuple[Book, Book] | None = None,
) -> str:
    """The merged top 12 levels of both outcomes, best first, for the terminal's ladder."""
    merged = merged or merge_pair(books)
    outcomes = []
    for index in (0, 1):
        book = merged[index]
        spread = None
        if book.best_bid is not None and book.best_ask is not None:
            spread = min(book.best_ask - book.best_bid, SPREAD_REPORTED_MAX)
        token = books[index]
        outcomes.append(
            {
                "token_id": token.token_id if token else None,
                "bids": _ladder(book.bids),
                "asks": _ladder(book.asks),
                "price": price_text(displayed_price(book, last_trade_of(books, index))),
                "spread": price_text(spread),
                "tick_size": size_text(token.tick) if token else None,
            }
        )
    return _encode(
        {
            "type": "book",
            "market_id": condition_id,
            "emit_ts_ms": emit_ms,
            "status": market_status(books),
            "outcomes": outcomes,
            "confirmed_at_ms": confirmed_ms,
            "connection": connection,
        }
    )


def trade_frame(
    card: MarketCard,
    *,
    outcome_index: int,
    price: int,
    size: int,
    side: str,
    traded_ms: int,
    identity: str,
) -> str:
    """A trade that the venue printed; `identity` is the same for a repeat of the same trade."""
    return _encode(
        {
            "type": "trade",
            "market_id": card.condition_id,
            "token_id": card.token_ids[outcome_index],
            "outcome_index": outcome_index,
            "label": card.labels[outcome_index],
            "price": price_text(price),
            "size": size_text(size),
            "side": side,
            "traded_at": time_text(traded_ms),
            "identity": identity,
        }
    )


def feed_frame(feed: FeedState, *, now_ms: int) -> str:
    """The feed's state; `connections` is the time of the newest data by connection."""
    return _encode(
        {
            "type": "feed",
            "mode": feed.mode,
            "label": feed.label,
            "running": feed.is_running(now_ms),
            "halted": feed.is_halted,
            "halted_since": time_text(feed.halted_since_ms) if feed.halted_since_ms else None,
            "lagging": feed.is_lagging,
            "last_data_at": time_text(feed.last_data_ms) if feed.last_data_ms else None,
            "connections": dict(feed.connections),
            "emit_ts_ms": now_ms,
        }
    )
