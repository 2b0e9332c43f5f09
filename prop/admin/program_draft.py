"""A program as it stands in the form: read, checked in plain words, previewed; nothing is saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import QueryDict

from prop.models import AccountGroup, PhaseType, Program
from prop.objects import list_steps
from prop.selectors.pages.words import rules_in_words
from prop.services.program_input import StepInput, aggregate_rules
from prop.step_fields import RULE_FIELDS, Choice, Whole
from trading.formats import whole_money_text

STEPS_MAX = 10
TEXTS = (
    "name",
    "brand",
    "description",
    "price_currency",
    "timezone",
    "trading_days_mode",
    "on_fail",
    "payout_mode",
)
# (title, unit, field) of the rows of the table of steps, in three groups.
GOAL = (
    ("Profit target", "%", "profit_target_pct"),
    ("Minimum trading days", "d", "min_trading_days"),
    ("Time allowed", "d", "duration_days"),
    ("Profit split", "%", "profit_split"),
)
LIMITS = (
    ("Maximum daily loss", "%", "max_daily_loss_pct"),
    ("Maximum total loss", "%", "max_total_loss_pct"),
    ("Maximum daily profit", "%", "max_daily_profit_pct"),
    ("Maximum trading days", "d", "max_trading_days"),
    ("Open positions", "", "max_positions"),
)
FURTHER = (
    ("Drawdown", "", "drawdown_mode"),
    ("Daily loss counts from", "", "daily_basis"),
    ("Best day at most", "%", "consistency_pct"),
    ("Profitable days", "d", "min_profitable_days"),
    ("A profitable day earns", "%", "profitable_day_pct"),
    ("Days without a trade", "d", "max_inactive_days"),
    ("Exposure in one market", "%", "max_exposure_market_pct"),
    ("Exposure in one event", "%", "max_exposure_event_pct"),
    ("Warn when used", "%", "warning_pct"),
)
GROUPS = (
    ("Goal", GOAL),
    ("Limits, measured on equity with open positions; 0 is off", LIMITS),
    ("Further settings, off by default", FURTHER),
)
# Percents that stand for money of the group's deposit.
MONEY_FIELDS = frozenset(
    {
        "profit_target_pct",
        "max_daily_loss_pct",
        "max_total_loss_pct",
        "max_daily_profit_pct",
        "profitable_day_pct",
        "max_exposure_market_pct",
        "max_exposure_event_pct",
    }
)
FIELDS = {one.name: one for one in RULE_FIELDS}
CHOICE_WORDS = {
    "static": "fixed",
    "trailing": "trails the peak",
    "trailing_eod": "trails the day's start",
    "trailing_locked": "trails, then locks",
    "equity": "equity at day's start",
    "balance": "balance at day's start",
    "higher": "the higher of both",
    "initial": "initial balance",
}


@dataclass(frozen=True)
class Check:
    """A sentence about the draft; `state` ok, bad or hm (worth a thought)."""

    state: str
    words: str


@dataclass
class DraftStep:
    """One phase: what was typed (text) and what it means."""

    name: str = ""
    account_group: str = ""
    phase_type: int = PhaseType.EVALUATION
    values: dict[str, str] = field(default_factory=dict)

    def number(self, name: str) -> Decimal:
        """A rule as a number; what cannot be read counts as 0."""
        try:
            number = Decimal(self.values.get(name) or "0")
        except InvalidOperation:
            return Decimal(0)
        return number if number.is_finite() else Decimal(0)


@dataclass
class Draft:
    """The whole form."""

    texts: dict[str, str]
    price: str
    sort_index: str
    steps: list[DraftStep]

    def as_data(self) -> dict[str, Any]:
        """For the services: numbers are ints and Decimals, what is none stays text (refused)."""
        data: dict[str, Any] = {**self.texts, "price": _number(self.price)}
        data["sort_index"] = _whole(self.sort_index or "0")
        data["steps"] = [
            {
                "phase_index": index,
                "phase_type": step.phase_type,
                "name": step.name,
                "account_group": step.account_group,
                **{name: _rule(name, step.values[name]) for name in FIELDS if name in step.values},
            }
            for index, step in enumerate(self.steps, start=1)
        ]
        return data


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text.strip() or "0")
    except InvalidOperation:
        return text


def _whole(text: str) -> int | str:
    try:
        return int(text.strip() or "0")
    except ValueError:
        return text


def _rule(name: str, text: str) -> Any:
    kind = FIELDS[name]
    if isinstance(kind, Choice):
        return text or kind.default
    if isinstance(kind, Whole):
        return _whole(text)
    number = _number(text)
    is_ratio = name == "profit_split" and isinstance(number, Decimal) and number.is_finite()
    return number / 100 if is_ratio and isinstance(number, Decimal) else number


def blank_draft(zone: str, groups: Mapping[str, AccountGroup]) -> Draft:
    """Where a new program begins: one evaluation step on the first DEMO group."""
    first = next((one.group for one in groups.values() if one.account_mode == 0), "")
    texts = {
        "name": "",
        "brand": "default",
        "description": "",
        "price_currency": "USD",
        "timezone": zone,
        "trading_days_mode": "fills",
        "on_fail": "read_only",
        "payout_mode": "approval",
    }
    values = {"profit_target_pct": "8", "max_daily_loss_pct": "5", "max_total_loss_pct": "10"}
    values |= {"duration_days": "30", "min_trading_days": "3"}
    return Draft(texts, "0.00", "0", [DraftStep("Evaluation", first, 0, _defaults() | values)])


def _defaults() -> dict[str, str]:
    return {
        name: kind.default if isinstance(kind, Choice) else f"{kind.default}"
        for name, kind in FIELDS.items()
    }


def stored_draft(program: Program) -> Draft:
    """The form of a program as it is."""
    steps = [
        DraftStep(
            step.name,
            step.account_group.group,
            step.phase_type,
            {name: _text(name, getattr(step, name)) for name in FIELDS},
        )
        for step in list_steps(program)
    ]
    texts = {name: getattr(program, name) for name in TEXTS}
    return Draft(texts, f"{program.price:.2f}", str(program.sort_index), steps)


def _text(name: str, value: Any) -> str:
    if isinstance(value, Decimal):
        number = value * 100 if name == "profit_split" else value
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def read_draft(post: QueryDict) -> Draft:
    """The form as it was sent, with a step added or removed where a button asked for it."""
    count = _whole(post.get("steps", "1"))
    count = max(0, min(STEPS_MAX, count)) if isinstance(count, int) else 1
    steps = []
    for index in range(count):
        kind = post.get(f"step-{index}-phase_type", "0")
        steps.append(
            DraftStep(
                post.get(f"step-{index}-name", "").strip(),
                post.get(f"step-{index}-account_group", ""),
                PhaseType.FUNDED if kind == "1" else PhaseType.EVALUATION,
                {name: post.get(f"step-{index}-{name}", "").strip() for name in FIELDS},
            )
        )
    if "add_step" in post and count < STEPS_MAX:
        before = steps[-1] if steps else DraftStep(values=_defaults())
        steps.append(DraftStep("", before.account_group, 0, dict(before.values)))
    removed = _whole(post.get("remove_step", "-1"))
    if isinstance(removed, int) and 0 <= removed < len(steps) and len(steps) > 1:
        del steps[removed]
    texts = {name: post.get(name, "").strip() for name in TEXTS}
    return Draft(texts, post.get("price", ""), post.get("sort_index", "0"), steps)


def check_draft(draft: Draft, groups: Mapping[str, AccountGroup]) -> list[Check]:
    """The contract's rules of the whole in plain words, then what traders may stumble over."""
    unknown = [step.name or "a step" for step in draft.steps if step.account_group not in groups]
    if unknown:
        return [Check("bad", f"Choose an enabled account group for {', '.join(unknown)}.")]
    steps = [
        StepInput(
            index,
            step.phase_type,
            step.name,
            step.account_group,
            {
                name: step.number(name) / (100 if name == "profit_split" else 1)
                for name, kind in FIELDS.items()
                if not isinstance(kind, Choice)
            },
        )
        for index, step in enumerate(draft.steps, start=1)
    ]
    checks = [
        Check("ok" if holds else "bad", f"{words}.")
        for _, words, holds in aggregate_rules(steps, groups)
    ]
    checks += [
        Check("bad", f"Phase {index} needs a name.")
        for index, step in enumerate(draft.steps, start=1)
        if not step.name
    ]
    return checks + [Check("hm", words) for words in _thoughts(draft)]


