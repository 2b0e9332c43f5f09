"""Frames of the market websocket as frozen values (feed contract 4).

Pure. Prices and sizes are integers scaled by 10**6. Nothing raises on bad input: what cannot be
used is dropped and counted. The book types of `snapshots` are part of this module's public names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trading.markets.polymarket import values
from trading.markets.polymarket.snapshots import (
    MAX_LEVELS,
    BookSnapshot,
    BookText,
    Level,
    Levels,
    book_hash,
    hash_matches,
    parse_book,
    parse_books,
    tick_size,
)

__all__ = [
    "BUY",
    "PING",
    "PONG",
    "SELL",
    "BestBidAsk",
    "BookSnapshot",
    "BookText",
    "Event",
    "Frame",
    "Level",
    "LevelChange",
    "Levels",
    "MarketResolved",
    "NewMarket",
    "PriceChange",
    "TickSizeChange",
    "TradePrint",
    "add_tokens_message",
    "book_hash",
    "hash_matches",
    "parse_book",
    "parse_books",
    "parse_frame",
    "parse_messages",
    "remove_tokens_message",
    "subscribe_message",
    "tick_size",
]

BUY: Final = "BUY"
SELL: Final = "SELL"
PING: Final = "PING"
PONG: Final = "PONG"


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The new total size at one price of one token; size 0 removes the level.

    `side` BUY means the bids. `best_bid`/`best_ask` are the venue's top after the change (None =
    no such side); they mean something only when `names_top`.
    """

    token_id: str
    side: str
    price: int
    size: int
    names_top: bool = False
    best_bid: int | None = None
    best_ask: int | None = None


@dataclass(frozen=True, slots=True)
class PriceChange:
    """`price_change` in either shape; the new one carries both tokens of a market."""

    condition_id: str
    timestamp_ms: int
    changes: tuple[LevelChange, ...]
    #: Tokens that lost an entry to garbage: their books must be read again.
    damaged_tokens: frozenset[str] = frozenset()
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class TradePrint:
    """`last_trade_price`: one public trade; `side` is the taker's. It never changes levels."""

    condition_id: str
    token_id: str
    price: int
    size: int
    side: str
    timestamp_ms: int
    transaction_hash: str = ""


@dataclass(frozen=True, slots=True)
class TickSizeChange:
    """The minimum price step of a token changed; sizes are scaled by 10**6."""

    condition_id: str
    token_id: str
    old_tick_size: int | None
    new_tick_size: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class BestBidAsk:
    """`best_bid_ask` (custom feature): the venue's top; None means the side is empty."""

    condition_id: str
    token_id: str
    best_bid: int | None
    best_ask: int | None
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class NewMarket:
    """`new_market` (custom feature): only names what to ask Gamma for."""

    condition_id: str
    gamma_id: str
    slug: str
    question: str
    token_ids: tuple[str, ...]
    timestamp_ms: int | None


@dataclass(frozen=True, slots=True)
class MarketResolved:
    """`market_resolved` (custom feature): only triggers a read of Gamma, never settles."""

    condition_id: str
    gamma_id: str
    slug: str
    winning_token_id: str | None
    winning_outcome: str
    timestamp_ms: int | None


