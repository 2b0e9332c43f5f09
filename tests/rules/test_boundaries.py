"""Every rule one step before, at and after its limit; steps are a millionth, one, or a second."""

from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from polysim.kernel.money import from_scaled
from prop.rules import RULES, RULES_BY_NAME, Terms
from tests.rules.build import BARE, DAY, START_TIME, judge, reading, scaled, terms

STEP = Decimal("0.000001")
# (rule, its terms, the measure, the first value that fires, step away from firing, other measures)
EQUITY_CASES: list[tuple[str, dict[str, Any], str, int, dict[str, Any]]] = [
    ("max_total_loss_pct", {"max_total_loss_pct": "10"}, "9000", 1, {}),
    ("max_total_loss_pct", {"max_total_loss_pct": "6.666667"}, "9333.3333", 1, {}),
    ("max_daily_loss_pct", {"max_daily_loss_pct": "5"}, "9880", 1, {"day": "10400"}),
    ("max_daily_loss_pct", {"max_daily_loss_pct": "5"}, "316.666666", 1, {"day": "333.333333"}),
    ("max_daily_profit_pct", {"max_daily_profit_pct": "5"}, "10500", -1, {}),
    ("max_daily_profit_pct", {"max_daily_profit_pct": "5"}, "350", -1, {"day": "333.333333"}),
]


@pytest.mark.parametrize(("rule", "limits", "equity", "away", "others"), EQUITY_CASES)
def test_rules_on_equity_fire_at_their_limit_and_not_a_millionth_before(
    rule: str, limits: dict[str, str], equity: str, away: int, others: dict[str, str]
) -> None:
    limited = terms(BARE, **limits)
    at = Decimal(equity)

    assert judge(limited, equity=at + away * STEP, **others).state == "active"
    assert judge(limited, equity=at, **others).rule == rule
    assert judge(limited, equity=at - away * STEP, **others).rule == rule


@pytest.mark.parametrize(
    ("target", "equity"), [("8", "10800"), ("3.333333", "10333.3333"), ("1000", "110000")]
)
def test_the_target_passes_at_its_equity_and_not_a_millionth_before(
    target: str, equity: str
) -> None:
    aimed = terms(BARE, profit_target_pct=target)
    at = Decimal(equity)

    assert judge(aimed, equity=at - STEP).state == "active"
    assert judge(aimed, equity=at).state == "passed"
    assert judge(aimed, equity=at + STEP).state == "passed"


@pytest.mark.parametrize(
    ("rule", "limits", "measure", "last_allowed"),
    [
        ("max_positions", {"max_positions": 5}, "open_positions", 5),
        ("max_trading_days", {"max_trading_days": 20}, "trading_days", 20),
    ],
)
def test_rules_on_counts_allow_their_limit(
    rule: str, limits: dict[str, int], measure: str, last_allowed: int
) -> None:
    limited = terms(BARE, **limits)

    assert judge(limited, **{measure: last_allowed - 1}).state == "active"
    assert judge(limited, **{measure: last_allowed}).state == "active"
    assert judge(limited, **{measure: last_allowed + 1}).rule == rule


@pytest.mark.parametrize(
    ("rule", "measure"),
    [
        ("max_exposure_market_pct", "market_exposure"),
        ("max_exposure_event_pct", "event_exposure"),
    ],
)
def test_exposure_may_be_its_limit_and_not_a_millionth_more(rule: str, measure: str) -> None:
    limited = terms(BARE, **{rule: "33.333333"})
    most = Decimal("3333.3333")

    assert judge(limited, **{measure: most - STEP}).state == "active"
    assert judge(limited, **{measure: most}).state == "active"
    verdict = judge(limited, **{measure: most + STEP})
    assert verdict.rule == rule
    assert verdict.breaches[0].basis_value == 10_000


def test_exposure_is_compared_unrounded() -> None:
    # 33.333333 % of 333.333333 are 111.111109888..., between two millionths.
    limited = terms(BARE, initial_balance="333.333333", max_exposure_market_pct="33.333333")

    assert judge(limited, market_exposure="111.111109").state == "active"
    assert judge(limited, market_exposure="111.111110").state == "failed"


