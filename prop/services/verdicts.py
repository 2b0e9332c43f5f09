"""Writing verdicts: what ends phases, all in one transaction (prop-backoffice 5, 6.2, 6.6).

Rows of the phase and its challenge are locked and their state is tested, so a repeated trigger
does nothing. Written together: the day's snapshot, the metric, the breaches, the verdict with its
inputs, the new states, the jobs. Caches are brought up to date and jobs started after the commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from polysim.kernel.money import from_scaled
from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    Job,
    MetricSnapshot,
    RuleBreach,
)
from prop.models import Verdict as VerdictRow
from prop.rules import ENDED, FAILED, PASSED, Breach, Measures, Terms, Verdict, metric
from prop.rules.days import local_date
from prop.services.caching import cache_after_commit
from prop.services.evidence import Evidence, hash_of_inputs, write_inputs
from prop.services.following import jobs_of_failure, jobs_of_pass, start_jobs_on_commit
from prop.services.snapshots import DayColumns, update_days
from prop.services.terms import last_phase_index

PASSED_EVENT = MetricSnapshot.Event.PASSED
FAILED_EVENT = MetricSnapshot.Event.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A final verdict on one active phase and what it rests on."""

    phase_id: int
    verdict: Verdict
    evidence: Evidence


@transaction.atomic
def write_verdicts(*, decisions: Sequence[Decision], now: datetime) -> list[int]:
    """End the phases that are still active; answers the ids of those that this call ended.

    Several in one transaction: all or none. `now` is the time of the deciding pass.
    """
    by_phase = {decision.phase_id: decision for decision in decisions}
    phases = lock_active_phases(by_phase)
    rows = _Rows()
    for phase in phases:
        _decide(phase, by_phase[phase.pk], rows, now)
    if phases:
        rows.write(now)
        start_jobs_on_commit(jobs=rows.jobs)
        cache_after_commit(metrics=rows.metrics, breaches=rows.breaches)
    return [phase.pk for phase in phases]


def lock_active_phases(phase_ids: Iterable[int]) -> list[ChallengePhase]:
    """Active phases of active challenges, both locked: challenges first, each by ascending id."""
    ids = list(phase_ids)
    of_phases = ChallengePhase.objects.filter(pk__in=ids).values("challenge_id")
    active = Challenge.objects.filter(pk__in=of_phases, status=ChallengeStatus.ACTIVE)
    challenges = {row.pk: row for row in active.order_by("pk").select_for_update()}
    mine = ChallengePhase.objects.filter(
        pk__in=ids, challenge__in=challenges, status=ChallengeStatus.ACTIVE
    )
    phases = list(mine.order_by("pk").select_for_update(of=("self",)))
    for phase in phases:
        phase.challenge = challenges[phase.challenge_id]
    return phases


class _Rows:
    """What one call writes, collected so that each table takes one statement."""

    def __init__(self) -> None:
        self.phases: list[ChallengePhase] = []
        self.challenges: list[Challenge] = []
        self.metrics: list[MetricSnapshot] = []
        self.breaches: list[RuleBreach] = []
        self.verdicts: list[VerdictRow] = []
        self.jobs: list[Job] = []
        self.days: list[tuple[ChallengePhase, Measures]] = []

    def write(self, now: datetime) -> None:
        """Write everything; the caller's transaction makes it one."""
        update_days_of(self.days, now)
        MetricSnapshot.objects.bulk_create(self.metrics)
        RuleBreach.objects.bulk_create(self.breaches)
        VerdictRow.objects.bulk_create(self.verdicts)
        _save_ends(self.phases, self.challenges)
        Job.objects.bulk_create(self.jobs)


# Arrays, one entry a row: Django's own bulk_update takes longer to write the words than
# PostgreSQL to update the rows.
_END_PHASES = """
UPDATE prop_challengephase p SET status = n.status, final_balance = n.balance,
  final_equity = n.equity, peak_equity = n.peak, end_of_day_peak = n.day_peak,
  trading_days = n.days, last_metric_at = n.ended_at, last_evaluated_at = n.ended_at,
  end_at = n.ended_at, updated_at = n.ended_at
FROM unnest(%s::bigint[], %s::smallint[], %s::numeric[], %s::numeric[], %s::numeric[],
  %s::numeric[], %s::integer[], %s::timestamptz[])
  AS n (id, status, balance, equity, peak, day_peak, days, ended_at)
WHERE p.id = n.id
"""
_END_CHALLENGES = """
UPDATE prop_challenge c SET status = n.status, fail_rule = n.rule, end_at = n.ended_at,
  updated_at = n.ended_at
FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::timestamptz[])
  AS n (id, status, rule, ended_at)
WHERE c.id = n.id
"""


_OF_PHASES = (
    "pk",
    "status",
    "final_balance",
    "final_equity",
    "peak_equity",
    "end_of_day_peak",
    "trading_days",
    "end_at",
)
_OF_CHALLENGES = ("pk", "status", "fail_rule", "end_at")