Event = (
    BookSnapshot
    | PriceChange
    | TradePrint
    | TickSizeChange
    | BestBidAsk
    | NewMarket
    | MarketResolved
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What one websocket text frame said. `garbage` counts what was dropped, by reason."""

    events: tuple[Event, ...] = ()
    is_pong: bool = False
    garbage: Mapping[str, int] = field(default_factory=dict)


def parse_frame(raw: str | bytes) -> Frame:
    """Read one frame: an object, an array of objects, `PONG` or plain text. Never raises."""
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    except UnicodeDecodeError:
        return Frame(garbage={"not_text": 1})
    stripped = text.strip()
    if stripped == PONG:
        return Frame(is_pong=True)
    if not stripped:
        return Frame()
    try:
        payload = values.loads(stripped)
    except ValueError:
        return Frame(garbage={"not_json": 1})
    return parse_messages(payload)


def parse_messages(payload: object) -> Frame:
    """Read the decoded JSON of a frame (see `parse_frame`)."""
    messages = payload if isinstance(payload, list) else [payload]
    events: list[Event] = []
    garbage: dict[str, int] = {}
    for message in messages:
        if not isinstance(message, dict):
            _count(garbage, "not_an_object")
            continue
        event, reason = _parse_message(message)
        if event is None:
            _count(garbage, reason)
            continue
        events.append(event)
        dropped = getattr(event, "dropped", 0)
        if dropped:
            _count(garbage, "bad_level", dropped)
    return Frame(events=tuple(events), garbage=garbage)


def _count(garbage: dict[str, int], reason: str, number: int = 1) -> None:
    garbage[reason] = garbage.get(reason, 0) + number


def _parse_message(message: dict[str, Any]) -> tuple[Event | None, str]:
    """One message, or None and the reason why it was dropped."""
    kind = message.get("event_type")
    if kind in (None, "") and _looks_like_book(message):
        kind = "book"
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        return None, "unknown_event_type"
    event = reader(message)
    return event, f"bad_{kind}"


def _looks_like_book(message: Mapping[str, Any]) -> bool:
    return any(key in message for key in ("bids", "asks", "buys", "sells"))


def _parse_price_change(message: dict[str, Any]) -> PriceChange | None:
    condition_id = values.condition_id(message.get("market"))
    timestamp_ms = values.timestamp_ms(message.get("timestamp"))
    entries = message.get("price_changes", message.get("changes"))
    if condition_id is None or timestamp_ms is None or not isinstance(entries, list):
        return None
    if len(entries) > MAX_LEVELS:
        return None
    own_token = values.token_id(message.get("asset_id"))
    changes: list[LevelChange] = []
    damaged: set[str] = set()
    dropped = 0
    for entry in entries:
        change = _parse_level_change(entry, own_token)
        if change is not None:
            changes.append(change)
            continue
        dropped += 1
        named = values.token_id(entry.get("asset_id")) if isinstance(entry, dict) else None
        if named or own_token:
            damaged.add(named or own_token or "")
    return PriceChange(
        condition_id=condition_id,
        timestamp_ms=timestamp_ms,
        changes=tuple(changes),
        damaged_tokens=frozenset(damaged),
        dropped=dropped,
    )


def _parse_level_change(entry: object, own_token: str | None) -> LevelChange | None:
    if not isinstance(entry, dict):
        return None
    token_id = values.token_id(entry.get("asset_id")) or own_token
    side = values.side(entry.get("side"))
    price = values.book_price(entry.get("price"))
    size = values.scaled(entry.get("size"))
    if token_id is None or side is None or price is None or size is None:
        return None
    return LevelChange(
        token_id=token_id,
        side=side,
        price=price,
        size=size,
        names_top="best_bid" in entry and "best_ask" in entry,
        best_bid=values.edge_price(entry.get("best_bid")),
        best_ask=values.edge_price(entry.get("best_ask")),
    )


def _parse_trade(message: dict[str, Any]) -> TradePrint | None:
    condition_id = values.condition_id(message.get("market"))
    token_id = values.token_id(message.get("asset_id"))
    price = values.price(message.get("price"))
    size = values.scaled(message.get("size"))
    side = values.side(message.get("side"))
    timestamp_ms = values.timestamp_ms(message.get("timestamp"))
    if condition_id is None or token_id is None or timestamp_ms is None:
        return None
    if price is None or not size or side is None:
        return None
    return TradePrint(
        condition_id=condition_id,
        token_id=token_id,
        price=price,
        size=size,
        side=side,
        timestamp_ms=timestamp_ms,
        transaction_hash=values.text(message.get("transaction_hash"), limit=80),
    )


def _parse_tick_size_change(message: dict[str, Any]) -> TickSizeChange | None:
    condition_id = values.condition_id(message.get("market"))
    token_id = values.token_id(message.get("asset_id"))
    new_tick_size = tick_size(message.get("new_tick_size"))
    timestamp_ms = values.timestamp_ms(message.get("timestamp"))
    if None in (condition_id, token_id, new_tick_size, timestamp_ms):
        return None
    return TickSizeChange(
        condition_id=condition_id or "",
        token_id=token_id or "",
        old_tick_size=tick_size(message.get("old_tick_size")),
        new_tick_size=new_tick_size or 0,
        timestamp_ms=timestamp_ms or 0,
    )


def _parse_best_bid_ask(message: dict[str, Any]) -> BestBidAsk | None:
    condition_id = values.condition_id(message.get("market"))
    token_id = values.token_id(message.get("asset_id"))
    timestamp_ms = values.timestamp_ms(message.get("timestamp"))
    if condition_id is None or token_id is None or timestamp_ms is None:
        return None
    if "best_bid" not in message or "best_ask" not in message:
        return None
    return BestBidAsk(
        condition_id=condition_id,
        token_id=token_id,
        best_bid=values.edge_price(message["best_bid"]),
        best_ask=values.edge_price(message["best_ask"]),
        timestamp_ms=timestamp_ms,
    )


def _lifecycle_condition(message: dict[str, Any]) -> str | None:
    return values.condition_id(message.get("condition_id")) or values.condition_id(
        message.get("market")
    )


def _parse_new_market(message: dict[str, Any]) -> NewMarket | None:
    condition_id = _lifecycle_condition(message)
    if condition_id is None:
        return None
    listed = message.get("clob_token_ids") or message.get("assets_ids")
    tokens = [values.token_id(entry) for entry in listed] if isinstance(listed, list) else []
    return NewMarket(
        condition_id=condition_id,
        gamma_id=values.text(message.get("id"), limit=32),
        slug=values.text(message.get("slug"), limit=300),
        question=values.text(message.get("question"), limit=1_000),
        token_ids=tuple(token for token in tokens if token),
        timestamp_ms=values.timestamp_ms(message.get("timestamp")),
    )


def _parse_market_resolved(message: dict[str, Any]) -> MarketResolved | None:
    condition_id = _lifecycle_condition(message)
    if condition_id is None:
        return None
    return MarketResolved(
        condition_id=condition_id,
        gamma_id=values.text(message.get("id"), limit=32),
        slug=values.text(message.get("slug"), limit=300),
        winning_token_id=values.token_id(message.get("winning_asset_id")),
        winning_outcome=values.text(message.get("winning_outcome"), limit=300),
        timestamp_ms=values.timestamp_ms(message.get("timestamp")),
    )


_READERS: Final = {
    "book": parse_book,
    "price_change": _parse_price_change,
    "last_trade_price": _parse_trade,
    "tick_size_change": _parse_tick_size_change,
    "best_bid_ask": _parse_best_bid_ask,
    "new_market": _parse_new_market,
    "market_resolved": _parse_market_resolved,
}


def subscribe_message(token_ids: Iterable[str]) -> str:
    """The first message on a fresh connection (4.1); it asks for one `book` per token."""
    return _compact(
        {
            "type": "market",
            "assets_ids": list(token_ids),
            "initial_dump": True,
            "custom_feature_enabled": True,
        }
    )


def add_tokens_message(token_ids: Iterable[str]) -> str:
    """Subscribe more tokens on a live connection; a token named twice gets no new book."""
    return _compact(
        {
            "operation": "subscribe",
            "assets_ids": list(token_ids),
            "custom_feature_enabled": True,
        }
    )


def remove_tokens_message(token_ids: Iterable[str]) -> str:
    """Unsubscribe tokens on a live connection."""
    return _compact({"operation": "unsubscribe", "assets_ids": list(token_ids)})


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
