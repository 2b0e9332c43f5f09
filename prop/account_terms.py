"""The rules of a firm's own account under `"engine": "polysim"`, as terms (partner-api B4).

Pure reading: limits are numbers or decimal text, counts whole numbers, 0 or absent turns a rule
off. Every rule means what it means in a prop challenge (prop-backoffice 6).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from polysim.kernel.money import NotExact, parse_decimal, to_scaled
from prop.rules import Terms
from prop.step_fields import RULE_FIELDS, Percent, Whole

ENGINE_KEY = "engine"
ENGINE = "polysim"
_NAMES = (
    "max_total_loss_pct",
    "max_daily_loss_pct",
    "max_daily_profit_pct",
    "profit_target_pct",
    "min_trading_days",
    "max_trading_days",
    "duration_days",
    "max_positions",
)
# The limits with their bounds, those of a program's step.
FIELDS: dict[str, Percent | Whole] = {
    field.name: field
    for field in RULE_FIELDS
    if field.name in _NAMES and isinstance(field, Percent | Whole)
}

Faults = list[tuple[str, str]]


def is_for_engine(rules: Mapping[str, Any]) -> bool:
    """Whether the rules ask for Polysim's engine."""
    return rules.get(ENGINE_KEY) == ENGINE


def read_limits(rules: Mapping[str, Any]) -> tuple[dict[str, Decimal | int], Faults]:
    """The limits that can be read, and (key, what is wrong) for all others."""
    limits: dict[str, Decimal | int] = {}
    faults: Faults = []
    for key, value in rules.items():
        if key == ENGINE_KEY:
            continue
        field = FIELDS.get(key)
        if field is None:
            faults.append((key, "is no rule of the engine polysim"))
            continue
        is_percent = isinstance(field, Percent)
        limit = _percent(value) if is_percent else _whole(value)
        if limit is None or not 0 <= limit <= field.most:
            kind = "number of at most 6 decimal places" if is_percent else "whole number"
            faults.append((key, f"must be a {kind} from 0 to {field.most}"))
            continue
        limits[key] = limit
    if 0 < limits.get("max_trading_days", 0) < limits.get("min_trading_days", 0):
        faults.append(("max_trading_days", "must not be below min_trading_days"))
    return limits, faults


def make_terms(limits: Mapping[str, Decimal | int], *, base: Decimal) -> Terms:
    """The terms of an account into which `base` dollars (more than 0) were put."""
    return Terms.from_data({**limits, "initial_balance": base, "warning_pct": Decimal(0)})


def _percent(value: Any) -> Decimal | None:
    """JSON has binary numbers; their shortest text is what the firm wrote."""
    try:
        number = parse_decimal(repr(value) if isinstance(value, float) else value)
        to_scaled(number)
    except NotExact:
        return None
    return number


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
