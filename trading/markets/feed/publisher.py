"""Books from the keeper into Valkey, and ticks to everybody, as soon as they change.

Writes are batched by what changed while the former batch was on its way; a market's frames go out
at most ten times a second, the newest always last. Contract: polymarket-feed 5, trading-api 10.1.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import redis
import redis.asyncio

from trading.markets.books import frames, keys, scripts
from trading.markets.books.state import ABSENT, LIVE, STALE, SYNCING, TokenBook, merge_pair
from trading.markets.books.writer import MarketWrite, write_command
from trading.markets.feed.lease import Lease, OwnerLostError
from trading.markets.feed.recorder import Recorder
from trading.markets.feed.selection import FeedMarket
from trading.markets.polymarket.keeper import Pending
from trading.markets.polymarket.local_book import LocalBook, Status
from trading.markets.polymarket.stream import VenueStream
from trading.markets.polymarket.tape import trade_identity
from trading.markets.pricing import Book, displayed_price

logger = logging.getLogger(__name__)

FRAME_PAUSE_S = 0.1  # ten frames a second and market (trading-api 10.1)
BATCH_PAUSE_S = 0.01
BATCH_MARKETS = 100
RETRY_S = 0.5
TRADES_PER_WRITE_MAX = 20

_STATUS = {
    Status.EMPTY: SYNCING,
    Status.SYNCING: SYNCING,
    Status.LIVE: LIVE,
    Status.STALE: STALE,
    Status.ABSENT: ABSENT,
}


@dataclass(slots=True)
class Sent:
    """What a market's readers were told last."""

    at_s: float = 0.0
    price: object = None
    book: object = None


class Publisher:
    """Writes what the keeper says has changed. `notify` is cheap and may be called at any rate."""

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        stream: VenueStream,
        lease: Lease,
        recorder: Recorder,
        *,
        on_loss: Callable[[], None],
    ) -> None:
        self.markets: Mapping[str, FeedMarket] = {}
        self.watched: frozenset[str] = frozenset()
        self.write_ms = 0.0
        self.written = 0
        self._client = client
        self._stream = stream
        self._lease = lease
        self._recorder = recorder
        self._on_loss = on_loss
        self._wake = asyncio.Event()
        self._sent: dict[str, Sent] = {}
        self._late: dict[str, float] = {}
        self._trades: dict[str, list[str]] = {}
        self._script_sha = ""
        self._is_failing = False

    def notify(self) -> None:
        """Something changed."""
        self._wake.set()

    def forget(self, condition_id: str) -> None:
        """A market is no longer kept."""
        self._sent.pop(condition_id, None)
        self._late.pop(condition_id, None)
        self._trades.pop(condition_id, None)

    async def run(self) -> None:
        """Write until cancelled; raises OwnerLostError when another process took the feed."""
        while True:
            await self._wait()
            await self.flush()
            await asyncio.sleep(BATCH_PAUSE_S)

    async def _wait(self) -> None:
        timeout_s = None
        if self._late:
            timeout_s = max(0.0, min(self._late.values()) - time.monotonic())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout=timeout_s)
        self._wake.clear()

    async def flush(self) -> None:
        """Write everything that changed; after a failure it is all written again."""
        started_s = time.monotonic()
        self._collect_trades()
        pending = self._stream.keeper.take_dirty()
        for condition_id in self._due_frames(started_s):
            pending.setdefault(condition_id, Pending())
        reconfirmed = self._stream.keeper.reconfirmed
        self._stream.keeper.reconfirmed = set()
        kept = self._stream.keeper.specs
        wanted = [name for name in pending if name in self.markets and name in kept]
        try:
            for start in range(0, len(wanted), BATCH_MARKETS):
                part = {name: pending[name] for name in wanted[start : start + BATCH_MARKETS]}
                await self._write(part, started_s)
            if reconfirmed:
                await self._confirm(reconfirmed)
        except (redis.RedisError, OSError) as error:
            self._note_failure(error, pending)
            await asyncio.sleep(RETRY_S)
            return
        if wanted:
            elapsed_ms = (time.monotonic() - started_s) * 1000
            self.write_ms += (elapsed_ms - self.write_ms) * 0.05
            self.written += len(wanted)
        if self._is_failing:
            self._is_failing = False
            logger.info("Valkey is back; all books were written again")

    def _note_failure(self, error: Exception, pending: dict[str, Pending]) -> None:
        """Nothing is known of what was written: write all markets again, renewed ones as such."""
        if not self._is_failing:
            logger.warning("books cannot be written: %s", error)
        self._is_failing = True
        keeper = self._stream.keeper
        for condition_id, former in pending.items():
            if condition_id in keeper.specs:
                merged = keeper.dirty.setdefault(condition_id, Pending())
                merged.is_fresh = merged.is_fresh or former.is_fresh
                merged.renewed_levels |= former.renewed_levels
        keeper.touch_all()
        self._sent.clear()
        self._on_loss()
        self._wake.set()

    def _due_frames(self, now_s: float) -> list[str]:
        due = [name for name, due_s in self._late.items() if due_s <= now_s]
        for name in due:
            del self._late[name]
        return due

    def _collect_trades(self) -> None:
        keeper = self._stream.keeper
        trades, keeper.new_trades = keeper.new_trades, []
        now_ms = time.time_ns() // 1_000_000
        for trade, index in trades:
            market = self.markets.get(trade.condition_id)
            if market is None:
                continue
            self._recorder.note_trade(market, trade, index, wall_ms=now_ms)
            waiting = self._trades.setdefault(trade.condition_id, [])
            waiting.append(
                frames.trade_frame(
                    market.card,
                    outcome_index=index,
                    price=trade.price,
                    size=trade.size,
                    side=trade.side,
                    traded_ms=trade.timestamp_ms,
                    identity=trade_identity(trade),
                )
            )
            del waiting[:-TRADES_PER_WRITE_MAX]

    async def _write(self, pending: Mapping[str, Pending], now_s: float) -> None:
        if not self._script_sha:
            self._script_sha = await self._client.script_load(scripts.WRITE_MARKET)
        now_ms = time.time_ns() // 1_000_000
        pipe = self._client.pipeline(transaction=False)
        for condition_id, change in pending.items():
            write = self._build(condition_id, change, now_s, now_ms)
            names, arguments = write_command(write, owner_token=self._lease.token, now_ms=now_ms)
            pipe.evalsha(self._script_sha, len(names), *names, *arguments)
        try:
            answers = await pipe.execute()
        except redis.exceptions.NoScriptError:
            self._script_sha = ""
            raise
        if not all(answers):
            # Either Valkey lost our lease together with everything else, or somebody has it.
            if not await self._lease.hold():
                raise OwnerLostError
            raise redis.exceptions.ResponseError("the lease was lost with the data")

    def _build(self, condition_id: str, change: Pending, now_s: float, now_ms: int) -> MarketWrite:
        market = self.markets[condition_id]
        keeper = self._stream.keeper
        first, second = keeper.pair(condition_id)
        books = (token_book(first), token_book(second))
        connection_id = self._stream.connection_of(condition_id)
        connection = f"{self._lease.short}.{connection_id}" if connection_id else ""
        confirmed_ms = keeper.confirmed_at_ms.get(condition_id, 0)
        tops = _Tops(books)
        self._recorder.note_prices(market, tops.prices, wall_ms=now_ms)
        sent = self._sent.setdefault(condition_id, Sent())
        outgoing = self._trades.pop(condition_id, [])
        price_frame = ""
        price_sign = tops.signature(books, connection, market)
        book_sign = tops.ladders() if condition_id in self.watched else None
        is_news = price_sign != sent.price or (book_sign is not None and book_sign != sent.book)
        if is_news and now_s - sent.at_s < FRAME_PAUSE_S:
            self._late.setdefault(condition_id, sent.at_s + FRAME_PAUSE_S)
        elif is_news:
            sent.at_s = now_s
            if price_sign != sent.price:
                sent.price = price_sign
                price_frame = frames.price_frame(
                    market.card,
                    books,
                    emit_ms=now_ms,
                    changed_ms=confirmed_ms or now_ms,
                    confirmed_ms=confirmed_ms,
                    connection=connection,
                    merged=tops.merged,
                )
                outgoing.append(price_frame)
            if book_sign is not None and book_sign != sent.book:
                sent.book = book_sign
                outgoing.append(
                    frames.book_frame(
                        condition_id,
                        books,
                        emit_ms=now_ms,
                        confirmed_ms=confirmed_ms,
                        connection=connection,
                        merged=tops.merged,
                    )
                )
        return MarketWrite(
            condition_id=condition_id,
            books=books,
            confirmed_at_ms=confirmed_ms,
            connection=connection,
            is_fresh_snapshot=change.is_fresh,
            renewed_levels=frozenset(change.renewed_levels),
            price_frame=price_frame,
            frames=tuple(outgoing),
            merged=tops.merged,
        )

    async def _confirm(self, condition_ids: set[str]) -> None:
        """Quiet books that an audit found right: only their time changes."""
        keeper = self._stream.keeper
        pipe = self._client.pipeline(transaction=False)
        for condition_id in condition_ids & keeper.specs.keys():
            confirmed_ms = keeper.confirmed_at_ms.get(condition_id, 0)
            pipe.hset(keys.book_key(condition_id), "confirmed_ms", str(confirmed_ms))
        await pipe.execute()


