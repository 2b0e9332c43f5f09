"""All books of one process, kept right by what connections and REST answers say (contract 5).

Deterministic and without I/O: the caller passes clocks and connection numbers, and collects what
is to be done afterwards: markets to write, tokens to read again, tokens to move, trades to tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trading.markets.polymarket.local_book import (
    Applied,
    Audit,
    Ignored,
    LocalBook,
    Resync,
    Status,
)
from trading.markets.polymarket.snapshots import BookSnapshot, hash_matches
from trading.markets.polymarket.tape import TradeMemory
from trading.markets.polymarket.values import ONE
from trading.markets.polymarket.wire import (
    BestBidAsk,
    Event,
    Frame,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
    TradePrint,
)

#: Local clock behind or ahead of the venue's by more than this, for so long, is worth a banner.
LAG_MS_MAX: Final = 5_000
LAG_LASTS_MS: Final = 30_000
#: Pauses before the same token is asked for again.
RESYNC_PAUSE_MS: Final = 2_000
OUTDATED_PAUSE_MS: Final = 500
GHOST_PAUSE_MS: Final = 5_000
#: Markets that wait to be asked about; `new_market` frames come in floods (5.5).
NAMED_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """What the catalogue knows of a market that matters to its books."""

    condition_id: str
    token_ids: tuple[str, str]
    tick_size: int = 10_000
    min_order_size: int = 5 * ONE
    neg_risk: bool = False


@dataclass(slots=True)
class Pending:
    """What changed in a market since it was last written."""

    is_fresh: bool = False
    renewed_levels: set[str] = field(default_factory=set)


def depletion_key(outcome_index: int, side: str, price: int) -> str:
    """The level in first-outcome coordinates: a bid of outcome 1 is an ask of outcome 0."""
    if outcome_index == 0:
        return f"{side}:{price}"
    return f"{'a' if side == 'b' else 'b'}:{ONE - price}"


class BookKeeper:
    """Books by token, with everything that is waiting to be done about them."""

    def __init__(self) -> None:
        self.specs: dict[str, MarketSpec] = {}
        self.books: dict[str, LocalBook] = {}
        self.counters: Counter[str] = Counter()
        self.lag_ms = 0
        self.dirty: dict[str, Pending] = {}
        self.new_trades: list[tuple[TradePrint, int]] = []
        self.lifecycle: set[str] = set()
        self.to_move: set[str] = set()
        self._places: dict[str, tuple[str, int]] = {}
        self._resync_at_ms: dict[str, int] = {}
        self._read_at_ms: dict[str, int] = {}
        self._newest_ms: dict[str, int] = {}
        self._wall_ms = 0
        self.confirmed_at_ms: dict[str, int] = {}
        self.reconfirmed: set[str] = set()
        self._awaited: dict[str, int] = {}
        self._trades = TradeMemory()
        self._lag_since_ms: int | None = None

    # -- which markets ----------------------------------------------------------------------
    def add_market(self, spec: MarketSpec) -> None:
        """Begin to keep a market's two books, both empty."""
        if spec.condition_id in self.specs:
            return
        self.specs[spec.condition_id] = spec
        for index, token_id in enumerate(spec.token_ids):
            self._places[token_id] = (spec.condition_id, index)
            self.books[token_id] = LocalBook(
                condition_id=spec.condition_id,
                token_id=token_id,
                tick_size=spec.tick_size,
                min_order_size=spec.min_order_size,
                neg_risk=spec.neg_risk,
            )

    def remove_market(self, condition_id: str) -> None:
        """Forget a market."""
        spec = self.specs.pop(condition_id, None)
        if spec is None:
            return
        for token_id in spec.token_ids:
            self._places.pop(token_id, None)
            self.books.pop(token_id, None)
            self._resync_at_ms.pop(token_id, None)
            self._read_at_ms.pop(token_id, None)
            self._newest_ms.pop(token_id, None)
            self._awaited.pop(token_id, None)
            self.to_move.discard(token_id)
        self.dirty.pop(condition_id, None)
        self.confirmed_at_ms.pop(condition_id, None)
        self.reconfirmed.discard(condition_id)

    def tokens_of(self, condition_ids: Iterable[str]) -> list[str]:
        """Both tokens of each market that is kept."""
        specs = (self.specs.get(condition_id) for condition_id in condition_ids)
        return [token_id for spec in specs if spec is not None for token_id in spec.token_ids]

    def market_of(self, token_id: str) -> str | None:
        """The market that a token belongs to."""
        place = self._places.get(token_id)
        return place[0] if place else None

    def pair(self, condition_id: str) -> tuple[LocalBook, LocalBook]:
        """Both books of a kept market."""
        first, second = self.specs[condition_id].token_ids
        return self.books[first], self.books[second]

    # -- which connection ---------------------------------------------------------------------
    def attach(self, token_ids: Iterable[str], connection_id: int | None) -> None:
        """The tokens were subscribed there and nowhere else: syncing until the first `book`."""
        for token_id in token_ids:
            book = self.books.get(token_id)
            if book is not None:
                self._awaited.pop(token_id, None)
                book.start_syncing(connection_id=connection_id)
                self._forget_order(book)
                self._touch(token_id)

    def _forget_order(self, book: LocalBook) -> None:
        """Times order messages of one connection only; a wrong one far ahead ends with it."""
        self._newest_ms[book.token_id] = book.last_event_ts
        book.last_book_ts = book.last_event_ts = 0

    def await_from(self, token_ids: Iterable[str], connection_id: int) -> None:
        """The tokens move there: the former book stays in use until the new `book` is here."""
        for token_id in token_ids:
            if token_id in self.books:
                self._awaited[token_id] = connection_id

    def awaited_on(self, connection_id: int) -> list[str]:
        """Tokens whose first `book` of that connection has not come yet."""
        return [token for token, awaited in self._awaited.items() if awaited == connection_id]

    def give_up_awaiting(self, connection_id: int) -> None:
        """The connection that tokens were moving to is gone; they stay where they were."""
        for token_id in self.awaited_on(connection_id):
            del self._awaited[token_id]

    # -- what came in ---------------------------------------------------------------------------
    def handle(self, frame: Frame, *, connection_id: int, now_ms: int, wall_ms: int) -> None:
        """Apply one frame of a connection. `now_ms` is monotonic, `wall_ms` unix time."""
        self._wall_ms = wall_ms
        for reason, number in frame.garbage.items():
            self.counters[f"garbage_{reason}"] += number
        for event in frame.events:
            self._handle_event(event, connection_id, now_ms, wall_ms)

    def _handle_event(self, event: Event, connection_id: int, now_ms: int, wall_ms: int) -> None:
        if isinstance(event, PriceChange):
            self._watch_clock(event.timestamp_ms, now_ms, wall_ms)
            self._handle_price_change(event, connection_id, now_ms)
        elif isinstance(event, BookSnapshot):
            self._handle_book(event, connection_id, now_ms)
        elif isinstance(event, TradePrint):
            self._watch_clock(event.timestamp_ms, now_ms, wall_ms)
            self._handle_trade(event, now_ms)
        elif isinstance(event, BestBidAsk):
            book = self.books.get(event.token_id)
            if book is not None:
                applied = book.apply_best_bid_ask(event, connection_id=connection_id, now_ms=now_ms)
                self._note(book, applied, now_ms)
        elif isinstance(event, TickSizeChange):
            book = self.books.get(event.token_id)
            if book is not None:
                applied = book.apply_tick_size(event, connection_id=connection_id, now_ms=now_ms)
                self._note(book, applied, now_ms)
                self._name(book.condition_id)
        elif isinstance(event, NewMarket | MarketResolved):
            self._name(event.condition_id)

    def _name(self, condition_id: str) -> None:
        """Have Gamma asked about the market; in a flood the regular sweep finds the rest."""
        if len(self.lifecycle) < NAMED_MAX:
            self.lifecycle.add(condition_id)

    def _handle_book(self, event: BookSnapshot, connection_id: int, now_ms: int) -> None:
        book = self.books.get(event.token_id)
        if book is None or book.condition_id != event.condition_id:
            self.counters["ignored_unknown_token"] += 1
            return
        if self._awaited.get(event.token_id) == connection_id:
            del self._awaited[event.token_id]
            book.connection_id = connection_id
            self._forget_order(book)
        if event.venue_hash and not self._hash_is_right(event):
            self.counters["hash_mismatch_socket"] += 1
        is_newer = event.timestamp_ms > self._newest_ms.get(event.token_id, 0)
        before = book.levels
        applied = book.apply_book(event, connection_id=connection_id, now_ms=now_ms)
        self._newest_ms[event.token_id] = max(
            book.last_event_ts, self._newest_ms.get(event.token_id, 0)
        )
        self._note(book, applied, now_ms, is_fresh=is_newer or book.levels != before)

    def _handle_price_change(self, event: PriceChange, connection_id: int, now_ms: int) -> None:
        tokens = {change.token_id for change in event.changes} | event.damaged_tokens
        for token_id in tokens:
            book = self.books.get(token_id)
            if book is None or book.condition_id != event.condition_id:
                self.counters["ignored_unknown_token"] += 1
                continue
            applied = book.apply_changes(
                event.changes,
                timestamp_ms=event.timestamp_ms,
                connection_id=connection_id,
                now_ms=now_ms,
                damaged=token_id in event.damaged_tokens,
            )
            self._note(book, applied, now_ms)
            if applied.changed and self._is_finer_than_tick(book, event):
                # A missed change of the tick size: the next REST book has the right one (5.5).
                self.counters["tick_doubted"] += 1
                self.ask_again(token_id, now_ms)

    @staticmethod
    def _is_finer_than_tick(book: LocalBook, event: PriceChange) -> bool:
        tick = book.tick_size or 1
        return any(
            change.size and change.price % tick
            for change in event.changes
            if change.token_id == book.token_id
        )

    def _handle_trade(self, event: TradePrint, now_ms: int) -> None:
        place = self._places.get(event.token_id)
        if place is None or place[0] != event.condition_id:
            self.counters["ignored_unknown_token"] += 1
            return
        if not self._trades.is_new(event, now_ms=now_ms):
            self.counters["trades_repeated"] += 1
            return
        self.books[event.token_id].apply_trade(event)
        self.new_trades.append((event, place[1]))
        self._touch(event.token_id)

    def _hash_is_right(self, snapshot: BookSnapshot) -> bool:
        spec = self.specs.get(snapshot.condition_id)
        return hash_matches(snapshot, neg_risk=spec.neg_risk if spec else False)

    def apply_rest(self, snapshot: BookSnapshot, *, now_ms: int, wall_ms: int) -> bool:
        """A book asked for over REST; False when it has to be asked for again.

        A wrong hash is counted and the book used all the same: the venue answered it twice.
        """
        self._wall_ms = wall_ms
        book = self.books.get(snapshot.token_id)
        if book is None or book.condition_id != snapshot.condition_id:
            return True
        if snapshot.venue_hash and not self._hash_is_right(snapshot):
            self.counters["hash_mismatch_rest"] += 1
        before = book.levels
        applied = book.apply_rest_book(snapshot, now_ms=now_ms)
        self._note(book, applied, now_ms, is_fresh=book.levels != before)
        return applied.resync is None and not applied.move

    def audit(self, snapshot: BookSnapshot, *, now_ms: int, wall_ms: int) -> Audit | None:
        """Compare a REST book with ours and use it where they differ; None for a foreign one."""
        book = self.books.get(snapshot.token_id)
        if book is None or book.condition_id != snapshot.condition_id:
            return None
        if book.status is not Status.LIVE:
            self.apply_rest(snapshot, now_ms=now_ms, wall_ms=wall_ms)
            return None
        verdict, should_move = book.audit(snapshot)
        self.counters[f"audit_{verdict}"] += 1
        if verdict is Audit.AGREES:
            self._confirm_quietly(book, snapshot, wall_ms)
        elif verdict in (Audit.TOP_DIFFERS, Audit.DEPTH_DIFFERS):
            self.apply_rest(snapshot, now_ms=now_ms, wall_ms=wall_ms)
        elif verdict is Audit.GHOST:
            self.ask_again(book.token_id, now_ms + GHOST_PAUSE_MS)
        if should_move:
            self.to_move.add(book.token_id)
        return verdict

    def _confirm_quietly(self, book: LocalBook, snapshot: BookSnapshot, wall_ms: int) -> None:
        """Nothing changed, which is news as well; a missed tick size is caught up here."""
        self.confirmed_at_ms[book.condition_id] = wall_ms
        self.reconfirmed.add(book.condition_id)
        if snapshot.tick_size is not None and snapshot.tick_size != book.tick_size:
            book.tick_size = snapshot.tick_size
            self._name(book.condition_id)
            self._touch(book.token_id)

    def mark_absent(self, token_id: str) -> None:
        """The venue has no such book."""
        book = self.books.get(token_id)
        if book is not None and book.status is not Status.ABSENT:
            book.mark_absent()
            self._touch(token_id)

    def mark_stale(self, token_ids: Iterable[str]) -> None:
        """The books can no longer be vouched for."""
        for token_id in token_ids:
            book = self.books.get(token_id)
            if book is not None and book.status is Status.LIVE:
                book.mark_stale()
                self._touch(token_id)

    # -- what is to be done ---------------------------------------------------------------------
    def ask_again(self, token_id: str, at_ms: int, *, is_repeat: bool = False) -> None:
        """Read the token over REST at that (monotonic) time, unless it is due earlier.

        Reads of one token are 2 s apart, repeats of an outdated answer excepted.
        """
        if token_id not in self.books:
            return
        read_at_ms = self._read_at_ms.get(token_id)
        if read_at_ms is not None and not is_repeat:
            at_ms = max(at_ms, read_at_ms + RESYNC_PAUSE_MS)
        due_ms = self._resync_at_ms.get(token_id)
        if due_ms is None or at_ms < due_ms:
            self._resync_at_ms[token_id] = at_ms

    def take_due_resyncs(self, *, now_ms: int, limit: int) -> list[str]:
        """Tokens to read over REST now, at most `limit`."""
        for book in self.books.values():
            reason = book.due_resync(now_ms=now_ms)
            if reason is not None:
                self._note(book, Applied(resync=reason), now_ms)
        due = [token for token, at_ms in self._resync_at_ms.items() if at_ms <= now_ms][:limit]
        for token_id in due:
            del self._resync_at_ms[token_id]
            self._read_at_ms[token_id] = now_ms
        return due

    def take_dirty(self) -> dict[str, Pending]:
        """Markets that changed since the last call."""
        dirty, self.dirty = self.dirty, {}
        return dirty

    def touch_all(self) -> None:
        """Have every market written again (the store was lost)."""
        for condition_id in self.specs:
            self.dirty.setdefault(condition_id, Pending())

    def unready_tokens(self) -> Sequence[LocalBook]:
        """Books that are not live."""
        return [book for book in self.books.values() if book.status is not Status.LIVE]

    def is_lagging(self, *, now_ms: int) -> bool:
        """Whether the venue's times have been over 5 s behind our clock for 30 s (5.4 e)."""
        return self._lag_since_ms is not None and now_ms - self._lag_since_ms >= LAG_LASTS_MS

    def _watch_clock(self, venue_ms: int, now_ms: int, wall_ms: int) -> None:
        self.lag_ms = wall_ms - venue_ms
        if self.lag_ms <= LAG_MS_MAX:
            self._lag_since_ms = None
        elif self._lag_since_ms is None:
            self._lag_since_ms = now_ms

    def _touch(self, token_id: str) -> Pending:
        return self.dirty.setdefault(self._places[token_id][0], Pending())

    def _note(
        self, book: LocalBook, applied: Applied, now_ms: int, *, is_fresh: bool = False
    ) -> None:
        """Carry over what a message did: the market to write, the token to read or to move."""
        if applied.ignored is not None:
            self.counters[f"ignored_{applied.ignored}"] += 1
        else:
            self.confirmed_at_ms[book.condition_id] = self._wall_ms
        if applied.changed:
            pending = self._touch(book.token_id)
            if applied.replaced:
                pending.is_fresh = pending.is_fresh or is_fresh
            index = self._places[book.token_id][1]
            for side, price in applied.touched:
                pending.renewed_levels.add(depletion_key(index, side, price))
        if applied.resync is not None:
            self._note_resync(book, applied, now_ms)
        if applied.move:
            self.to_move.add(book.token_id)
            self._touch(book.token_id)

    def _note_resync(self, book: LocalBook, applied: Applied, now_ms: int) -> None:
        """A book in doubt is not filled against until REST has confirmed or replaced it."""
        assert applied.resync is not None
        if book.token_id in self._resync_at_ms:
            return
        self.counters[f"resync_{applied.resync}"] += 1
        pause_ms = 0
        if applied.resync is Resync.GHOST:
            pause_ms = GHOST_PAUSE_MS
        elif applied.ignored is Ignored.OUTDATED_ANSWER:
            pause_ms = OUTDATED_PAUSE_MS
        elif book.status is Status.LIVE:
            book.mark_stale()
            self._touch(book.token_id)
        is_repeat = applied.ignored is Ignored.OUTDATED_ANSWER
        self.ask_again(book.token_id, now_ms + pause_ms, is_repeat=is_repeat)
