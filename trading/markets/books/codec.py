"""Text form of books in Valkey: compact JSON of integers, best level first."""

import json
from collections.abc import Mapping
from typing import Any

from trading.markets.books.state import FeedState, LiveMarket, Quote, TokenBook, last_trade_of
from trading.markets.books.state import newest_trade as newest_trade_of
from trading.markets.pricing import Book, displayed_price

_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode_token(book: TokenBook) -> str:
    """JSON of one token's book."""
    return _encode(
        {
            "t": book.token_id,
            "b": book.book.bids,
            "a": book.book.asks,
            "ts": book.venue_ms,
            "h": book.venue_hash,
            "tick": book.tick,
            "min": book.minimum_size,
            "lt": book.last_trade,
            "lts": book.last_trade_side,
            "ltz": book.last_trade_size,
            "ltm": book.last_trade_ms,
            "st": book.status,
        }
    )


def decode_token(text: str | None) -> TokenBook | None:
    """The book of `encode_token`'s text; None for a token never seen."""
    if not text:
        return None
    raw = json.loads(text)
    return TokenBook(
        token_id=raw["t"],
        book=Book(bids=_levels(raw["b"]), asks=_levels(raw["a"])),
        status=raw["st"],
        venue_ms=raw["ts"],
        venue_hash=raw["h"],
        tick=raw["tick"],
        minimum_size=raw["min"],
        last_trade=raw["lt"],
        last_trade_side=raw["lts"],
        last_trade_size=raw["ltz"],
        last_trade_ms=raw["ltm"],
    )


def _levels(raw: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple([(price, size) for price, size in raw])


def encode_quote(
    books: tuple[TokenBook | None, TokenBook | None], status: str, merged: tuple[Book, Book]
) -> str:
    """JSON of the short form, computed once by the writer so that lists decode little."""
    first, second = merged
    newest = newest_trade_of(books)
    prices = [
        displayed_price(first, last_trade_of(books, 0)),
        displayed_price(second, last_trade_of(books, 1)),
    ]
    return _encode(
        {
            "p": prices,
            "bb": first.best_bid,
            "ba": first.best_ask,
            "lt": last_trade_of(books, 0),
            "lts": newest[1].last_trade_side if newest else None,
            "st": status,
        }
    )


def decode_quote(
    condition_id: str, fields: Mapping[str, str | None], feed: Mapping[str, str]
) -> Quote | None:
    """The quote of a market's hash fields `q`, `seq`, `confirmed_ms`, `conn`."""
    text = fields.get("q")
    if not text:
        return None
    raw = json.loads(text)
    return Quote(
        condition_id=condition_id,
        prices=(raw["p"][0], raw["p"][1]),
        best_bid=raw["bb"],
        best_ask=raw["ba"],
        last_trade=raw["lt"],
        last_trade_side=raw["lts"],
        status=raw["st"],
        seq=int(fields.get("seq") or 0),
        confirmed_at_ms=confirmed_at_ms(fields, feed),
    )


def confirmed_at_ms(fields: Mapping[str, str | None], feed: Mapping[str, str]) -> int:
    """When the feed last confirmed a market.

    A live book on a healthy connection is confirmed by every data frame of that connection: its
    frames are ordered, so silence about this market means that nothing changed.
    """
    own_ms = int(fields.get("confirmed_ms") or 0)
    connection = fields.get("conn")
    if not connection:
        return own_ms
    return max(own_ms, int(feed.get(f"conn:{connection}") or 0))


def decode_market(
    condition_id: str,
    fields: Mapping[str, str],
    taken: Mapping[str, str],
    feed: Mapping[str, str],
) -> LiveMarket:
    """A market from its three hashes."""
    return LiveMarket(
        condition_id=condition_id,
        seq=int(fields.get("seq") or 0),
        books=(decode_token(fields.get("0")), decode_token(fields.get("1"))),
        taken={name: int(quantity) for name, quantity in taken.items()},
        confirmed_at_ms=confirmed_at_ms(fields, feed),
        feed=decode_feed(feed),
    )


def decode_feed(feed: Mapping[Any, Any]) -> FeedState:
    """The feed's state from its hash."""
    if not feed:
        return FeedState()
    return FeedState(
        mode=feed.get("mode", "off"),
        label=feed.get("label", ""),
        is_halted=feed.get("halted") == "1",
        halted_since_ms=int(feed.get("halted_since_ms") or 0),
        is_lagging=feed.get("lagging") == "1",
        last_data_ms=int(feed.get("last_data_ms") or 0),
        heartbeat_ms=int(feed.get("heartbeat_ms") or 0),
        lag_ms=int(feed.get("lag_ms") or 0),
        connections={n[5:]: int(v) for n, v in feed.items() if n.startswith("conn:")},
        counters={n[6:]: int(v) for n, v in feed.items() if n.startswith("count:")},
    )
