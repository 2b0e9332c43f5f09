"""A tiny venue in the test's own loop: a real websocket, REST by a transport. All synthetic."""

import asyncio
import contextlib
import json
import time
from typing import Any

import httpx
from websockets.asyncio.server import Server, ServerConnection, serve

from trading.markets.polymarket.keeper import MarketSpec

Levels = dict[str, str]


def condition(number: int) -> str:
    return f"0x{number:064x}"


def spec(number: int) -> MarketSpec:
    """Market `number`: tokens 10n+1 and 10n+2."""
    return MarketSpec(condition(number), (str(number * 10 + 1), str(number * 10 + 2)))


class FakeVenue:
    """Two mirrored books per market. Faults are plain attributes that tests set."""

    def __init__(self, markets: int) -> None:
        self.specs = [spec(number) for number in range(1, markets + 1)]
        self.books: dict[str, tuple[Levels, Levels]] = {}
        self.times: dict[str, int] = {}
        self.markets_by_token: dict[str, str] = {}
        self.subscriptions: dict[ServerConnection, set[str]] = {}
        self.opened = 0
        self.rest_calls: list[list[str]] = []
        # Faults
        self.is_frozen = False
        self.answers_pong = True
        self.refuses_sockets = False
        self.rest_status = 200
        self.unknown_to_rest: set[str] = set()
        self.rest_override: dict[str, dict[str, Any]] = {}
        self._server: Server | None = None
        for market in self.specs:
            first, second = market.token_ids
            for token in market.token_ids:
                self.markets_by_token[token] = market.condition_id
                self.times[token] = now_ms()
            self.books[first] = ({"0.60": "10", "0.59": "20"}, {"0.62": "10", "0.63": "20"})
            self.books[second] = ({"0.38": "10", "0.37": "20"}, {"0.40": "10", "0.41": "20"})

    # -- life ----------------------------------------------------------------------------------
    async def start(self) -> str:
        self._server = await serve(self._serve, "127.0.0.1", 0, ping_interval=None)
        return f"ws://127.0.0.1:{self.port}/ws/market"

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def drop_all(self) -> None:
        """Cut every connection without a closing handshake."""
        for connection in list(self.subscriptions):
            connection.transport.abort()
        await asyncio.sleep(0)

    # -- websocket -----------------------------------------------------------------------------
    async def _serve(self, connection: ServerConnection) -> None:
        if self.refuses_sockets:
            connection.transport.abort()
            return
        self.opened += 1
        self.subscriptions[connection] = set()
        with contextlib.suppress(Exception):
            async for raw in connection:
                if raw == "PING":
                    if self.answers_pong:
                        await connection.send("PONG")
                    continue
                await self._subscribe(connection, json.loads(raw))
        self.subscriptions.pop(connection, None)

    async def _subscribe(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        tokens = set(message["assets_ids"])
        held = self.subscriptions[connection]
        if message.get("operation") == "unsubscribe":
            held -= tokens
            return
        new = sorted(tokens - held)
        held |= tokens
        if not self.is_frozen and new:
            await connection.send(json.dumps([self.book(token) for token in new]))

    async def send(self, *events: dict[str, Any] | str) -> None:
        """Send events to every connection that subscribed their tokens (text: to all)."""
        if self.is_frozen:
            return
        for connection, tokens in list(self.subscriptions.items()):
            for event in events:
                named = {event} if isinstance(event, str) else tokens_of(event)
                if isinstance(event, str) or named & tokens:
                    text = event if isinstance(event, str) else json.dumps(event)
                    with contextlib.suppress(Exception):
                        await connection.send(text)

    async def change(self, token: str, side: str, price: str, size: str) -> None:
        """Set a level of one token and its mirror of the other, and tell both in one frame."""
        market = next(each for each in self.specs if token in each.token_ids)
        other = next(each for each in market.token_ids if each != token)
        mirrored = f"{1 - float(price):.2f}"
        entries = []
        for name, own_side, own_price in (
            (token, side, price),
            (other, "SELL" if side == "BUY" else "BUY", mirrored),
        ):
            self.set_level(name, own_side, own_price, size)
            entries.append((name, own_side, own_price))
        await self.send(
            {
                "event_type": "price_change",
                "market": market.condition_id,
                "timestamp": str(self.times[token]),
                "price_changes": [self._entry(*entry, size) for entry in entries],
            }
        )

    def _entry(self, token: str, side: str, price: str, size: str) -> dict[str, str]:
        bids, asks = self.books[token]
        return {
            "asset_id": token,
            "price": price,
            "size": size,
            "side": side,
            "hash": "",
            "best_bid": max(bids, default="0"),
            "best_ask": min(asks, default="1"),
        }

    def set_level(self, token: str, side: str, price: str, size: str) -> None:
        """Change the venue's own book without telling anybody."""
        levels = self.books[token][0 if side == "BUY" else 1]
        if size == "0":
            levels.pop(price, None)
        else:
            levels[price] = size
        self.times[token] = max(now_ms(), self.times[token] + 1)

    def book(self, token: str, **changes: Any) -> dict[str, Any]:
        bids, asks = self.books[token]
        return {
            "event_type": "book",
            "asset_id": token,
            "market": self.markets_by_token[token],
            "timestamp": str(self.times[token]),
            "hash": "",
            "bids": [{"price": price, "size": bids[price]} for price in sorted(bids)],
            "asks": [{"price": price, "size": asks[price]} for price in sorted(asks, reverse=True)],
            "tick_size": "0.01",
            "min_order_size": "5",
            "neg_risk": False,
            "last_trade_price": "0.61",
        } | changes

    # -- REST ------------------------------------------------------------------------------------
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.rest_status != 200:
            return httpx.Response(self.rest_status, json={"error": "not now"})
        wanted = [entry["token_id"] for entry in json.loads(request.content)]
        self.rest_calls.append(wanted)
        known = [token for token in wanted if token not in self.unknown_to_rest]
        answer = [self.rest_override.get(token) or self.book(token) for token in known]
        return httpx.Response(200, json=answer)


def tokens_of(event: dict[str, Any]) -> set[str]:
    named = {entry["asset_id"] for entry in event.get("price_changes", ())}
    if "asset_id" in event:
        named.add(event["asset_id"])
    return named


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class NoLimit:
    """Stands for the request limit that processes share."""

    async def reserve_ms(self, host: str, *, max_wait_ms: int) -> int:
        return 0

    async def pause(self, host: str, milliseconds: int) -> None:
        return
