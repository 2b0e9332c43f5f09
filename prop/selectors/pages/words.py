"""Programs and their steps in words and money, from terms as they were copied. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from prop.models import ChallengePhase, ChallengeStatus, PhaseType
from prop.rules import RULES, Terms
from prop.rules.words import count_words, money_words, percent_words

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Step:
    """One phase in the row of steps: `state` is done, current, failed or ahead."""

    index: int
    name: str
    words: str
    state: str
    percent: Decimal = ZERO


def step_terms(terms: Mapping[str, Any], step: Mapping[str, Any]) -> Terms:
    """The rules of one step of copied terms."""
    mode = terms["program"]["trading_days_mode"]
    return Terms.from_data({**step, "trading_days_mode": mode})


def rules_in_words(terms: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(phase name, its rules as sentences) for every step."""
    currency = str(terms["program"]["price_currency"])
    found = []
    for step in terms["steps"]:
        own = step_terms(terms, step)
        sentences = [rule.sentence(own, currency) for rule in RULES if rule.is_on(own)]
        if own.is_funded:
            share = percent_words(own.profit_split * 100)
            sentences.insert(0, f"Profit share: {share} of the profit is paid to you.")
        found.append((f"Phase {step['phase_index']}, {step['name']}", tuple(sentences)))
    return tuple(found)


def describe_steps(
    terms: Mapping[str, Any],
    phases: Sequence[ChallengePhase],
    equity: Decimal,
    *,
    now: datetime,
) -> tuple[Step, ...]:
    """The row of steps with what each one asks, and how far the running one is."""
    rows = {phase.phase_index: phase for phase in phases}
    made = []
    for step in terms["steps"]:
        index = int(step["phase_index"])
        phase = rows.get(index)
        own = step_terms(terms, step)
        state = _state(phase)
        words, percent = _ahead(own), ZERO
        if phase is not None and state == "current":
            words, percent = _running(own, phase, equity, now=now)
        elif state in ("done", "failed"):
            words = "Passed" if state == "done" else "Failed"
        made.append(Step(index, str(step["name"]), words, state, percent))
    return tuple(made)


def _state(phase: ChallengePhase | None) -> str:
    if phase is None or phase.status == ChallengeStatus.PENDING:
        return "ahead"
    ended = {ChallengeStatus.PASSED: "done", ChallengeStatus.ACTIVE: "current"}
    return ended.get(ChallengeStatus(phase.status), "failed")


def _ahead(terms: Terms) -> str:
    parts = []
    if terms.profit_target_pct > 0:
        gain = terms.initial_balance * terms.profit_target_pct / 100
        parts.append(f"target {money_words(gain)}")
    if terms.phase_type == PhaseType.FUNDED:
        parts.append(f"{percent_words(terms.profit_split * 100)} of profit is yours")
    if terms.duration_days:
        parts.append(count_words(terms.duration_days, "day"))
    words = ", ".join(parts) or "no target"
    return words[0].upper() + words[1:]


def _running(
    terms: Terms, phase: ChallengePhase, equity: Decimal, *, now: datetime
) -> tuple[str, Decimal]:
    parts, percent = [], ZERO
    gained = equity - terms.initial_balance
    if terms.profit_target_pct > 0:
        whole = terms.initial_balance * terms.profit_target_pct / 100
        parts.append(f"{money_words(gained)} of {money_words(whole)} target")
        percent = max(ZERO, min(Decimal(100), gained * 100 / whole))
    if terms.duration_days and phase.start_at is not None:
        day = (now - phase.start_at).days + 1
        parts.append(f"day {min(day, terms.duration_days)} of {terms.duration_days}")
    words = ", ".join(parts) or "running"
    return words[0].upper() + words[1:], percent
