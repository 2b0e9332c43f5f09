"""The progress object: the test values of prop-client 5, floors, days left, optional fields."""

from decimal import Decimal
from typing import Any

import pytest

from prop.rules import Measures, progress
from tests.rules.build import BARE, DAY, START_TIME, TERMS, reading, scaled, terms

RESET = START_TIME + 70_000


def shown(of: Any = TERMS, **changes: Any) -> dict[str, Any]:
    return progress(of, reading(of, **changes), next_reset_time=RESET)


def test_two_percent_up_and_below_the_days_start() -> None:
    assert shown(day=10_300, equity=10_200, trading_days=2, open_positions=1) == {
        "profit_pct": 2,
        "profit_target_pct": 8,
        "profit_target_progress_pct": 25,
        "daily_loss_pct": Decimal("0.970874"),
        "daily_loss_limit_pct": 5,
        "total_loss_pct": 0,
        "total_loss_limit_pct": 10,
        "trading_days": 2,
        "min_trading_days": 3,
        "max_trading_days": 20,
        "max_positions": 5,
        "daily_profit_pct": 0,
        "daily_profit_limit_pct": 0,
        "open_positions": 1,
        "days_left": 30,
        "daily_loss_floor": 9_785,
        "total_loss_floor": 9_000,
        "next_reset_time": RESET,
    }


@pytest.mark.parametrize(
    ("of", "changes", "expected"),
    [
        (
            TERMS,
            {"day": 9_800, "equity": 9_604},
            {
                "profit_pct": Decimal("-3.96"),
                "profit_target_progress_pct": 0,
                "daily_loss_pct": 2,
                "total_loss_pct": Decimal("3.96"),
            },
        ),
        (TERMS, {"equity": 11_000}, {"profit_target_progress_pct": 100}),
        (
            terms(initial_balance="100000"),
            {"equity": 104_500},
            {"profit_pct": Decimal("4.5"), "profit_target_progress_pct": Decimal("56.25")},
        ),
    ],
)
def test_the_values_of_the_contract(
    of: Any, changes: dict[str, int], expected: dict[str, Any]
) -> None:
    found = shown(of, **changes)

    assert {name: found[name] for name in expected} == expected


def test_before_the_first_metric_everything_is_zero_and_the_floors_stand() -> None:
    found = progress(TERMS, Measures.at_start(TERMS, start_time=START_TIME), next_reset_time=RESET)

    assert [found[name] for name in ("profit_pct", "daily_loss_pct", "total_loss_pct")] == [0] * 3
    assert (found["trading_days"], found["daily_loss_floor"]) == (0, 9_500)


def test_without_limits_there_are_no_floors_no_progress_and_no_end() -> None:
    found = shown(BARE, equity=20_000)

    assert found["daily_loss_floor"] is None
    assert found["total_loss_floor"] is None
    assert found["days_left"] is None
    assert found["profit_target_progress_pct"] == 0


@pytest.mark.parametrize(
    ("passed", "left"),
    [(0, 30), (1, 30), (DAY - 1, 30), (DAY, 29), (29 * DAY + 1, 1), (30 * DAY, 0), (31 * DAY, 0)],
)
def test_days_left_are_whole_days_rounded_up(passed: int, left: int) -> None:
    assert shown(at=START_TIME + passed)["days_left"] == left


def test_a_floor_follows_the_peak_and_the_daily_basis() -> None:
    of = terms(drawdown_mode="trailing", daily_basis="initial")
    found = shown(of, peak=11_000, day=10_900, equity=10_500)

    assert (found["total_loss_floor"], found["total_loss_pct"]) == (10_000, 5)
    assert (found["daily_loss_floor"], found["daily_loss_pct"]) == (10_400, 4)


def test_optional_rules_show_where_they_stand() -> None:
    of = terms(
        consistency_pct="40",
        min_profitable_days=3,
        max_inactive_days=21,
        max_exposure_market_pct="25",
        max_exposure_event_pct="50",
    )
    found = shown(
        of,
        day=10_600,
        equity=11_000,
        day_results=(scaled(200), scaled(400)),
        last_fill_at=START_TIME + 60,
        market_exposure=1_500,
        event_exposure=2_500,
    )

    assert {name: found[name] for name in list(found)[18:]} == {
        "best_day_pct": 40,
        "consistency_limit_pct": 40,
        "profitable_days": 3,
        "min_profitable_days": 3,
        "inactive_at": START_TIME + 60 + 21 * DAY,
        "market_exposure_pct": 15,
        "market_exposure_limit_pct": 25,
        "event_exposure_pct": 25,
        "event_exposure_limit_pct": 50,
    }
