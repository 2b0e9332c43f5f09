"""The equity curve of a phase from its metrics: the newest of each step, so that it stays short."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from prop.models import ChallengePhase
from trading.charts import Point

POINTS_MAX = 400


@dataclass(frozen=True)
class Period:
    """A span of the curve."""

    key: str
    label: str
    span: timedelta | None


PERIODS = (
    Period("1d", "1D", timedelta(days=1)),
    Period("1w", "1W", timedelta(days=7)),
    Period("all", "All", None),
)

# One row for each step of time: the newest metric in it.
_CURVE = """
SELECT DISTINCT ON (bucket) created_at, equity, balance FROM (
  SELECT created_at, equity, balance, id,
    date_bin(make_interval(secs => %(step)s), created_at, %(since)s) AS bucket
  FROM prop_metricsnapshot WHERE phase_id = %(phase)s
    AND created_at >= %(since)s AND created_at <= %(until)s
) AS found ORDER BY bucket, created_at DESC, id DESC
"""


def find_period(key: str | None) -> Period:
    """The period of an address; All for an unknown one."""
    return next((period for period in PERIODS if period.key == key), PERIODS[-1])


def read_curve(
    *, phase: ChallengePhase, period: Period, until: datetime
) -> tuple[list[Point], list[Point]]:
    """(equity, balance) oldest first, from the start or within the period. One query."""
    started_at = phase.start_at or phase.created_at
    since = started_at if period.span is None else max(started_at, until - period.span)
    span_s = max(1, int((until - since).total_seconds()))
    with connection.cursor() as cursor:
        cursor.execute(
            _CURVE,
            {
                "phase": phase.pk,
                "since": since,
                "until": until,
                "step": max(60, span_s // POINTS_MAX),
            },
        )
        rows: list[tuple[datetime, Decimal, Decimal]] = cursor.fetchall()
    if since == started_at:
        rows.insert(0, (since, phase.initial_balance, phase.initial_balance))
    equity = [Point(at, worth) for at, worth, _ in rows]
    return equity, [Point(at, kept) for at, _, kept in rows]
