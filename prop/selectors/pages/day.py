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
    last: Decimal

    @property
    def result(self) -> Decimal:
        """What the day brought, open positions included."""
        return self.last - self.snapshot.daily_start_equity


def bounds_of(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The day's first moment and the next day's, in UTC."""
    after = day + timedelta(days=1)
    begins = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return begins, datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)


def read_day_page(
    *, challenge: Challenge, day: date, viewer_zone: ZoneInfo, now: datetime
) -> DayPage:
    """A day that has a snapshot; NotFound for others. Five queries."""
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
    after = _read_start_after(snapshot)
    last = snapshot.current_equity if after is None else after
    trades = Trade.objects.filter(
        wallet_id=snapshot.phase.account_login, filled_at__gte=begins, filled_at__lt=ends
    ).select_related("market", "outcome")
    return DayPage(
        date=day,
        zone=zone,
        snapshot=snapshot,
        trades=tuple(trades.order_by("seq")[:TRADES_MAX]),
        drawn=draw_day(snapshot, begins, min(ends, now), viewer_zone, after=after),
        last=last,
    )


def _read_start_after(snapshot: DailySnapshot) -> Decimal | None:
    """What the phase's next day began with: there this day ended, as in the calendar."""
    following = DailySnapshot.objects.filter(
        phase=snapshot.phase, local_date__gt=snapshot.local_date
    ).order_by("local_date")
    found: Decimal | None = following.values_list("daily_start_equity", flat=True).first()
    return found


def draw_day(
    snapshot: DailySnapshot,
    begins: datetime,
    ends: datetime,
    viewer_zone: ZoneInfo,
    *,
    after: Decimal | None,
) -> ChallengeChart:
    """The equity of one day from its metrics, from the day's start to the next day's (`after`)."""
    rows = MetricSnapshot.objects.filter(
        phase=snapshot.phase, created_at__gte=begins, created_at__lt=ends
    ).order_by("id")
    found = list(rows.values_list("created_at", "equity", "balance")[:POINTS_MAX])
    first = (max(begins, snapshot.created_at), snapshot.daily_start_equity)
    equity = [Point(*first), *(Point(at, worth) for at, worth, _ in found)]
    if after is not None:
        equity.append(Point(ends, after))
    balance = [
        Point(first[0], snapshot.daily_start_balance),
        *(Point(at, kept) for at, _, kept in found),
    ]
    return draw_challenge_chart(
        equity, balance, start=snapshot.daily_start_equity, lines=[], zone=viewer_zone
    )
