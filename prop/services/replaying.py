"""Computing a stored verdict again from its inputs (architecture law 9)."""

from dataclasses import dataclass
from decimal import Decimal

from polysim.kernel.errors import NotFound
from prop.models import ChallengePhase, RuleBreach
from prop.models import Verdict as VerdictRow
from prop.rules import FAILED, Verdict
from prop.services.evidence import (
    Evidence,
    contradictions,
    hash_of_inputs,
    judge,
    read_inputs,
)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a verdict said and what its inputs say; without differences it agrees."""

    verdict_id: int
    outcome: str
    rule: str
    recomputed: str
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the inputs give the same verdict, and are the ones that were stored."""
        return not self.differences


def replay_verdict(*, verdict_id: int) -> Replay:
    """Judge a verdict's inputs again; raises NotFound.

    Compared are the hash, the measures against cash, holdings and marks, the outcome and rule,
    the terms and final figures of the phase, and every breach with its numbers.
    """
    row = VerdictRow.objects.select_related("phase").filter(pk=verdict_id).first()
    if row is None:
        raise NotFound(f"Verdict {verdict_id} does not exist")
    found: list[str] = []
    if hash_of_inputs(row.inputs) != row.inputs_hash:
        found.append("the inputs are not those that were hashed")
    try:
        evidence = read_inputs(row.inputs)
    except (ValueError, KeyError, TypeError) as error:
        found.append(f"the inputs cannot be read: {error}")
        return Replay(row.pk, row.outcome, row.rule, "", tuple(found))
    found += contradictions(evidence)
    verdict = judge(evidence)
    found += _different_outcome(row, evidence, verdict)
    found += _different_phase(row.phase, evidence)
    found += _different_breaches(row.phase, verdict)
    return Replay(row.pk, row.outcome, row.rule, verdict.state, tuple(found))


def _different_outcome(row: VerdictRow, evidence: Evidence, verdict: Verdict) -> list[str]:
    if evidence.ended_by:
        return [] if row.outcome == VerdictRow.Outcome.PASSED else ["staff cannot fail a phase"]
    outcomes = VerdictRow.Outcome
    outcome = outcomes.FAILED if verdict.state == FAILED else outcomes.PASSED
    if not verdict.is_final:
        return ["by the inputs the phase stays active"]
    if (row.outcome, row.rule) != (outcome, verdict.rule):
        return [f"by the inputs it {outcome.value} by {verdict.rule}"]
    return []


def _different_phase(phase: ChallengePhase, evidence: Evidence) -> list[str]:
    measures = evidence.measures
    stored = {
        "final equity": (phase.final_equity, measures.equity),
        "final balance": (phase.final_balance, measures.balance),
    }
    found = [
        f"{name} of the phase is {amount}"
        for name, (amount, scaled) in stored.items()
        if amount * 1_000_000 != scaled
    ]
    terms = type(evidence.terms).from_data(phase.terms)
    if terms != evidence.terms:
        found.append("the terms are not those of the phase")
    return found


def _different_breaches(phase: ChallengePhase, verdict: Verdict) -> list[str]:
    rows = RuleBreach.objects.filter(phase=phase)
    stored: dict[str, tuple[Decimal, Decimal, Decimal, bool]] = {
        row.rule: (row.limit_value, row.actual_value, row.basis_value, row.is_primary)
        for row in rows
    }
    expected = {
        breach.rule: (
            breach.limit_value,
            breach.actual_value,
            breach.basis_value,
            breach.is_primary,
        )
        for breach in verdict.breaches
    }
    return [
        f"the breach of {rule} is stored as {stored.get(rule)}, by the inputs {expected.get(rule)}"
        for rule in sorted({*stored, *expected})
        if stored.get(rule) != expected.get(rule)
    ]
