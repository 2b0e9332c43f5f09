"""Local calendar days of a program's zone; the only place that turns a moment into a date.

Times are Unix seconds. Days last 23, 23.5, 24, 24.5 or 25 hours; a midnight that a clock change
skips is the moment of the change, so every moment belongs to exactly one day.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo

from .exact import SECONDS_PER_DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def local_date(moment: int, zone: tzinfo) -> date:
    """The calendar day in `zone` that `moment` belongs to."""
    return datetime.fromtimestamp(moment, zone).date()


def start_of_date(day: date, zone: tzinfo) -> int:
    """The first moment of a calendar day in `zone`."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight - _EPOCH) // _SECOND


def next_midnight(moment: int, zone: tzinfo) -> int:
    """The first moment of the next calendar day in `zone`."""
    return start_of_date(local_date(moment, zone) + timedelta(days=1), zone)


def length_of_date(day: date, zone: tzinfo) -> int:
    """Seconds that a calendar day of `zone` lasts."""
    return start_of_date(day + timedelta(days=1), zone) - start_of_date(day, zone)


def trading_dates(fills: Iterable[int], zone: tzinfo, *, since: int) -> set[date]:
    """Distinct local dates of the executions at or after `since` (trading_days_mode fills)."""
    return {local_date(moment, zone) for moment in fills if moment >= since}


def days_left(deadline: int, at: int) -> int | None:
    """Whole days up to the deadline, rounded up; None without a deadline."""
    if not deadline:
        return None
    return max(0, -((at - deadline) // SECONDS_PER_DAY))
