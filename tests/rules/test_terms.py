"""Terms as data, and the words that a trader reads of each rule."""

import json
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.money import NotExact
from prop.rules import RULES, RULES_BY_NAME, Measures, Terms
from prop.rules.words import count_words, measured_words, money_words, percent_words, used_words
from tests.rules.build import BARE, DAY, START_TIME, TERMS, judge, reading, terms


def test_terms_survive_json_digit_by_digit() -> None:
    odd = terms(
        max_total_loss_pct="6.666667",
        initial_balance="123456789012.123456",
        drawdown_mode="trailing_eod",
        daily_basis="higher",
        warning_pct="0",
    )

    assert Terms.from_data(json.loads(json.dumps(odd.as_data()))) == odd
    assert odd.as_data()["max_total_loss_pct"] == "6.666667"


def test_a_copy_with_other_keys_and_without_optional_ones_is_read() -> None:
    copy = {"initial_balance": "10000", "name": "Evaluation", "max_total_loss_pct": 10}

    assert Terms.from_data(copy) == terms(BARE, max_total_loss_pct="10")


@pytest.mark.parametrize(
    "wrong",
    [
        {"drawdown_mode": "sideways"},
        {"daily_basis": ""},
        {"trading_days_mode": "hours"},
        {"phase_type": 2},
        {"max_positions": "5"},
        {"max_positions": True},
        {"max_total_loss_pct": "much"},
        {"max_total_loss_pct": 0.5},
        {"initial_balance": "0"},
        {"initial_balance": None},
    ],
)
def test_what_is_no_terms_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Terms.from_data({"initial_balance": "10000"} | wrong)


def test_initial_balance_is_required() -> None:
    with pytest.raises(ValueError, match="initial_balance is missing"):
        Terms.from_data({})


def test_a_seventh_decimal_is_refused_rather_than_rounded() -> None:
    with pytest.raises(NotExact):
        _ = terms(max_total_loss_pct="6.6666667").scaled


def test_a_reading_survives_json() -> None:
    of = reading(equity="9785.000001", day_results=(1, -2), is_price_stale=True)

    assert Measures.from_data(json.loads(json.dumps(of.as_data()))) == of


@pytest.mark.parametrize(
    ("rule", "limits", "sentence"),
    [
        (
            "max_total_loss_pct",
            {"max_total_loss_pct": "10"},
            "Total loss: your equity must stay above $9,000.00, which is 10 % ($1,000.00) below "
            "the initial balance. Open positions count.",
        ),
        (
            "max_total_loss_pct",
            {"max_total_loss_pct": "10", "drawdown_mode": "trailing_eod"},
            "Trailing loss: your equity must stay above a floor that starts at $9,000.00, 10 % of "
            "the initial balance ($1,000.00) below, and follows the highest equity at the start "
            "of a day. The floor never falls. Open positions count.",
        ),
        (
            "max_daily_loss_pct",
            {"max_daily_loss_pct": "4.5"},
            "Daily loss: within one day you must lose less than 4.5 % of the equity at the start "
            "of the day, $450.00 on the first day. Open positions count, and the count starts "
            "anew each midnight.",
        ),
        (
            "max_daily_profit_pct",
            {"max_daily_profit_pct": "5", "daily_basis": "initial"},
            "Daily profit: within one day you must gain less than 5 % of the initial balance, "
            "counted from the equity at the start of the day, $500.00 every day. Open positions "
            "count.",
        ),
        (
            "max_positions",
            {"max_positions": 5},
            "Open positions: at most 5 outcomes held at the same time. Resting orders do not "
            "count.",
        ),
        (
            "max_exposure_event_pct",
            {"max_exposure_event_pct": "25"},
            "Exposure in one event: the shares held in one event must not have cost more than "
            "25 % of the initial balance ($2,500.00).",
        ),
        (
            "profit_target_pct",
            {"profit_target_pct": "8"},
            "Profit target: 8 % ($800.00), that is an equity of $10,800.00. Open positions count.",
        ),
        (
            "min_trading_days",
            {"min_trading_days": 1},
            "Trading days: trade on at least 1 day before the phase can be passed.",
        ),
        (
            "min_profitable_days",
            {"min_profitable_days": 3, "profitable_day_pct": "0.5"},
            "Profitable days: gain 0.5 % of the initial balance ($50.00) on at least 3 days.",
        ),
        (
            "consistency_pct",
            {"consistency_pct": "40"},
            "Consistency: your best day makes at most 40 % of the whole profit.",
        ),
        (
            "max_trading_days",
            {"max_trading_days": 20},
            "Trading days: at most 20 trading days; with one more, the phase fails.",
        ),
        (
            "max_inactive_days",
            {"max_inactive_days": 21},
            "Inactivity: trade at least once every 21 days (each of 24 hours).",
        ),
        (
            "duration_days",
            {"duration_days": 30, "profit_target_pct": "8"},
            "Time: reach the profit target within 30 days (each of 24 hours).",
        ),
        (
            "duration_days",
            {"duration_days": 30, "phase_type": 1},
            "Time: the phase runs 30 days (each of 24 hours); then profit is paid.",
        ),
    ],
)
def test_a_rule_in_words_and_money(rule: str, limits: dict[str, Any], sentence: str) -> None:
    assert RULES_BY_NAME[rule].sentence(terms(BARE, **limits)) == sentence


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"day": 10_300, "equity": "9772.64"},
            "Daily loss 5.12 % reached the limit of 5 %",
        ),
        ({"open_positions": 6}, "6 open positions: more than the 5 allowed"),
        ({"trading_days": 21}, "21 trading days: more than the 20 allowed"),
        (
            {"at": START_TIME + 30 * DAY},
            "The 30 days of the phase ended before the profit target of 8 % was reached",
        ),
    ],
)
def test_a_breach_in_words(changes: dict[str, Any], message: str) -> None:
    assert judge(**changes).breaches[0].message == message


def test_the_words_of_the_optional_rules() -> None:
    exposed = judge(terms(max_exposure_market_pct="25"), market_exposure="2600")
    idle = judge(terms(max_inactive_days=21), at=START_TIME + 21 * DAY)

    assert exposed.breaches[0].message == (
        "Exposure in one market 26 % went over the limit of 25 %"
    )
    assert idle.breaches[0].message == "No trade for 21 days: the limit is 21 days"


def test_every_rule_has_a_name_a_title_a_formula_and_words() -> None:
    for rule in RULES:
        assert rule.title
        assert rule.formula
        assert rule.name in TERMS.as_data()
        assert rule.sentence(TERMS, "EUR").endswith(".")
        assert rule.message(TERMS, reading())


def test_numbers_as_traders_read_them() -> None:
    assert money_words(Decimal("9784.995")) == "$9,785.00"
    assert money_words(-1_500_000) == "-$1.50"
    assert money_words(Decimal(1000), "EUR") == "1,000.00 EUR"
    assert percent_words(Decimal("2.125000")) == "2.125 %"
    assert percent_words(Decimal(100)) == "100 %"
    assert measured_words(Decimal("5.125")) == "5.13 %"
    assert used_words(Decimal("4.999999")) == "4.99 %"
    assert (count_words(1, "day"), count_words(2, "day")) == ("1 day", "2 days")
