"""Plays a recording: entries at their recorded distance divided by the speed, in a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trading.markets.standin.figures import SCALE
from trading.markets.standin.market import Market
from trading.markets.standin.replay.recording import (
    BookEntry,
    ChangeEntry,
    Entry,
    PriceTrack,
    Recording,
    TickEntry,
    Timed,
    TradeEntry,
)
from trading.markets.standin.venue import Venue

#: So many entries are played in one step at most; a step after a long sleep catches up slowly.
ENTRIES_PER_STEP_MAX = 2_000


class Replay:
    """The player. `step` moves it; nothing moves while it is paused."""

    def __init__(
        self,
        venue: Venue,
        recording: Recording,
        *,
        speed: float,
        now_ms: int,
        is_paused: bool = False,
    ) -> None:
        self.is_paused = is_paused
        self.loops = 0
        self.position_ms = 0.0
        self._venue = venue
        self._recording = recording
        self._speed = speed
        self._wall_ms = now_ms
        self._started_ms = now_ms
        self._entries: Iterator[Timed] = iter(())
        self._next: Timed | None = None
        for event in recording.events:
            venue.add_event(event)
            for market in event.markets:
                track = recording.tracks.get(market.condition_id)
                if track is not None:
                    market.price_at = self._price_reader(track)
        self._begin_loop(now_ms)

    def step(self, wall_ms: int) -> None:
        """Play what is due by now."""
        elapsed_ms = max(0, wall_ms - self._wall_ms)
        self._wall_ms = wall_ms
        if not self.is_paused:
            self._move(elapsed_ms * self._speed, wall_ms)

    def advance(self, milliseconds: int, wall_ms: int) -> None:
        """Play a piece at once, as long as it would take at the chosen speed."""
        self._wall_ms = wall_ms
        self._move(milliseconds * self._speed, wall_ms)

    def _move(self, recorded_ms: float, wall_ms: int) -> None:
        self.position_ms += recorded_ms
        for _count in range(ENTRIES_PER_STEP_MAX):
            if self._next is None or self._next[0] > self.position_ms:
                break
            offset_ms, entry = self._next
            # One shift for the whole loop: distances stay as recorded, divided by the speed.
            late_ms = int((self.position_ms - offset_ms) / self._speed)
            self._apply(entry, wall_ms - late_ms)
            self._next = next(self._entries, None)
        if self._next is None and self.position_ms >= self._recording.length_ms:
            self.position_ms -= self._recording.length_ms
            self.position_ms = min(self.position_ms, float(self._recording.length_ms))
            self.loops += 1
            self._begin_loop(wall_ms)

    def _begin_loop(self, wall_ms: int) -> None:
        """The seam: every market gets the book that it had when the recording began."""
        for entry in self._recording.first_books:
            self._apply(entry, wall_ms)
        self._entries = self._recording.entries()
        self._next = next(self._entries, None)

    def _apply(self, entry: Entry, at_ms: int) -> None:
        market = entry.market
        if market.is_held or market.is_closed:
            return
        if isinstance(entry, BookEntry):
            if entry.last_prices is not None:
                market.last_prices = entry.last_prices
            self._venue.set_book(market, entry.bids, entry.asks, at_ms)
            _measure(market)
        elif isinstance(entry, ChangeEntry):
            self._venue.change_levels(market, entry.changes, at_ms)
        elif isinstance(entry, TradeEntry):
            self._venue.print_trade(
                market, entry.outcome_index, entry.price, entry.size, entry.side, at_ms
            )
        elif isinstance(entry, TickEntry):
            self._venue.change_tick(market, entry.tick, market.bids, market.asks, at_ms)

    def _price_reader(self, track: PriceTrack) -> Callable[[int], float | None]:
        """The price at a wall-clock moment: what was played then, or one loop before the start."""

        def price_at(timestamp_ms: int) -> float | None:
            length = self._recording.length_ms
            if timestamp_ms < self._started_ms - length / self._speed:
                return None
            back = (self._wall_ms - timestamp_ms) * self._speed
            middle = track.at(int((self.position_ms - back) % length))
            return None if middle is None else middle / SCALE

        return price_at


def _measure(market: Market) -> None:
    """Liquidity: the cash that rests in the book."""
    bids = sum(price * size for price, size in market.bids.items())
    asks = sum((SCALE - price) * size for price, size in market.asks.items())
    market.liquidity = round((bids + asks) / SCALE / SCALE, 2)
