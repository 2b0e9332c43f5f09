"""The terms a challenge is bought under: a program and its steps, copied (prop-backoffice 2).

Numbers stand as decimal text, so that no reader makes binary fractions of them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from polysim.kernel.errors import NotFound
from prop.models import Program, Step
from prop.step_fields import RULE_FIELDS


class NoSuchPhase(NotFound):
    """The terms have no step with this index."""

    message = "These terms have no such phase."


PROGRAM_TEXTS = (
    "brand",
    "name",
    "description",
    "price_currency",
    "trading_days_mode",
    "on_fail",
    "payout_mode",
    "timezone",
)
# What a phase takes over from its program.
PHASE_SETTINGS = ("timezone", "trading_days_mode", "on_fail", "payout_mode")


def copy_terms(program: Program) -> dict[str, Any]:
    """`{"program": {...}, "steps": [...]}` as they are now, for Purchase and Challenge.

    A step's `initial_balance` is its group's deposit of this moment. Steps by phase_index.
    """
    steps = program.steps.select_related("account_group").order_by("phase_index")
    texts = {name: getattr(program, name) for name in PROGRAM_TEXTS}
    return {
        "program": {
            "id": program.pk,
            **texts,
            "price": _text(program.price),
            "status": program.status,
            "sort_index": program.sort_index,
            "created_time": int(program.created_at.timestamp()),
            "updated_time": int(program.updated_at.timestamp()),
        },
        "steps": [_copy_step(step) for step in steps],
    }


def phase_terms(terms: Mapping[str, Any], phase_index: int) -> dict[str, Any]:
    """What ChallengePhase.terms holds: the step's fields with the program's modes and time zone.

    Readable by `prop.rules.Terms.from_data`. Raises NoSuchPhase.
    """
    for step in terms["steps"]:
        if step["phase_index"] == phase_index:
            settings = {name: terms["program"][name] for name in PHASE_SETTINGS}
            return {**step, **settings}
    raise NoSuchPhase()


def last_phase_index(terms: Mapping[str, Any]) -> int:
    """The index of the last step; 0 without steps."""
    return max((int(step["phase_index"]) for step in terms["steps"]), default=0)


def _copy_step(step: Step) -> dict[str, Any]:
    rules = {field.name: _plain(getattr(step, field.name)) for field in RULE_FIELDS}
    return {
        "id": step.pk,
        "program_id": step.program_id,
        "phase_index": step.phase_index,
        "phase_type": step.phase_type,
        "name": step.name,
        "account_group": step.account_group.group,
        "currency": step.account_group.currency,
        "maxpositions": step.account_group.maxpositions,
        "initial_balance": _text(step.account_group.default_deposit),
        **rules,
        "created_time": int(step.created_at.timestamp()),
        "updated_time": int(step.updated_at.timestamp()),
    }


def _plain(value: Any) -> int | str:
    """A column's value for JSON."""
    if isinstance(value, Decimal):
        return _text(value)
    return int(value) if isinstance(value, int) else str(value)


def _text(number: Decimal) -> str:
    """Decimal text without needless zeros and without an exponent: 5, 0.75, 10000."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
