"""Runs the demo: books follow their fair prices, trades happen, windows open, end and resolve.

Two clocks: frames carry the wall clock; the venue's own time decides prices and windows. They are
the same until a hook moves the venue's time forward or stops it.
"""

from __future__ import annotations

import heapq
from random import Random
from typing import Final

from trading.markets.standin.demo.groups import SERIES
from trading.markets.standin.demo.identity import seed_of
from trading.markets.standin.demo.prices import WindowPrice
from trading.markets.standin.demo.shape import follow, fresh_book
from trading.markets.standin.demo.templates import Series
from trading.markets.standin.demo.world import (
    MINUTE_MS,
    RESULT_AFTER_MS,
    Actor,
    World,
    catalogue_year,
)
from trading.markets.standin.figures import SCALE
from trading.markets.standin.market import BUY, SELL, Event, Market, Print
from trading.markets.standin.venue import Venue

STEP_MS: Final = 100
COARSE: Final = 10_000
FINE: Final = 1_000
PAST_TRADES: Final = 30
#: Windows before their start are quoted, but hardly anybody trades them.
EARLY_INTERVAL_MS: Final = 4_000
CLOSED_WINDOWS_SHOWN: Final = 6


class Demo:
    """The simulation of one venue. `step` is the only thing that moves it."""

    def __init__(self, venue: Venue, seed: int, now_ms: int, *, is_paused: bool = False) -> None:
        self.world = World(seed)
        self.is_paused = is_paused
        self.venue_ms = now_ms
        self._venue = venue
        self._skew_ms = 0
        self._random = Random(seed_of(seed, "driver"))
        self._due: list[tuple[int, int, Actor]] = []
        self._order = 0
        self._windows: dict[str, tuple[Series, Event, Actor]] = {}
        for event, actors in self.world.standing(catalogue_year(now_ms)):
            self._open(event, actors, now_ms)
        for series in SERIES:
            self._list_closed_windows(series, now_ms)
            for starts_ms in self.world.current_windows(series, now_ms):
                self._open_window(series, starts_ms, now_ms)
        venue.recall = lambda identifier: self.world.recall(identifier, self.venue_ms)

    # -- time ----------------------------------------------------------------------------------
    def step(self, wall_ms: int) -> None:
        """Let everything happen that is due by now."""
        if self.is_paused:
            return
        self.venue_ms = max(self.venue_ms, wall_ms + self._skew_ms)
        self._run(wall_ms)

    def advance(self, milliseconds: int, wall_ms: int) -> None:
        """Move the venue's own time forward by one piece, running or paused."""
        self.venue_ms += milliseconds
        self._skew_ms += milliseconds
        self._run(wall_ms)

    def _run(self, wall_ms: int) -> None:
        while self._due and self._due[0][0] <= self.venue_ms:
            _due_ms, _order, actor = heapq.heappop(self._due)
            self._act(actor, wall_ms)
        self._turn_windows(wall_ms)

    def _schedule(self, actor: Actor) -> None:
        market = actor.market
        if market.is_closed or not market.is_accepting:
            return
        mean = actor.interval_ms
        if isinstance(actor.price, WindowPrice) and self.venue_ms < actor.price.starts_ms:
            mean = EARLY_INTERVAL_MS
        wait = int(min(self._random.expovariate(1 / mean), 4 * mean)) + 20
        self._order += 1
        heapq.heappush(self._due, (self.venue_ms + wait, self._order, actor))

    # -- opening -------------------------------------------------------------------------------
    def _open(self, event: Event, actors: list[Actor], wall_ms: int) -> None:
        self._venue.add_event(event)
        for actor in actors:
            market = actor.market
            market.tick = self._fitting_tick(actor, actor.price(self.venue_ms))
            self._write_past_trades(actor, wall_ms)
            self._renew_book(actor, wall_ms)
            self._schedule(actor)

    def _renew_book(self, actor: Actor, wall_ms: int) -> None:
        market = actor.market
        bids, asks = fresh_book(actor.shape, actor.price(self.venue_ms), market.tick, self._random)
        self._venue.set_book(market, bids, asks, wall_ms)
        _measure(market)

    def _write_past_trades(self, actor: Actor, wall_ms: int) -> None:
        """A tape that reaches some hours back, so that a market does not start without one."""
        market, random = actor.market, self._random
        reach = min(actor.interval_ms * 2_000, self.venue_ms - market.starts_ms)
        if reach <= 0:
            return
        moments = sorted(random.randrange(1, reach) for _ in range(PAST_TRADES))
        for back in reversed(moments):
            side = BUY if random.random() < 0.5 else SELL
            fair = actor.price(self.venue_ms - back) * SCALE
            price = round(fair / market.tick + (0.5 if side == BUY else -0.5)) * market.tick
            price = max(market.tick, min(SCALE - market.tick, price))
            size = actor.shape.size(0, market.tick, random)
            index = int(random.random() < 0.4)
            market.tape.append(
                Print(
                    outcome_index=index,
                    price=SCALE - price if index else price,
                    size=size,
                    side=side if not index else (SELL if side == BUY else BUY),
                    timestamp_ms=wall_ms - back,
                    transaction_hash=f"0x{random.getrandbits(256):064x}",
                )
            )
            market.last_prices = (price, SCALE - price)

    # -- movement ------------------------------------------------------------------------------
    def _act(self, actor: Actor, wall_ms: int) -> None:
        market = actor.market
        if market.is_closed or not market.is_accepting:
            return
        if not market.is_held:
            fair = actor.price(self.venue_ms)
            tick = self._fitting_tick(actor, fair)
            if tick != market.tick:
                bids, asks = fresh_book(actor.shape, fair, tick, self._random)
                self._venue.change_tick(market, tick, bids, asks, wall_ms)
            else:
                self._trade_or_quote(actor, fair, wall_ms)
        self._schedule(actor)

    def _trade_or_quote(self, actor: Actor, fair: float, wall_ms: int) -> None:
        market, random = actor.market, self._random
        bid, ask = market.top(0)
        new_bid, new_ask = actor.shape.targets(fair, market.tick)
        as_outcome = int(random.random() < 0.4)
        if ask is not None and new_bid * market.tick >= ask and random.random() < 0.7:
            # The price moves by somebody buying the best offer away.
            self._venue.take(market, BUY, market.asks[ask], wall_ms, as_outcome=as_outcome)
        elif bid is not None and new_ask * market.tick <= bid and random.random() < 0.7:
            self._venue.take(market, SELL, market.bids[bid], wall_ms, as_outcome=as_outcome)
        elif random.random() < actor.trade_share:
            side = BUY if random.random() < 0.5 else SELL
            size = max(5 * SCALE, int(actor.shape.size(0, market.tick, random) * 0.4))
            size -= size % 10_000
            self._venue.take(market, side, size, wall_ms, as_outcome=as_outcome)
            return
        changes = follow(market, actor.shape, fair, random)
        self._venue.change_levels(market, changes, wall_ms)

    def _fitting_tick(self, actor: Actor, fair: float) -> int:
        """Prices near 0 and 1 get the fine tick, and keep it until they are well back."""
        if actor.native_tick == FINE or fair > 0.96 or fair < 0.04:
            return FINE
        return COARSE if 0.05 < fair < 0.95 else actor.market.tick

    # -- windows -------------------------------------------------------------------------------
    def _open_window(self, series: Series, starts_ms: int, wall_ms: int) -> Market:
        event, actor = self.world.window(series, starts_ms)
        self._open(event, [actor], wall_ms)
        self._windows[event.slug] = (series, event, actor)
        return actor.market

    def _list_closed_windows(self, series: Series, now_ms: int) -> None:
        """The windows just before now, resolved, so that the past is not empty at the start."""
        length = series.minutes * MINUTE_MS
        current = now_ms // length * length
        for rank in range(CLOSED_WINDOWS_SHOWN, 0, -1):
            place = self.world.window(series, current - rank * length)[0].markets[0]
            market = self.world.recall(place.condition_id, now_ms)
            if market is not None and market.event is not None:
                self._venue.add_event(market.event)

    def _turn_windows(self, wall_ms: int) -> None:
        """End, resolve and open windows."""
        for slug, (series, event, actor) in list(self._windows.items()):
            market = event.markets[0]
            ends_ms = market.ends_ms or 0
            if market.is_closed:
                del self._windows[slug]
            elif self.venue_ms >= ends_ms + RESULT_AFTER_MS and not market.is_held:
                assert isinstance(actor.price, WindowPrice)
                self._venue.resolve(market, self.world.payouts(series, actor.price), wall_ms)
                del self._windows[slug]
            elif self.venue_ms >= ends_ms and market.is_accepting and not market.is_held:
                self._venue.stop_orders(market, wall_ms)
        for series in SERIES:
            for starts_ms in self.world.current_windows(series, self.venue_ms):
                if f"{series.slug}-{starts_ms // 1000}" not in self._windows:
                    self._renew_window(series, starts_ms, wall_ms)

    def _renew_window(self, series: Series, starts_ms: int, wall_ms: int) -> None:
        slug = f"{series.slug}-{starts_ms // 1000}"
        if any(event.slug == slug for event in self._venue.events.values()):
            return  # resolved before its time by a hook
        market = self._open_window(series, starts_ms, wall_ms)
        self._venue.announce(market, wall_ms)
        self._venue.forget_old_events(wall_ms)


def _measure(market: Market) -> None:
    """Liquidity: the cash that rests in the book."""
    bids = sum(price * size for price, size in market.bids.items())
    asks = sum((SCALE - price) * size for price, size in market.asks.items())
    market.liquidity = round((bids + asks) / SCALE / SCALE, 2)
