"""One connection to the market websocket, from opening to its end (feed contract 4 and 5.4).

A connection never reconnects: it ends with a reason, and its slot opens a new one with a new
number, so that late frames of the old one are told apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from trading.markets.polymarket.wire import (
    PING,
    BookSnapshot,
    Frame,
    add_tokens_message,
    parse_frame,
    remove_tokens_message,
    subscribe_message,
)

logger = logging.getLogger(__name__)

#: Frames reach 2 MiB; beyond this something is wrong (4.2).
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
OPEN_TIMEOUT_S: Final = 10
CLOSE_TIMEOUT_S: Final = 2
#: A new connection without any `book` after this is dead (5.4 b).
FIRST_BOOK_S: Final = 10.0
#: With fewer tokens, silence is normal (5.4 a).
SILENCE_TOKENS_MIN: Final = 20
WATCH_S: Final = 0.5

CONNECT_ERRORS: Final = (OSError, TimeoutError, InvalidHandshake, WebSocketException, EOFError)


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """The settings of contract 1 that concern connections."""

    url: str
    user_agent: str
    ping_s: float = 10.0
    pong_stale_s: float = 30.0
    data_stale_s: float = 60.0


class Connection:
    """An open websocket with its subscribed tokens. Times are monotonic seconds."""

    def __init__(
        self,
        connection_id: int,
        settings: SocketSettings,
        on_frame: Callable[[int, Frame], None],
        on_silence: Callable[[], None] | None = None,
    ) -> None:
        self.id = connection_id
        self.tokens: set[str] = set()
        self.end_reason = "closed"
        self.has_book = False
        self.subscribed_s: float | None = None
        self.last_data_s = 0.0
        self.last_data_wall_ms = 0
        self._last_pong_s = 0.0
        self._settings = settings
        self._on_frame = on_frame
        self._on_silence = on_silence
        self._silence_told_s = 0.0
        self._websocket: ClientConnection | None = None

    @property
    def is_open(self) -> bool:
        return self._websocket is not None

    async def open(self, token_ids: Iterable[str]) -> None:
        """Connect and subscribe at once. Raises one of CONNECT_ERRORS."""
        is_local = _is_loopback(self._settings.url)
        self._websocket = await connect(
            self._settings.url,
            # The venue has its own text heartbeat and does not answer protocol pings reliably.
            ping_interval=None,
            max_size=FRAME_BYTES_MAX,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            compression=None,
            user_agent_header=self._settings.user_agent,
            proxy=None if is_local else True,
        )
        self.tokens = set(token_ids)
        self._last_pong_s = self.last_data_s = self.subscribed_s = time.monotonic()
        try:
            await self._websocket.send(subscribe_message(sorted(self.tokens)))
        except CONNECT_ERRORS:
            await self.close()
            raise

    async def add(self, token_ids: Iterable[str]) -> None:
        """Subscribe more tokens; a connection that is going down loses them with the others."""
        added = sorted(set(token_ids) - self.tokens)
        self.tokens.update(added)
        if added:
            await self._send(add_tokens_message(added))

    async def remove(self, token_ids: Iterable[str]) -> None:
        """Unsubscribe tokens."""
        removed = sorted(self.tokens & set(token_ids))
        self.tokens.difference_update(removed)
        if removed:
            await self._send(remove_tokens_message(removed))

    async def serve(self) -> str:
        """Read until the end and answer why: `closed`, `silent`, `no_book` or `no_pong`.

        With `on_silence` a silent connection stays open until its successor has taken over.
        """
        assert self._websocket is not None
        watcher = asyncio.create_task(self._watch())
        try:
            async for raw in self._websocket:
                self._receive(raw)
        except CONNECT_ERRORS as error:
            logger.debug("venue connection %d: %s", self.id, error)
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            await self.close()
        return self.end_reason

    async def close(self) -> None:
        """Close; safe to call twice."""
        websocket, self._websocket = self._websocket, None
        if websocket is not None:
            with contextlib.suppress(*CONNECT_ERRORS):
                await websocket.close()

    def _receive(self, raw: str | bytes) -> None:
        frame = parse_frame(raw)
        now_s = time.monotonic()
        if frame.is_pong:
            self._last_pong_s = now_s
            return
        if frame.events:
            self.last_data_s = now_s
            self.last_data_wall_ms = time.time_ns() // 1_000_000
            if not self.has_book:
                self.has_book = any(isinstance(event, BookSnapshot) for event in frame.events)
        self._on_frame(self.id, frame)

    async def _send(self, message: str) -> None:
        if self._websocket is None:
            return
        with contextlib.suppress(*CONNECT_ERRORS):
            await self._websocket.send(message)

    async def _watch(self) -> None:
        """PING, and end the connection when one of the rules of 5.4 says that it is dead."""
        pinged_s = 0.0
        while True:
            now_s = time.monotonic()
            reason = self._dead_reason(now_s)
            if not reason and self._is_silent(now_s):
                reason = self._tell_silence(now_s)
            if reason:
                self.end_reason = reason
                if self._websocket is not None:
                    # A dead peer answers no closing handshake: do not wait for one.
                    self._websocket.transport.abort()
                return
            if now_s - pinged_s >= self._settings.ping_s:
                pinged_s = now_s
                await self._send(PING)
            await asyncio.sleep(WATCH_S)

    def _dead_reason(self, now_s: float) -> str:
        if now_s - self._last_pong_s > self._settings.pong_stale_s:
            return "no_pong"
        waited_s = now_s - (self.subscribed_s or now_s)
        if self.tokens and not self.has_book and waited_s > FIRST_BOOK_S:
            return "no_book"
        return ""

    def _is_silent(self, now_s: float) -> bool:
        is_busy = len(self.tokens) >= SILENCE_TOKENS_MIN
        return is_busy and now_s - self.last_data_s > self._settings.data_stale_s

    def _tell_silence(self, now_s: float) -> str:
        """Ask for a successor, once per silence; without anybody to ask this is the end."""
        if self._on_silence is None:
            return "silent"
        if self._silence_told_s < self.last_data_s + self._settings.data_stale_s:
            self._silence_told_s = now_s
            self._on_silence()
        return ""


def _is_loopback(url: str) -> bool:
    """Whether the address is on this machine, where no proxy is wanted."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
