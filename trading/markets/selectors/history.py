"""Price history of one outcome, put into buckets by the database."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

BUCKETS_MAX = 5000
# Buckets begin on the hour, at midnight UTC and on Mondays.
ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)

_SQL = """
    SELECT bucket_at, open, high, low, close, volume FROM (
        SELECT date_bin(%s, minute_at, %s) AS bucket_at,
               (array_agg(open ORDER BY minute_at))[1] AS open,
               max(high) AS high,
               min(low) AS low,
               (array_agg(close ORDER BY minute_at DESC))[1] AS close,
               sum(volume) AS volume
        FROM markets_minutecandle
        WHERE outcome_id = %s AND minute_at >= %s AND minute_at < %s
        GROUP BY 1 ORDER BY 1 DESC LIMIT %s
    ) AS newest ORDER BY bucket_at
"""


@dataclass(frozen=True, slots=True)
class CandleRow:
    """One bucket: prices in dollars, `venue_volume` in shares traded at the venue."""

    bucket_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    venue_volume: Decimal


def list_candles(
    *,
    outcome_id: int,
    bucket: timedelta,
    start: datetime,
    end: datetime,
    limit: int = BUCKETS_MAX,
) -> list[CandleRow]:
    """Candles of `start` <= minute < `end`, ascending; the newest `limit` when there are more."""
    parameters: list[Any] = [bucket, ORIGIN, outcome_id, start, end, min(limit, BUCKETS_MAX)]
    with connection.cursor() as cursor:
        cursor.execute(_SQL, parameters)
        return [CandleRow(*row) for row in cursor.fetchall()]
