"""The whole feed between the tiny venue and a real Valkey. All prices synthetic."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from polysim.kernel.redis import open_async_redis
from tests.stream.conftest import wait_for
from tests.stream.fake_venue import FakeVenue, NoLimit, condition
from trading.markets import books
from trading.markets.books import frames, keys
from trading.markets.books import store as book_store
from trading.markets.feed import lease as lease_module
from trading.markets.feed import service
from trading.markets.feed.lease import Lease
from trading.markets.feed.selection import FeedMarket
from trading.markets.feed.service import Feed
from trading.markets.polymarket.connection import SocketSettings
from trading.markets.polymarket.http import AsyncVenueClient
from trading.markets.polymarket.stream import StreamSettings

OpenFeed = Callable[..., AbstractAsyncContextManager[tuple[FakeVenue, Feed]]]
FIRST = condition(1)


def feed_market(venue: FakeVenue, number: int) -> FeedMarket:
    spec = venue.specs[number - 1]
    card = frames.MarketCard(spec.condition_id, ("Yes", "No"), spec.token_ids, "1000.00")
    return FeedMarket(spec, card, number, (number * 2, number * 2 + 1))


@pytest.fixture
def open_feed(redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> OpenFeed:
    """`async with open_feed(markets=2) as (venue, feed)`: running, its books in Valkey."""
    book_store._script.cache_clear()
    stored: list[Any] = []
    monkeypatch.setattr(service.recording, "store", lambda *batch, **_ids: stored.append(batch))
    monkeypatch.setattr(service, "HEALTH_S", 0.1)
    monkeypatch.setattr(service, "FEED_FRAME_S", 0.2)

    @asynccontextmanager
    async def opened(
        *, markets: int = 2, busiest: int = 2, venue: FakeVenue | None = None, **options: Any
    ) -> AsyncIterator[tuple[FakeVenue, Feed]]:
        own = venue is None
        venue = venue or FakeVenue(markets)
        url = await venue.start() if own else f"ws://127.0.0.1:{venue.port}"
        catalogue = {
            each.condition_id: feed_market(venue, number)
            for number, each in enumerate(venue.specs, start=1)
        }
        top = list(catalogue)[:busiest]
        monkeypatch.setattr(service, "load_markets", lambda _wanted, busiest: (catalogue, top))
        socket = SocketSettings(
            url=url, user_agent="tests", data_stale_s=options.pop("data_stale_s", 5.0)
        )
        feed = Feed(mode="demo", stream=StreamSettings(socket=socket, pace=0.1))
        client = AsyncVenueClient(
            repeats=0,
            transport=venue.transport(),
            limit=NoLimit(),  # type: ignore[arg-type]
        )
        monkeypatch.setattr(feed, "_open_client", lambda: client)
        running = asyncio.create_task(feed.run())
        try:
            for condition_id in top:
                await until_live(condition_id)
            yield venue, feed
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=10)
            if own:
                await venue.stop()

    return opened


def live(condition_id: str = FIRST) -> books.LiveMarket:
    return books.read_live_market(condition_id, note_interest=False)


async def until_live(condition_id: str = FIRST, timeout_s: float = 5.0) -> None:
    await wait_for(lambda: live(condition_id).is_live, timeout_s)


async def until_best_bid(price: int, condition_id: str = FIRST, timeout_s: float = 5.0) -> None:
    await wait_for(lambda: live(condition_id).merged_book(0).best_bid == price, timeout_s)


@asynccontextmanager
async def listening(condition_id: str = FIRST) -> AsyncIterator[list[dict[str, Any]]]:
    """What is published about a market while the block runs."""
    heard: list[dict[str, Any]] = []
    client = open_async_redis()
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(keys.tick_channel(condition_id))

    async def listen() -> None:
        while True:
            message = await pubsub.get_message(timeout=0.1)
            if message is not None:
                heard.append(json.loads(message["data"]))

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    try:
        yield heard
    finally:
        while not listener.done():
            listener.cancel()
            await asyncio.wait({listener}, timeout=0.2)
        await client.aclose()


async def test_books_and_the_feeds_state_are_in_valkey(open_feed: OpenFeed) -> None:
    async with open_feed():
        market = live()
        assert market.merged_book(0).best_bid == 600_000
        await wait_for(lambda: len(live().feed.connections) == 1)
        state = live().feed
        assert state.label == "Synthetic demo prices"
        assert not state.is_halted
        assert state.mode == "demo"
        assert state.is_running(state.heartbeat_ms + 1_000)


async def test_a_change_is_a_tick_with_the_new_price(open_feed: OpenFeed) -> None:
    async with open_feed() as (venue, _feed), listening() as heard:
        await asyncio.sleep(0.15)
        await venue.change("11", "BUY", "0.61", "7")
        await wait_for(lambda: bool(heard))
        assert heard[-1]["type"] == "price"
        assert (heard[-1]["best_bid"], heard[-1]["buy"]) == ("0.61", "0.615")
        assert live().merged_book(0).best_bid == 610_000


async def test_a_busy_market_ticks_ten_times_a_second_with_the_newest_last(
    open_feed: OpenFeed,
) -> None:
    async with open_feed() as (venue, _feed), listening() as heard:
        started_s = time.monotonic()
        for number in range(100):
            await venue.change("11", "BUY", "0.60", str(100 + number))
            await venue.change("11", "BUY", "0.61", str(number % 2))
            await asyncio.sleep(0.01)
        await venue.change("11", "BUY", "0.61", "5")
        await asyncio.sleep(0.3)
        elapsed_s = time.monotonic() - started_s
        assert 5 <= len(heard) <= elapsed_s * 10 + 2
        assert heard[-1]["best_bid"] == "0.61"


async def test_ladders_are_published_for_watched_markets_only(open_feed: OpenFeed) -> None:
    async with open_feed() as (venue, feed), listening() as heard:
        await venue.change("11", "BUY", "0.55", "5")
        await asyncio.sleep(0.3)
        assert "book" not in {frame["type"] for frame in heard}
        books.note_page_interest([FIRST])
        await wait_for(lambda: FIRST in feed._publisher.watched)
        await venue.change("11", "BUY", "0.55", "6")
        await wait_for(lambda: "book" in {frame["type"] for frame in heard})


async def test_a_trade_is_published_and_recorded(open_feed: OpenFeed) -> None:
    async with open_feed() as (venue, feed), listening() as heard:
        await venue.send(
            {
                "event_type": "last_trade_price",
                "asset_id": "12",
                "market": FIRST,
                "price": "0.39",
                "size": "4",
                "side": "BUY",
                "timestamp": str(venue.times["11"] + 1),
                "transaction_hash": "0xabc",
            }
        )
        await wait_for(lambda: "trade" in {frame["type"] for frame in heard})
        trade = next(frame for frame in heard if frame["type"] == "trade")
        assert (trade["label"], trade["price"], trade["size"]) == ("No", "0.39", "4")
        candles, trades = feed._recorder.take(wall_ms=0, everything=True)
        assert len(trades) == 1
        assert any(candle.volume == 4_000_000 for candle in candles)


async def test_a_looked_at_market_becomes_live(open_feed: OpenFeed) -> None:
    async with open_feed(markets=3, busiest=1):
        assert live(condition(3)).status == books.ABSENT
        books.note_page_interest([condition(3)])
        await until_live(condition(3), timeout_s=3)


async def test_depletion_ends_with_an_update_of_the_level(open_feed: OpenFeed) -> None:
    async with open_feed() as (venue, _feed):
        market = live()
        assert books.take_depth(market, {"a:620000": 1_000_000, "a:630000": 1_000_000})
        await venue.change("11", "SELL", "0.62", "9")
        await wait_for(lambda: live().taken == {"a:630000": 1_000_000})


async def test_after_valkey_lost_everything_all_books_are_written_again(
    open_feed: OpenFeed, redis_client: Any
) -> None:
    async with open_feed():
        before = live().seq
        redis_client.flushall()
        await until_live(timeout_s=5)
        await until_live(condition(2))
        assert live().seq > before


async def test_while_a_connection_is_down_nothing_is_live(open_feed: OpenFeed) -> None:
    async with open_feed() as (venue, _feed):
        venue.refuses_sockets = True
        venue.rest_status = 503
        await venue.drop_all()
        await wait_for(lambda: live().status == books.SYNCING)
        venue.refuses_sockets = False
        venue.rest_status = 200
        await until_live(timeout_s=5)


async def test_silence_and_a_dead_rest_door_are_a_venue_halt(open_feed: OpenFeed) -> None:
    async with open_feed(data_stale_s=0.5) as (venue, _feed):
        venue.is_frozen = True
        venue.rest_status = 503
        await wait_for(lambda: live().feed.is_halted, timeout_s=10)
        assert live().feed.halted_since_ms > 0
        venue.rest_status = 200
        await wait_for(lambda: not live().feed.is_halted, timeout_s=10)


async def test_silence_alone_is_no_halt_while_rest_answers(open_feed: OpenFeed) -> None:
    async with open_feed(data_stale_s=0.5) as (venue, _feed):
        venue.is_frozen = True
        await asyncio.sleep(1.5)
        assert not live().feed.is_halted


async def test_a_second_feed_waits_and_takes_over(open_feed: OpenFeed, redis_client: Any) -> None:
    venue = FakeVenue(1)
    await venue.start()
    async with open_feed(venue=venue), open_feed(busiest=0, venue=venue) as (_venue, second):
        await asyncio.sleep(0.3)
        assert not hasattr(second, "_stream")
        redis_client.set(keys.owner_key(), second._lease.token, px=15_000)
        await wait_for(lambda: hasattr(second, "_stream"))
        # The first one notices at its next heartbeat and stands by.
        await asyncio.sleep(1.5)
        assert redis_client.get(keys.owner_key()) == second._lease.token
    await venue.stop()


async def test_a_former_owner_cannot_write(open_feed: OpenFeed, redis_client: Any) -> None:
    async with open_feed() as (venue, _feed):
        redis_client.set(keys.owner_key(), "somebody else")
        before = live().seq
        await venue.change("11", "BUY", "0.61", "7")
        await asyncio.sleep(0.3)
        assert live().seq == before


async def test_the_lease_of_a_dead_process_is_taken_over_at_once(redis_client: Any) -> None:
    client = open_async_redis()
    dead = Lease(client)
    place, _process, start, rest = dead.token.split("|")
    redis_client.set(keys.owner_key(), "|".join([place, "999999", start, rest]), px=15_000)
    heir = Lease(client)
    await asyncio.wait_for(heir.acquire(), timeout=1)
    assert redis_client.get(keys.owner_key()) == heir.token
    await client.aclose()


async def test_the_lease_of_a_living_process_is_respected(
    redis_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RETRY_S", 0.05)
    client = open_async_redis()
    await Lease(client).hold()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Lease(client).acquire(), timeout=0.3)
    await client.aclose()
