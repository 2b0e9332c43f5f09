"""A folder made by `record_prices`: catalogue, first books and the frames of the sockets.

Every frame names both tokens of a market; only what concerns the first outcome is played, as the
second one is its mirror.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trading.markets.standin.figures import SCALE, FigureError, parse_figure
from trading.markets.standin.market import BUY, SELL, Change, Event, Market
from trading.markets.standin.recorder import (
    BOOKS_NAME,
    CATALOGUE_NAME,
    FORMAT,
    FRAMES_NAME,
    META_NAME,
)
from trading.markets.standin.replay import rows
from trading.markets.standin.replay.collected import lines_of
from trading.markets.standin.replay.recording import (
    BookEntry,
    ChangeEntry,
    Entry,
    PriceTrack,
    RecordingError,
    TickEntry,
    Timed,
    TradeEntry,
)

SIDES: Final = (BUY, SELL)


class CapturedRecording:
    """Plays what the recorder wrote. Raises RecordingError for a folder that it cannot read."""

    def __init__(self, folder: Path, *, now_ms: int) -> None:
        self._folder = folder
        try:
            meta = json.loads((folder / META_NAME).read_bytes())
            self._began_ms = int(meta["began_ms"])
            self.length_ms = max(1_000, int(meta["ended_ms"]) - self._began_ms)
            known_format = meta["format"] == FORMAT
        except (OSError, ValueError, KeyError) as error:
            raise RecordingError(f"{META_NAME} is not readable: {error}") from None
        if not known_format:
            raise RecordingError(f"{META_NAME} names an unknown format")
        self.events: list[Event] = []
        self.first_books: list[BookEntry] = []
        self.tracks: dict[str, PriceTrack] = {}
        self._by_token: dict[str, Market] = {}
        self._load_catalogue(now_ms - self._began_ms)
        self._load_books()
        self._load_tracks()
        if not self.first_books:
            raise RecordingError("no book was recorded")

    def entries(self) -> Iterator[Timed]:
        """All that the sockets received, by time of arrival."""
        for row in lines_of(self._folder / FRAMES_NAME):
            offset_ms = max(0, int(row["received_at_ms"]) - self._began_ms)
            for message in _messages(row["frame"]):
                for entry in self._read(message):
                    yield offset_ms, entry

    def _load_catalogue(self, shift_ms: int) -> None:
        for row in lines_of(self._folder / CATALOGUE_NAME):
            read = (rows.read_market(market, shift_ms) for market in row.get("markets") or ())
            markets = [market for market in read if market is not None and not market.is_closed]
            if not markets:
                continue
            self.events.append(rows.read_event(row, markets, shift_ms, row.get("tags") or ()))
            for market in markets:
                for token in market.token_ids:
                    self._by_token[token] = market

    def _load_books(self) -> None:
        """The book that each market had when it was first seen, by REST or by socket."""
        seen: set[str] = set()
        listed = (row["book"] for row in lines_of(self._folder / BOOKS_NAME))
        for book in listed:
            first = self._book(book)
            if first is not None and first.market.condition_id not in seen:
                seen.add(first.market.condition_id)
                self.first_books.append(first)
        for _offset_ms, entry in self.entries():
            if isinstance(entry, BookEntry) and entry.market.condition_id not in seen:
                seen.add(entry.market.condition_id)
                self.first_books.append(entry)

    def _load_tracks(self) -> None:
        """Prices over the recording, from its trades and books."""
        for offset_ms, entry in self.entries():
            track = self.tracks.setdefault(entry.market.condition_id, PriceTrack())
            if isinstance(entry, BookEntry) and entry.bids and entry.asks:
                track.add(offset_ms, (max(entry.bids) + min(entry.asks)) // 2)
            elif isinstance(entry, TradeEntry):
                own = entry.price if entry.outcome_index == 0 else SCALE - entry.price
                track.add(offset_ms, own)

    def _read(self, message: dict[str, Any]) -> list[Entry]:
        kind = message.get("event_type")
        if kind == "book" or (kind is None and "bids" in message):
            book = self._book(message)
            return [book] if book is not None else []
        if kind == "price_change":
            return self._changes(message)
        market = self._by_token.get(str(message.get("asset_id", "")))
        if market is None:
            return []
        try:
            if kind == "last_trade_price":
                return [_trade(market, message)]
            if kind == "tick_size_change" and market.index_of(message["asset_id"]) == 0:
                return [TickEntry(market, parse_figure(message["new_tick_size"]))]
        except (FigureError, KeyError):
            return []
        return []

    def _book(self, book: dict[str, Any]) -> BookEntry | None:
        market = self._by_token.get(str(book.get("asset_id", "")))
        if market is None or market.index_of(book["asset_id"]) != 0:
            return None
        try:
            last = parse_figure(book.get("last_trade_price") or "")
        except FigureError:
            last = None
        last_prices = None if last is None else (last, SCALE - last)
        bids, asks = rows.level_map(book.get("bids")), rows.level_map(book.get("asks"))
        return BookEntry(market, bids, asks, last_prices)

    def _changes(self, message: dict[str, Any]) -> list[Entry]:
        """The level changes of first outcomes, one entry per market, in either shape."""
        found: dict[str, tuple[Market, list[Change]]] = {}
        listed = message.get("price_changes", message.get("changes"))
        for row in listed if isinstance(listed, list) else []:
            token = str(row.get("asset_id", message.get("asset_id", "")))
            market = self._by_token.get(token)
            side = str(row.get("side", "")).upper()
            if market is None or market.index_of(token) != 0 or side not in SIDES:
                continue
            try:
                change = (side, parse_figure(row.get("price")), parse_figure(row.get("size")))
            except FigureError:
                continue
            found.setdefault(market.condition_id, (market, []))[1].append(change)
        return [ChangeEntry(market, changes) for market, changes in found.values()]


def _trade(market: Market, message: dict[str, Any]) -> TradeEntry:
    return TradeEntry(
        market=market,
        outcome_index=market.index_of(message["asset_id"]),
        price=parse_figure(message["price"]),
        size=parse_figure(message["size"]),
        side=SELL if str(message.get("side")).upper() == SELL else BUY,
    )


def _messages(frame: str) -> list[dict[str, Any]]:
    """The objects of one frame; texts that are no JSON have none."""
    try:
        payload = json.loads(frame)
    except ValueError:
        return []
    listed = payload if isinstance(payload, list) else [payload]
    return [message for message in listed if isinstance(message, dict)]
