"""A stand-in venue in a thread, on a loopback port, stopped after the test."""

import argparse
import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from polysim.bootstrap.feed import free_port
from trading.markets.standin.server import add_arguments, build_app

START_SECONDS_MAX = 30
TIMEOUT_S = 60


class RunningVenue:
    """Addresses and shortcuts of one running venue."""

    def __init__(self, port: int) -> None:
        self.http = f"http://127.0.0.1:{port}"
        self.websocket = f"ws://127.0.0.1:{port}/ws/market"

    def get(self, path: str, **params: Any) -> Any:
        """The decoded JSON of a path that must answer 200."""
        return json.loads(self.text(path, **params))

    def text(self, path: str, **params: Any) -> str:
        """The body of a path that must answer 200."""
        answer = httpx.get(f"{self.http}{path}", params=params, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, body: Any) -> Any:
        answer = httpx.post(f"{self.http}{path}", json=body, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status_of(self, path: str, **params: Any) -> int:
        return httpx.get(f"{self.http}{path}", params=params).status_code

    def hook(self, name: str, **given: Any) -> Any:
        return self.post(f"/control/{name}", given)

    def markets(self) -> list[dict[str, Any]]:
        return self.get("/control/markets")

    def market(self, slug: str) -> dict[str, Any]:
        """State of the first open market whose slug begins so."""
        listed = (each for each in self.markets() if not each["closed"])
        return next(each for each in listed if each["slug"].startswith(slug))

    def book(self, token_id: str) -> dict[str, Any]:
        return self.get("/clob/book", token_id=token_id)

    def open_events(self) -> list[dict[str, Any]]:
        return self.get("/gamma/events/keyset", closed="false", limit=500)["events"]

    @contextlib.asynccontextmanager
    async def socket(self, token_ids: list[str], **fields: Any) -> AsyncIterator["Reader"]:
        """An open market socket that subscribed these tokens."""
        first = {"type": "market", "assets_ids": token_ids, "initial_dump": True} | fields
        async with connect(self.websocket, ping_interval=None, compression=None) as connection:
            await connection.send(json.dumps(first))
            yield Reader(connection)


class Reader:
    """Reads events of a socket one by one, whatever frames they come in."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[str] = []
        self._events: list[dict[str, Any]] = []

    async def send(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.connection.send(text)

    async def text(self, seconds: float = 5.0) -> str:
        """The next frame as it is."""
        frame = await asyncio.wait_for(self.connection.recv(), seconds)
        assert isinstance(frame, str)
        self.frames.append(frame)
        return frame

    async def event(self, seconds: float = 5.0) -> dict[str, Any]:
        """The next event."""
        while not self._events:
            payload = json.loads(await self.text(seconds))
            self._events = payload if isinstance(payload, list) else [payload]
        return self._events.pop(0)

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [await self.event() for _ in range(count)]

    async def silence(self, seconds: float = 0.4) -> None:
        """Nothing may come for a while."""
        assert self._events == []
        with pytest.raises(TimeoutError):
            await self.text(seconds)


def _serve(options: list[str]) -> tuple[uvicorn.Server, threading.Thread, RunningVenue]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    app = build_app(parser.parse_args(options))
    port = free_port()
    config = uvicorn.Config(
        app,
        port=port,
        log_level="warning",
        ws="websockets-sansio",
        ws_ping_interval=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS_MAX
    while not server.started:
        assert thread.is_alive(), "the venue did not start"
        assert time.monotonic() < deadline, "the venue did not start in time"
        time.sleep(0.01)
    return server, thread, RunningVenue(port)


@contextlib.contextmanager
def running(*options: str) -> Iterator[RunningVenue]:
    """A venue with these command-line options for the length of a block."""
    server, thread, venue = _serve(list(options))
    yield venue
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def run_venue() -> Iterator[Callable[..., RunningVenue]]:
    """Start venues with command-line options; all end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *options: stack.enter_context(running(*options))


@pytest.fixture
def venue() -> Iterator[RunningVenue]:
    """A demo venue in which nothing moves by itself."""
    with running("--mode", "demo", "--paused", "--seed", "7") as started:
        yield started
