"""The stream against the stand-in venue as a process of its own, with its faults switched on."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.stream.conftest import is_live, wait_for
from tests.stream.fake_venue import NoLimit
from trading.markets.polymarket import slots as slots_module
from trading.markets.polymarket.connection import SocketSettings
from trading.markets.polymarket.http import AsyncVenueClient
from trading.markets.polymarket.keeper import MarketSpec
from trading.markets.polymarket.stream import StreamSettings, VenueStream

OpenStream = Callable[..., AbstractAsyncContextManager[VenueStream]]
MARKETS = 15


@pytest.fixture(scope="module")
def venue_url() -> Iterator[str]:
    """The demo venue on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "trading.markets.standin", "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/clob/ok").status_code == 200:
                break
        time.sleep(0.1)
    yield url
    process.kill()
    process.wait()


@pytest.fixture
def hook(venue_url: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """`hook("freeze", seconds=1)`; all faults end with the test."""

    def called(name: str, **given: Any) -> dict[str, Any]:
        answer = httpx.post(f"{venue_url}/control/{name}", json=given)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    yield called
    called("clear")
    called("resume")


@pytest.fixture
def open_stream(venue_url: str, settings: Any) -> OpenStream:
    """A running stream of 15 demo markets, all live."""
    settings.POLYMARKET_CLOB_URL = f"{venue_url}/clob"

    @asynccontextmanager
    async def opened(data_stale_s: float = 60.0) -> AsyncIterator[VenueStream]:
        events = httpx.get(f"{venue_url}/gamma/events", params={"closed": "false", "limit": 100})
        specs = [spec for event in events.json() for spec in specs_of(event)][:MARKETS]
        client = AsyncVenueClient(repeats=0, limit=NoLimit())  # type: ignore[arg-type]
        url = venue_url.replace("http", "ws", 1) + "/ws/market"
        stream = VenueStream(
            client,
            StreamSettings(
                SocketSettings(url, "tests", ping_s=1.0, data_stale_s=data_stale_s), pace=0.2
            ),
            on_change=lambda: None,
        )
        running = asyncio.create_task(stream.run())
        try:
            await stream.want(specs, held=())
            await wait_for(lambda: is_live(stream), timeout_s=15)
            yield stream
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await client.close()

    return opened


def specs_of(event: dict[str, Any]) -> Iterator[MarketSpec]:
    """Long-lived markets of an event (Up/Down windows would end within the test)."""
    for market in event["markets"]:
        first, second = httpx.Response(200, text=market["clobTokenIds"]).json()
        if "updown" not in market["slug"] and "up-or-down" not in market["slug"]:
            yield MarketSpec(market["conditionId"], (first, second))


async def assert_same_as_rest(stream: VenueStream, hook: Callable[..., Any]) -> None:
    """With the venue held still, every book soon equals the one that REST answers."""
    await wait_for(lambda: is_live(stream), timeout_s=15)
    hook("pause")
    answers = await stream._client.fetch_books(list(stream.keeper.books))
    assert len(answers) == len(stream.keeper.books)
    # Frames sent before the pause may still be on their way on a busy machine.
    await wait_for(lambda: differing(stream, answers) == [], timeout_s=15)


def differing(stream: VenueStream, answers: Mapping[str, Any]) -> list[str]:
    """Tokens whose book is not the one in `answers`."""
    return [
        token_id
        for token_id, answer in answers.items()
        if stream.keeper.books[token_id].levels != (answer.bids, answer.asks)
    ]


async def test_all_books_follow_the_moving_venue(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        await asyncio.sleep(2)
        await assert_same_as_rest(stream, hook)
        assert not stream.keeper.counters["hash_mismatch_socket"]


async def test_a_dropped_socket_is_replaced(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        assert hook("drop")["dropped"] == 1
        await wait_for(lambda: stream.keeper.counters["connection_closed"] == 1)
        await assert_same_as_rest(stream, hook)


async def test_garbage_is_counted_and_harms_nothing(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        sent = hook("garbage")["sent"]
        await wait_for(lambda: stream.keeper.counters["garbage_not_json"] >= 2)
        assert sent >= 5
        await assert_same_as_rest(stream, hook)


async def test_a_frozen_socket_is_given_up(
    open_stream: OpenStream, hook: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "HAND_OVER_S", 0.5)
    async with open_stream(data_stale_s=1.0) as stream:
        hook("freeze", seconds=3)
        await wait_for(lambda: stream.keeper.counters["connection_silent"] >= 1, timeout_s=10)
        await wait_for(
            lambda: bool(stream.connections()) and is_live(stream) and not stream.is_polling,
            timeout_s=25,
        )
        await assert_same_as_rest(stream, hook)


async def test_skipped_frames_are_found_and_repaired(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        hook("skip", count=30)
        await asyncio.sleep(2)
        hook("pause")
        # Audits of quiet connections come within 1.4 s at this pace.
        await asyncio.sleep(4)
        await assert_same_as_rest(stream, hook)


async def test_a_wrong_hash_is_counted_and_the_book_used(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        hook("hash", count=4)
        hook("drop")
        counters = stream.keeper.counters
        await wait_for(
            lambda: counters["hash_mismatch_socket"] + counters["hash_mismatch_rest"] > 0
        )
        await assert_same_as_rest(stream, hook)


async def test_a_crossed_book_is_read_again_until_it_is_right(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        condition_id = next(iter(stream.keeper.specs))
        hook("cross", condition_id=condition_id, seconds=2)
        await wait_for(lambda: stream.keeper.pair(condition_id)[0].is_crossed)
        await wait_for(lambda: stream.keeper.counters["resync_crossed"] >= 1)
        await wait_for(lambda: not stream.keeper.pair(condition_id)[0].is_crossed)
        await assert_same_as_rest(stream, hook)


async def test_a_restarting_venue_is_waited_for(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        hook("status", status=425, seconds=2)
        hook("drop")
        token_id = next(iter(stream.keeper.books))
        stream.keeper.ask_again(token_id, 0)
        await wait_for(lambda: stream.keeper.counters["rest_failures"] >= 1)
        await asyncio.sleep(2)
        await assert_same_as_rest(stream, hook)


async def test_a_changed_tick_size_is_followed(
    open_stream: OpenStream, hook: Callable[..., Any]
) -> None:
    async with open_stream() as stream:
        specs = stream.keeper.specs.values()
        spec = next(
            each for each in specs if stream.keeper.books[each.token_ids[0]].tick_size == 10_000
        )
        hook("tick", condition_id=spec.condition_id, tick="0.001")
        await wait_for(lambda: stream.keeper.books[spec.token_ids[0]].tick_size == 1_000)
        await assert_same_as_rest(stream, hook)
