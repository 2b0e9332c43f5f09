"""The feed as a whole: owner of the venue connections, writer of books, voice of ticks.

One process at a time (a lease). It decides which markets are live, watches the venue's health,
records history, and after the loss of Valkey, the database or the venue goes on by itself.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import django.db
import redis
import redis.asyncio
from django.conf import settings

from polysim.kernel.clock import utc_now
from polysim.kernel.redis import open_async_redis
from trading.markets.books import frames, keys
from trading.markets.books.codec import decode_feed
from trading.markets.catalogue import refresh_named_markets
from trading.markets.feed import recorder as recording
from trading.markets.feed.health import VenueHealth
from trading.markets.feed.lease import HELD_ANEW, Lease, OwnerLostError
from trading.markets.feed.publisher import Publisher
from trading.markets.feed.recorder import Recorder
from trading.markets.feed.selection import (
    FeedMarket,
    Interest,
    Wanted,
    load_markets,
    read_interest,
)
from trading.markets.polymarket.connection import SocketSettings
from trading.markets.polymarket.http import AsyncVenueClient, VenueClient, VenueError, user_agent
from trading.markets.polymarket.stream import StreamSettings, VenueStream

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

HEARTBEAT_S = 1.0
FEED_FRAME_S = 2.0
INTEREST_S = 2.0
CATALOGUE_S = 15.0
HEALTH_S = 1.0
RECORD_S = 10.0
LIFECYCLE_S = 5.0
LIFECYCLE_MAX = 100
LABELS = {
    "live": "Polymarket, live",
    "demo": "Synthetic demo prices",
    "replay": "Replay of recorded Polymarket prices",
    "off": "No prices",
}


def stream_settings() -> StreamSettings:
    """The venue settings of polymarket-feed 1."""
    return StreamSettings(
        socket=SocketSettings(
            url=settings.POLYMARKET_WS_MARKET_URL,
            user_agent=user_agent(),
            ping_s=settings.POLYMARKET_WS_PING_S,
            pong_stale_s=settings.POLYMARKET_WS_PONG_STALE_S,
            data_stale_s=settings.POLYMARKET_WS_DATA_STALE_S,
        ),
        assets_per_connection=min(500, settings.POLYMARKET_WS_ASSETS_PER_CONN),
        connections_max=settings.POLYMARKET_WS_MAX_CONNS,
        verify_s=settings.POLYMARKET_BOOK_VERIFY_S,
    )


class Feed:
    """Runs until cancelled. Everything in one event loop; database work in one thread."""

    def __init__(self, *, mode: str, stream: StreamSettings | None = None) -> None:
        self.mode = mode
        self._settings = stream or stream_settings()
        self._client = open_async_redis(socket_timeout=5, socket_connect_timeout=2)
        self._lease = Lease(self._client)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed-database")
        self._catalogue_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed-gamma")
        self._markets: dict[str, FeedMarket] = {}
        self._busiest: list[str] = []
        self._wanted = Wanted()
        self._interest = Interest()
        self._recorder = Recorder()
        self._health = VenueHealth(data_stale_s=self._settings.socket.data_stale_s)
        self._interest_woken = asyncio.Event()
        self._catalogue_is_old = True
        self._connection_fields: set[str] = set()
        self._stream: VenueStream
        self._publisher: Publisher

    async def run(self) -> None:
        """Own the feed whenever the lease is ours."""
        try:
            while True:
                await self._lease.acquire()
                logger.info("this process owns the feed (%s)", self.mode)
                try:
                    await self._serve()
                except* OwnerLostError:
                    logger.warning("another process owns the feed now; standing by")
        finally:
            await self._store_history(everything=True)
            await self._lease.release()
            await self._client.aclose()
            self._threads.shutdown(wait=True)
            self._catalogue_thread.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        async with self._open_client() as client:
            self._stream = VenueStream(client, self._settings, on_change=self._on_change)
            self._publisher = Publisher(
                self._client,
                self._stream,
                self._lease,
                self._recorder,
                on_loss=self._interest_woken.set,
            )
            self._catalogue_is_old = True
            self._connection_fields = set()
            loops = [
                self._stream.run(),
                self._publisher.run(),
                self._every(HEARTBEAT_S, self._beat),
                self._every(FEED_FRAME_S, self._tell_state),
                self._every(HEALTH_S, self._look_at_health),
                self._watch_overdue_halt(),
                self._every(RECORD_S, self._store_history),
                self._every(LIFECYCLE_S, self._refresh_named_markets),
                self._interest_loop(),
                self._listen(),
            ]
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop)

    def _open_client(self) -> AsyncVenueClient:
        """REST without repeats of its own: the stream paces them."""
        return AsyncVenueClient(repeats=0, max_wait_ms=5_000)

    def _on_change(self) -> None:
        self._publisher.notify()

    async def _every(self, pause_s: float, step: Callable[[], object]) -> None:
        """Call an async step for ever; trouble with Valkey or the database is tried again."""
        failing = False
        while True:
            try:
                await step()  # type: ignore[misc]
                failing = False
            except (redis.RedisError, OSError, django.db.Error) as error:
                if not failing:
                    name = getattr(step, "__name__", "step")
                    logger.warning("%s will be tried again: %s", name.strip("_"), error)
                failing = True
            await asyncio.sleep(pause_s)

    async def _in_thread(
        self, work: Callable[[], Answer], threads: ThreadPoolExecutor | None = None
    ) -> Answer:
        """Database work in `public`, its connection given back afterwards."""

        def run() -> Answer:
            from django_tenants.utils import get_public_schema_name, schema_context

            try:
                with schema_context(get_public_schema_name()):
                    return work()
            finally:
                django.db.connection.close()

        return await asyncio.get_running_loop().run_in_executor(threads or self._threads, run)

    # -- which markets -----------------------------------------------------------------------------
    async def _interest_loop(self) -> None:
        await self._forget_former_owner()
        loaded_s = 0.0
        while True:
            try:
                self._interest = await read_interest(self._client)
            except (redis.RedisError, OSError):
                logger.debug("interest cannot be read; the former one stays")
            now_s = time.monotonic()
            unknown = self._interest.all_ids() - self._markets.keys()
            is_due = now_s - loaded_s >= (INTEREST_S if unknown else CATALOGUE_S)
            if self._catalogue_is_old or is_due:
                self._catalogue_is_old = False
                loaded_s = now_s
                await self._load_catalogue()
            await self._apply_interest()
            try:
                await asyncio.wait_for(self._interest_woken.wait(), timeout=INTEREST_S)
                await asyncio.sleep(0.05)  # several pages opening at once are one change
            except TimeoutError:
                pass
            self._interest_woken.clear()

    async def _load_catalogue(self) -> None:
        wanted = self._interest.all_ids() | self._stream.keeper.specs.keys()
        busiest = settings.POLYMARKET_SUBSCRIBE_TOP_MARKETS
        try:
            self._markets, self._busiest = await self._in_thread(
                lambda: load_markets(wanted, busiest=busiest)
            )
        except (django.db.Error, OSError) as error:
            logger.warning("the catalogue cannot be read: %s", error)

    async def _apply_interest(self) -> None:
        chosen = self._wanted.choose(
            self._interest, self._busiest, self._markets, now_s=time.monotonic()
        )
        former = set(self._stream.keeper.specs)
        self._publisher.watched = frozenset(self._interest.pages)
        gone = former - set(chosen)
        if gone:
            # The last books stay for display, but nothing vouches for them any more.
            self._stream.keeper.mark_stale(self._stream.keeper.tokens_of(gone))
            await self._publisher.flush()
        self._publisher.markets = self._markets
        specs = [self._markets[condition_id].spec for condition_id in chosen]
        await self._stream.want(specs, held=self._interest.orders)
        for condition_id in gone:
            self._publisher.forget(condition_id)

    async def _listen(self) -> None:
        """Wake up for new interest and for news of the catalogue."""
        while True:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(keys.interest_channel(), keys.catalogue_channel())
                    while not _is_cancelled():
                        # A bounded wait: the library may swallow a cancellation in a long one.
                        message = await pubsub.get_message(timeout=1.0)
                        if message is None:
                            continue
                        if message["channel"] == keys.catalogue_channel():
                            self._catalogue_is_old = True
                        self._interest_woken.set()
                    raise asyncio.CancelledError
            except (redis.RedisError, OSError):
                await asyncio.sleep(1)

    async def _refresh_named_markets(self) -> None:
        """Frames named markets as new or resolved: one read of Gamma each 5 s (5.5)."""
        named = self._stream.keeper.lifecycle
        if not named:
            return
        batch = sorted(named)[:LIFECYCLE_MAX]
        named.difference_update(batch)

        def ask() -> None:
            with VenueClient(repeats=0) as client:
                refresh_named_markets(batch, client=client, now=utc_now())

        try:
            await self._in_thread(ask, self._catalogue_thread)
        except VenueError as error:
            # The regular sweep and the resolution poll find the same a little later.
            logger.warning("named markets were not read: %s", error)

    # -- what it says of itself --------------------------------------------------------------------
    async def _forget_former_owner(self) -> None:
        """Connections of a former process vouch for nothing."""
        try:
            fields = [str(field) for field in await self._client.hkeys(keys.feed_key())]
            former = [field for field in fields if field.startswith(("conn:", "count:"))]
            if former:
                await self._client.hdel(keys.feed_key(), *former)
        except (redis.RedisError, OSError) as error:
            logger.warning("the former feed's state stays for now: %s", error)

    def _state(self) -> dict[Any, Any]:
        stream, health = self._stream, self._health
        lagging = stream.keeper.is_lagging(now_ms=time.monotonic_ns() // 1_000_000)
        state = {
            "mode": self.mode,
            "label": LABELS.get(self.mode, self.mode),
            "halted": "1" if health.is_halted else "0",
            "halted_since_ms": str(health.halted_since_ms),
            "lagging": "1" if lagging else "0",
            "lag_ms": str(stream.keeper.lag_ms),
            "last_data_ms": str(stream.last_data_wall_ms),
            "heartbeat_ms": str(time.time_ns() // 1_000_000),
            "polling": "1" if stream.is_polling else "0",
            "count:markets": str(len(stream.keeper.specs)),
            "count:writes": str(self._publisher.written),
            "count:write_us": str(int(self._publisher.write_ms * 1000)),
        }
        for name, number in stream.keeper.counters.items():
            state[f"count:{name}"] = str(number)
        for connection in stream.connections():
            if connection.last_data_wall_ms:
                name = f"conn:{self._lease.short}.{connection.id}"
                state[name] = str(connection.last_data_wall_ms)
        return state

    async def _beat(self) -> None:
        """Renew the lease and the state; a lease that had vanished means that Valkey is empty."""
        held = await self._lease.hold()
        if not held:
            raise OwnerLostError
        if held == HELD_ANEW:
            logger.warning("Valkey lost its data; writing all books again")
            self._stream.keeper.touch_all()
            self._publisher.notify()
        state = self._state()
        fields = {name for name in state if name.startswith("conn:")}
        pipe = self._client.pipeline(transaction=True)
        gone = self._connection_fields - fields
        if gone:
            pipe.hdel(keys.feed_key(), *gone)
        pipe.hset(keys.feed_key(), mapping=state)
        await pipe.execute()
        self._connection_fields = fields

    async def _tell_state(self) -> None:
        feed = decode_feed(self._state())
        text = frames.feed_frame(feed, now_ms=feed.heartbeat_ms)
        await self._client.publish(keys.feed_channel(), text)

    async def _look_at_health(self) -> None:
        if not self._stream.keeper.specs:
            return
        changed = await self._health.step(
            now_s=time.monotonic(),
            wall_ms=time.time_ns() // 1_000_000,
            last_data_s=self._stream.last_data_s,
            probe=self._stream.probe_rest,
        )
        if changed:
            await self._beat()
            await self._tell_state()

    async def _watch_overdue_halt(self) -> None:
        """The 120 s limit holds even while a probe hangs."""
        while True:
            await asyncio.sleep(HEALTH_S)
            if self._stream.keeper.specs:
                self._health.halt_overdue(
                    now_s=time.monotonic(),
                    wall_ms=time.time_ns() // 1_000_000,
                    last_data_s=self._stream.last_data_s,
                )

    # -- the past ----------------------------------------------------------------------------------
    async def _store_history(self, *, everything: bool = False) -> None:
        wall_ms = time.time_ns() // 1_000_000
        candles, trades = self._recorder.take(wall_ms=wall_ms, everything=everything)
        if not candles and not trades:
            return
        outcome_ids = {
            token_id: (outcome_id, market.market_id)
            for market in self._markets.values()
            for token_id, outcome_id in zip(market.spec.token_ids, market.outcome_ids, strict=True)
        }
        try:
            await self._in_thread(lambda: recording.store(candles, trades, outcome_ids=outcome_ids))
        except django.db.Error:
            self._recorder.give_back(candles, trades)
            if not everything:
                raise
            logger.warning("the last minutes were not stored: the database does not answer")


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
