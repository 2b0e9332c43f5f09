"""The market websocket: subscriptions, heartbeat, bursts as arrays (polymarket-feed 4)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from trading.markets.standin.hub import Listener
from trading.markets.standin.venue import Venue

#: A socket that does not subscribe within this time is closed, as the venue does.
SUBSCRIBE_WITHIN_S: Final = 10.0
FRAME_MESSAGES_MAX: Final = 64
FRAME_CHARACTERS_MAX: Final = 500_000
SEND_WITHIN_S: Final = 20.0


class MarketSocket:
    """The ASGI endpoint of `/ws/market`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def serve(self, websocket: WebSocket) -> None:
        """One connection, from opening to its end."""
        await websocket.accept()
        listener = Listener()
        self._venue.hub.add(listener)
        reader = asyncio.create_task(self._read(websocket, listener))
        writer = asyncio.create_task(_write(websocket, listener))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._venue.hub.remove(listener)
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
        if listener.is_dropped:
            # Ending without a close message makes the server cut the connection.
            return
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close()

    async def _read(self, websocket: WebSocket, listener: Listener) -> None:
        has_subscribed = False
        while True:
            limit = None if has_subscribed else SUBSCRIBE_WITHIN_S
            try:
                text = await asyncio.wait_for(websocket.receive_text(), limit)
            except (TimeoutError, WebSocketDisconnect, KeyError):
                return
            if text.strip() == "PING":
                listener.put("PONG")
                continue
            has_subscribed |= self._obey(text, listener)

    def _obey(self, text: str, listener: Listener) -> bool:
        """Handle a subscription message; anything else is answered as the venue answers it."""
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        tokens = _token_list(message)
        if not isinstance(message, dict) or tokens is None:
            listener.put("INVALID OPERATION")
            return False
        if "custom_feature_enabled" in message:
            listener.has_custom_features = message["custom_feature_enabled"] is True
        if message.get("operation") == "unsubscribe":
            self._venue.hub.unsubscribe(listener, tokens)
            return True
        fresh = self._venue.hub.subscribe(listener, tokens)
        if message.get("initial_dump", True):
            self._venue.send_initial_books(listener, fresh)
        return True


def _token_list(message: Any) -> list[str] | None:
    """The tokens that a message names; None when it is no subscription message."""
    if not isinstance(message, dict):
        return None
    is_first = str(message.get("type", "")).lower() == "market"
    if not is_first and message.get("operation") not in ("subscribe", "unsubscribe"):
        return None
    tokens = message.get("assets_ids", [])
    if not isinstance(tokens, list):
        return None
    return [token for token in tokens if isinstance(token, str)]


async def _write(websocket: WebSocket, listener: Listener) -> None:
    """Send what waits: one message alone as an object, several together as an array."""
    while not listener.is_dropped:
        await listener.wake.wait()
        listener.wake.clear()
        while listener.queue and not listener.is_dropped:
            text = _next_frame(listener)
            try:
                await asyncio.wait_for(websocket.send_text(text), SEND_WITHIN_S)
            except (TimeoutError, WebSocketDisconnect, RuntimeError):
                return


def _next_frame(listener: Listener) -> str:
    """Take messages from the queue; only objects can share a frame."""
    first = listener.queue.popleft()
    if not first.startswith("{") or not listener.queue:
        return first
    messages, length = [first], len(first)
    while listener.queue and len(messages) < FRAME_MESSAGES_MAX:
        following = listener.queue[0]
        length += len(following)
        if not following.startswith("{") or length > FRAME_CHARACTERS_MAX:
            break
        messages.append(listener.queue.popleft())
    return messages[0] if len(messages) == 1 else f"[{','.join(messages)}]"
