"""How the evaluator does, for the status page, the BackOffice and the alarm (6)."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from polysim.kernel.clock import from_milliseconds, to_milliseconds
from polysim.kernel.tenancy import enter_building
from prop.models import ChallengePhase, ChallengeStatus
from tenants.selectors import list_schemas
from trading.heartbeat import EVALUATOR_STILL_AFTER_MS, read_evaluators


@dataclass(frozen=True, slots=True)
class EvaluatorHealth:
    """Sums over all shards; `age_s` is that of the oldest last pass, None when one is missing."""

    evaluated: int
    active: int
    age_s: int | None
    duration_ms: int
    is_well: bool


def read_evaluator_health(*, now: datetime) -> EvaluatorHealth:
    """What the evaluators say of themselves."""
    states = read_evaluators()
    mine = [states[shard] for shard in range(settings.PROP_EVALUATOR_SHARDS) if shard in states]
    now_ms = to_milliseconds(now)
    age_ms = max((now_ms - state.at_ms for state in mine), default=0)
    is_complete = len(mine) == settings.PROP_EVALUATOR_SHARDS
    evaluated = sum(state.evaluated for state in mine)
    active = sum(state.active for state in mine)
    is_working = all(state.evaluated > 0 or state.active == 0 for state in mine)
    return EvaluatorHealth(
        evaluated=evaluated,
        active=active,
        age_s=max(0, age_ms) // 1000 if is_complete else None,
        duration_ms=max((state.duration_ms for state in mine), default=0),
        is_well=is_complete and is_working and age_ms <= EVALUATOR_STILL_AFTER_MS,
    )


def read_last_pass() -> datetime | None:
    """When all active phases were last looked at; None when no evaluator was seen for an hour."""
    seen = [state.at_ms for state in read_evaluators().values()]
    return from_milliseconds(min(seen)) if seen else None


def find_evaluator_trouble(*, now: datetime) -> list[str]:
    """Sentences for the alarm: phases are active and nobody, or no pass, evaluates them."""
    active = count_active_phases()
    if not active:
        return []
    health = read_evaluator_health(now=now)
    if health.age_s is None:
        return [f"The evaluator is not running: {active} active phases are not evaluated."]
    if health.age_s * 1000 > EVALUATOR_STILL_AFTER_MS:
        return [
            f"The evaluator's last pass was {health.age_s} s ago: "
            f"{active} active phases are not evaluated."
        ]
    if not health.evaluated:
        return [f"The evaluator evaluates 0 of {active} active phases."]
    return []


def count_active_phases() -> int:
    """Active phases of all firms."""
    count = 0
    for schema in list_schemas():
        if schema == settings.RETAIL_SCHEMA:
            continue
        with enter_building(schema):
            count += ChallengePhase.objects.filter(status=ChallengeStatus.ACTIVE).count()
    return count
