"""What passes write besides verdicts, each in one statement for all rows (6.4, 6.5).

Every statement tests the stored state itself, so a second evaluator, or one that lost its lock
without knowing, writes nothing twice. Money and percents are scaled by 10**6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from prop.rules.columns import Column
from prop.services.snapshots import array_text

METRIC_EVERY_S = 60

# One writer of metrics at a time in a building: whoever comes second sees what the first wrote.
_METRICS_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ':metrics', 0))"
_METRICS = """
INSERT INTO prop_metricsnapshot (challenge_id, phase_id, phase_index, account_login, event,
  balance, equity, profit_target, daily_loss, total_loss, daily_profit, trading_days,
  open_positions, daily_start_equity, created_at)
SELECT p.challenge_id, p.id, p.phase_index, p.account_login, 'tick', n.balance * 0.000001,
  n.equity * 0.000001, n.profit * 0.000001, n.daily_loss * 0.000001, n.total_loss * 0.000001,
  n.daily_profit * 0.000001, n.trading_days, n.open_positions, n.day_start * 0.000001, %(now)s
FROM unnest(%(ids)s::bigint[], %(equity)s::bigint[], %(balance)s::bigint[],
  %(profit)s::bigint[], %(daily_loss)s::bigint[], %(total_loss)s::bigint[],
  %(daily_profit)s::bigint[], %(trading_days)s::bigint[], %(open_positions)s::bigint[],
  %(day_start)s::bigint[])
  AS n (id, equity, balance, profit, daily_loss, total_loss, daily_profit, trading_days,
    open_positions, day_start)
JOIN prop_challengephase p ON p.id = n.id AND p.status = 1
WHERE NOT EXISTS (SELECT FROM prop_metricsnapshot m
  WHERE m.challenge_id = p.challenge_id AND m.created_at > %(before)s)
RETURNING id, phase_id
"""
_PEAKS = """
UPDATE prop_challengephase p SET {column} = n.peak * 0.000001
FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, peak)
WHERE p.id = n.id AND p.status = 1 AND p.{column} < n.peak * 0.000001
"""
_FILLS = """
UPDATE prop_challengephase p SET trading_days = n.days,
  last_fill_at = CASE WHEN n.last_at > 0 THEN to_timestamp(n.last_at) END,
  last_trading_date = CASE WHEN n.last_at > 0
    THEN (to_timestamp(n.last_at) AT TIME ZONE (p.terms->>'timezone'))::date END
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS n (id, days, last_at)
WHERE p.id = n.id AND p.status = 1
"""
_WARNED = """
UPDATE prop_challengephase SET warned = warned || jsonb_build_object(%s::text, %s::text)
WHERE id = %s AND status = 1 AND (warned->>%s::text) IS DISTINCT FROM %s
"""


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """Figures of metrics, one entry each."""

    ids: Sequence[int]
    values: Mapping[str, Column]


def write_metrics(*, metrics: MetricColumns, now: datetime) -> dict[int, int]:
    """Write a tick of each phase whose challenge had no metric for 60 s: its id by phase id."""
    parameters = {name: array_text(values.tolist()) for name, values in metrics.values.items()}
    before = now - timedelta(seconds=METRIC_EVERY_S)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_METRICS_LOCK)
        cursor.execute(
            _METRICS, {**parameters, "ids": array_text(metrics.ids), "now": now, "before": before}
        )
        return {phase_id: metric_id for metric_id, phase_id in cursor.fetchall()}


def write_peaks(*, ids: Column, peaks: Column, is_end_of_day: bool) -> None:
    """Raise stored peaks: of the highest equity, or of the highest one at a day's start."""
    name = "end_of_day_peak" if is_end_of_day else "peak_equity"
    with connection.cursor() as cursor:
        cursor.execute(
            _PEAKS.format(column=name), [array_text(ids.tolist()), array_text(peaks.tolist())]
        )


def write_fills(*, ids: Column, trading_days: Column, last_fill_at: Column) -> None:
    """Store trading days and the last own fill."""
    columns = [array_text(values.tolist()) for values in (ids, trading_days, last_fill_at)]
    with connection.cursor() as cursor:
        cursor.execute(_FILLS, columns)


def claim_warning(*, phase_id: int, rule: str, day: str) -> bool:
    """Note that a trader is warned of a rule on a local date; False when that was done before."""
    with connection.cursor() as cursor:
        cursor.execute(_WARNED, [rule, day, phase_id, rule, day])
        return bool(cursor.rowcount)