def _thoughts(draft: Draft) -> list[str]:
    found = []
    for index, step in enumerate(draft.steps, start=1):
        daily, total = step.number("max_daily_loss_pct"), step.number("max_total_loss_pct")
        if not total:
            found.append(f"Phase {index} has no total loss limit.")
        if total and daily >= total:
            found.append(f"Phase {index}: the daily limit is never reached before the total one.")
        if index > 1:
            before = draft.steps[index - 2]
            tighter = [
                words
                for words, name in (
                    ("daily", "max_daily_loss_pct"),
                    ("total", "max_total_loss_pct"),
                )
                if 0 < step.number(name) < before.number(name)
            ]
            if tighter:
                found.append(
                    f"Phase {index} is tighter than phase {index - 1} ({' and '.join(tighter)} "
                    "loss). Traders often expect the reverse."
                )
        if step.phase_type == PhaseType.FUNDED:
            if not step.number("duration_days") and not step.number("profit_target_pct"):
                found.append("The funded phase has no end. Payouts happen when you close it.")
            if not step.number("profit_split"):
                found.append("The funded phase pays the trader nothing.")
    return found


def preview(draft: Draft, groups: Mapping[str, AccountGroup]) -> Any:
    """What the trader reads, in the sentences of the buying page; () while it cannot be read."""
    program = {
        "price_currency": draft.texts["price_currency"],
        "trading_days_mode": draft.texts["trading_days_mode"],
    }
    data = draft.as_data()
    steps = [
        {**step, "initial_balance": f"{groups[step['account_group']].default_deposit:f}"}
        for step in data["steps"]
        if step["account_group"] in groups
    ]
    for step in steps:
        for name, value in step.items():
            if isinstance(value, Decimal):
                step[name] = f"{value:f}"
    try:
        return rules_in_words({"program": program, "steps": steps})
    except (ValueError, ArithmeticError, TypeError):
        return ()


