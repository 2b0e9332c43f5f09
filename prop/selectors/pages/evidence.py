"""Why a phase ended: the verdict's inputs in words and numbers, and the line of that day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from polysim.kernel.money import from_scaled
from prop.charts import ChallengeChart, draw_challenge_chart
from prop.models import Challenge, ChallengePhase, DailySnapshot, RuleBreach, Verdict
from prop.rules import RULES_BY_NAME, Terms
from prop.rules.days import local_date
from prop.selectors.pages.day import bounds_of, draw_day
from trading.markets.models import Outcome


@dataclass(frozen=True)
class HeldThen:
    """A holding at the deciding moment with the price used, None when it counted at its cost."""

    question: str
    slug: str
    outcome: str
    quantity: Decimal
    cost: Decimal
    mark: Decimal | None
    marked_at: datetime | None

    @property
    def worth(self) -> Decimal:
        """What it counted for, in dollars."""
        return self.cost if self.mark is None else self.quantity * self.mark


@dataclass(frozen=True)
class EvidenceView:
    """A verdict as its trader reads it."""

    verdict: Verdict
    phase: ChallengePhase
    breaches: tuple[RuleBreach, ...]
    sentence: str
    title: str
    equity: Decimal
    balance: Decimal
    cash: Decimal
    day_start: Decimal
    held: tuple[HeldThen, ...]
    zone: ZoneInfo
    drawn: ChallengeChart

    @property
    def primary(self) -> RuleBreach | None:
        """The breach that decided."""
        return next((breach for breach in self.breaches if breach.is_primary), None)


def read_evidence(*, challenge: Challenge, viewer_zone: ZoneInfo) -> EvidenceView | None:
    """The newest verdict of a challenge; None before there is one."""
    verdict = (
        Verdict.objects.filter(phase__challenge=challenge)
        .select_related("phase")
        .order_by("-id")
        .first()
    )
    if verdict is None:
        return None
    phase = verdict.phase
    zone = ZoneInfo(str(challenge.terms["program"]["timezone"]))
    measures: Mapping[str, Any] = verdict.inputs["measures"]
    rule = RULES_BY_NAME.get(verdict.rule)
    terms = Terms.from_data(phase.terms)
    return EvidenceView(
        verdict=verdict,
        phase=phase,
        breaches=tuple(RuleBreach.objects.filter(phase=phase).order_by("-is_primary", "id")),
        sentence=rule.sentence(terms) if rule is not None else "",
        title=rule.title if rule is not None else "",
        equity=from_scaled(int(measures["equity"])),
        balance=from_scaled(int(measures["balance"])),
        cash=from_scaled(int(verdict.inputs["cash"])),
        day_start=from_scaled(int(measures["day_start_equity"])),
        held=_held(verdict.inputs["positions"]),
        zone=zone,
        drawn=_draw_last_day(phase, verdict, zone, viewer_zone),
    )


def _held(positions: list[Mapping[str, Any]]) -> tuple[HeldThen, ...]:
    known = {
        (outcome.market.condition_id, outcome.index): outcome
        for outcome in Outcome.objects.filter(
            market__condition_id__in={row["condition_id"] for row in positions}
        ).select_related("market")
    }
    rows = []
    for row in positions:
        outcome = known.get((row["condition_id"], row["outcome_index"]))
        mark = row["mark"]
        rows.append(
            HeldThen(
                question=outcome.market.question if outcome else str(row["condition_id"]),
                slug=outcome.market.slug if outcome else "",
                outcome=outcome.label if outcome else "",
                quantity=from_scaled(int(row["quantity"])),
                cost=from_scaled(int(row["cost"])),
                mark=None if mark is None else from_scaled(int(mark)),
                marked_at=_moment(row["marked_at"]),
            )
        )
    return tuple(rows)


def _moment(unix_s: int) -> datetime | None:
    return datetime.fromtimestamp(unix_s, UTC) if unix_s else None


def _draw_last_day(
    phase: ChallengePhase, verdict: Verdict, zone: ZoneInfo, viewer_zone: ZoneInfo
) -> ChallengeChart:
    day = local_date(int(verdict.decided_at.timestamp()), zone)
    snapshot = (
        DailySnapshot.objects.select_related("phase").filter(phase=phase, local_date=day).first()
    )
    if snapshot is None:
        return draw_challenge_chart([], [], start=Decimal(1), lines=[], zone=viewer_zone)
    begins, ends = bounds_of(day, zone)
    return draw_day(snapshot, begins, ends, viewer_zone, after=None)
