"""Recognising a trade that the venue prints a second time after a reconnect (contract 5.5)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Final

from trading.markets.polymarket.wire import TradePrint

WINDOW_MS: Final = 300_000


def trade_identity(trade: TradePrint) -> str:
    """A stable 64-digit name of a trade: by its transaction, else by its time.

    Equal trades have equal names in every process, so that a unique column drops repeats.
    """
    origin = trade.transaction_hash or str(trade.timestamp_ms)
    parts = (origin, trade.token_id, str(trade.price), str(trade.size), trade.side)
    return hashlib.sha256("|".join(parts).encode("utf-8", "replace")).hexdigest()


class TradeMemory:
    """Remembers the trades of the last five minutes of one process."""

    def __init__(self, *, window_ms: int = WINDOW_MS) -> None:
        self._window_ms = window_ms
        self._seen: OrderedDict[str, int] = OrderedDict()

    def is_new(self, trade: TradePrint, *, now_ms: int) -> bool:
        """True the first time within the window; `now_ms` is any monotonic clock."""
        while self._seen:
            identity, seen_at_ms = next(iter(self._seen.items()))
            if now_ms - seen_at_ms <= self._window_ms:
                break
            del self._seen[identity]
        identity = trade_identity(trade)
        if identity in self._seen:
            return False
        self._seen[identity] = now_ms
        return True
