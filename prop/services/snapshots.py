"""Daily snapshots, written set-wise (prop-backoffice 6.4). Money is scaled by 10**6."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

_UPDATE = """
UPDATE prop_dailysnapshot s SET
  current_balance = n.balance * 0.000001, current_equity = n.equity * 0.000001,
  min_equity = least(s.min_equity, n.lowest * 0.000001),
  max_equity = greatest(s.max_equity, n.highest * 0.000001), updated_at = %s
FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS n (phase_id, day, balance, equity, lowest, highest)
WHERE s.phase_id = n.phase_id AND s.local_date = n.day
"""
_INSERT = """
INSERT INTO prop_dailysnapshot (challenge_id, phase_id, local_date, daily_start_balance,
  daily_start_equity, current_balance, current_equity, min_equity, max_equity, created_at,
  updated_at)
SELECT p.challenge_id, p.id, n.day, n.balance * 0.000001, n.equity * 0.000001,
  n.balance * 0.000001, n.equity * 0.000001, n.equity * 0.000001, n.equity * 0.000001, %s, %s
FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::bigint[])
  AS n (phase_id, day, balance, equity)
JOIN prop_challengephase p ON p.id = n.phase_id AND p.status = 1
ON CONFLICT (phase_id, local_date) DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayColumns:
    """Days of phases, one entry each; `lowest` and `highest` are extremes since the last write."""

    phase_ids: Sequence[int]
    days: Sequence[date]
    balances: Sequence[int]
    equities: Sequence[int]
    lowest: Sequence[int] | None = None
    highest: Sequence[int] | None = None


def begin_days(*, days: DayColumns, now: datetime) -> int:
    """Write the first snapshot of a local date; answers how many there were not yet.

    A day that has one keeps it, whoever comes second.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                now,
                now,
                array_text(days.phase_ids),
                list(days.days),
                array_text(days.balances),
                array_text(days.equities),
            ],
        )
        return int(cursor.rowcount)


def update_days(*, days: DayColumns, now: datetime) -> int:
    """Bring snapshots up to date; answers how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            _UPDATE,
            [
                now,
                array_text(days.phase_ids),
                list(days.days),
                array_text(days.balances),
                array_text(days.equities),
                array_text(days.equities if days.lowest is None else days.lowest),
                array_text(days.equities if days.highest is None else days.highest),
            ],
        )
        return int(cursor.rowcount)


def array_text(numbers: Sequence[int]) -> str:
    """A PostgreSQL array of integers as text: far cheaper to send than a list of parameters."""
    return "{" + ",".join(map(str, numbers)) + "}"
