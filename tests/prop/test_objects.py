"""The contract's JSON objects and the copy of a program's terms."""

import json
from decimal import Decimal
from typing import Any

import pytest

from prop.models import MetricSnapshot
from prop.objects import (
    group_object,
    metric_object,
    money_number,
    percent_number,
    shop_program_object,
    terms_program_object,
    time_number,
)
from prop.objects.programs import short_text
from prop.rules import Terms
from prop.services.terms import NoSuchPhase, copy_terms, last_phase_index, phase_terms
from tests.prop.catalogue import NOW, make_group, make_program


@pytest.mark.parametrize(
    ("value", "text"),
    [("2.173804347", "2.173804"), ("2.1739130", "2.173913"), ("10", "10.0"), ("-0.0000001", "0.0")],
)
def test_percents_are_numbers_of_six_places(value: str, text: str) -> None:
    assert json.dumps(percent_number(Decimal(value))) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("99", "99.0"), ("3457.255", "3457.26"), ("-0.001", "0.0"), ("999999999999.99", None)],
)
def test_money_is_a_number_of_two_places(value: str, text: str | None) -> None:
    assert json.dumps(money_number(Decimal(value))) == (text or value)


def test_times_are_unix_seconds_and_zero_when_not_set() -> None:
    assert time_number(None) == 0
    assert time_number(NOW) == 1_799_143_202


def test_a_program_in_the_shop_is_the_contracts_example(in_alpha: Any) -> None:
    program = make_program(name="Starter 10K")
    shown = shop_program_object(program)
    assert {name: shown[name] for name in shown if name != "steps"} == {
        "id": program.pk,
        "brand": "default",
        "name": "Starter 10K",
        "display_name": "Starter 10K",
        "description": "One evaluation phase, then a funded account.",
        "short_description": "One evaluation phase, then a funded account.",
        "price": 99.0,
        "price_currency": "USD",
        "price_label": "USD 99.00",
        "profit_split": 0.75,
        "status": 0,
        "status_name": "active",
        "sort_index": 10,
        "timezone": "UTC",
        "trading_days_mode": "fills",
        "on_fail": "read_only",
        "payout_mode": "auto",
        "created_time": 1_799_143_202,
        "updated_time": 1_799_143_202,
    }
    first, last = shown["steps"]
    expected = {
        "phase_index": 1,
        "phase_type": 0,
        "name": "Evaluation",
        "account_group": "EVAL_USD",
        "initial_balance": 10000,
        "duration_days": 30,
        "max_daily_loss_pct": 5,
        "max_total_loss_pct": 10,
        "max_daily_profit_pct": 0,
        "profit_target_pct": 8,
        "profit_split": 0,
        "min_trading_days": 3,
        "max_trading_days": 20,
        "max_positions": 5,
    }
    assert {name: first[name] for name in expected} == expected
    assert (last["phase_index"], last["phase_type"], last["profit_split"]) == (2, 1, 0.75)
    assert json.loads(json.dumps(shown)) == shown


def test_a_copy_of_the_terms_shows_the_program_as_it_was_bought(in_alpha: Any) -> None:
    program = make_program()
    terms = json.loads(json.dumps(copy_terms(program)))
    as_bought = shop_program_object(program)
    program.name = "Another"
    program.save()
    program.steps.update(profit_target_pct=99)
    shown = terms_program_object(terms)
    known_only_to_programs = {"status_name"}
    step_names = {"phase_type_name"}
    assert shown["steps"] == [
        {name: value for name, value in step.items() if name not in step_names}
        for step in as_bought["steps"]
    ]
    assert {name: shown[name] for name in shown if name != "steps"} == {
        name: as_bought[name]
        for name in as_bought
        if name != "steps" and name not in known_only_to_programs
    }


def test_the_terms_of_a_phase_are_readable_by_the_rules(in_alpha: Any) -> None:
    program = make_program(timezone="America/New_York", on_fail="liquidate")
    terms = json.loads(json.dumps(copy_terms(program)))
    first = phase_terms(terms, 1)
    read = Terms.from_data(first)
    assert (read.initial_balance, read.max_daily_loss_pct, read.profit_target_pct) == (10000, 5, 8)
    assert (read.min_trading_days, read.max_positions, read.warning_pct) == (3, 5, 80)
    assert (first["timezone"], first["on_fail"]) == ("America/New_York", "liquidate")
    assert (first["trading_days_mode"], first["payout_mode"]) == ("fills", "auto")
    assert Terms.from_data(phase_terms(terms, 2)).profit_split == Decimal("0.75")
    assert last_phase_index(terms) == 2
    with pytest.raises(NoSuchPhase):
        phase_terms(terms, 3)


def test_a_long_description_is_cut_at_a_word(in_alpha: Any) -> None:
    assert short_text("a" * 160) == "a" * 160
    assert short_text("a" * 161) == "a" * 157 + "..."
    text = "word " * 40
    short = short_text(text)
    assert short.endswith("word...")
    assert len(short) <= 160
    assert short_text(f"{'a' * 157} {'b' * 10}") == "a" * 157 + "..."


def test_a_group_record_has_flags_as_numbers(in_alpha: Any) -> None:
    assert group_object(make_group("EVAL_USD", public_opening=True)) == {
        "group": "EVAL_USD",
        "brand": "default",
        "account_mode": 0,
        "public_opening": 1,
        "currency": "USD",
        "enable": 1,
        "default_deposit": 10000.0,
        "maxpositions": 0,
        "grp_index": 0,
    }


def test_a_metric_shows_percents_of_six_places() -> None:
    metric = MetricSnapshot(
        id=3,
        challenge_id=9,
        phase_id=14,
        phase_index=1,
        account_login=2000031,
        balance=Decimal(10000),
        equity=Decimal(10200),
        profit_target=Decimal(2),
        daily_loss=Decimal("0.970873786408"),
        total_loss=Decimal(0),
        daily_profit=Decimal(0),
        trading_days=2,
        open_positions=1,
        daily_start_equity=Decimal(10300),
        created_at=NOW,
    )
    shown = metric_object(metric)
    assert (shown["equity"], shown["daily_loss"], shown["event"]) == (10200, 0.970874, "tick")
