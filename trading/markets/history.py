"""Price history and the public tape: stored in batches, filled once with what came before us.

`stream_prices` hands over finished minutes and trades; a backfill adds the venue's own past and
never touches a minute that we saw ourselves. Contract: polymarket-feed 3 (`prices-history`), 5.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import redis
import structlog
from django.db import connection
from django.db.models import F

from polysim.kernel.clock import from_milliseconds
from polysim.kernel.redis import get_redis, key
from trading.markets.models import Market, MinuteCandle, Outcome, VenueTrade
from trading.markets.polymarket import rest, values
from trading.markets.polymarket.http import VenueClient, VenueError
from trading.markets.polymarket.rest import PricePoint
from trading.markets.polymarket.tape import trade_identity
from trading.markets.polymarket.wire import TradePrint

#: (interval, fidelity in minutes): fine for the last day, coarser for what lies before.
BACKFILL_STEPS: Final = (("max", 720), ("1w", 60), ("1d", 5))
#: How long a filled market is remembered; afterwards a repeat only finds its rows already there.
FILLED_KEPT_S: Final = 30 * 86_400
BATCH_SIZE: Final = 2_000
#: Prices that a chart can show; 0 and 1 belong to results, not to trading.
LOWEST, HIGHEST = 1, values.ONE - 1

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Candle:
    """One finished minute of one outcome; prices and `volume` (shares) scaled by 10**6."""

    outcome_id: int
    minute_at: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int = 0


def minute_of(moment: datetime) -> datetime:
    """The UTC minute that holds `moment`."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def store_candles(candles: Iterable[Candle]) -> int:
    """Write finished minutes, one statement per 2,000. Answers how many were handed over.

    A minute written twice (a restart within it) keeps its first open, widens its range, takes the
    later close and adds the volumes.
    """
    merged: dict[tuple[int, datetime], Candle] = {}
    for candle in candles:
        place = (candle.outcome_id, candle.minute_at)
        former = merged.get(place)
        merged[place] = candle if former is None else _join(former, candle)
    rows = list(merged.values())
    for start in range(0, len(rows), BATCH_SIZE):
        _upsert_candles(rows[start : start + BATCH_SIZE])
    return len(rows)


def _join(former: Candle, later: Candle) -> Candle:
    return Candle(
        outcome_id=former.outcome_id,
        minute_at=former.minute_at,
        open=former.open,
        high=max(former.high, later.high),
        low=min(former.low, later.low),
        close=later.close,
        volume=former.volume + later.volume,
    )


def _upsert_candles(candles: Sequence[Candle]) -> None:
    """One INSERT from arrays; rows of outcomes that are gone are left out by the join."""
    statement = """
        INSERT INTO markets_minutecandle AS kept
            (outcome_id, minute_at, open, high, low, close, volume)
        SELECT given.outcome_id, given.minute_at, given.open, given.high, given.low, given.close,
               given.volume
        FROM unnest(%s::bigint[], %s::timestamptz[], %s::numeric[], %s::numeric[],
                    %s::numeric[], %s::numeric[], %s::numeric[])
             AS given (outcome_id, minute_at, open, high, low, close, volume)
        JOIN markets_outcome ON markets_outcome.id = given.outcome_id
        ORDER BY given.outcome_id, given.minute_at
        ON CONFLICT (outcome_id, minute_at) DO UPDATE SET
            high = GREATEST(kept.high, EXCLUDED.high),
            low = LEAST(kept.low, EXCLUDED.low),
            close = EXCLUDED.close,
            volume = kept.volume + EXCLUDED.volume
    """
    columns: list[Any] = [
        [candle.outcome_id for candle in candles],
        [candle.minute_at for candle in candles],
        [values.unscaled(candle.open) for candle in candles],
        [values.unscaled(candle.high) for candle in candles],
        [values.unscaled(candle.low) for candle in candles],
        [values.unscaled(candle.close) for candle in candles],
        [values.unscaled(candle.volume) for candle in candles],
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, columns)


def store_trades(
    trades: Iterable[TradePrint], *, outcome_ids: Mapping[str, tuple[int, int]]
) -> int:
    """Write trades to the tape; repeats and unknown tokens are left out.

    `outcome_ids` maps token id -> (outcome id, market id). Answers the number of rows offered.
    """
    rows: dict[str, VenueTrade] = {}
    for trade in trades:
        place = outcome_ids.get(trade.token_id)
        if place is None:
            continue
        identity = trade_identity(trade)
        rows[identity] = VenueTrade(
            outcome_id=place[0],
            market_id=place[1],
            price=values.unscaled(trade.price),
            size=values.unscaled(trade.size),
            side=trade.side,
            traded_at=from_milliseconds(trade.timestamp_ms),
            identity=identity,
        )
    VenueTrade.objects.bulk_create(rows.values(), ignore_conflicts=True, batch_size=BATCH_SIZE)
    return len(rows)


