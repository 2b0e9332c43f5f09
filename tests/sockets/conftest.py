"""A peer for socket applications, without a server in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from trading import hub as hub_module
from trading.consumers import application
from trading.markets.books import keys
from trading.markets.books import store as book_store


class Peer:
    """The other side of one socket application."""

    def __init__(self, path: str, headers: dict[str, str], query: str) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.close_code: int | None = None
        self.is_accepted = False
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        self._to_app.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(application(scope, self._to_app.get, self._receive))

    async def _receive(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            self.is_accepted = True
        elif message["type"] == "websocket.close":
            self.close_code = message["code"]
        else:
            await self.is_reading.wait()
            self.sent.put_nowait(json.loads(message["text"]))

    def send(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    async def frame(self, kind: str = "") -> dict[str, Any]:
        """The next frame (of that type, others are passed over)."""
        while True:
            frame = await asyncio.wait_for(self.sent.get(), timeout=5)
            if not kind or frame["type"] == kind:
                return frame

    async def ended(self) -> int | None:
        """Wait for the application to end; the code it closed with."""
        await asyncio.wait_for(asyncio.shield(self.task), timeout=5)
        return self.close_code

    async def leave(self) -> None:
        self.is_reading.set()
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(asyncio.gather(self.task, return_exceptions=True), timeout=5)


@pytest.fixture
async def connect(redis_client: Any) -> AsyncIterator[Callable[..., Peer]]:
    """`connect("/ws/terminal/")` opens a socket; all are closed at the end."""
    book_store._script.cache_clear()
    peers: list[Peer] = []

    def opened(path: str, *, query: str = "", **headers: str) -> Peer:
        peer = Peer(path, headers, query)
        peers.append(peer)
        return peer

    yield opened
    for peer in peers:
        await peer.leave()
    await hub_module.get_hub().stop()


@pytest.fixture
def publish(redis_client: Any) -> Callable[[str, str], None]:
    """Publish a frame to a market's channel as the feed does."""

    def published(condition_id: str, text: str) -> None:
        redis_client.publish(keys.tick_channel(condition_id), text)

    return published
