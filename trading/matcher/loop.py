"""The matcher's loop: listens to ticks and new orders, fills what is crossed, sweeps by the clock.

It holds nothing that cannot be rebuilt: the index is read from all buildings at start, after a
loss of Valkey or PostgreSQL, and twice a minute. The database decides every fill, so a second
matcher or a repeated cycle does no harm. Contract: trading-api 7.3, architecture (Processes).
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import redis
from django.db import DatabaseError, InterfaceError, close_old_connections

from polysim.kernel.clock import to_milliseconds, utc_now
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import NotExact, parse_decimal, to_scaled
from polysim.kernel.redis import get_redis, key
from polysim.kernel.tenancy import enter_building
from tenants.selectors import list_schemas
from trading.heartbeat import note_matcher
from trading.markets.books import add_held_interest, replace_held_interest
from trading.markets.books.keys import catalogue_channel, orders_channel
from trading.matcher.index import OpenOrder, OrderIndex
from trading.selectors.open_orders import (
    list_ended_market_ids,
    list_held_condition_ids,
    list_open_orders,
)
from trading.services.resting import (
    FillReport,
    VenuePrint,
    cancel_cleared_orders,
    expire_due_orders,
    expire_orders_of_ended_markets,
    fill_crossed_orders,
    fill_printed_orders,
)

logger = logging.getLogger(__name__)

CYCLE_S = 1.0
ENDED_MARKETS_S = 10.0
RELOAD_S = 30.0
# Ticks of one moment are handled together; far below the 2 s that a fill may take.
GATHER_S = 0.05
RETRY_S_MAX = 5.0

_TRADE_PREFIX = '{"type":"trade"'
_FAILURES = (redis.RedisError, ServiceUnavailable, DatabaseError, InterfaceError, OSError)


class Matcher:
    """One process's matcher. `run` returns after `stop` was called."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self.index = OrderIndex()
        self._clock = clock
        self._stopping = threading.Event()
        self._dirty: set[str] = set()
        self._prints: list[tuple[str, VenuePrint]] = []
        self._opened: dict[str, set[int]] = {}
        self._due = dict.fromkeys(("cycle", "ended", "reload"), 0.0)
        self._tick_prefix = key("tick", "")

    def stop(self) -> None:
        """Finish the current batch and return from `run`."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped; a lost Valkey or PostgreSQL is waited for, then all is re-read."""
        wait_s = 0.25
        while not self._stopping.is_set():
            try:
                self._serve()
                wait_s = 0.25
            except _FAILURES as error:
                logger.warning("Matching pauses: %s", error)
                self._stopping.wait(wait_s)
                wait_s = min(RETRY_S_MAX, wait_s * 2)
            finally:
                close_old_connections()

    def _serve(self) -> None:
        pubsub = get_redis().pubsub(ignore_subscribe_messages=True)
        try:
            pubsub.psubscribe(f"{self._tick_prefix}*")
            pubsub.subscribe(orders_channel(), catalogue_channel())
            # Subscribed first, then read: an order between the two is seen twice, never missed.
            self.reload()
            while not self._stopping.is_set():
                self._listen(pubsub, GATHER_S)
                self.work(self._clock())
                close_old_connections()
        finally:
            pubsub.close()

    def _listen(self, pubsub: Any, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            message = pubsub.get_message(timeout=left)
            if message is not None:
                self.note(str(message["channel"]), str(message["data"]))

    def note(self, channel: str, text: str) -> None:
        """Remember what a message says; `work` acts on it."""
        if channel.startswith(self._tick_prefix):
            self._note_tick(channel[len(self._tick_prefix) :], text)
        elif channel == orders_channel():
            self._note_order(text)
        else:
            self._due["ended"] = 0.0

    def _note_tick(self, condition_id: str, text: str) -> None:
        if not self.index.of_market(condition_id):
            return
        self._dirty.add(condition_id)
        if not text.startswith(_TRADE_PREFIX):
            return
        trade = json.loads(text)
        try:
            printed = VenuePrint(
                outcome_index=int(trade["outcome_index"]),
                price=to_scaled(parse_decimal(trade["price"])),
                size=to_scaled(parse_decimal(trade["size"])),
                identity=str(trade["identity"]),
                seen_ms=to_milliseconds(self._clock()),
            )
        except (KeyError, NotExact):
            logger.warning("A trade frame without a usable price was left out.")
            return
        self._prints.append((condition_id, printed))

    def _note_order(self, text: str) -> None:
        news = json.loads(text)
        schema, order_id = str(news["schema"]), int(news["order_id"])
        if news["op"] == "open":
            self._opened.setdefault(schema, set()).add(order_id)
        else:
            self.index.drop((schema, order_id))

    def work(self, now: datetime) -> None:
        """Handle everything noted so far and whatever the clock makes due."""
        self._take_in_opened()
        moment = time.monotonic()
        if moment >= self._due["reload"]:
            self.reload()
        if moment >= self._due["cycle"]:
            self._due["cycle"] = moment + CYCLE_S
            self._dirty |= self.index.condition_ids()
            now_ms = to_milliseconds(now)
            note_matcher(now_ms=now_ms, open_orders=len(self.index))
            self._drop(expire_due_orders(orders=self.index.due(now_ms), now=now))
            self._drop(cancel_cleared_orders(orders=self.index.cleared(now_ms), now=now))
        if moment >= self._due["ended"]:
            self._due["ended"] = moment + ENDED_MARKETS_S
            self._expire_ended(now)
        self._fill()

    def reload(self) -> None:
        """Read the open orders of all buildings and tell the feed which markets matter."""
        self._due["reload"] = time.monotonic() + RELOAD_S
        held: set[str] = set()
        for schema in list_schemas():
            with enter_building(schema):
                self.index.replace_building(schema, list_open_orders())
                held |= list_held_condition_ids()
        self._dirty |= self.index.condition_ids()
        replace_held_interest("orders", self.index.condition_ids())
        replace_held_interest("positions", held)

    def _take_in_opened(self) -> None:
        opened, self._opened = self._opened, {}
        fresh: set[str] = set()
        for schema, order_ids in opened.items():
            with enter_building(schema):
                found = {order.order_id: order for order in list_open_orders(sorted(order_ids))}
            for order_id in order_ids:
                if order_id not in found:
                    self.index.drop((schema, order_id))
            for order in found.values():
                self.index.put(order)
                fresh.add(order.condition_id)
        self._dirty |= fresh
        add_held_interest("orders", fresh)

    def _expire_ended(self, now: datetime) -> None:
        market_ids = sorted({order.market_id for order in self.index})
        ended = list_ended_market_ids(market_ids) if market_ids else set()
        orders = [order for order in self.index if order.market_id in ended]
        self._drop(expire_orders_of_ended_markets(orders=orders, now=now))

    def _fill(self) -> None:
        """Each market at its own moment: an order may expire while others are filled."""
        prints, self._prints = self._prints, []
        dirty, self._dirty = self._dirty, set()
        for condition_id in dirty:
            orders = self.index.of_market(condition_id)
            if orders:
                now = self._clock()
                self._note_fills(
                    fill_crossed_orders(condition_id=condition_id, orders=orders, now=now)
                )
        for condition_id, printed in prints:
            orders = self.index.of_market(condition_id)
            if orders:
                now = self._clock()
                self._note_fills(
                    fill_printed_orders(
                        condition_id=condition_id, orders=orders, printed=printed, now=now
                    )
                )

    def _note_fills(self, reports: list[FillReport]) -> None:
        for report in reports:
            if report.is_over:
                self.index.drop(report.order.identity)
            elif report.quantity:
                self.index.reduce(report.order.identity, report.quantity)
            elif report.refused in ("less_left", "already"):
                self._opened.setdefault(report.order.schema, set()).add(report.order.order_id)

    def _drop(self, orders: list[OpenOrder]) -> None:
        for order in orders:
            self.index.drop(order.identity)
