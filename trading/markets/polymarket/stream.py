"""The venue's books, live: websocket slots first, REST where they fail (feed contract 4 and 5).

`VenueStream` keeps the markets that it was asked for right in its `BookKeeper`: it spreads them
over connections, reads doubtful books again, audits quiet ones, and falls back to polling when
connections keep dying. It knows neither Valkey nor the database.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trading.markets.polymarket.connection import CONNECT_ERRORS, Connection, SocketSettings
from trading.markets.polymarket.http import (
    AsyncVenueClient,
    VenueError,
    VenueNotFoundError,
)
from trading.markets.polymarket.keeper import BookKeeper, MarketSpec
from trading.markets.polymarket.limits import backoff_ms
from trading.markets.polymarket.local_book import Audit, Status
from trading.markets.polymarket.slots import Slot
from trading.markets.polymarket.snapshots import BookSnapshot
from trading.markets.polymarket.wire import Frame

logger = logging.getLogger(__name__)

BATCH_TOKENS: Final = 100
STEP_S: Final = 0.25
POLL_HELD_S: Final = 2.0
POLL_S: Final = 5.0
POLLED_MARKETS_MAX: Final = 1_000
#: Three dead connections within five minutes: poll, and try a socket once a minute (5.4 d).
DEAD_MAX: Final = 3
DEAD_WINDOW_S: Final = 300.0
PROBE_S: Final = 60.0
PROBE_TOKENS: Final = 20
#: Failures to open count as one dead connection per this time, or a short outage would be three.
UNREACHABLE_PAUSE_S: Final = 10.0
#: A book that has not come by itself after this is read over REST, then ever more rarely. The
#: contract allows 10 s (5.4); first books come within one, and nothing fills meanwhile.
UNREADY_S: Final = 4.0
UNREADY_PAUSE_S_MAX: Final = 60.0
#: A quiet market is confirmed over REST before pages would grey its price (15 s, ui).
CONFIRM_S: Final = 7.0


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How much is asked of the venue (contract 1)."""

    socket: SocketSettings
    assets_per_connection: int = 200
    connections_max: int = 8
    verify_s: float = 120.0
    rotate_s: float = 6 * 3600.0
    #: Time scale of polling, probing and waiting; tests make everything faster with it.
    pace: float = 1.0

    @property
    def markets_per_connection(self) -> int:
        return max(1, self.assets_per_connection // 2)


@dataclass(slots=True)
class Unready:
    """Since when a book has been missing, and when it is asked for next (monotonic s)."""

    since_s: float
    next_s: float
    pause_s: float = field(default=5.0)


class VenueStream:
    """Runs until cancelled. `on_change` is called whenever the keeper has something to write."""

    def __init__(
        self,
        client: AsyncVenueClient,
        settings: StreamSettings,
        *,
        on_change: Callable[[], None],
    ) -> None:
        self.keeper = BookKeeper()
        self.is_polling = False
        self.last_data_wall_ms = 0
        self.last_data_s = time.monotonic()
        self._client = client
        self._settings = settings
        self._on_change = on_change
        self._slots: list[Slot] = []
        self._places: dict[str, Slot] = {}
        self._polled: dict[str, float] = {}
        self._held: frozenset[str] = frozenset()
        self._last_id = 0
        self._deaths: deque[float] = deque(maxlen=DEAD_MAX)
        self._unreachable_s = 0.0
        self._unready: dict[str, Unready] = {}
        self._audited_s: dict[str, float] = {}
        self._differed_s: dict[int, float] = {}
        self._rest_failures = 0
        self._rest_pause_until_s = 0.0
        self._lock = asyncio.Lock()

    # -- what is wanted -----------------------------------------------------------------------
    async def want(self, specs: Sequence[MarketSpec], held: Iterable[str]) -> None:
        """Keep exactly these markets live, most important first; `held` ones have orders."""
        async with self._lock:
            self._held = frozenset(held)
            wanted = {spec.condition_id: spec for spec in specs}
            gone = [
                condition_id for condition_id in self.keeper.specs if condition_id not in wanted
            ]
            await self._leave(gone)
            for condition_id in gone:
                self._forget(condition_id)
            for spec in wanted.values():
                self.keeper.add_market(spec)
            await self._place(list(wanted))
        self._on_change()

    def _forget(self, condition_id: str) -> None:
        for token_id in self.keeper.tokens_of([condition_id]):
            self._unready.pop(token_id, None)
            self._audited_s.pop(token_id, None)
        self._polled.pop(condition_id, None)
        self.keeper.remove_market(condition_id)

    async def _place(self, wanted: list[str]) -> None:
        """Give the first markets sockets and poll the others."""
        capacity = self._settings.connections_max * self._settings.markets_per_connection
        on_socket = [] if self.is_polling else wanted[:capacity]
        rest = wanted[len(on_socket) : len(on_socket) + POLLED_MARKETS_MAX]
        leaving = set(rest) & self._places.keys()
        await self._leave(leaving)
        for condition_id in rest:
            if condition_id not in self._polled:
                self.keeper.attach(self.keeper.tokens_of([condition_id]), None)
                self._polled[condition_id] = 0.0
        new = [condition_id for condition_id in on_socket if condition_id not in self._places]
        for condition_id in new:
            self._polled.pop(condition_id, None)
        await self._enter(new)

    async def _leave(self, condition_ids: Iterable[str]) -> None:
        by_slot: dict[int, list[str]] = {}
        for condition_id in condition_ids:
            slot = self._places.pop(condition_id, None)
            if slot is not None:
                by_slot.setdefault(id(slot), []).append(condition_id)
        for slot in list(self._slots):
            await slot.remove(by_slot.get(id(slot), []))
            if not slot.markets:
                self._slots.remove(slot)
                await slot.stop()

    async def _enter(self, condition_ids: list[str]) -> None:
        remaining = list(condition_ids)
        size = self._settings.markets_per_connection
        for slot in self._slots:
            room = size - len(slot.markets)
            if room > 0 and remaining:
                part, remaining = remaining[:room], remaining[room:]
                self._places.update(dict.fromkeys(part, slot))
                await slot.add(part)
        while remaining:
            part, remaining = remaining[:size], remaining[size:]
            slot = self._new_slot()
            self._slots.append(slot)
            self._places.update(dict.fromkeys(part, slot))
            await slot.add(part)
            slot.start()

    def _new_slot(self) -> Slot:
        return Slot(
            self.keeper,
            self._settings.socket,
            next_id=self._next_id,
            on_frame=self._on_frame,
            on_end=self._on_end,
            on_silence=self._on_silence,
            on_change=self._on_change,
            rotate_s=self._settings.rotate_s,
        )

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    # -- what connections tell ------------------------------------------------------------------
    def connections(self) -> list[Connection]:
        """Connections that serve markets now."""
        return [slot.connection for slot in self._slots if slot.connection is not None]

    def connection_of(self, condition_id: str) -> int:
        """The connection that vouches for both books of a market, 0 for none."""
        if condition_id not in self.keeper.specs:
            return 0
        first, second = self.keeper.pair(condition_id)
        if first.status is not Status.LIVE or second.status is not Status.LIVE:
            return 0
        same = first.connection_id is not None and first.connection_id == second.connection_id
        return first.connection_id or 0 if same else 0

    def _on_frame(self, connection_id: int, frame: Frame) -> None:
        if frame.events:
            self._note_data()
        self.keeper.handle(frame, connection_id=connection_id, now_ms=_now_ms(), wall_ms=_wall_ms())
        if self.keeper.dirty or self.keeper.new_trades:
            self._on_change()

    def _note_data(self) -> None:
        self.last_data_s = time.monotonic()
        self.last_data_wall_ms = _wall_ms()

    def _on_end(self, reason: str, had_book: bool) -> None:
        """A connection ended: count it as dead unless the venue closed a working one."""
        self.keeper.counters[f"connection_{reason}"] += 1
        now_s = time.monotonic()
        if reason == "closed" and had_book:
            return
        if reason == "unreachable":
            if now_s - self._unreachable_s < UNREACHABLE_PAUSE_S * self._settings.pace:
                return
            self._unreachable_s = now_s
        self._deaths.append(now_s)

    def _on_silence(self, former: Connection) -> None:
        """A silent connection was replaced; it was dead only if the books had moved meanwhile."""
        self.keeper.counters["connection_silent"] += 1
        if self._differed_s.pop(former.id, 0.0) > former.last_data_s:
            self._deaths.append(time.monotonic())

    # -- the loops --------------------------------------------------------------------------------
    async def run(self) -> None:
        """Serve until cancelled."""
        loops = [self._resync_loop(), self._poll_loop(), self._audit_loop(), self._mode_loop()]
        try:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop)
        finally:
            for slot in self._slots:
                await slot.stop()
            self._slots.clear()
            self._places.clear()

    async def _resync_loop(self) -> None:
        """Read doubtful and missing books over REST, all due ones in one request."""
        while True:
            await asyncio.sleep(STEP_S * self._settings.pace)
            self._ask_for_unready()
            self._rotate_for_movers()
            if time.monotonic() < self._rest_pause_until_s:
                continue
            tokens = self.keeper.take_due_resyncs(now_ms=_now_ms(), limit=BATCH_TOKENS)
            if tokens:
                await self._read_books(tokens)
            if self.keeper.dirty:
                self._on_change()

    def _ask_for_unready(self) -> None:
        now_s = time.monotonic()
        unready = {book.token_id: book for book in self.keeper.unready_tokens()}
        for token_id in [token for token in self._unready if token not in unready]:
            del self._unready[token_id]
        for token_id, book in unready.items():
            wait_s = UNREADY_S if book.connection_id is not None else 0.5
            wait = self._unready.setdefault(
                token_id, Unready(now_s, now_s + wait_s * self._settings.pace)
            )
            if now_s >= wait.next_s:
                wait.next_s = now_s + wait.pause_s * self._settings.pace
                wait.pause_s = min(UNREADY_PAUSE_S_MAX, wait.pause_s * 2)
                self.keeper.ask_again(token_id, _now_ms())

    def _rotate_for_movers(self) -> None:
        movers, self.keeper.to_move = self.keeper.to_move, set()
        for token_id in movers:
            slot = self._places.get(self.keeper.market_of(token_id) or "")
            if slot is not None:
                slot.rotate_soon()
            self.keeper.ask_again(token_id, _now_ms() + 2_000)

    async def _fetch(self, tokens: Sequence[str]) -> dict[str, BookSnapshot] | None:
        """Books over REST; None when the venue does not answer, after which we pause."""
        try:
            books = await self._client.fetch_books(tokens)
        except VenueNotFoundError:
            books = {}
        except VenueError as error:
            pause_ms = backoff_ms(self._rest_failures, chance=random.random())
            if self._rest_failures == 0:
                logger.warning("the venue's books cannot be read: %s", error)
            self._rest_failures += 1
            self._rest_pause_until_s = time.monotonic() + pause_ms / 1000 * self._settings.pace
            self.keeper.counters["rest_failures"] += 1
            return None
        self._rest_failures = 0
        if books:
            self._note_data()
        return books

    async def _read_books(self, tokens: Sequence[str]) -> None:
        books = await self._fetch(tokens)
        if books is None:
            for token_id in tokens:
                self.keeper.ask_again(token_id, _now_ms(), is_repeat=True)
            return
        for token_id in tokens:
            snapshot = books.get(token_id)
            if snapshot is not None:
                self.keeper.apply_rest(snapshot, now_ms=_now_ms(), wall_ms=_wall_ms())
                continue
            book = self.keeper.books.get(token_id)
            if book is not None and book.status is not Status.LIVE:
                self.keeper.mark_absent(token_id)

    async def _poll_loop(self) -> None:
        """Read markets without a socket: every 2 s those with orders, 5 s the others."""
        while True:
            await asyncio.sleep(STEP_S * self._settings.pace)
            if time.monotonic() < self._rest_pause_until_s:
                continue
            now_s = time.monotonic()
            due = [
                condition_id
                for condition_id, polled_s in self._polled.items()
                if now_s - polled_s >= self._poll_pause_s(condition_id)
            ]
            for start in range(0, len(due), BATCH_TOKENS // 2):
                part = due[start : start + BATCH_TOKENS // 2]
                for condition_id in part:
                    if condition_id in self._polled:
                        self._polled[condition_id] = now_s
                await self._read_books(self.keeper.tokens_of(part))
                if self.keeper.dirty:
                    self._on_change()
                if time.monotonic() < self._rest_pause_until_s:
                    break

    def _poll_pause_s(self, condition_id: str) -> float:
        pause_s = POLL_HELD_S if condition_id in self._held else POLL_S
        return pause_s * self._settings.pace

    async def _audit_loop(self) -> None:
        """Compare live books with REST: every one each 120 s, quiet ones before they look old."""
        while True:
            await asyncio.sleep(1.0 * self._settings.pace)
            if time.monotonic() < self._rest_pause_until_s:
                continue
            tokens = self._audit_candidates()
            if not tokens:
                continue
            books = await self._fetch(tokens)
            now_s = time.monotonic()
            for token_id in tokens:
                # A token whose audit failed is due again soon, but not at once.
                self._audited_s[token_id] = now_s
                if books and token_id in books:
                    self._audit(books[token_id])
            self._on_change()

    def _audit(self, snapshot: BookSnapshot) -> None:
        book = self.keeper.books.get(snapshot.token_id)
        connection_id = book.connection_id if book is not None else None
        verdict = self.keeper.audit(snapshot, now_ms=_now_ms(), wall_ms=_wall_ms())
        if verdict in (Audit.TOP_DIFFERS, Audit.DEPTH_DIFFERS) and connection_id is not None:
            self._differed_s[connection_id] = time.monotonic()

    def _audit_candidates(self) -> list[str]:
        now_s = time.monotonic()
        verify_s = self._settings.verify_s * self._settings.pace
        confirm_s = CONFIRM_S * self._settings.pace
        silent = {
            connection.id
            for connection in self.connections()
            if now_s - connection.last_data_s > confirm_s
        }
        due: list[str] = []
        for token_id, book in self.keeper.books.items():
            if book.status is not Status.LIVE or book.condition_id in self._polled:
                continue
            audited_s = self._audited_s.setdefault(
                # The first audits are spread over the whole interval.
                token_id,
                now_s - random.random() * verify_s,
            )
            is_silent = book.connection_id is None or book.connection_id in silent
            pause_s = confirm_s if is_silent else verify_s
            if now_s - audited_s >= pause_s:
                due.append(token_id)
                if len(due) >= BATCH_TOKENS:
                    break
        return due

    async def _mode_loop(self) -> None:
        """Go over to polling when connections keep dying, and back when one works again."""
        probed_s = 0.0
        while True:
            await asyncio.sleep(STEP_S * self._settings.pace)
            now_s = time.monotonic()
            if not self.is_polling:
                window_s = DEAD_WINDOW_S * self._settings.pace
                is_full = len(self._deaths) == DEAD_MAX
                if is_full and now_s - self._deaths[0] <= window_s:
                    await self._start_polling()
                    probed_s = now_s
            elif now_s - probed_s >= PROBE_S * self._settings.pace:
                probed_s = now_s
                if await self._probe():
                    await self._stop_polling()

    async def _start_polling(self) -> None:
        logger.warning("venue connections keep dying: books are polled over REST")
        self.keeper.counters["polling_started"] += 1
        async with self._lock:
            self.is_polling = True
            slots, self._slots = self._slots, []
            self._places.clear()
            for slot in slots:
                await slot.stop()
            await self._place(list(self.keeper.specs))
        self._on_change()

    async def _stop_polling(self) -> None:
        logger.info("venue connections work again")
        async with self._lock:
            self.is_polling = False
            self._deaths.clear()
            await self._place(list(self.keeper.specs))
        self._on_change()

    async def _probe(self) -> bool:
        """Whether a socket delivers a book within the time that a connection has for it."""
        tokens = self.keeper.tokens_of(list(self.keeper.specs)[: PROBE_TOKENS // 2])
        if not tokens:
            return True
        seen = asyncio.Event()

        def watch(_connection_id: int, frame: Frame) -> None:
            if any(isinstance(event, BookSnapshot) for event in frame.events):
                seen.set()

        connection = Connection(self._next_id(), self._settings.socket, watch)
        try:
            await connection.open(tokens)
        except CONNECT_ERRORS:
            return False
        serving = asyncio.create_task(connection.serve())
        waiting = asyncio.create_task(seen.wait())
        try:
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            serving.cancel()
            await asyncio.gather(serving, waiting, return_exceptions=True)
        return seen.is_set()

    async def probe_rest(self) -> bool:
        """Whether REST still gives a held book (contracts/README 17); applies it when so."""
        tokens = list(self.keeper.books)[:2]
        if not tokens:
            return True
        try:
            books = await self._client.fetch_books(tokens)
        except VenueError:
            return False
        for snapshot in books.values():
            self.keeper.apply_rest(snapshot, now_ms=_now_ms(), wall_ms=_wall_ms())
        if books:
            self._note_data()
        return bool(books)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
