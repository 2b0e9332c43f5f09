"""Past prices for charts, sampled by the database: one index lookup a point, never a row scan.

A chart shows the last close known at each sample; before the first minute, and where nothing was
recorded for longer than `GAP`, there is nothing to show (a gap stays a gap).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from trading.charts import Point

GAP = timedelta(hours=13)
SPARK_SPAN = timedelta(days=7)
SPARK_POINTS = 28
SPARKS_KEPT_S = 120.0
SPARKS_KEPT_MAX = 5_000


@dataclass(frozen=True)
class Interval:
    """One period of the chart: its address word, its label, its span and its sample step."""

    key: str
    label: str
    span: timedelta | None
    step: timedelta


INTERVALS = (
    Interval("1h", "1H", timedelta(hours=1), timedelta(minutes=1)),
    Interval("6h", "6H", timedelta(hours=6), timedelta(minutes=3)),
    Interval("1d", "1D", timedelta(days=1), timedelta(minutes=10)),
    Interval("1w", "1W", timedelta(days=7), timedelta(hours=1)),
    Interval("1m", "1M", timedelta(days=30), timedelta(hours=4)),
    Interval("all", "All", None, timedelta(hours=6)),
)
DEFAULT_INTERVAL = INTERVALS[2]
ALL_POINTS = 240


def find_interval(key: str | None) -> Interval:
    """The interval of an address; the default for an unknown one."""
    return next((interval for interval in INTERVALS if interval.key == key), DEFAULT_INTERVAL)


SAMPLES = """
    WITH ends AS (
        SELECT sampled.at FROM bounds, generate_series(bounds.first_at, bounds.last_at, bounds.step)
            AS sampled (at)
    )
    SELECT ends.at, found.close, found.minute_at
    FROM ends
    CROSS JOIN LATERAL (
        SELECT close, minute_at FROM markets_minutecandle
        WHERE outcome_id = %(outcome_id)s AND minute_at <= ends.at
        ORDER BY minute_at DESC LIMIT 1
    ) AS found
    ORDER BY ends.at
"""
FIXED_BOUNDS = """
    WITH bounds AS (
        SELECT %(start)s::timestamptz AS first_at, %(now)s::timestamptz AS last_at,
               %(step)s::interval AS step
    ),
"""
WHOLE_BOUNDS = """
    WITH bounds AS (
        SELECT oldest.first_at, %(now)s::timestamptz AS last_at,
               greatest((%(now)s::timestamptz - oldest.first_at) / %(points)s, interval '1 minute')
                   AS step
        FROM (
            SELECT minute_at AS first_at FROM markets_minutecandle
            WHERE outcome_id = %(outcome_id)s ORDER BY minute_at LIMIT 1
        ) AS oldest
    ),
"""


def read_price_points(*, outcome_id: int, interval: Interval, now: datetime) -> list[Point]:
    """The chart's points, oldest first; a Point without value marks a gap. One query."""
    bounds = WHOLE_BOUNDS if interval.span is None else FIXED_BOUNDS
    statement = bounds.rstrip() + SAMPLES.replace("WITH ends", " ends", 1)
    span = interval.span or timedelta()
    arguments: dict[str, Any] = {
        "outcome_id": outcome_id,
        "start": now - span,
        "now": now,
        "step": interval.step,
        "points": ALL_POINTS,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        rows = cursor.fetchall()
    return [
        Point(at, close if at - recorded_at <= GAP else None) for at, close, recorded_at in rows
    ]


SPARKS = """
    SELECT wanted.outcome_id, found.close
    FROM unnest(%(outcome_ids)s::bigint[]) AS wanted (outcome_id)
    CROSS JOIN generate_series(%(start)s::timestamptz, %(now)s::timestamptz, %(step)s::interval)
        AS ends (at)
    CROSS JOIN LATERAL (
        SELECT close FROM markets_minutecandle
        WHERE outcome_id = wanted.outcome_id AND minute_at <= ends.at
        ORDER BY minute_at DESC LIMIT 1
    ) AS found
    ORDER BY wanted.outcome_id, ends.at
"""


_sparks: dict[int, tuple[float, list[Decimal]]] = {}


def read_sparks(*, outcome_ids: Sequence[int], now: datetime) -> dict[int, list[Decimal]]:
    """A week of closes per outcome, oldest first, for sparklines, at most two minutes old.

    One query for all that this process does not remember.
    """
    now_s = time.monotonic()
    remembered = {one: _sparks.get(one, (0.0, [])) for one in outcome_ids}
    missing = [one for one, (until_s, _) in remembered.items() if until_s < now_s]
    if missing:
        found = _load_sparks(missing, now)
        fresh = {one: (now_s + SPARKS_KEPT_S, found.get(one, [])) for one in missing}
        if len(_sparks) > SPARKS_KEPT_MAX:
            _sparks.clear()
        _sparks.update(fresh)
        remembered |= fresh
    return {one: closes for one, (_, closes) in remembered.items()}


def forget_sparks() -> None:
    """Between tests."""
    _sparks.clear()


def _load_sparks(outcome_ids: Sequence[int], now: datetime) -> dict[int, list[Decimal]]:
    arguments: dict[str, Any] = {
        "outcome_ids": list(outcome_ids),
        "start": now - SPARK_SPAN,
        "now": now,
        "step": SPARK_SPAN / SPARK_POINTS,
    }
    sparks: dict[int, list[Decimal]] = {}
    with connection.cursor() as cursor:
        cursor.execute(SPARKS, arguments)
        for outcome_id, close in cursor.fetchall():
            sparks.setdefault(outcome_id, []).append(close)
    return sparks
