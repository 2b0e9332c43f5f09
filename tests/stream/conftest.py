"""A stream against the tiny venue, everything ten times faster than in production."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tests.stream.fake_venue import FakeVenue, NoLimit
from trading.markets.polymarket.connection import SocketSettings
from trading.markets.polymarket.http import AsyncVenueClient
from trading.markets.polymarket.stream import StreamSettings, VenueStream

OpenStream = Callable[..., AbstractAsyncContextManager[tuple[FakeVenue, VenueStream]]]


async def wait_for(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait until something is true; fails with its source when it does not become so."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("did not become true in time")
        await asyncio.sleep(0.01)


def is_live(stream: VenueStream) -> bool:
    """Whether every book that is kept is live."""
    return bool(stream.keeper.books) and not stream.keeper.unready_tokens()


@pytest.fixture
def open_stream() -> OpenStream:
    """`async with open_stream(markets=2) as (venue, stream)`; keywords go to the settings."""

    @asynccontextmanager
    async def opened(
        *, markets: int = 2, wait: bool = True, **settings: Any
    ) -> AsyncIterator[tuple[FakeVenue, VenueStream]]:
        venue = FakeVenue(markets)
        url = await venue.start()
        socket = SocketSettings(
            url=url,
            user_agent="tests",
            ping_s=settings.pop("ping_s", 0.3),
            pong_stale_s=settings.pop("pong_stale_s", 5.0),
            data_stale_s=settings.pop("data_stale_s", 5.0),
        )
        client = AsyncVenueClient(
            repeats=0,
            transport=venue.transport(),
            limit=NoLimit(),  # type: ignore[arg-type]
        )
        options = StreamSettings(socket=socket, **({"pace": 0.1} | settings))
        stream = VenueStream(client, options, on_change=lambda: None)
        running: Awaitable[None] = asyncio.create_task(stream.run())
        try:
            await stream.want(venue.specs, held=())
            if wait:
                await wait_for(lambda: is_live(stream))
            yield venue, stream
        finally:
            running.cancel()  # type: ignore[attr-defined]
            await asyncio.gather(running, return_exceptions=True)
            await client.close()
            await venue.stop()

    return opened
