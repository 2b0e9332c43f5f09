"""GroupRecord, Program and Step as JSON objects (prop-backoffice 2, prop-client 2)."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from prop.models import AccountGroup, PhaseType, Program, Step
from prop.objects.values import money_number, percent_number, time_number
from prop.step_fields import PERCENT_NAMES, RULE_FIELDS

SHORT_DESCRIPTION_MAX = 160
PROGRAM_TEXTS = ("trading_days_mode", "on_fail", "payout_mode", "timezone")


def group_object(group: AccountGroup) -> dict[str, Any]:
    """A GroupRecord; flags are 0 and 1 as in the reference."""
    return {
        "group": group.group,
        "brand": group.brand,
        "account_mode": group.account_mode,
        "public_opening": int(group.public_opening),
        "currency": group.currency,
        "enable": int(group.enable),
        "default_deposit": money_number(group.default_deposit),
        "maxpositions": group.maxpositions,
        "grp_index": group.grp_index,
    }


def list_steps(program: Program) -> list[Step]:
    """The program's steps by phase_index with their groups; a prefetch is used as it is."""
    prefetched = getattr(program, "_prefetched_objects_cache", {})
    if "steps" in prefetched:
        return sorted(prefetched["steps"], key=lambda step: step.phase_index)
    return list(program.steps.select_related("account_group").order_by("phase_index"))


def step_object(step: Step) -> dict[str, Any]:
    """A step with all its settings; `initial_balance` is the group's deposit of now."""
    return {
        "id": step.pk,
        "program_id": step.program_id,
        "phase_index": step.phase_index,
        "phase_type": step.phase_type,
        "phase_type_name": PhaseType(step.phase_type).label,
        "name": step.name,
        "account_group": step.account_group.group,
        "initial_balance": money_number(step.account_group.default_deposit),
        **{field.name: _rule_value(field.name, getattr(step, field.name)) for field in RULE_FIELDS},
        "created_time": time_number(step.created_at),
        "updated_time": time_number(step.updated_at),
    }


def program_object(program: Program, steps: Sequence[Step] | None = None) -> dict[str, Any]:
    """A program without its steps; `steps` saves the query for `profit_split`."""
    known = list_steps(program) if steps is None else steps
    return {
        "id": program.pk,
        "brand": program.brand,
        "name": program.name,
        "description": program.description,
        "price": money_number(program.price),
        "price_currency": program.price_currency,
        "profit_split": percent_number(funded_split(known)),
        "status": program.status,
        "status_name": program.get_status_display(),
        "sort_index": program.sort_index,
        **{name: getattr(program, name) for name in PROGRAM_TEXTS},
        "created_time": time_number(program.created_at),
        "updated_time": time_number(program.updated_at),
    }


def funded_split(steps: Iterable[Step]) -> Decimal:
    """The split of the funded step, 0 without one."""
    splits = (step.profit_split for step in steps if step.phase_type == PhaseType.FUNDED)
    return next(splits, Decimal(0))


def shop_program_object(program: Program) -> dict[str, Any]:
    """A program as traders see it, with its steps (prop-client 2)."""
    steps = list_steps(program)
    return _with_labels(program_object(program, steps), [step_object(step) for step in steps])


def terms_program_object(terms: Mapping[str, Any]) -> dict[str, Any]:
    """The same object from a copy of the terms: what was bought, whatever the program is now."""
    steps = [_copied_step(step) for step in terms["steps"]]
    program = terms["program"]
    splits = [one["profit_split"] for one in steps if one["phase_type"] == PhaseType.FUNDED]
    shown = {
        **program,
        "price": money_number(Decimal(program["price"])),
        "profit_split": splits[0] if splits else 0.0,
    }
    return _with_labels(shown, steps)


def short_text(description: str) -> str:
    """At most 160 characters, cut at a word, with "..." when cut."""
    if len(description) <= SHORT_DESCRIPTION_MAX:
        return description
    room = SHORT_DESCRIPTION_MAX - len("...")
    kept = description[: room + 1]
    whole_words = kept.rsplit(maxsplit=1)[0] if " " in kept else kept[:room]
    return f"{whole_words[:room].rstrip()}..."


def _with_labels(program: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **program,
        "display_name": program["name"],
        "short_description": short_text(program["description"]),
        "price_label": f"{program['price_currency']} {program['price']:.2f}",
        "steps": steps,
    }


def _copied_step(step: Mapping[str, Any]) -> dict[str, Any]:
    rules = {
        field.name: _rule_value(field.name, step[field.name])
        for field in RULE_FIELDS
        if field.name in step
    }
    hidden = ("currency", "maxpositions")
    shown = {name: value for name, value in step.items() if name not in hidden}
    return {**shown, **rules, "initial_balance": money_number(Decimal(step["initial_balance"]))}


def _rule_value(name: str, value: Any) -> Any:
    return percent_number(Decimal(value)) if name in PERCENT_NAMES else value
