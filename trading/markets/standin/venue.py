"""The venue itself: its catalogue, its books, and every way in which they change.

Demo, replay and hooks change books only through these methods, which also tell the sockets. The
wall clock is an argument everywhere, in unix milliseconds.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from trading.markets.standin import frames
from trading.markets.standin.faults import Faults
from trading.markets.standin.figures import SCALE
from trading.markets.standin.hub import Hub, Listener
from trading.markets.standin.market import BUY, SELL, Change, Event, Market, Print

#: Closed markets stay listed this long; afterwards only their ids lead to them.
CLOSED_KEPT_MS: Final = 3_600_000


def wall_ms() -> int:
    """Unix milliseconds now."""
    return time.time_ns() // 1_000_000


def iso(timestamp_ms: int | None) -> str:
    """ISO 8601 with `Z`, as most Gamma dates are written; "" for None."""
    if timestamp_ms is None:
        return ""
    moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Venue:
    """Everything that one stand-in venue knows."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.hub = Hub(self.faults)
        self.events: dict[str, Event] = {}
        self.markets: dict[str, Market] = {}
        self.markets_by_token: dict[str, Market] = {}
        #: Finds a market that is not listed any more (or again) by condition id or token id.
        self.recall: Callable[[str], Market | None] = lambda _identifier: None
        self._prints = 0

    # -- catalogue -----------------------------------------------------------------------------
    def add_event(self, event: Event) -> None:
        """List an event and its markets, silently."""
        self.events[event.gamma_id] = event
        for market in event.markets:
            market.event = event
            self.markets[market.condition_id] = market
            for token in market.token_ids:
                self.markets_by_token[token] = market

    def announce(self, market: Market, now_ms: int) -> None:
        """Tell every connection with the custom features about a new market."""
        listeners = [each for each in self.hub.listeners if each.has_custom_features]
        if listeners:
            self.hub.send(listeners, frames.new_market_text(market, now_ms))

    def remove_event(self, event: Event) -> None:
        """Take an event and its markets from the lists."""
        self.events.pop(event.gamma_id, None)
        for market in event.markets:
            self.markets.pop(market.condition_id, None)
            for token in market.token_ids:
                self.markets_by_token.pop(token, None)

    def forget_old_events(self, now_ms: int) -> None:
        """Unlist events whose last market closed an hour ago."""
        for event in list(self.events.values()):
            closed = [market.closed_ms or now_ms for market in event.markets]
            if closed and max(closed) < now_ms - CLOSED_KEPT_MS:
                self.remove_event(event)

    def market_of(self, condition_id: str) -> Market | None:
        """The market, listed or recalled."""
        return self.markets.get(condition_id) or self.recall(condition_id)

    def market_of_token(self, token_id: str) -> Market | None:
        """The listed market of a token."""
        return self.markets_by_token.get(token_id)

    # -- books ---------------------------------------------------------------------------------
    def _touch(self, market: Market, now_ms: int) -> None:
        market.timestamp_ms = max(market.timestamp_ms, now_ms)

    def book_text(self, market: Market, outcome_index: int, *, is_frame: bool) -> str:
        """One book as JSON text; a fault may have spoiled its hash."""
        spoiled = self.faults.takes_wrong_hash()
        return frames.book_text(market, outcome_index, is_frame=is_frame, has_wrong_hash=spoiled)

    def send_books(self, market: Market) -> None:
        """Send the `book` of each token to those who watch it."""
        for index, token in enumerate(market.token_ids):
            watchers = self.hub.watchers(token)
            if watchers:
                self.hub.send(watchers, self.book_text(market, index, is_frame=True))

    def send_initial_books(self, listener: Listener, token_ids: Iterable[str]) -> None:
        """One `book` per token that has one, to a listener that just subscribed."""
        for token in token_ids:
            market = self.market_of_token(token)
            if market is not None and market.has_book:
                text = self.book_text(market, market.index_of(token), is_frame=True)
                self.hub.send([listener], text)

    def set_book(
        self, market: Market, bids: dict[int, int], asks: dict[int, int], now_ms: int
    ) -> None:
        """Replace the book (prices of the first outcome) and send it."""
        market.bids, market.asks = dict(bids), dict(asks)
        self._touch(market, now_ms)
        self.send_books(market)

    def change_levels(self, market: Market, changes: list[Change], now_ms: int) -> None:
        """Set levels (new totals, 0 removes; prices of the first outcome) and send the change."""
        if not changes:
            return
        former = market.top(0)
        market.apply(changes)
        self._touch(market, now_ms)
        watchers = self.hub.watchers(*market.token_ids)
        if not watchers:
            return
        self.hub.send(watchers, frames.price_change_text(market, changes))
        if market.top(0) != former:
            self._send_tops(market)

    def _send_tops(self, market: Market) -> None:
        for index, token in enumerate(market.token_ids):
            watchers = [each for each in self.hub.watchers(token) if each.has_custom_features]
            if watchers:
                self.hub.send(watchers, frames.best_bid_ask_text(market, index))

    def print_trade(
        self, market: Market, outcome_index: int, price: int, size: int, side: str, now_ms: int
    ) -> Print:
        """Report a trade of a token at its own price. The book does not change by itself."""
        self._prints += 1
        seed = f"{market.condition_id}{now_ms}{self._prints}"
        trade = Print(
            outcome_index=outcome_index,
            price=price,
            size=size,
            side=side,
            timestamp_ms=now_ms,
            transaction_hash=f"0x{hashlib.sha256(seed.encode()).hexdigest()}",
        )
        market.tape.append(trade)
        other = SCALE - price
        market.last_prices = (price, other) if outcome_index == 0 else (other, price)
        market.last_side = side
        self._touch(market, now_ms)
        cash = price * size / SCALE / SCALE
        market.volume_24h += cash
        market.volume_total += cash
        watchers = self.hub.watchers(market.token_ids[outcome_index])
        if watchers:
            self.hub.send(watchers, frames.trade_text(market, trade))
        return trade

    def take(
        self, market: Market, side: str, size: int, now_ms: int, *, as_outcome: int = 0
    ) -> Print | None:
        """A taker hits the best level of the first outcome: trade, then both books.

        `side` is the taker's on the first outcome; `as_outcome` 1 reports the same trade as the
        opposite one on the second. None when there is nothing to take.
        """
        bid, ask = market.top(0)
        price = ask if side == BUY else bid
        if price is None:
            return None
        levels = market.asks if side == BUY else market.bids
        taken = min(size, levels[price])
        if as_outcome == 0:
            trade = self.print_trade(market, 0, price, taken, side, now_ms)
        else:
            opposite = SELL if side == BUY else BUY
            trade = self.print_trade(market, 1, SCALE - price, taken, opposite, now_ms)
        former = market.top(0)
        market.apply([(SELL if side == BUY else BUY, price, levels[price] - taken)])
        self.send_books(market)
        if market.top(0) != former:
            self._send_tops(market)
        return trade

    def change_tick(
        self,
        market: Market,
        tick: int,
        bids: dict[int, int],
        asks: dict[int, int],
        now_ms: int,
    ) -> None:
        """Change the tick: `tick_size_change` per token, then the book on the new grid."""
        former, market.tick = market.tick, tick
        self._touch(market, now_ms)
        for index, token in enumerate(market.token_ids):
            watchers = self.hub.watchers(token)
            if watchers:
                self.hub.send(watchers, frames.tick_size_change_text(market, index, former))
        self.set_book(market, bids, asks, now_ms)

    # -- life ----------------------------------------------------------------------------------
    def stop_orders(self, market: Market, now_ms: int) -> None:
        """Trading has ended, the result is not known yet: the book empties."""
        market.is_accepting = False
        market.uma_status = "proposed"
        self.set_book(market, {}, {}, now_ms)

    def resolve(
        self, market: Market, payouts: tuple[str, str], now_ms: int, *, is_announced: bool = True
    ) -> None:
        """Close the market with its result and tell those who watch it."""
        market.payouts = payouts
        market.uma_status = "resolved"
        market.is_accepting = False
        market.closed_ms = now_ms
        market.bids.clear()
        market.asks.clear()
        market.liquidity = 0.0
        listeners = self.hub.watchers(*market.token_ids)
        custom = [each for each in listeners if each.has_custom_features]
        if is_announced and custom:
            self.hub.send(custom, frames.market_resolved_text(market, now_ms))

    def state(self) -> dict[str, Any]:
        """Counters for `/control/state`."""
        return {
            "events": len(self.events),
            "markets": len(self.markets),
            "open_markets": sum(not market.is_closed for market in self.markets.values()),
            "sockets": len(self.hub.listeners),
            "subscribed_tokens": self.hub.subscribed_tokens(),
            "frames_sent": self.hub.frames_sent,
            "trades": self._prints,
            "frozen": self.faults.is_frozen,
        }
