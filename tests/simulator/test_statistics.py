"""Intervals and quantiles against known values."""

from decimal import Decimal

import pytest

from polysim.kernel.money import SCALE
from prop.simulator.statistics import mean_interval, quantile, wilson, worst_of_sales


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (10, 100, "0.0552", "0.1744"),
        (0, 10, "0.0000", "0.2775"),
        (5, 10, "0.2366", "0.7634"),
        (10, 10, "0.7225", "1.0000"),
        (0, 0, "0.0000", "1.0000"),
    ],
)
def test_wilson_interval(successes: int, trials: int, low: str, high: str) -> None:
    found = wilson(successes, trials)
    assert [one.quantize(Decimal("0.0001")) for one in found] == [Decimal(low), Decimal(high)]


def test_mean_with_its_normal_interval() -> None:
    # Mean 2.5, standard deviation 1.290994, standard error 0.645497, times 1.959964.
    assert mean_interval([1 * SCALE, 2 * SCALE, 3 * SCALE, 4 * SCALE]) == (
        2_500_000,
        1_234_849,
        3_765_151,
    )
    assert mean_interval([5, 5, 5]) == (5, 5, 5)
    assert mean_interval([]) == (0, 0, 0)


def test_quantiles_are_values_that_occurred() -> None:
    values = [50, 10, 40, 20, 30, 60, 70, 80, 90, 100]
    assert [quantile(values, percent) for percent in (10, 50, 90, 100)] == [10, 50, 90, 100]
    assert quantile([], 50) is None


def test_worst_month_is_worse_than_the_average_one() -> None:
    payouts = [0] * 95 + [2_000] * 5
    worst = worst_of_sales(payouts, fee=150, seed=3)
    assert worst < 100 * 150 - 100 * 100
    assert worst == worst_of_sales(payouts, fee=150, seed=3)
    assert worst_of_sales([0, 0], fee=150, seed=3) == 15_000
