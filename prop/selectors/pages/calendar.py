"""The calendar of daily results: what each local day of a phase brought (ui.md, Calendar)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Count

from prop.models import ChallengePhase, DailySnapshot
from trading.models import Trade

WEEK = timedelta(days=7)
WEEKS_MAX = 6


@dataclass(frozen=True, slots=True)
class Day:
    """One square: `result` None where the phase has no snapshot of that day."""

    date: date
    result: Decimal | None
    trades: int
    is_today: bool

    @property
    def style(self) -> str:
        """up, down or nothing."""
        if not self.result:
            return ""
        return "up" if self.result > 0 else "down"


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days, Monday first, and what they brought together."""

    days: tuple[Day, ...]

    @property
    def result(self) -> Decimal | None:
        """The week's sum; None where no day is known."""
        known = [day.result for day in self.days if day.result is not None]
        return sum(known, Decimal(0)) if known else None


def read_calendar(
    *, phase: ChallengePhase, equity: Decimal, today: date, until: date | None = None
) -> tuple[Week, ...]:
    """The phase's last weeks up to `until` (default today); `equity` is the present worth.

    A day lasts until the next one that has a snapshot. Two queries.
    """
    snapshots = list(DailySnapshot.objects.filter(phase=phase).order_by("local_date"))
    if not snapshots:
        return ()
    counted = dict(
        Trade.objects.filter(wallet_id=phase.account_login, kind="fill")
        .values_list("local_date")
        .annotate(Count("pk"))
        .order_by("local_date")
    )
    results = _results(snapshots, equity)
    last = until or today
    first = snapshots[0].local_date
    monday = max(
        first - timedelta(days=first.weekday()),
        last - timedelta(days=last.weekday()) - WEEK * (WEEKS_MAX - 1),
    )
    weeks = []
    while monday <= last:
        days = [monday + timedelta(days=offset) for offset in range(7)]
        weeks.append(
            Week(tuple(Day(d, results.get(d), counted.get(d, 0), d == today) for d in days))
        )
        monday += WEEK
    return tuple(weeks)


def _results(snapshots: Sequence[DailySnapshot], equity: Decimal) -> dict[date, Decimal]:
    starts = [snapshot.daily_start_equity for snapshot in snapshots]
    ends = [*starts[1:], equity]
    return {
        snapshot.local_date: end - start
        for snapshot, start, end in zip(snapshots, starts, ends, strict=True)
    }
