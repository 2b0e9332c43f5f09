"""One local day of a challenge: its trades and the line of its equity (ui.md, Calendar)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from polysim.kernel.errors import NotFound
from prop.charts import ChallengeChart, draw_challenge_chart
from prop.models import Challenge, DailySnapshot, MetricSnapshot
from trading.charts import Point
from trading.models import Trade

TRADES_MAX = 200
POINTS_MAX = 1500


@dataclass(frozen=True)
class DayPage:
    """A day from its first to its last moment in the program's zone."""

    date: date
    zone: ZoneInfo
    snapshot: DailySnapshot
    trades: tuple[Trade, ...]
    drawn: ChallengeChart
    result: Decimal


def bounds_of(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The day's first moment and the next day's, in UTC."""
    after = day + timedelta(days=1)
    begins = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return begins, datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)


def read_day_page(
    *, challenge: Challenge, day: date, viewer_zone: ZoneInfo, now: datetime
) -> DayPage:
    """A day that has a snapshot; NotFound for others. Four queries."""
    zone = ZoneInfo(str(challenge.terms["program"]["timezone"]))
    snapshot = (
        DailySnapshot.objects.filter(challenge=challenge, local_date=day)
        .select_related("phase")
        .order_by("-id")
        .first()
    )
    if snapshot is None:
        raise NotFound("This challenge has no figures of that day.")
    begins, ends = bounds_of(day, zone)
    trades = Trade.objects.filter(
        wallet_id=snapshot.phase.account_login, filled_at__gte=begins, filled_at__lt=ends
    ).select_related("market", "outcome")
    return DayPage(
        date=day,
        zone=zone,
        snapshot=snapshot,
        trades=tuple(trades.order_by("seq")[:TRADES_MAX]),
        drawn=draw_day(snapshot, begins, min(ends, now), viewer_zone),
        result=snapshot.current_equity - snapshot.daily_start_equity,
    )


def draw_day(
    snapshot: DailySnapshot, begins: datetime, ends: datetime, viewer_zone: ZoneInfo
) -> ChallengeChart:
    """The equity of one day from its metrics, beginning with the day's start. One query."""
    rows = MetricSnapshot.objects.filter(
        phase=snapshot.phase, created_at__gte=begins, created_at__lt=ends
    ).order_by("id")
    found = list(rows.values_list("created_at", "equity", "balance")[:POINTS_MAX])
    first = (max(begins, snapshot.created_at), snapshot.daily_start_equity)
    equity = [Point(*first), *(Point(at, worth) for at, worth, _ in found)]
    balance = [
        Point(first[0], snapshot.daily_start_balance),
        *(Point(at, kept) for at, _, kept in found),
    ]
    return draw_challenge_chart(
        equity, balance, start=snapshot.daily_start_equity, lines=[], zone=viewer_zone
    )
