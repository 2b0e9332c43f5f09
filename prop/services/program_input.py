"""What staff send of a program and its steps: bounds of fields, then the rules of the whole.

Contract: prop-backoffice 2. `profit_split` of the program, `initial_balance` and `demo_group` of
steps are ignored as input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from prop.errors import GroupNotFound, InvalidData
from prop.models import (
    AccountGroup,
    AccountMode,
    OnFail,
    PayoutMode,
    PhaseType,
    Program,
    ProgramStatus,
    TradingDaysMode,
)
from prop.services.reading import CURRENCY, INTEGER_MAX, Fields
from prop.step_fields import RULE_FIELDS, Choice, Whole

REQUIRED = ("brand", "name", "price", "price_currency", "steps")
STEP_REQUIRED = ("phase_index", "name", "account_group")
STEPS_MAX = 10
CHOICES: tuple[tuple[str, Sequence[str]], ...] = (
    ("trading_days_mode", TradingDaysMode.values),
    ("on_fail", OnFail.values),
    ("payout_mode", PayoutMode.values),
)


@dataclass(frozen=True, slots=True)
class StepInput:
    """One step with all its values; `group` is the account group's name until it is looked up."""

    phase_index: int
    phase_type: int
    name: str
    group: str
    rules: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProgramInput:
    """Values of a program; `steps` is None when they were not sent."""

    values: dict[str, Any]
    steps: list[StepInput] | None


def read_program(data: Mapping[str, Any], *, program: Program, is_new: bool) -> ProgramInput:
    """Check every field; what was not sent is `program`'s. Raises InvalidParams, InvalidData."""
    fields = Fields(data)
    if is_new:
        fields.require(*REQUIRED)
    values = {
        "brand": fields.take_text("brand", least=1, most=64, default=program.brand),
        "name": fields.take_text("name", least=1, most=128, default=program.name),
        "description": fields.take_text("description", most=4000, default=program.description),
        "price": fields.take_money("price", default=program.price or Decimal(0)),
        "price_currency": fields.take_text(
            "price_currency",
            most=5,
            pattern=CURRENCY,
            rule="must be 3 to 5 capital letters",
            default=program.price_currency,
        ),
        "status": fields.take_whole("status", most=ProgramStatus.ARCHIVED, default=program.status),
        "sort_index": fields.take_whole(
            "sort_index", least=-INTEGER_MAX, default=program.sort_index
        ),
        "timezone": _read_zone(fields, program.timezone),
    }
    for name, allowed in CHOICES:
        values[name] = fields.take_choice(name, allowed, default=getattr(program, name))
    steps = _read_steps(fields)
    fields.check()
    return ProgramInput(values, steps)


def find_groups(names: Sequence[str]) -> dict[str, AccountGroup]:
    """The enabled groups of these names, locked against deletion and change of mode.

    Raises GroupNotFound. Runs in a transaction; locks by ascending id.
    """
    rows = AccountGroup.objects.select_for_update(no_key=True).filter(
        group__in=set(names), enable=True
    )
    found = {row.group: row for row in rows.order_by("pk")}
    for name in names:
        if name not in found:
            raise GroupNotFound(f"Account group {name[:64]} does not exist or is not enabled")
    return found


def check_aggregate(steps: Sequence[StepInput], groups: Mapping[str, AccountGroup]) -> None:
    """The rules of the whole; the first that fails is raised as InvalidData with its `reason`."""
    in_order = sorted(steps, key=lambda step: step.phase_index)
    for reason, text, holds in aggregate_rules(in_order, groups):
        if not holds:
            raise InvalidData({"steps": text}, reason=reason, message=text)


Rule = tuple[str, str, bool]


def aggregate_rules(steps: Sequence[StepInput], groups: Mapping[str, AccountGroup]) -> list[Rule]:
    """(reason, what has to hold, whether it does) for the whole, in the order of the contract."""
    funded = [step for step in steps if step.phase_type == PhaseType.FUNDED]
    evaluation = [step for step in steps if step.phase_type == PhaseType.EVALUATION]

    def is_in(step: StepInput, mode: AccountMode) -> bool:
        return groups[step.group].account_mode == mode

    return [
        ("STEPS_REQUIRED", "A program has 1 to 10 steps", 1 <= len(steps) <= STEPS_MAX),
        (
            "PHASE_INDEX_INVALID",
            "Phase indexes run 1, 2, 3 without gaps or repeats",
            [step.phase_index for step in steps] == list(range(1, len(steps) + 1)),
        ),
        ("MULTIPLE_FUNDED", "At most one step is funded", len(funded) <= 1),
        ("FUNDED_NOT_LAST", "The funded step is the last", not funded or funded[0] is steps[-1]),
        (
            "FUNDED_GROUP_NOT_REAL",
            "The funded step's group is REAL",
            all(is_in(step, AccountMode.REAL) for step in funded),
        ),
        (
            "EVALUATION_GROUP_NOT_DEMO",
            "Groups of evaluation steps are DEMO",
            all(is_in(step, AccountMode.DEMO) for step in evaluation),
        ),
        (
            "PROFIT_SPLIT_NOT_ALLOWED",
            "Only the funded step has a profit split",
            all(step.rules["profit_split"] == 0 for step in evaluation),
        ),
        ("NO_EVALUATION_STEP", "The first step is an evaluation", bool(evaluation)),
        (
            "GROUP_CURRENCY_MISMATCH",
            "The groups of all steps have one currency",
            len({groups[step.group].currency for step in steps}) <= 1,
        ),
        (
            "DEPOSIT_NOT_POSITIVE",
            "The deposit of every step's group is above 0",
            all(groups[step.group].default_deposit > 0 for step in steps),
        ),
        (
            "NO_END",
            "An evaluation step has a profit target or a duration",
            all(
                step.rules["profit_target_pct"] > 0 or step.rules["duration_days"] > 0
                for step in evaluation
            ),
        ),
    ]


def _read_steps(fields: Fields) -> list[StepInput] | None:
    sent = fields.data.get("steps")
    if sent is None:
        return None
    if not isinstance(sent, list):
        fields.refuse("steps", "must be a list")
        return None
    return [_read_step(fields.inside(step, f"steps[{index}]")) for index, step in enumerate(sent)]


def _read_step(fields: Fields) -> StepInput:
    fields.require(*STEP_REQUIRED)
    rules: dict[str, Any] = {}
    for rule in RULE_FIELDS:
        if isinstance(rule, Whole):
            rules[rule.name] = fields.take_whole(rule.name, most=rule.most, default=rule.default)
        elif isinstance(rule, Choice):
            rules[rule.name] = fields.take_choice(rule.name, rule.allowed, default=rule.default)
        else:
            rules[rule.name] = fields.take_number(
                rule.name, most=rule.most, places=6, default=rule.default
            )
    if 0 < rules["max_trading_days"] < rules["min_trading_days"]:
        fields.refuse("max_trading_days", "must not be below min_trading_days")
    return StepInput(
        phase_index=fields.take_whole("phase_index", least=1, most=STEPS_MAX, default=1),
        phase_type=fields.take_whole("phase_type", most=PhaseType.FUNDED),
        name=fields.take_text("name", least=1, most=128),
        group=fields.take_text("account_group", least=1, most=64),
        rules=rules,
    )


def _read_zone(fields: Fields, default: str) -> str:
    zone = fields.take_text("timezone", least=1, most=64, default=default)
    if fields.has("timezone") and zone != default and zone not in available_timezones():
        fields.refuse("timezone", "must be an IANA time zone, such as Europe/Berlin")
    return zone
