"""A place for one connection at a time: its markets, reconnecting, rotation (contract 5.4)."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Final

from trading.markets.polymarket.connection import CONNECT_ERRORS, Connection, SocketSettings
from trading.markets.polymarket.keeper import BookKeeper
from trading.markets.polymarket.limits import reconnect_backoff_ms
from trading.markets.polymarket.wire import Frame

logger = logging.getLogger(__name__)

ROTATE_S: Final = 6 * 3600.0
#: After so much time with data the next loss counts as the first again.
HEALTHY_S: Final = 60.0
#: How long a successor may take to send the first book of every token.
HAND_OVER_S: Final = 10.0
#: A slot is not moved to a fresh connection more often than this.
ROTATE_PAUSE_S: Final = 60.0


class Slot:
    """Keeps its markets subscribed on one connection, whatever happens to connections."""

    def __init__(
        self,
        keeper: BookKeeper,
        settings: SocketSettings,
        *,
        next_id: Callable[[], int],
        on_frame: Callable[[int, Frame], None],
        on_end: Callable[[str, bool], None],
        on_silence: Callable[[Connection], None],
        on_change: Callable[[], None],
        rotate_s: float = ROTATE_S,
    ) -> None:
        self.markets: dict[str, None] = {}
        self.connection: Connection | None = None
        self._keeper = keeper
        self._settings = settings
        self._next_id = next_id
        self._on_frame = on_frame
        self._on_end = on_end
        self._on_silence = on_silence
        self._is_silent = False
        self._on_change = on_change
        self._rotate_s = rotate_s
        self._rotated_s = 0.0
        self._forced_s = -ROTATE_PAUSE_S
        self._wants_rotation = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close the connection; the markets stay listed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self.connection is not None:
            await self.connection.close()
            self.connection = None

    async def add(self, condition_ids: list[str]) -> None:
        """Subscribe more markets."""
        self.markets.update(dict.fromkeys(condition_ids))
        if self.connection is not None and self.connection.is_open:
            tokens = self._keeper.tokens_of(condition_ids)
            self._keeper.attach(tokens, self.connection.id)
            await self.connection.add(tokens)
            self._on_change()

    async def remove(self, condition_ids: list[str]) -> None:
        """Unsubscribe markets (call before the keeper forgets them)."""
        for condition_id in condition_ids:
            self.markets.pop(condition_id, None)
        if self.connection is not None:
            await self.connection.remove(self._keeper.tokens_of(condition_ids))

    def rotate_soon(self) -> None:
        """Move all markets to a fresh connection, at most once a minute."""
        if time.monotonic() - self._forced_s >= ROTATE_PAUSE_S:
            self._forced_s = time.monotonic()
            self._wants_rotation.set()

    def _note_silence(self) -> None:
        """No data for too long (5.4 a): a fresh connection shows whether the venue is quiet."""
        self._is_silent = True
        self._wants_rotation.set()

    async def _run(self) -> None:
        attempt = 0
        while True:
            connection = await self._connect(first=True)
            if connection is None:
                wait_ms = reconnect_backoff_ms(attempt, chance=random.random())
                attempt += 1
                await asyncio.sleep(max(0.02, wait_ms / 1000))
                continue
            started_s = time.monotonic()
            await self._serve(connection)
            if time.monotonic() - started_s >= HEALTHY_S:
                attempt = 0
            wait_ms = reconnect_backoff_ms(attempt, chance=random.random())
            attempt += 1
            await asyncio.sleep(wait_ms / 1000)

    async def _connect(self, *, first: bool) -> Connection | None:
        """A new, subscribed connection, or None. `first`: no other one serves the tokens."""
        connection = Connection(self._next_id(), self._settings, self._on_frame, self._note_silence)
        tokens = self._keeper.tokens_of(self.markets)
        try:
            await connection.open(tokens)
        except CONNECT_ERRORS as error:
            logger.info("venue connection %d could not be opened: %s", connection.id, error)
            await connection.close()
            self._on_end("unreachable", False)
            return None
        # Markets that came or went while the connection was opening.
        current = set(self._keeper.tokens_of(self.markets))
        await connection.add(current)
        await connection.remove(connection.tokens - current)
        if first:
            self._keeper.attach(current, connection.id)
            self._on_change()
        else:
            self._keeper.await_from(current, connection.id)
        return connection

    async def _serve(self, connection: Connection) -> None:
        """Serve until the connection ends without a successor."""
        self.connection = connection
        self._rotated_s = time.monotonic()
        serving = asyncio.create_task(connection.serve())
        try:
            while True:
                rotation = asyncio.create_task(self._wait_for_rotation())
                try:
                    await asyncio.wait({serving, rotation}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    rotation.cancel()
                if serving.done():
                    break
                connection, serving = await self._hand_over(connection, serving)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            self.connection = None
            # Nothing fills until a new connection has sent each book again.
            self._keeper.attach(self._keeper.tokens_of(self.markets), None)
            self._on_change()
        self._on_end(connection.end_reason, connection.has_book)
        logger.info(
            "venue connection %d with %d tokens ended: %s",
            connection.id,
            len(connection.tokens),
            connection.end_reason,
        )

    async def _wait_for_rotation(self) -> None:
        due_s = self._rotated_s + self._rotate_s - time.monotonic()
        try:
            await asyncio.wait_for(self._wants_rotation.wait(), timeout=max(0.0, due_s))
        except TimeoutError:
            return

    async def _hand_over(
        self, former: Connection, serving: asyncio.Task[str]
    ) -> tuple[Connection, asyncio.Task[str]]:
        """Open a successor, let each token move with its first book there, close the former.

        Without a working successor the former goes on, unless it was silent: then it is dead.
        """
        self._wants_rotation.clear()
        self._rotated_s = time.monotonic()
        was_silent, self._is_silent = self._is_silent, False
        successor = await self._connect(first=False)
        if successor is None:
            await self._end_if(was_silent, former)
            return former, serving
        serving_successor = asyncio.create_task(successor.serve())
        try:
            await self._await_first_books(former, successor, serving_successor)
        except asyncio.CancelledError:
            serving_successor.cancel()
            await successor.close()
            raise
        if serving_successor.done() or not successor.has_book:
            await self._give_up(successor, serving_successor, former)
            await self._end_if(was_silent, former)
            return former, serving
        if was_silent:
            self._on_silence(former)
        late = self._keeper.awaited_on(successor.id)
        self._keeper.attach(late, successor.id)
        self.connection = successor
        await self._adopt_changes(successor)
        await former.close()
        await asyncio.gather(serving, return_exceptions=True)
        logger.info("venue connection %d follows %d", successor.id, former.id)
        self._on_change()
        return successor, serving_successor

    async def _await_first_books(
        self, former: Connection, successor: Connection, serving: asyncio.Task[str]
    ) -> None:
        deadline_s = time.monotonic() + HAND_OVER_S
        while self._keeper.awaited_on(successor.id) and time.monotonic() < deadline_s:
            if serving.done() or not former.is_open:
                return
            await asyncio.sleep(0.05)

    async def _give_up(
        self, successor: Connection, serving: asyncio.Task[str], former: Connection
    ) -> None:
        """The successor died or never sent a book: it counts as dead, the former one goes on."""
        reason = successor.end_reason if serving.done() else "no_book"
        await successor.close()
        await asyncio.gather(serving, return_exceptions=True)
        self._keeper.give_up_awaiting(successor.id)
        # Tokens that had moved already need their books from the former one again.
        await self._return_to(former)
        self._on_end(reason, successor.has_book)

    @staticmethod
    async def _end_if(was_silent: bool, former: Connection) -> None:
        if was_silent:
            former.end_reason = "silent"
            await former.close()

    async def _return_to(self, former: Connection) -> None:
        moved = [
            token
            for token in self._keeper.tokens_of(self.markets)
            if self._keeper.books[token].connection_id != former.id
        ]
        # Subscribing a subscribed token sends no new book (4.1): leave it first.
        await former.remove(moved)
        self._keeper.attach(moved, former.id)
        await former.add(moved)

    async def _adopt_changes(self, successor: Connection) -> None:
        """Markets that came or went during the hand-over were told to the former connection."""
        current = set(self._keeper.tokens_of(self.markets))
        missing = current - successor.tokens
        self._keeper.attach(missing, successor.id)
        await successor.add(missing)
        await successor.remove(successor.tokens - current)
