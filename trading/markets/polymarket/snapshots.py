"""Full order books as the venue sends them, and their hash (feed contract 3.1 and 5.3).

Pure. Prices and sizes are integers scaled by 10**6, levels come out best first whatever order
they arrived in. Nothing raises on bad input: levels that cannot be used are dropped and counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from trading.markets.polymarket import values

Level = tuple[int, int]
Levels = tuple[Level, ...]

#: Levels per side beyond which a message is taken for garbage (ticks of 0.0001 give 9,999).
MAX_LEVELS: Final = 10_000
#: Values that reproduce the hash of websocket books without these two keys (contract 5.3).
DEFAULT_MIN_ORDER_SIZE_TEXT: Final = "5"


@dataclass(frozen=True, slots=True)
class BookText:
    """The parts of a book that its hash covers, in the received text and order."""

    market: str
    asset_id: str
    timestamp: str
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]
    min_order_size: str | None
    tick_size: str
    neg_risk: bool | None
    last_trade_price: str


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """A full order book of one token: `POST /books`, `GET /book` or a websocket `book`.

    Prices and sizes are scaled by 10**6; `bids` fall and `asks` rise (best first). `dropped`
    counts levels that could not be used: such a book is applied and read again.
    """

    condition_id: str
    token_id: str
    timestamp_ms: int
    venue_hash: str
    bids: Levels
    asks: Levels
    tick_size: int | None
    min_order_size: int | None
    neg_risk: bool | None
    last_trade_price: int | None
    hashed_text: BookText
    dropped: int = 0

    @property
    def is_crossed(self) -> bool:
        return bool(self.bids and self.asks and self.bids[0][0] >= self.asks[0][0])

    @property
    def is_empty(self) -> bool:
        return not self.bids and not self.asks


def parse_book(message: object) -> BookSnapshot | None:
    """One book object (3.1); None when it cannot be told whose book it is or of when."""
    if not isinstance(message, dict):
        return None
    condition_id = values.condition_id(message.get("market"))
    token_id = values.token_id(message.get("asset_id"))
    timestamp_ms = values.timestamp_ms(message.get("timestamp"))
    raw_bids = message.get("bids", message.get("buys"))
    raw_asks = message.get("asks", message.get("sells"))
    if condition_id is None or token_id is None or timestamp_ms is None:
        return None
    if not _is_side(raw_bids) or not _is_side(raw_asks):
        return None
    bids, bad_bids = _read_levels(raw_bids or [])
    asks, bad_asks = _read_levels(raw_asks or [])
    return BookSnapshot(
        condition_id=condition_id,
        token_id=token_id,
        timestamp_ms=timestamp_ms,
        venue_hash=values.text(message.get("hash"), limit=64),
        bids=tuple(sorted(bids.items(), reverse=True)),
        asks=tuple(sorted(asks.items())),
        tick_size=tick_size(message.get("tick_size")),
        min_order_size=values.scaled(message.get("min_order_size")) or None,
        neg_risk=values.flag(message.get("neg_risk")),
        last_trade_price=values.price(message.get("last_trade_price")),
        hashed_text=_hashed_text(message, raw_bids or [], raw_asks or []),
        dropped=bad_bids + bad_asks,
    )


def parse_books(payload: object) -> tuple[dict[str, BookSnapshot], int]:
    """Answer of `POST /books`: books by token id (never by position), and how many were bad."""
    if not isinstance(payload, list):
        return {}, 1
    books: dict[str, BookSnapshot] = {}
    bad = 0
    for entry in payload:
        book = parse_book(entry)
        if book is None:
            bad += 1
        else:
            books[book.token_id] = book
    return books, bad


def _is_side(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) <= MAX_LEVELS)


def _read_levels(raw: Iterable[object]) -> tuple[dict[int, int], int]:
    """Levels by price and the number of entries dropped; a repeated price keeps its last size."""
    levels: dict[int, int] = {}
    dropped = 0
    for entry in raw:
        if not isinstance(entry, dict):
            dropped += 1
            continue
        price = values.book_price(entry.get("price"))
        size = values.scaled(entry.get("size"))
        if price is None or size is None:
            dropped += 1
        elif size > 0:
            levels[price] = size
    return levels, dropped


def _hashed_text(message: dict[str, Any], bids: list[Any], asks: list[Any]) -> BookText:
    minimum = message.get("min_order_size")
    return BookText(
        market=values.text(message.get("market")),
        asset_id=values.text(message.get("asset_id")),
        timestamp=str(message.get("timestamp", "")),
        bids=_level_texts(bids),
        asks=_level_texts(asks),
        min_order_size=None if minimum in (None, "") else str(minimum),
        tick_size=str(message.get("tick_size", "")),
        neg_risk=values.flag(message.get("neg_risk")),
        last_trade_price=values.text(message.get("last_trade_price")),
    )


def _level_texts(raw: list[Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(entry.get("price", "")), str(entry.get("size", "")))
        for entry in raw
        if isinstance(entry, dict)
    )


def tick_size(value: object) -> int | None:
    """A tick between 0.0001 and 0.1 that divides 1 evenly, scaled by 10**6."""
    number = values.scaled(value)
    if number is None or not 100 <= number <= 100_000 or values.ONE % number:
        return None
    return number


def book_hash(
    book: BookText,
    *,
    min_order_size: str = DEFAULT_MIN_ORDER_SIZE_TEXT,
    neg_risk: bool = False,
) -> str:
    """The venue's SHA-1 of a book (5.3), lower-case hex, from the received text.

    `min_order_size` and `neg_risk` stand in where the message lacks them.
    """
    document = {
        "market": book.market,
        "asset_id": book.asset_id,
        "timestamp": book.timestamp,
        "hash": "",
        "bids": [{"price": price, "size": size} for price, size in book.bids],
        "asks": [{"price": price, "size": size} for price, size in book.asks],
        "min_order_size": book.min_order_size or min_order_size,
        "tick_size": book.tick_size,
        "neg_risk": neg_risk if book.neg_risk is None else book.neg_risk,
        "last_trade_price": book.last_trade_price,
    }
    compact = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(compact.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def hash_matches(
    snapshot: BookSnapshot,
    *,
    min_order_size: str = DEFAULT_MIN_ORDER_SIZE_TEXT,
    neg_risk: bool = False,
) -> bool:
    """Whether the snapshot's own hash reproduces; the other `neg_risk` is tried when unstated."""
    book = snapshot.hashed_text
    candidates = (neg_risk, not neg_risk) if book.neg_risk is None else (book.neg_risk,)
    return any(
        book_hash(book, min_order_size=min_order_size, neg_risk=candidate) == snapshot.venue_hash
        for candidate in candidates
    )
