"""The page of one challenge: phases, meters, curve, days, breaches, payout (ui.md, Challenge page).

Everything is read inside the firm's building. A running phase is valued now; an ended one stands
as its last metric left it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from polysim.kernel.errors import NotFound
from polysim.kernel.money import from_scaled
from prop.charts import ChallengeChart, RuleLine, draw_challenge_chart
from prop.meters import Meter, Moment, read_meters
from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    MetricSnapshot,
    Payout,
    PropSettings,
    RuleBreach,
    Verdict,
)
from prop.rules import RULES, Measures, Terms, progress
from prop.rules.days import local_date, next_midnight
from prop.selectors.pages.calendar import Week, read_calendar
from prop.selectors.pages.curve import Period, read_curve
from prop.selectors.pages.statistics import Statistics, read_statistics
from prop.selectors.pages.words import Step, describe_steps, rules_in_words
from prop.selectors.readings import PhaseReading, read_phase
from tenants.models import User
from trading.charts import Point

ATTEMPTS_MAX = 20


@dataclass(frozen=True)
class ChallengeView:
    """One challenge as its trader sees it. Money in dollars; `measures` None before funding."""

    challenge: Challenge
    phase: ChallengePhase | None
    name: str
    currency: str
    zone: ZoneInfo
    steps: tuple[Step, ...]
    rules: tuple[tuple[str, tuple[str, ...]], ...]
    meters: tuple[Meter, ...]
    equity: Decimal
    balance: Decimal
    day_start: Decimal
    start: Decimal
    is_live: bool
    is_price_stale: bool
    evaluated_at: datetime | None
    next_reset_at: datetime | None
    weeks: tuple[Week, ...]
    statistics: Statistics | None
    breaches: tuple[RuleBreach, ...]
    verdict: Verdict | None
    payout: Payout | None
    attempts: tuple[Challenge, ...]
    lines: tuple[RuleLine, ...]

    @property
    def profit(self) -> Decimal:
        """Equity less the initial balance."""
        return self.equity - self.start

    @property
    def profit_ratio(self) -> Decimal | None:
        """Profit as a fraction of the initial balance."""
        return self.profit / self.start if self.start else None

    @property
    def today(self) -> Decimal:
        """What this local day brought."""
        return self.equity - self.day_start

    @property
    def today_ratio(self) -> Decimal | None:
        """Today's result as a fraction of the day's start."""
        return self.today / self.day_start if self.day_start else None

    @property
    def primary(self) -> RuleBreach | None:
        """The breach that ended it."""
        return next((breach for breach in self.breaches if breach.is_primary), None)

    @property
    def is_running(self) -> bool:
        """Whether its rules are still measured."""
        return self.challenge.status == ChallengeStatus.ACTIVE


def get_own_challenge(*, user: User, challenge_id: int) -> Challenge:
    """The person's challenge in this building; NotFound for a stranger's or unknown one."""
    found = (
        Challenge.objects.select_related("purchase", "program")
        .filter(pk=challenge_id, customer=user)
        .first()
    )
    if found is None:
        raise NotFound("There is no such challenge.")
    return found


def read_challenge(*, challenge: Challenge, now: datetime) -> ChallengeView:
    """The whole page's content, a fixed number of queries."""
    phases = list(challenge.phases.order_by("phase_index"))
    phase = next((one for one in phases if one.phase_index == challenge.current_phase_index), None)
    terms = challenge.terms
    zone = ZoneInfo(str(terms["program"]["timezone"]))
    reading = _read_running(phase, now=now)
    last = _last_metric(phase)
    figures = _figures(phase, reading, last)
    breaches = list(RuleBreach.objects.filter(challenge=challenge).order_by("-is_primary", "id"))
    others = Challenge.objects.filter(purchase=challenge.purchase).exclude(pk=challenge.pk)
    at = int(now.timestamp())
    return ChallengeView(
        challenge=challenge,
        phase=phase,
        name=str(terms["program"]["name"]),
        currency=str(terms["program"]["price_currency"]),
        zone=zone,
        steps=describe_steps(terms, phases, figures.equity, now=now),
        rules=rules_in_words(terms),
        meters=_meters(phase, reading, last, at=at, zone=zone),
        equity=figures.equity,
        balance=figures.balance,
        day_start=figures.day_start,
        start=figures.start,
        is_live=reading is not None,
        is_price_stale=reading is not None and reading.measures.is_price_stale,
        evaluated_at=last.created_at if last is not None else None,
        next_reset_at=datetime.fromtimestamp(next_midnight(at, zone), UTC),
        weeks=_calendar(phase, figures.equity, now=now, zone=zone),
        statistics=read_statistics(wallet_id=challenge.account_login, phase=phase),
        breaches=tuple(breaches),
        verdict=None if phase is None else Verdict.objects.filter(phase=phase).first(),
        payout=Payout.objects.filter(challenge=challenge).order_by("-id").first(),
        attempts=tuple(others.order_by("-attempt")[:ATTEMPTS_MAX]),
        lines=_lines(phase, reading, zone=zone),
    )


