"""What the page of one challenge shows, read in a fixed number of queries."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from polysim.kernel.money import from_scaled
from prop.admin.cells import JOB_TONES, challenge_tag, percent_text, rule_words
from prop.charts import ChallengeChart, RuleLine, draw_challenge_chart
from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    DailySnapshot,
    Job,
    MetricSnapshot,
    Payout,
    RuleBreach,
    Verdict,
)
from prop.rules import RULES_BY_NAME, Terms
from prop.rules.catalogue import TOTAL_LOSS
from prop.rules.measures import Measures
from prop.selectors.account_ids import find_account_ids
from prop.selectors.rooms import Room, read_rooms, valued_phases
from prop.services.evidence import read_inputs
from prop.services.replaying import Replay, replay_verdict
from tenants.office.models import FirmAuditEntry
from trading.charts import Point
from trading.markets.models import Market
from trading.models import Trade

METRICS_SHOWN = 30
TRADES_SHOWN = 30
TIMELINE_SHOWN = 40
CHART_POINTS_MAX = 600


@dataclass(frozen=True)
class HeldRow:
    """A position of a verdict's inputs, in dollars."""

    question: str
    outcome: str
    outcome_index: int
    shares: Decimal
    cost: Decimal
    mark: Decimal | None
    value: Decimal
    unrealised: Decimal
    age_s: int | None


@dataclass(frozen=True)
class VerdictView:
    """A verdict with its evidence and what replaying it says."""

    row: Verdict
    phase: ChallengePhase
    breaches: list[RuleBreach]
    replay: Replay
    held: list[HeldRow]
    cash: Decimal
    equity: Decimal
    positions_value: Decimal
    formula: str
    sentence: str


@dataclass(frozen=True)
class PhaseView:
    """A phase's line: its terms in short, its result."""

    phase: ChallengePhase
    name: str
    terms: str
    state: Any
    result: Decimal | None


@dataclass(frozen=True)
class TimelineEntry:
    """Something that happened; `tone` g, l, w or "" colours its dot."""

    at: datetime
    words: str
    more: str
    tone: str = ""


@dataclass(frozen=True)
class ChallengePage:
    """Everything below the head of the page."""

    phase: ChallengePhase | None
    phase_count: int
    day: DailySnapshot | None
    room: Room | None
    chart: ChallengeChart
    phases: list[PhaseView]
    to_come: list[tuple[str, str, Decimal]]
    verdicts: list[VerdictView]
    metrics: list[MetricSnapshot]
    days: list[DailySnapshot]
    trades: list[Trade]
    jobs: list[tuple[Job, str]]
    payouts: list[Payout]
    timeline: list[TimelineEntry]


def read_challenge_page(*, challenge: Challenge, zone: ZoneInfo, now: datetime) -> ChallengePage:
    """All of it; the terms are those that were bought."""
    phases = list(challenge.phases.order_by("phase_index"))
    current = phases[-1] if phases else None
    for phase in phases:
        phase.challenge = challenge
    metrics = challenge.metrics.order_by("-created_at", "-id")
    rooms = read_rooms(valued_phases(Q(challenge=challenge)), now=now)
    verdicts = _verdicts(phases)
    jobs = list(Job.objects.filter(challenge=challenge).order_by("-id")[:TIMELINE_SHOWN])
    payouts = list(Payout.objects.filter(challenge=challenge).order_by("-id"))
    logins = [phase.account_login for phase in phases if phase.account_login]
    trades = Trade.objects.filter(wallet__in=logins).select_related("market", "outcome")
    shown = list(trades.order_by("-filled_at", "-seq")[:TRADES_SHOWN])
    days = list(challenge.daily_snapshots.order_by("-local_date", "-phase")[:60])
    return ChallengePage(
        phase=current,
        phase_count=len(challenge.terms["steps"]),
        day=days[0] if days else None,
        room=rooms.get(challenge.pk),
        chart=_chart(challenge, current, rooms.get(challenge.pk), zone),
        phases=[_phase_view(phase) for phase in phases],
        to_come=_phases_to_come(challenge, phases),
        verdicts=verdicts,
        metrics=list(metrics[:METRICS_SHOWN]),
        days=days,
        trades=shown,
        jobs=[(job, JOB_TONES[job.status]) for job in jobs],
        payouts=payouts,
        timeline=_timeline(challenge, phases, verdicts, payouts, shown),
    )