def test_min_trading_days_holds_a_pass_back_until_its_day() -> None:
    aimed = terms(BARE, profit_target_pct="8", min_trading_days=3)

    assert [judge(aimed, equity=10_800, trading_days=days).state for days in (2, 3, 4)] == [
        "active",
        "passed",
        "passed",
    ]


@pytest.mark.parametrize(
    ("rule", "limits", "others", "end"),
    [
        ("duration_days", {"duration_days": 1, "profit_target_pct": "8"}, {}, DAY),
        ("max_inactive_days", {"max_inactive_days": 2}, {}, 2 * DAY),
        (
            "max_inactive_days",
            {"max_inactive_days": 2},
            {"last_fill_at": START_TIME + 500},
            2 * DAY + 500,
        ),
    ],
)
def test_rules_on_time_fire_at_their_second(
    rule: str, limits: dict[str, Any], others: dict[str, int], end: int
) -> None:
    limited = terms(BARE, **limits)

    assert judge(limited, at=START_TIME + end - 1, **others).state == "active"
    assert judge(limited, at=START_TIME + end, **others).rule == rule
    assert judge(limited, at=START_TIME + end + 1, **others).rule == rule


def test_a_rule_of_zero_is_off() -> None:
    wild = {
        "day": 50_000,
        "open_positions": 900,
        "trading_days": 900,
        "market_exposure": 9_999,
        "event_exposure": 9_999,
        "at": START_TIME + 9_000 * DAY,
    }

    assert [rule.name for rule in RULES if rule.is_on(BARE)] == []
    assert judge(BARE, equity="0.000001", **wild).state == "active"
    assert judge(BARE, equity=10**9, **wild).state == "active"


def random_case(random: Random) -> tuple[Terms, dict[str, Any]]:
    def percent(largest: int) -> Decimal:
        return from_scaled(random.randint(1, largest * 10**6))

    limits = {
        "max_total_loss_pct": percent(100),
        "max_daily_loss_pct": percent(100),
        "max_daily_profit_pct": percent(1000),
        "profit_target_pct": percent(1000),
    }
    start = from_scaled(random.randint(1, 10 ** random.randint(1, 18)))
    day = from_scaled(random.randint(1, 10 ** random.randint(1, 18)))
    return Terms(initial_balance=start, **limits), {"day": day, "equity": start}


def test_thresholds_compare_as_the_unrounded_fractions_do() -> None:
    random = Random(7)
    for _ in range(2_000):
        of, values = random_case(random)
        for name in (
            "max_total_loss_pct",
            "max_daily_loss_pct",
            "max_daily_profit_pct",
            "profit_target_pct",
        ):
            rule = RULES_BY_NAME[name]
            limit = Fraction(rule.limit(of))
            threshold = rule.threshold(of, reading(of, **values))
            assert threshold is not None
            for equity in (threshold - 1, threshold, threshold + 1):
                measures = reading(of, day=values["day"], equity=from_scaled(equity))
                start, day = measures.peak_equity, measures.day_start_equity
                percent = {
                    "max_total_loss_pct": Fraction(start - equity, start),
                    "max_daily_loss_pct": Fraction(day - equity, day),
                    "max_daily_profit_pct": Fraction(equity - day, day),
                    "profit_target_pct": Fraction(equity - start, start),
                }[name]
                assert rule.fires(of, measures) is (percent * 100 >= limit)


def test_limits_are_compared_unrounded_although_percents_are_shown_with_six_places() -> None:
    huge = terms(BARE, initial_balance="900000000000", max_total_loss_pct="10")
    before = reading(huge, equity="810000000000.000001")

    assert RULES_BY_NAME["max_total_loss_pct"].actual(huge, before) == 10
    assert judge(huge, equity="810000000000.000001").state == "active"
    assert judge(huge, equity=str(810_000_000_000)).state == "failed"
    assert scaled("810000000000.000001") == before.equity