def draw_curve(
    *, view: ChallengeView, period: Period, viewer_zone: ZoneInfo, now: datetime
) -> ChallengeChart:
    """The equity chart of the current phase, with the lines that decide."""
    phase = view.phase
    if phase is None or phase.start_at is None:
        return draw_challenge_chart([], [], start=Decimal(1), lines=[], zone=viewer_zone)
    until = phase.end_at or now
    equity, balance = read_curve(phase=phase, period=period, until=until)
    if view.is_live:
        equity.append(Point(now, view.equity))
        balance.append(Point(now, view.balance))
    return draw_challenge_chart(
        equity, balance, start=view.start, lines=view.lines, zone=viewer_zone
    )


@dataclass(frozen=True, slots=True)
class _Figures:
    equity: Decimal
    balance: Decimal
    day_start: Decimal
    start: Decimal


def _read_running(phase: ChallengePhase | None, *, now: datetime) -> PhaseReading | None:
    if phase is None or phase.status != ChallengeStatus.ACTIVE:
        return None
    chosen = PropSettings.objects.first()
    return read_phase(phase, now=now, stale_after_s=chosen.stale_after_s if chosen else 300)


def _last_metric(phase: ChallengePhase | None) -> MetricSnapshot | None:
    if phase is None:
        return None
    return MetricSnapshot.objects.filter(phase=phase).order_by("-id").first()


def _figures(
    phase: ChallengePhase | None, reading: PhaseReading | None, last: MetricSnapshot | None
) -> _Figures:
    start = phase.initial_balance if phase is not None else Decimal(0)
    if reading is not None:
        measures = reading.measures
        return _Figures(
            from_scaled(measures.equity),
            from_scaled(measures.balance),
            from_scaled(measures.day_start_equity),
            start,
        )
    if last is not None:
        return _Figures(last.equity, last.balance, last.daily_start_equity, start)
    return _Figures(start, start, start, start)


def _meters(
    phase: ChallengePhase | None,
    reading: PhaseReading | None,
    last: MetricSnapshot | None,
    *,
    at: int,
    zone: ZoneInfo,
) -> tuple[Meter, ...]:
    """Of the running phase as it is now; of an ended one as it was when the verdict fell."""
    if reading is not None:
        moment = Moment(at=at, next_reset_time=reading.next_reset_time, zone=zone)
        return read_meters(reading.terms, reading.measures, moment)
    if phase is None or last is None or phase.start_at is None:
        return ()
    verdict = Verdict.objects.filter(phase=phase).first()
    measures = _measures_of(verdict)
    if measures is None:
        return ()
    moment = Moment(at=measures.at, next_reset_time=next_midnight(measures.at, zone), zone=zone)
    return read_meters(Terms.from_data(phase.terms), measures, moment)


def _measures_of(verdict: Verdict | None) -> Measures | None:
    if verdict is None:
        return None
    kept: dict[str, Any] = dict(verdict.inputs.get("measures", {}))
    kept["day_results"] = tuple(kept.get("day_results", ()))
    return Measures(**{name: kept[name] for name in Measures.__slots__ if name in kept})


def _calendar(
    phase: ChallengePhase | None, equity: Decimal, *, now: datetime, zone: ZoneInfo
) -> tuple[Week, ...]:
    if phase is None:
        return ()
    today = local_date(int(now.timestamp()), zone)
    ended = None if phase.end_at is None else local_date(int(phase.end_at.timestamp()), zone)
    worth = phase.final_equity if phase.end_at is not None else equity
    return read_calendar(phase=phase, equity=worth, today=today, until=ended)


def _lines(
    phase: ChallengePhase | None, reading: PhaseReading | None, *, zone: ZoneInfo
) -> tuple[RuleLine, ...]:
    """Target, floor and today's floor; an ended phase keeps those of its last day."""
    if phase is None or phase.start_at is None:
        return ()
    terms = Terms.from_data(phase.terms)
    measures = reading.measures if reading is not None else None
    if measures is None:
        measures = _measures_of(Verdict.objects.filter(phase=phase).first())
    if measures is None:
        return ()
    found = progress(terms, measures, next_reset_time=0)
    day = local_date(measures.at, zone)
    lines = []
    if terms.profit_target_pct > 0:
        target = terms.initial_balance * (1 + terms.profit_target_pct / 100)
        lines.append(RuleLine("target", "Target", target))
    floor, daily = found["total_loss_floor"], found["daily_loss_floor"]
    if floor is not None:
        lines.append(RuleLine("floor", "Total-loss floor", Decimal(floor)))
    if daily is not None:
        began = _day_began(phase, day, zone)
        lines.append(RuleLine("day", "Today's floor", Decimal(daily), since=began))
    return tuple(lines)


def _day_began(phase: ChallengePhase, day: date, zone: ZoneInfo) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return max(midnight, phase.start_at or midnight)


RULE_TITLES = {rule.name: rule.title for rule in RULES}