def load_outcome_ids(condition_ids: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Token id -> (outcome id, market id) of these markets, in one query."""
    found = Outcome.objects.filter(market__condition_id__in=list(condition_ids))
    return {
        token_id: (outcome_id, market_id)
        for token_id, outcome_id, market_id in found.values_list("token_id", "pk", "market_id")
    }


def backfill_market(*, condition_id: str, client: VenueClient, now: datetime) -> int:
    """Fill a market's past minutes and tape from the venue, once. Answers rows written.

    The second outcome is the mirror of the first (contract 4.4). A market already filled, an
    unknown one and a silent venue answer 0; a failed try is repeated at the next request.
    """
    if not _begin(condition_id):
        return 0
    outcomes = list(Outcome.objects.filter(market__condition_id=condition_id).order_by("index"))
    if len(outcomes) != 2:
        return 0
    points: dict[int, int] = {}
    try:
        for interval, fidelity in BACKFILL_STEPS:
            request = rest.history_request(
                outcomes[0].token_id, interval=interval, fidelity_minutes=fidelity
            )
            found, dropped = rest.read_history(client.send(request))
            points |= _by_minute(found)
            if dropped:
                logger.warning("history_rows_dropped", condition_id=condition_id, rows=dropped)
        written = _store_past(outcomes, points, now=now)
        _backfill_tape(condition_id, client=client)
    except VenueError as error:
        _forget(condition_id)
        logger.warning("backfill_failed", condition_id=condition_id, reason=str(error))
        return 0
    return written


def _by_minute(points: Iterable[PricePoint]) -> dict[int, int]:
    """The last price of each minute (unix minutes), kept inside what a price can be."""
    return {point.at_s // 60: min(HIGHEST, max(LOWEST, point.price)) for point in points}


def _store_past(outcomes: Sequence[Outcome], points: Mapping[int, int], *, now: datetime) -> int:
    """Flat minutes for both outcomes; minutes that exist (our own) stay as they are."""
    this_minute = minute_of(now)
    rows = []
    for minute, price in sorted(points.items()):
        minute_at = datetime.fromtimestamp(minute * 60, UTC)
        if minute_at >= this_minute:
            continue
        for outcome, own in zip(outcomes, (price, values.ONE - price), strict=True):
            rows.append(_flat(outcome.pk, minute_at, values.unscaled(own)))
    MinuteCandle.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH_SIZE)
    return len(rows)


def _flat(outcome_id: int, minute_at: datetime, price: Decimal) -> MinuteCandle:
    return MinuteCandle(
        outcome_id=outcome_id,
        minute_at=minute_at,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(0),
    )


def _backfill_tape(condition_id: str, *, client: VenueClient) -> None:
    """The newest public trades, for a page that was not subscribed before; never used for fills."""
    try:
        trades, _dropped = rest.read_trades(client.send(rest.trades_request(condition_id)))
    except VenueError as error:
        logger.info("tape_not_filled", condition_id=condition_id, reason=str(error))
        return
    own = [trade for trade in trades if trade.condition_id == condition_id]
    store_trades(own, outcome_ids=load_outcome_ids([condition_id]))


def _filled_key(condition_id: str) -> str:
    return key("history", "filled", condition_id)


def _begin(condition_id: str) -> bool:
    """True for the first process that asks; without Valkey a repeat is harmless."""
    try:
        return bool(get_redis().set(_filled_key(condition_id), "1", nx=True, ex=FILLED_KEPT_S))
    except redis.RedisError:
        return True


def _forget(condition_id: str) -> None:
    try:
        get_redis().delete(_filled_key(condition_id))
    except redis.RedisError:
        return


def forget_old_history(*, now: datetime, keep: timedelta) -> int:
    """Delete tape rows older than `keep`; candles stay. Answers the number of rows deleted."""
    deleted, _by_model = VenueTrade.objects.filter(traded_at__lt=now - keep).delete()
    return deleted


def markets_without_history(limit: int) -> list[str]:
    """The busiest open markets whose past was not asked for yet."""
    busiest = (
        Market.objects.filter(is_closed=False, is_archived=False, is_hidden=False)
        .order_by(F("stats__volume_24h").desc(nulls_last=True), "pk")
        .values_list("condition_id", flat=True)[: 10 * limit]
    )
    listed = list(busiest)
    if not listed:
        return []
    try:
        filled = get_redis().mget([_filled_key(condition_id) for condition_id in listed])
    except redis.RedisError:
        return []
    open_ones = [name for name, mark in zip(listed, filled, strict=True) if mark is None]
    return open_ones[:limit]