def _chart(
    challenge: Challenge, phase: ChallengePhase | None, room: Room | None, zone: ZoneInfo
) -> ChallengeChart:
    """The present phase: its metrics thinned to what a chart can show."""
    if phase is None:
        return draw_challenge_chart([], [], start=Decimal(1), lines=[], zone=zone)
    rows = list(
        MetricSnapshot.objects.filter(phase=phase)
        .order_by("-id")
        .values_list("created_at", "equity", "balance")[: CHART_POINTS_MAX * 4]
    )[::-1]
    step = max(1, len(rows) // CHART_POINTS_MAX)
    kept = [*rows[:-1:step], *rows[-1:]]
    equity = [Point(at, value) for at, value, _ in kept]
    balance = [Point(at, value) for at, _, value in kept]
    if phase.start_at is not None:
        first = Point(phase.start_at, phase.initial_balance)
        equity, balance = [first, *equity], [first, *balance]
    terms = Terms.from_data(phase.terms)
    return draw_challenge_chart(
        equity, balance, start=terms.initial_balance, lines=_lines(terms, phase, room), zone=zone
    )


def _lines(terms: Terms, phase: ChallengePhase, room: Room | None) -> list[RuleLine]:
    lines = []
    if TOTAL_LOSS.is_on(terms):
        measures = Measures.at_start(terms, start_time=0)
        floor = from_scaled(TOTAL_LOSS.floor(terms, measures))
        if room is not None and room.total is not None:
            floor = room.equity - room.total.left
        if terms.drawdown_mode == "static" or room is not None:
            lines.append(RuleLine("floor", "Total floor", floor))
    if room is not None and room.daily is not None and room.daily.left > 0:
        lines.append(RuleLine("day", "Day floor", room.equity - room.daily.left))
    if terms.profit_target_pct > 0:
        gain = terms.initial_balance * terms.profit_target_pct / 100
        lines.append(RuleLine("target", "Target", terms.initial_balance + gain))
    return lines


def _phase_view(phase: ChallengePhase) -> PhaseView:
    result = None
    if phase.status in (ChallengeStatus.PASSED, ChallengeStatus.FAILED) and phase.initial_balance:
        gained = phase.final_equity - phase.initial_balance
        result = gained / phase.initial_balance
    return PhaseView(
        phase=phase,
        name=f"{phase.phase_index} {phase.terms.get('name', '')}",
        terms=short_terms(phase.terms),
        state=challenge_tag(phase),
        result=result,
    )


def _phases_to_come(
    challenge: Challenge, phases: list[ChallengePhase]
) -> list[tuple[str, str, Decimal]]:
    reached = {phase.phase_index for phase in phases}
    return [
        (
            f"{step['phase_index']} {step['name']}",
            short_terms(step),
            Decimal(step["initial_balance"]),
        )
        for step in challenge.terms["steps"]
        if step["phase_index"] not in reached
    ]


def short_terms(terms: dict[str, Any]) -> str:
    """target 8%, daily 5%, total 10%."""
    shown = (
        ("target", "profit_target_pct"),
        ("daily", "max_daily_loss_pct"),
        ("total", "max_total_loss_pct"),
    )
    parts = [
        f"{word} {percent_text(Decimal(str(terms[name])))}"
        for word, name in shown
        if Decimal(str(terms.get(name, 0)))
    ]
    split = Decimal(str(terms.get("profit_split", 0)))
    if split:
        parts.insert(0, f"{percent_text(split * 100)} of profit")
    return ", ".join(parts)


def _verdicts(phases: list[ChallengePhase]) -> list[VerdictView]:
    """The verdicts of ended phases, newest first, each replayed."""
    rows = Verdict.objects.filter(phase__in=phases).order_by("-decided_at", "-id")
    by_id = {phase.pk: phase for phase in phases}
    return [read_verdict(row, by_id[row.phase_id]) for row in rows]


def read_verdict(row: Verdict, phase: ChallengePhase) -> VerdictView:
    """A verdict with its evidence in dollars and words, replayed now."""
    evidence = read_inputs(row.inputs)
    markets = Market.objects.filter(
        condition_id__in=[held.condition_id for held in evidence.positions]
    )
    known = {market.condition_id: market for market in markets.prefetch_related("outcomes")}
    held = []
    for position in evidence.positions:
        market = known.get(position.condition_id)
        outcomes = {one.index: one.label for one in market.outcomes.all()} if market else {}
        shares, cost = from_scaled(position.quantity), from_scaled(position.cost)
        mark = None if position.mark is None else from_scaled(position.mark)
        value = cost if mark is None else shares * mark
        held.append(
            HeldRow(
                question=market.question if market else position.condition_id,
                outcome=outcomes.get(position.outcome_index, str(position.outcome_index)),
                outcome_index=position.outcome_index,
                shares=shares,
                cost=cost / shares if shares else Decimal(0),
                mark=mark,
                value=value,
                unrealised=value - cost,
                age_s=evidence.measures.at - position.marked_at if position.marked_at else None,
            )
        )
    breaches = list(RuleBreach.objects.filter(phase=phase).order_by("-is_primary", "id"))
    primary = next((one for one in breaches if one.is_primary), None)
    rule = RULES_BY_NAME.get(row.rule)
    words = primary.message if primary else rule.title if rule else "Closed by staff"
    return VerdictView(
        row=row,
        phase=phase,
        breaches=breaches,
        replay=replay_verdict(verdict_id=row.pk),
        held=held,
        cash=from_scaled(evidence.cash),
        equity=from_scaled(evidence.measures.equity),
        positions_value=sum((one.value for one in held), Decimal(0)),
        formula=rule.formula if rule else "",
        sentence=words,
    )


def _timeline(
    challenge: Challenge,
    phases: list[ChallengePhase],
    verdicts: list[VerdictView],
    payouts: list[Payout],
    trades: list[Trade],
) -> list[TimelineEntry]:
    entries = [
        TimelineEntry(challenge.created_at, "Challenge begun", f"attempt {challenge.attempt}")
    ]
    for phase in phases:
        if phase.start_at:
            words = f"Phase {phase.phase_index} opened"
            entries.append(TimelineEntry(phase.start_at, words, f"account {phase.account_login}"))
        entries += [
            TimelineEntry(phase.updated_at, f"Warned: {rule_words(rule)}", f"on {day}", "w")
            for rule, day in phase.warned.items()
        ]
    for verdict in verdicts:
        tone = "l" if verdict.row.outcome == Verdict.Outcome.FAILED else "g"
        words = f"Phase {verdict.phase.phase_index} {verdict.row.outcome}"
        entries.append(TimelineEntry(verdict.row.decided_at, words, verdict.sentence, tone))
    for payout in payouts:
        entries.append(
            TimelineEntry(
                payout.created_at, f"Payout {payout.get_status_display()}", f"${payout.amount:,.2f}"
            )
        )
    for trade in trades[:10]:
        words = f"{trade.get_kind_display()}: {trade.side.lower()} {trade.quantity.normalize():f}"
        entries.append(TimelineEntry(trade.filled_at, words, trade.market.question))
    audit = FirmAuditEntry.objects.filter(
        Q(object_type="challenge", object_id=str(challenge.pk))
        | Q(
            action="trader.support_viewed",
            object_type="account",
            object_id__in=find_account_ids(phase.account_login for phase in phases).values(),
        )
    ).order_by("-id")[:20]
    entries += [TimelineEntry(one.created_at, one.action, one.actor_name) for one in audit]
    return sorted(entries, key=lambda one: one.at, reverse=True)[:TIMELINE_SHOWN]


def evidence_of(challenge: Challenge) -> dict[str, Any]:
    """All verdicts of a challenge as they are stored, for the file that leaves the house."""
    rows = Verdict.objects.filter(phase__challenge=challenge).select_related("phase")
    return {
        "challenge_id": challenge.pk,
        "terms": challenge.terms,
        "verdicts": [
            {
                "verdict_id": row.pk,
                "phase_index": row.phase.phase_index,
                "account_login": row.phase.account_login,
                "outcome": row.outcome,
                "rule": row.rule,
                "decided_at": row.decided_at.isoformat(),
                "inputs": row.inputs,
                "inputs_hash": row.inputs_hash,
                "replay_agrees": replay_verdict(verdict_id=row.pk).agrees,
            }
            for row in rows.order_by("pk")
        ],
    }
