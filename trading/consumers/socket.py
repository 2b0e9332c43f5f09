"""What all sockets share: accepting, sending from a mailbox, reading small JSON messages.

Plain ASGI, one object per socket. The reader runs in the application's own task, the sender beside
it; whichever ends first ends the other. Contract: trading-api 10.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

import django.db
import redis

from trading.hub import Hub, Mailbox, get_hub

logger = logging.getLogger(__name__)

# Parts we stand on that may be restarting: the socket says so instead of failing.
OUTAGES = (redis.RedisError, django.db.Error, OSError)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MESSAGE_BYTES_MAX = 65_536
SOCKETS_MAX = 5_000  # per process; each holds a file descriptor and some 30 kB
MESSAGES_PER_10_S_MAX = 200
UNSENT_BYTES_MAX = 262_144
STUCK_S_MAX = 60.0
RESYNC_RETRY_S = 1.0

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
BAD_TOKEN = 4001
TOO_MANY_CONNECTIONS = 4002

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class ClosedByPeerError(Exception):
    """The other side is gone."""


class Socket:
    """One websocket. Subclasses say what to send first and how to answer messages."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._is_closed = False
        self._window_started_s = time.monotonic()
        self._window_messages = 0
        self.hub: Hub = get_hub()
        self.mailbox: Mailbox | None = None

    # -- what a subclass provides ---------------------------------------------------------------
    async def opened(self) -> bool:
        """Authenticate after the accept; False when the socket was closed instead."""
        raise NotImplementedError

    async def greet(self) -> None:
        """Send the first frames."""

    async def answer(self, message: dict[str, Any]) -> None:
        """React to a message of the client."""

    async def resync(self) -> None:
        """Frames may have been missed: send fresh snapshots."""

    async def closed(self) -> None:
        """Give back what `opened` took."""

    def decorate(self, topic: str, text: str) -> str:
        """The text that this socket sends for a frame."""
        return text

    # -- the life of a socket -------------------------------------------------------------------
    async def run(self) -> None:
        """Serve the socket until either side closes it."""
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return
        await self._send({"type": "websocket.accept"})
        sender: asyncio.Task[None] | None = None
        try:
            if self.hub.socket_count >= SOCKETS_MAX:
                await self.close(TRY_AGAIN_LATER)
                return
            if not await self.opened():
                return
            self.mailbox = self.hub.open_mailbox()
            await self.greet()
            sender = asyncio.create_task(self._send_all())
            reader = asyncio.create_task(self._read_all())
            tasks = {sender, reader}
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()
        except ClosedByPeerError:
            pass
        except OUTAGES as error:
            logger.warning("a socket was turned away: %s", error)
            await self.close(TRY_AGAIN_LATER)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await self.close(GOING_AWAY)
            raise
        finally:
            if self.mailbox is not None:
                self.hub.close_mailbox(self.mailbox)
            await self.closed()

    async def send_text(self, text: str) -> None:
        """Send one frame; raises ClosedByPeerError when the peer is gone."""
        if self._is_closed:
            return
        try:
            await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError) as error:
            raise ClosedByPeerError from error

    async def send_frame(self, frame: dict[str, Any]) -> None:
        """Send one object made for this socket alone."""
        await self.send_text(self.decorate("own", _encode(frame)))

    async def send_error(self, message: str) -> None:
        """Tell the client what was wrong; the socket stays open."""
        await self.send_frame({"type": "error", "message": message})

    async def close(self, code: int) -> None:
        """Close with a code of the contract."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(OSError, RuntimeError):
            await self._send({"type": "websocket.close", "code": code})

    async def _send_all(self) -> None:
        assert self.mailbox is not None
        while True:
            batch = await self.mailbox.take()
            for topic, text in batch:
                await self.send_text(self.decorate(topic, text))
            if self.mailbox.is_overrun:
                await self.close(TRY_AGAIN_LATER)
                return
            if self.mailbox.wants_resync:
                self.mailbox.wants_resync = False
                await self._resync_or_retry()
            if not await wait_until_drained(self._send):
                await self.close(TRY_AGAIN_LATER)
                return

    async def _resync_or_retry(self) -> None:
        """A snapshot that cannot be read now is asked for again, without losing the socket."""
        assert self.mailbox is not None
        try:
            await self.resync()
        except OUTAGES:
            await asyncio.sleep(RESYNC_RETRY_S)
            self.mailbox.ask_for_resync()

    async def _read_all(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._is_closed = True
                raise ClosedByPeerError
            if message["type"] != "websocket.receive":
                continue
            if self._is_flooding():
                await self.close(POLICY_VIOLATION)
                return
            await self._answer_text(message)

    def _is_flooding(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._window_started_s > 10:
            self._window_started_s, self._window_messages = now_s, 0
        self._window_messages += 1
        return self._window_messages > MESSAGES_PER_10_S_MAX

    async def _answer_text(self, message: MutableMapping[str, Any]) -> None:
        raw = message.get("text") or message.get("bytes") or ""
        if len(raw) > MESSAGE_BYTES_MAX:
            await self.send_error("The message is too long.")
            return
        try:
            parsed = json.loads(raw)
        except (ValueError, RecursionError):
            await self.send_error("Invalid JSON.")
            return
        if not isinstance(parsed, dict):
            await self.send_error("The message must be a JSON object.")
            return
        try:
            await self.answer(parsed)
        except OUTAGES:
            await self.send_error("Live prices are restarting; they come back by themselves.")
            if self.mailbox is not None:
                self.mailbox.ask_for_resync()


async def wait_until_drained(send: Send) -> bool:
    """Wait while the server still holds much unsent data for this peer; False after 60 s.

    daphne's `send` accepts everything at once and buffers it without bound, so a reader that
    stopped reading would be sent every price; while we wait, its mailbox keeps only the newest.
    Servers whose `send` waits by itself need nothing here.
    """
    if not isinstance(send, partial) or not send.args:
        return True
    transport = getattr(send.args[0], "transport", None)
    waited_s = 0.0
    while _unsent_bytes(transport) > UNSENT_BYTES_MAX:
        if waited_s >= STUCK_S_MAX:
            return False
        await asyncio.sleep(0.1)
        waited_s += 0.1
    return True


def _unsent_bytes(transport: Any) -> int:
    """Bytes in a Twisted transport's buffers; 0 for any other transport."""
    buffered = getattr(transport, "dataBuffer", b"")
    return len(buffered) + getattr(transport, "_tempDataLen", 0) - getattr(transport, "offset", 0)


def server_time_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000