def _save_ends(phases: Sequence[ChallengePhase], challenges: Sequence[Challenge]) -> None:
    """What `end_phase` and `_end_challenge` set, one statement per table."""
    with connection.cursor() as cursor:
        cursor.execute(_END_PHASES, _columns(phases, _OF_PHASES))
        if challenges:
            cursor.execute(_END_CHALLENGES, _columns(challenges, _OF_CHALLENGES))


def _columns(rows: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    """Arrays of these columns, the status as the plain number it is in the database."""
    return [
        [int(row.status) if name == "status" else getattr(row, name) for row in rows]
        for name in names
    ]


def _decide(phase: ChallengePhase, decision: Decision, rows: _Rows, now: datetime) -> None:
    verdict, evidence = decision.verdict, decision.evidence
    is_failed = verdict.state == FAILED
    if verdict.state not in (PASSED, FAILED, ENDED):
        raise ValueError(f"A verdict of state {verdict.state} ends nothing.")
    end_phase(
        phase=phase,
        status=ChallengeStatus.FAILED if is_failed else ChallengeStatus.PASSED,
        measures=evidence.measures,
        now=now,
    )
    rows.phases.append(phase)
    rows.days.append((phase, evidence.measures))
    event = FAILED_EVENT if is_failed else PASSED_EVENT
    rows.metrics.append(
        metric_row(
            phase=phase, terms=evidence.terms, measures=evidence.measures, event=event, now=now
        )
    )
    rows.breaches += [
        _breach_row(phase, breach, evidence.measures, now) for breach in verdict.breaches
    ]
    rows.verdicts.append(_verdict_row(phase, decision, now))
    _end_challenge(phase, verdict, rows, now)
    make_jobs = jobs_of_failure if is_failed else jobs_of_pass
    rows.jobs += make_jobs(phase=phase, challenge=phase.challenge, now=now)


def end_phase(
    *, phase: ChallengePhase, status: ChallengeStatus, measures: Measures, now: datetime
) -> None:
    """Set the end of a phase on its row, which the caller locked and saves."""
    phase.status = status
    phase.final_balance = from_scaled(measures.balance)
    phase.final_equity = from_scaled(measures.equity)
    phase.trading_days = measures.trading_days
    peak = from_scaled(measures.peak_equity)
    if phase.terms.get("drawdown_mode") == "trailing_eod":
        phase.end_of_day_peak = max(phase.end_of_day_peak, peak)
    else:
        phase.peak_equity = max(phase.peak_equity, peak)
    phase.last_metric_at = phase.last_evaluated_at = now
    phase.end_at = phase.updated_at = now


def update_days_of(days: Sequence[tuple[ChallengePhase, Measures]], now: datetime) -> None:
    """Bring the snapshots of the phases' local days up to these measures."""
    columns = DayColumns(
        phase_ids=[phase.pk for phase, _ in days],
        days=[
            local_date(measures.at, ZoneInfo(phase.terms["timezone"])) for phase, measures in days
        ],
        balances=[measures.balance for _, measures in days],
        equities=[measures.equity for _, measures in days],
    )
    update_days(days=columns, now=now)


def metric_row(
    *,
    phase: ChallengePhase,
    terms: Terms,
    measures: Measures,
    event: MetricSnapshot.Event,
    now: datetime,
) -> MetricSnapshot:
    """A metric of a phase, not saved yet."""
    figures: Mapping[str, Decimal | int] = metric(terms, measures)
    return MetricSnapshot(
        challenge_id=phase.challenge_id,
        phase=phase,
        phase_index=phase.phase_index,
        account_login=phase.account_login,
        event=event,
        created_at=now,
        **figures,
    )


def _breach_row(
    phase: ChallengePhase, breach: Breach, measures: Measures, now: datetime
) -> RuleBreach:
    return RuleBreach(
        challenge_id=phase.challenge_id,
        phase=phase,
        phase_index=phase.phase_index,
        account_login=phase.account_login,
        rule=breach.rule,
        limit_value=breach.limit_value,
        actual_value=breach.actual_value,
        basis_value=breach.basis_value,
        balance=from_scaled(measures.balance),
        equity=from_scaled(measures.equity),
        is_primary=breach.is_primary,
        message=breach.message[:255],
        created_at=now,
    )


def _verdict_row(phase: ChallengePhase, decision: Decision, now: datetime) -> VerdictRow:
    inputs = write_inputs(decision.evidence)
    outcomes = VerdictRow.Outcome
    return VerdictRow(
        phase=phase,
        outcome=outcomes.FAILED if decision.verdict.state == FAILED else outcomes.PASSED,
        rule=decision.verdict.rule,
        inputs=inputs,
        inputs_hash=hash_of_inputs(inputs),
        decided_at=now,
    )


def _end_challenge(phase: ChallengePhase, verdict: Verdict, rows: _Rows, now: datetime) -> None:
    """A failed phase fails its challenge; the last phase passed passes it (5)."""
    challenge = phase.challenge
    if verdict.state == FAILED:
        challenge.status = ChallengeStatus.FAILED
        challenge.fail_rule = verdict.rule
    elif phase.phase_index >= last_phase_index(challenge.terms):
        challenge.status = ChallengeStatus.PASSED
    else:
        return
    challenge.end_at = challenge.updated_at = now
    rows.challenges.append(challenge)
