"""Minute candles and trades on their way to the database, in batches (issue of the past)."""

import logging
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

from trading.markets import history
from trading.markets.feed.selection import FeedMarket
from trading.markets.history import Candle
from trading.markets.polymarket.wire import TradePrint

logger = logging.getLogger(__name__)

# What a database outage may pile up before the oldest is let go (charts show a gap then).
CANDLES_MAX = 100_000
TRADES_MAX = 50_000
MINUTE_MS = 60_000


class Recorder:
    """Collects in the event loop; `take` hands over what `store` writes in a thread."""

    def __init__(self) -> None:
        self._open: dict[int, Candle] = {}
        self._done: deque[Candle] = deque(maxlen=CANDLES_MAX)
        self._trades: deque[TradePrint] = deque(maxlen=TRADES_MAX)

    def note_prices(
        self, market: FeedMarket, prices: tuple[int | None, int | None], *, wall_ms: int
    ) -> None:
        """The displayed prices of both outcomes, scaled, whenever a book was written."""
        for outcome_id, price in zip(market.outcome_ids, prices, strict=True):
            if price is not None:
                self._note(outcome_id, price, 0, wall_ms)

    def note_trade(
        self, market: FeedMarket, trade: TradePrint, index: int, *, wall_ms: int
    ) -> None:
        """A trade of the venue: tape, and volume of its minute."""
        self._trades.append(trade)
        outcome_id = market.outcome_ids[index]
        candle = self._open.get(outcome_id)
        price = candle.close if candle is not None else trade.price
        self._note(outcome_id, price, trade.size, wall_ms)

    def _note(self, outcome_id: int, price: int, volume: int, wall_ms: int) -> None:
        minute_at = datetime.fromtimestamp(wall_ms // MINUTE_MS * 60, UTC)
        candle = self._open.get(outcome_id)
        if candle is None or candle.minute_at != minute_at:
            if candle is not None:
                self._done.append(candle)
            # A minute opens where the former one closed.
            opened = price if candle is None else candle.close
            candle = Candle(outcome_id, minute_at, opened, opened, opened, opened)
        self._open[outcome_id] = Candle(
            outcome_id=outcome_id,
            minute_at=minute_at,
            open=candle.open,
            high=max(candle.high, price),
            low=min(candle.low, price),
            close=price,
            volume=candle.volume + volume,
        )

    def take(
        self, *, wall_ms: int, everything: bool = False
    ) -> tuple[list[Candle], list[TradePrint]]:
        """Finished minutes (`everything`: open ones too) and trades, removed from here."""
        minute_at = datetime.fromtimestamp(wall_ms // MINUTE_MS * 60, UTC)
        for outcome_id, candle in list(self._open.items()):
            if everything or candle.minute_at < minute_at:
                self._done.append(candle)
                del self._open[outcome_id]
        candles, trades = list(self._done), list(self._trades)
        self._done.clear()
        self._trades.clear()
        return candles, trades

    def give_back(self, candles: list[Candle], trades: list[TradePrint]) -> None:
        """The database did not take them: keep them for the next try."""
        self._done.extendleft(reversed(candles))
        self._trades.extendleft(reversed(trades))


def store(
    candles: list[Candle], trades: list[TradePrint], *, outcome_ids: Mapping[str, tuple[int, int]]
) -> None:
    """Write a batch; raises django.db.Error."""
    if candles:
        history.store_candles(candles)
    if trades:
        history.store_trades(trades, outcome_ids=outcome_ids)
