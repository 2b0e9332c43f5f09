"""Test hooks: `/control` switches faults on and moves the venue by hand (polymarket-feed 11).

Every POST takes a JSON object and answers one. What a hook sends carries no mark of its own, as it
is to look like the venue's; only invented garbage does.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trading.markets.standin.faults import GARBAGE_FRAMES, HttpFault
from trading.markets.standin.figures import SCALE, FigureError, number, parse_figure
from trading.markets.standin.market import BUY, SELL, Market
from trading.markets.standin.replies import answer, refuse
from trading.markets.standin.venue import Venue, wall_ms

ADVANCE_SECONDS_MAX: Final = 3_600
ADVANCE_STEP_MS: Final = 100


class HookError(Exception):
    """A hook was called with something that it cannot do."""


class Driver(Protocol):
    """What moves the venue: the demo's simulation or the replay's player."""

    is_paused: bool

    def step(self, wall_ms: int) -> None: ...

    def advance(self, milliseconds: int, wall_ms: int) -> None: ...


Hook = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]


class Control:
    """The hooks of one venue."""

    def __init__(self, venue: Venue, driver: Driver, mode: str) -> None:
        self._venue = venue
        self._driver = driver
        self._mode = mode

    def routes(self) -> list[Route]:
        """`/control/<hook>` by POST; state and markets by GET."""
        hooks: dict[str, Hook] = {
            "freeze": self.freeze,
            "thaw": self.thaw,
            "drop": self.drop,
            "skip": self.skip,
            "cross": self.cross,
            "hash": self.hash,
            "garbage": self.garbage,
            "status": self.status,
            "clear": self.clear,
            "resolve": self.resolve,
            "book": self.book,
            "levels": self.levels,
            "trade": self.trade,
            "tick": self.tick,
            "release": self.release,
            "pause": self.pause,
            "resume": self.resume,
            "advance": self.advance,
        }
        routes = [
            Route(f"/{name}", _endpoint(hook), methods=["POST"]) for name, hook in hooks.items()
        ]
        return [*routes, Route("/state", self.state), Route("/markets", self.markets)]

    # -- reading -------------------------------------------------------------------------------
    async def state(self, request: Request) -> Response:
        mode = {"mode": self._mode, "paused": self._driver.is_paused}
        return answer(mode | self._venue.state())

    async def markets(self, request: Request) -> Response:
        return answer([_market_state(market) for market in self._venue.markets.values()])

    # -- faults --------------------------------------------------------------------------------
    async def freeze(self, given: dict[str, Any]) -> None:
        """`{"seconds"?}`: sockets get no data, only PONG; without seconds until `thaw`."""
        self._venue.faults.freeze(_seconds(given))

    async def thaw(self, given: dict[str, Any]) -> None:
        self._venue.faults.thaw()

    async def drop(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"count"?}`: cut that many sockets (all) without a closing handshake."""
        return {"dropped": self._venue.hub.drop(_count(given, "count", None))}

    async def skip(self, given: dict[str, Any]) -> None:
        """`{"count": 1}`: the next messages are lost on the way to the sockets."""
        self._venue.faults.frames_to_skip += _count(given, "count", 1) or 0

    async def hash(self, given: dict[str, Any]) -> None:
        """`{"count": 1}`: the next books, by REST or socket, carry a wrong hash."""
        self._venue.faults.wrong_hashes_left += _count(given, "count", 1) or 0

    async def garbage(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"frames"?: [text]}`: send these texts, or a collection of bad ones, to all sockets."""
        frames = given.get("frames", list(GARBAGE_FRAMES))
        if not isinstance(frames, list) or not all(isinstance(text, str) for text in frames):
            raise HookError("frames must be a list of texts")
        for text in frames:
            self._venue.hub.send_raw(text)
        return {"sent": len(frames)}

    async def status(self, given: dict[str, Any]) -> None:
        """`{"status": 425, "requests"? | "seconds"?, "path"?, "retry_after"?, "body"?,
        "delay_ms"?}`: answer so to requests below the path (all doors)."""
        status = given.get("status", 200)
        if not isinstance(status, int) or not 100 <= status <= 599:
            raise HookError("status must be an HTTP status")
        seconds = _seconds(given)
        self._venue.faults.http.append(
            HttpFault(
                status=status,
                path=str(given.get("path", "/")),
                requests_left=_count(given, "requests", None),
                until_s=None if seconds is None else time.monotonic() + seconds,
                retry_after=str(given.get("retry_after", "")),
                body=None if given.get("body") is None else str(given["body"]),
                delay_ms=_count(given, "delay_ms", 0) or 0,
            )
        )

    async def clear(self, given: dict[str, Any]) -> None:
        """End all faults and let go of every held book."""
        self._venue.faults.clear()
        for market in self._venue.markets.values():
            market.is_held = False

    # -- markets -------------------------------------------------------------------------------
    def _market(self, given: dict[str, Any]) -> tuple[Market, int]:
        """The market and outcome that `condition_id`, `slug` or `token_id` names."""
        token = str(given.get("token_id", ""))
        market = self._venue.market_of_token(token)
        if market is not None:
            return market, market.index_of(token)
        market = self._venue.markets.get(str(given.get("condition_id", "")))
        if market is None and given.get("slug"):
            slug = given["slug"]
            market = next((m for m in self._venue.markets.values() if m.slug == slug), None)
        if market is None:
            raise HookError("no listed market has this token_id, condition_id or slug")
        index = given.get("outcome_index", 0)
        if index not in (0, 1):
            raise HookError("outcome_index must be 0 or 1")
        return market, index

    async def cross(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{market, "seconds"?}`: put an offer below the best bid; taken away after the seconds."""
        market, _index = self._market(given)
        bid, _ask = market.top(0)
        if bid is None or bid <= market.tick:
            raise HookError("the market has no bid to cross")
        market.is_held = True
        price = bid - market.tick
        self._venue.change_levels(market, [(SELL, price, 100 * SCALE)], wall_ms())
        seconds = _seconds(given)
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._uncross, market, price)
        return {"condition_id": market.condition_id, "ask": number(price)}

    def _uncross(self, market: Market, price: int) -> None:
        if not market.is_closed:
            self._venue.change_levels(market, [(SELL, price, 0)], wall_ms())
        market.is_held = False

    async def resolve(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{market, "payouts": ["1","0"], "announce"?: true}`: close with this result."""
        market, _index = self._market(given)
        payouts = given.get("payouts", ["1", "0"])
        if not isinstance(payouts, list) or len(payouts) != 2:
            raise HookError("payouts must be two texts")
        announced = given.get("announce", True) is True
        first, second = (str(payout) for payout in payouts)
        self._venue.resolve(market, (first, second), wall_ms(), is_announced=announced)
        return _market_state(market)

    async def book(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{market, "bids": [{"price","size"}], "asks": [...], "hold"?: true, "send"?: true}`.

        Sets the whole book of the named token (the first outcome without `token_id`) and holds it.
        """
        market, index = self._market(given)
        own = [_levels(given.get(name, [])) for name in ("bids", "asks")]
        bids, asks = own if index == 0 else (_mirrored(own[1]), _mirrored(own[0]))
        market.is_held = given.get("hold", True) is True
        if given.get("send", True) is True:
            self._venue.set_book(market, bids, asks, wall_ms())
        else:
            market.bids, market.asks, market.timestamp_ms = bids, asks, wall_ms()
        return _market_state(market)

    async def levels(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{market, "changes": [{"side","price","size"}], "hold"?: true}`: one `price_change`."""
        market, index = self._market(given)
        changes = []
        for row in given.get("changes", []):
            side = str(row.get("side", "")).upper()
            if side not in (BUY, SELL):
                raise HookError("side must be BUY or SELL")
            price, size = _figure(row, "price"), _figure(row, "size")
            if index == 1:
                side, price = SELL if side == BUY else BUY, SCALE - price
            changes.append((side, price, size))
        market.is_held = given.get("hold", True) is True
        self._venue.change_levels(market, changes, wall_ms())
        return _market_state(market)

    async def trade(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{market, "side": "BUY", "size", "price"?}`: print a trade of the named token.

        Without a price the best level is taken and both books follow; with one the book stays.
        """
        market, index = self._market(given)
        side, size = str(given.get("side", BUY)).upper(), _figure(given, "size")
        if side not in (BUY, SELL) or size <= 0:
            raise HookError("side must be BUY or SELL and size above zero")
        if "price" in given:
            price = _figure(given, "price")
            trade = self._venue.print_trade(market, index, price, size, side, wall_ms())
            self._venue.send_books(market)
        else:
            own_side = side if index == 0 else (SELL if side == BUY else BUY)
            taken = self._venue.take(market, own_side, size, wall_ms(), as_outcome=index)
            if taken is None:
                raise HookError("there is nothing to take")
            trade = taken
        return {"price": number(trade.price), "size": number(trade.size), "side": trade.side}

    async def tick(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{market, "tick": "0.001"}`: change the tick size; the book keeps its levels."""
        market, _index = self._market(given)
        tick = _figure(given, "tick")
        if tick not in (100_000, 10_000, 1_000, 100):
            raise HookError("tick must be 0.1, 0.01, 0.001 or 0.0001")
        market.is_held = given.get("hold", True) is True
        bids = {price: size for price, size in market.bids.items() if price % tick == 0}
        asks = {price: size for price, size in market.asks.items() if price % tick == 0}
        self._venue.change_tick(market, tick, bids, asks, wall_ms())
        return _market_state(market)

    async def release(self, given: dict[str, Any]) -> None:
        """`{market}`: let the held book move again."""
        market, _index = self._market(given)
        market.is_held = False

    # -- time ----------------------------------------------------------------------------------
    async def pause(self, given: dict[str, Any]) -> None:
        """Nothing moves by itself any more."""
        self._driver.is_paused = True

    async def resume(self, given: dict[str, Any]) -> None:
        self._driver.is_paused = False

    async def advance(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"seconds"}`: let so much of the venue's time pass at once, paused or not."""
        seconds = _seconds(given)
        if seconds is None or not 0 < seconds <= ADVANCE_SECONDS_MAX:
            raise HookError(f"seconds must be above 0 and at most {ADVANCE_SECONDS_MAX}")
        left = int(seconds * 1000)
        steps = 0
        while left > 0:
            self._driver.advance(min(ADVANCE_STEP_MS, left), wall_ms())
            left -= ADVANCE_STEP_MS
            steps += 1
            if steps % 20 == 0:
                await asyncio.sleep(0)  # sockets and other requests get their turn
        return {"advanced": seconds}


def _endpoint(hook: Hook) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            given = json.loads(body) if body.strip() else {}
            if not isinstance(given, dict):
                raise HookError("the body must be a JSON object")
            result = await hook(given)
        except (HookError, FigureError) as error:
            return refuse(400, str(error))
        except ValueError:
            return refuse(400, "the body must be a JSON object")
        return answer({"ok": True} | (result or {}))

    return endpoint


def _seconds(given: dict[str, Any]) -> float | None:
    value = given.get("seconds")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise HookError("seconds must be a number, not negative")
    return float(value)


def _count(given: dict[str, Any], name: str, default: int | None) -> int | None:
    value = given.get(name, default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise HookError(f"{name} must be a whole number, not negative")
    return value


def _figure(given: dict[str, Any], name: str) -> int:
    if name not in given:
        raise HookError(f"{name} is missing")
    return parse_figure(given[name])


def _levels(rows: Any) -> dict[int, int]:
    """Scaled levels of a JSON list; sizes of zero are left out."""
    if not isinstance(rows, list):
        raise HookError("bids and asks must be lists")
    found: dict[int, int] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise HookError("a level is an object with price and size")
        price, size = _figure(row, "price"), _figure(row, "size")
        if not 0 < price < SCALE or size < 0:
            raise HookError("prices lie between 0 and 1, sizes are not negative")
        if size:
            found[price] = size
    return found


def _mirrored(levels: dict[int, int]) -> dict[int, int]:
    return {SCALE - price: size for price, size in levels.items()}


def _market_state(market: Market) -> dict[str, Any]:
    bid, ask = market.top(0)
    return {
        "condition_id": market.condition_id,
        "token_ids": list(market.token_ids),
        "slug": market.slug,
        "question": market.question,
        "outcomes": list(market.outcomes),
        "tick": number(market.tick),
        "best_bid": None if bid is None else number(bid),
        "best_ask": None if ask is None else number(ask),
        "closed": market.is_closed,
        "payouts": list(market.payouts) if market.payouts else None,
        "held": market.is_held,
        "ends_ms": market.ends_ms,
    }