class _Tops:
    """The merged books of a market, computed once per write."""

    def __init__(self, books: tuple[TokenBook, TokenBook]) -> None:
        self.merged = merge_pair(books)
        trade = frames.last_trade_of(books, 0), frames.last_trade_of(books, 1)
        self.prices = (
            displayed_price(self.merged[0], trade[0]),
            displayed_price(self.merged[1], trade[1]),
        )

    def signature(
        self, books: tuple[TokenBook, TokenBook], connection: str, market: FeedMarket
    ) -> tuple[object, ...]:
        """Everything that a price frame says besides times."""
        return (
            self.prices,
            self.merged[0].best_bid,
            self.merged[0].best_ask,
            [(book.last_trade, book.last_trade_ms, book.status) for book in books],
            connection,
            market.card,
        )

    def ladders(self) -> tuple[object, ...]:
        """Everything that a book frame says besides times and status; outcome 1 mirrors it."""
        book = self.merged[0]
        return book.bids[: frames.BOOK_LEVELS], book.asks[: frames.BOOK_LEVELS], self.prices


def token_book(book: LocalBook) -> TokenBook:
    """The keeper's book in the form that is stored."""
    bids, asks = book.levels
    return TokenBook(
        token_id=book.token_id,
        book=Book(bids=bids, asks=asks),
        status=_STATUS[book.status],
        venue_ms=book.last_event_ts,
        venue_hash=book.venue_hash,
        tick=book.tick_size or 10_000,
        minimum_size=book.min_order_size or 5_000_000,
        last_trade=book.last_trade_price,
        last_trade_side=book.last_trade_side or None,
        last_trade_size=book.last_trade_size,
        last_trade_ms=book.last_trade_ts,
    )
