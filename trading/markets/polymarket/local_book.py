"""Keeping our own copy of one token's order book right (feed contract 5).

Pure and deterministic: the caller passes the local clock (`now_ms`, any monotonic milliseconds)
and the number of the connection that a message came on. The answer of every method says what
changed and whether the book has to be read again; nothing here talks to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trading.markets.polymarket.wire import (
    BUY,
    BestBidAsk,
    BookSnapshot,
    LevelChange,
    Levels,
    TickSizeChange,
    TradePrint,
)

#: A crossed book or a foreign top that lasts longer than this is read again.
TOLERANCE_MS: Final = 1_000
#: So many messages in a row whose top differs from ours lead to a resync as well.
TOLERATED_MISMATCHES: Final = 2
#: REST answers that were older than our last event before the token counts as stale.
MAX_RESYNC_FAILURES: Final = 3
#: Audits in a row with another top before the token moves to a fresh connection.
MAX_AUDIT_FAILURES: Final = 2
#: A REST book this wide is the venue's ghost (0.01 / 0.99) when the socket knows better.
GHOST_SPREAD: Final = 900_000


class Status(StrEnum):
    """Orders fill only against `live`."""

    EMPTY = "empty"
    SYNCING = "syncing"
    LIVE = "live"
    STALE = "stale"
    ABSENT = "absent"


class Resync(StrEnum):
    """Why a book must be read again."""

    GARBAGE = "garbage"
    TOP_MISMATCH = "top_mismatch"
    CROSSED = "crossed"
    TICK_CHANGED = "tick_changed"
    GHOST = "ghost"
    OUTDATED_ANSWER = "outdated_answer"


class Ignored(StrEnum):
    """Why a message changed nothing."""

    LATE = "late"
    NO_BOOK_YET = "no_book_yet"
    OTHER_CONNECTION = "other_connection"
    OUTDATED_ANSWER = "outdated_answer"
    GHOST = "ghost"


class Audit(StrEnum):
    """What the comparison with a REST book showed."""

    AGREES = "agrees"
    TOP_DIFFERS = "top_differs"
    DEPTH_DIFFERS = "depth_differs"
    OUTDATED_ANSWER = "outdated_answer"
    GHOST = "ghost"


@dataclass(frozen=True, slots=True)
class Applied:
    """What a message did to the book.

    `replaced`: every level is new (a snapshot). `touched`: ("b" or "a", price) of each level that
    an update set or removed, in message order. `resync`: read the book again. `ignored`: why
    nothing happened. `move`: the token belongs on another connection.
    """

    changed: bool = False
    replaced: bool = False
    touched: tuple[tuple[str, int], ...] = ()
    resync: Resync | None = None
    ignored: Ignored | None = None
    move: bool = False


class LocalBook:
    """The order book of one token as we know it; prices and sizes scaled by 10**6."""

    __slots__ = (
        "_asks",
        "_bids",
        "_crossed_since_ms",
        "_mismatch_count",
        "_mismatch_since_ms",
        "_sorted",
        "audit_failures",
        "condition_id",
        "connection_id",
        "last_book_ts",
        "last_event_ts",
        "last_trade_price",
        "last_trade_side",
        "last_trade_size",
        "last_trade_ts",
        "min_order_size",
        "neg_risk",
        "received_at_ms",
        "resync_failures",
        "status",
        "tick_size",
        "token_id",
        "venue_hash",
    )

    def __init__(
        self,
        *,
        condition_id: str,
        token_id: str,
        tick_size: int | None = None,
        min_order_size: int | None = None,
        neg_risk: bool | None = None,
    ) -> None:
        self.condition_id = condition_id
        self.token_id = token_id
        self.tick_size = tick_size
        self.min_order_size = min_order_size
        self.neg_risk = neg_risk
        self.status = Status.EMPTY
        self.connection_id: int | None = None
        self.last_book_ts = 0
        self.last_event_ts = 0
        self.received_at_ms: int | None = None
        self.last_trade_price: int | None = None
        self.last_trade_size: int | None = None
        self.last_trade_side: str = ""
        self.last_trade_ts = 0
        self.venue_hash = ""
        self.resync_failures = 0
        self.audit_failures = 0
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._sorted: tuple[Levels, Levels] | None = ((), ())
        self._crossed_since_ms: int | None = None
        self._mismatch_since_ms: int | None = None
        self._mismatch_count = 0

    @property
    def levels(self) -> tuple[Levels, Levels]:
        """(bids falling, asks rising), best first; cached until the next change."""
        if self._sorted is None:
            self._sorted = (
                tuple(sorted(self._bids.items(), reverse=True)),
                tuple(sorted(self._asks.items())),
            )
        return self._sorted

    @property
    def best_bid(self) -> int | None:
        return max(self._bids, default=None)

    @property
    def best_ask(self) -> int | None:
        return min(self._asks, default=None)

    @property
    def is_crossed(self) -> bool:
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid >= ask

    def start_syncing(self, *, connection_id: int | None) -> None:
        """A (new) connection was subscribed: nothing fills until its first `book` (5.4).

        The levels stay for display; changes are dropped until then.
        """
        self.connection_id = connection_id
        self.status = Status.SYNCING
        self.audit_failures = 0
        self._forget_doubts()

    def mark_stale(self) -> None:
        """Our copy can no longer be vouched for."""
        if self.status is not Status.ABSENT:
            self.status = Status.STALE

    def mark_absent(self) -> None:
        """The venue has no book for this token (404): closed or not yet open."""
        self._replace({}, {})
        self.status = Status.ABSENT

    def apply_book(self, book: BookSnapshot, *, connection_id: int, now_ms: int) -> Applied:
        """A websocket `book`: replaces everything, also when its hash does not match."""
        if self._is_foreign(connection_id):
            return Applied(ignored=Ignored.OTHER_CONNECTION)
        if book.timestamp_ms < self.last_book_ts:
            return Applied(ignored=Ignored.LATE)
        return self._take_snapshot(book, now_ms=now_ms)

    def apply_rest_book(self, book: BookSnapshot, *, now_ms: int) -> Applied:
        """The REST answer to a resync; it wins only when it is not older than our last event.

        The third outdated answer in a row makes the token stale and asks for another connection.
        """
        if self._is_ghost(book):
            return Applied(ignored=Ignored.GHOST, resync=Resync.GHOST)
        if book.timestamp_ms < self.last_event_ts:
            self.resync_failures += 1
            if self.resync_failures < MAX_RESYNC_FAILURES:
                return Applied(ignored=Ignored.OUTDATED_ANSWER, resync=Resync.OUTDATED_ANSWER)
            self.resync_failures = 0
            self.mark_stale()
            return Applied(ignored=Ignored.OUTDATED_ANSWER, move=True)
        return self._take_snapshot(book, now_ms=now_ms)

    def apply_changes(
        self,
        changes: Iterable[LevelChange],
        *,
        timestamp_ms: int,
        connection_id: int,
        now_ms: int,
        damaged: bool = False,
    ) -> Applied:
        """The entries of one `price_change` that concern this token, in array order.

        `damaged`: an entry of this token was garbage and dropped. The top is compared once,
        after the last entry.
        """
        if self._is_foreign(connection_id):
            return Applied(ignored=Ignored.OTHER_CONNECTION)
        if self.status not in (Status.LIVE, Status.STALE):
            return Applied(ignored=Ignored.NO_BOOK_YET)
        if timestamp_ms < self.last_book_ts:
            return Applied(ignored=Ignored.LATE)
        touched: list[tuple[str, int]] = []
        last: LevelChange | None = None
        for change in changes:
            if change.token_id != self.token_id:
                continue
            self._set_level(change)
            touched.append(("b" if change.side == BUY else "a", change.price))
            last = change
        self._note_event(timestamp_ms, now_ms)
        resync = Resync.GARBAGE if damaged else None
        if last is not None and last.names_top:
            resync = self._compare_top(last.best_bid, last.best_ask, now_ms) or resync
        self._watch_crossing(now_ms)
        return Applied(changed=bool(touched), touched=tuple(touched), resync=resync)

    def apply_best_bid_ask(
        self, message: BestBidAsk, *, connection_id: int, now_ms: int
    ) -> Applied:
        """The venue's top: compared with ours, never written into the book."""
        if self._is_foreign(connection_id):
            return Applied(ignored=Ignored.OTHER_CONNECTION)
        if self.status is not Status.LIVE:
            return Applied(ignored=Ignored.NO_BOOK_YET)
        if message.timestamp_ms < self.last_event_ts:
            return Applied(ignored=Ignored.LATE)
        self.received_at_ms = now_ms
        return Applied(resync=self._compare_top(message.best_bid, message.best_ask, now_ms))

    def apply_tick_size(
        self, message: TickSizeChange, *, connection_id: int, now_ms: int
    ) -> Applied:
        """A new tick: the book is dropped and read again (5.2 step 6)."""
        if self._is_foreign(connection_id):
            return Applied(ignored=Ignored.OTHER_CONNECTION)
        if message.timestamp_ms < self.last_book_ts:
            return Applied(ignored=Ignored.LATE)
        self.tick_size = message.new_tick_size
        self._replace({}, {})
        self.status = Status.SYNCING
        self._note_event(message.timestamp_ms, now_ms)
        return Applied(changed=True, replaced=True, resync=Resync.TICK_CHANGED)

    def apply_trade(self, trade: TradePrint) -> bool:
        """Keep the last trade (levels stay); False when a newer one is known."""
        if trade.timestamp_ms < self.last_trade_ts:
            return False
        self.last_trade_price = trade.price
        self.last_trade_size = trade.size
        self.last_trade_side = trade.side
        self.last_trade_ts = trade.timestamp_ms
        return True

    def due_resync(self, *, now_ms: int) -> Resync | None:
        """What has been wrong for longer than is tolerated; asked about once per 250 ms."""
        if self.status is not Status.LIVE:
            return None
        if self._lasted(self._crossed_since_ms, now_ms):
            return Resync.CROSSED
        if self._lasted(self._mismatch_since_ms, now_ms):
            return Resync.TOP_MISMATCH
        return None

    def audit(self, book: BookSnapshot) -> tuple[Audit, bool]:
        """Compare with a REST book: the verdict, and whether the token should move (5.4 c).

        The caller replaces our book by `apply_rest_book` where the verdict is a difference.
        """
        if self._is_ghost(book):
            return Audit.GHOST, False
        if book.timestamp_ms < self.last_event_ts:
            return Audit.OUTDATED_ANSWER, False
        if self._bids == dict(book.bids) and self._asks == dict(book.asks):
            self.audit_failures = 0
            return Audit.AGREES, False
        theirs = (
            book.bids[0][0] if book.bids else None,
            book.asks[0][0] if book.asks else None,
        )
        if theirs == (self.best_bid, self.best_ask):
            self.audit_failures = 0
            return Audit.DEPTH_DIFFERS, False
        self.audit_failures += 1
        return Audit.TOP_DIFFERS, self.audit_failures >= MAX_AUDIT_FAILURES

    def _take_snapshot(self, book: BookSnapshot, *, now_ms: int) -> Applied:
        self._replace(dict(book.bids), dict(book.asks))
        self.tick_size = book.tick_size or self.tick_size
        self.min_order_size = book.min_order_size or self.min_order_size
        if book.neg_risk is not None:
            self.neg_risk = book.neg_risk
        if book.last_trade_price is not None and book.timestamp_ms >= self.last_trade_ts:
            self.last_trade_price = book.last_trade_price
        self.venue_hash = book.venue_hash
        self.last_book_ts = book.timestamp_ms
        self.resync_failures = 0
        self._note_event(book.timestamp_ms, now_ms)
        # The venue clears its books while it restarts: nothing fills on an empty one.
        self.status = Status.SYNCING if book.is_empty else Status.LIVE
        self._watch_crossing(now_ms)
        return Applied(changed=True, replaced=True, resync=Resync.GARBAGE if book.dropped else None)

    def _replace(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        self._bids, self._asks = bids, asks
        self._sorted = None
        self._forget_doubts()

    def _set_level(self, change: LevelChange) -> None:
        levels = self._bids if change.side == BUY else self._asks
        if change.size > 0:
            levels[change.price] = change.size
        else:
            levels.pop(change.price, None)
        self._sorted = None

    def _note_event(self, timestamp_ms: int, now_ms: int) -> None:
        self.last_event_ts = max(self.last_event_ts, timestamp_ms)
        self.received_at_ms = now_ms

    def _compare_top(
        self, best_bid: int | None, best_ask: int | None, now_ms: int
    ) -> Resync | None:
        if (best_bid, best_ask) == (self.best_bid, self.best_ask):
            self._mismatch_since_ms = None
            self._mismatch_count = 0
            return None
        self._mismatch_count += 1
        if self._mismatch_since_ms is None:
            self._mismatch_since_ms = now_ms
        if self._mismatch_count >= TOLERATED_MISMATCHES:
            return Resync.TOP_MISMATCH
        return None

    def _watch_crossing(self, now_ms: int) -> None:
        if not self.is_crossed:
            self._crossed_since_ms = None
        elif self._crossed_since_ms is None:
            self._crossed_since_ms = now_ms

    def _forget_doubts(self) -> None:
        self._crossed_since_ms = None
        self._mismatch_since_ms = None
        self._mismatch_count = 0

    def _is_foreign(self, connection_id: int) -> bool:
        return self.connection_id is not None and connection_id != self.connection_id

    def _is_ghost(self, book: BookSnapshot) -> bool:
        """A REST book of 0.01 / 0.99 while the socket's own top is far narrower (5.5)."""
        if self.status is not Status.LIVE or not book.bids or not book.asks:
            return False
        bid, ask = self.best_bid, self.best_ask
        if bid is None or ask is None:
            return False
        theirs = book.asks[0][0] - book.bids[0][0]
        return theirs >= GHOST_SPREAD and (bid, ask) != (book.bids[0][0], book.asks[0][0])

    @staticmethod
    def _lasted(since_ms: int | None, now_ms: int) -> bool:
        return since_ms is not None and now_ms - since_ms > TOLERANCE_MS