def money_words(draft: Draft, groups: Mapping[str, AccountGroup]) -> dict[str, str]:
    """`step-0-max_daily_loss_pct` -> "$2,500" of the group's deposit; "off" for 0."""
    words = {}
    for index, step in enumerate(draft.steps):
        group = groups.get(step.account_group)
        for name, kind in FIELDS.items():
            if isinstance(kind, Choice):
                continue
            key, number = f"step-{index}-{name}", step.number(name)
            if not number:
                words[key] = "off"
            elif name == "profit_split":
                words[key] = "to trader"
            elif name in MONEY_FIELDS and group is not None:
                words[key] = whole_money_text(group.default_deposit * number / 100)
            else:
                words[key] = ""
    return words


def table_of(
    draft: Draft, before: Draft | None, groups: Mapping[str, AccountGroup], wrong: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of the table of steps, each with one cell a phase."""
    words = money_words(draft, groups)
    table = []
    for title, rows in GROUPS:
        shown = []
        for label, unit, name in rows:
            kind = FIELDS[name]
            cells = []
            for index, step in enumerate(draft.steps):
                key = f"step-{index}-{name}"
                value = step.values.get(name, "")
                old = None
                if before is not None and index < len(before.steps):
                    old = before.steps[index].values.get(name)
                is_number = not isinstance(kind, Choice)
                cells.append(
                    {
                        "key": key,
                        "value": value,
                        "money": words.get(key, ""),
                        "is_off": is_number and not step.number(name),
                        "old": old if old is not None and old != value else "",
                        "error": wrong.get(f"steps[{index}].{name}", ""),
                        "is_hidden": name == "profit_split" and step.phase_type == 0,
                        "label": f"{label}, phase {index + 1}",
                    }
                )
            choices = []
            if isinstance(kind, Choice):
                choices = [(one, CHOICE_WORDS.get(one, one)) for one in kind.allowed]
            shown.append({"label": label, "unit": unit, "cells": cells, "choices": choices})
        table.append({"title": title, "rows": shown})
    return table
