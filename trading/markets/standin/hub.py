"""Who listens on the market socket, and what waits to be sent to them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from trading.markets.standin.faults import Faults

#: A reader this far behind is cut off, as the venue does.
QUEUE_FRAMES_MAX: Final = 20_000


class Listener:
    """One socket: its tokens, whether it wants the custom events, and its outgoing queue."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.has_custom_features = False
        self.is_dropped = False
        self.queue: deque[str] = deque()
        self.wake = asyncio.Event()

    def put(self, text: str) -> None:
        if len(self.queue) >= QUEUE_FRAMES_MAX:
            self.drop()
            return
        self.queue.append(text)
        self.wake.set()

    def drop(self) -> None:
        """End the connection without a closing handshake."""
        self.is_dropped = True
        self.wake.set()


class Hub:
    """Listeners by token. Messages go into queues; nothing here waits."""

    def __init__(self, faults: Faults) -> None:
        self.listeners: set[Listener] = set()
        self.frames_sent = 0
        self._faults = faults
        self._by_token: dict[str, set[Listener]] = {}

    def add(self, listener: Listener) -> None:
        self.listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        self.unsubscribe(listener, list(listener.tokens))

    def subscribe(self, listener: Listener, token_ids: Iterable[str]) -> list[str]:
        """Add tokens; answers those that were not subscribed before, in the order given."""
        fresh = [token for token in dict.fromkeys(token_ids) if token not in listener.tokens]
        for token in fresh:
            self._by_token.setdefault(token, set()).add(listener)
        listener.tokens.update(fresh)
        return fresh

    def unsubscribe(self, listener: Listener, token_ids: Iterable[str]) -> None:
        for token in token_ids:
            watchers = self._by_token.get(token)
            if watchers is not None:
                watchers.discard(listener)
                if not watchers:
                    del self._by_token[token]
            listener.tokens.discard(token)

    def watchers(self, *token_ids: str) -> set[Listener]:
        """Listeners of any of the tokens."""
        found: set[Listener] = set()
        for token in token_ids:
            found |= self._by_token.get(token, set())
        return found

    def subscribed_tokens(self) -> int:
        return len(self._by_token)

    def send(self, listeners: Iterable[Listener], text: str) -> None:
        """Queue one message, unless a fault swallows it."""
        if self._faults.swallows_frame():
            return
        for listener in listeners:
            self.frames_sent += 1
            listener.put(text)

    def send_raw(self, text: str) -> None:
        """Queue a text for everybody, past all faults."""
        for listener in self.listeners:
            listener.put(text)

    def drop(self, count: int | None) -> int:
        """End that many connections (None: all). Answers how many."""
        chosen = list(self.listeners)[:count]
        for listener in chosen:
            listener.drop()
        return len(chosen)
