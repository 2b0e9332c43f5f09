"""Intervals and quantiles of a run in integers and Decimal, so that a repeat agrees exactly."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from math import isqrt
from random import Random

from polysim.kernel.money import divide_half_up

# The standard normal's 97.5 % quantile: 95 % lie within it on both sides.
Z_95 = Decimal("1.959963984540054")
_Z_MILLIONTHS = 1_959_964
_DIGITS = 28
SALES_OF_A_MONTH = 100
DRAWS = 1_000


def wilson(successes: int, trials: int) -> tuple[Decimal, Decimal]:
    """The 95 % Wilson interval of a rate (0 to 1); without trials nothing is known: (0, 1)."""
    if not trials:
        return Decimal(0), Decimal(1)
    with localcontext(prec=_DIGITS):
        number, rate, square = Decimal(trials), Decimal(successes) / trials, Z_95 * Z_95
        centre = rate + square / (2 * number)
        half = Z_95 * (rate * (1 - rate) / number + square / (4 * number * number)).sqrt()
        whole = 1 + square / number
        low, high = (centre - half) / whole, (centre + half) / whole
    return max(Decimal(0), low), min(Decimal(1), high)


def mean_interval(values: Sequence[int]) -> tuple[int, int, int]:
    """(mean, low, high) by the normal 95 % interval of the mean, half up; values as given."""
    number = len(values)
    if not number:
        return 0, 0, 0
    total = sum(values)
    mean = divide_half_up(total, number)
    if number == 1:
        return mean, mean, mean
    # number * sum of squares - square of the sum = number**2 * variance of the population.
    spread = number * sum(value * value for value in values) - total * total
    # Standard error squared = spread / (number**2 * (number - 1)).
    error = isqrt(spread * 10**12 // (number * number * (number - 1)))
    half = divide_half_up(error * _Z_MILLIONTHS, 10**12)
    return mean, mean - half, mean + half


def quantile(values: Sequence[int], percent: int) -> int | None:
    """The nearest-rank quantile; None without values."""
    if not values:
        return None
    rank = max(1, -(-len(values) * percent // 100))
    return sorted(values)[rank - 1]


def worst_of_sales(payouts: Sequence[int], *, fee: int, seed: int, percent: int = 5) -> int:
    """What 100 sales leave the firm in a bad month: a quantile of drawn hundreds of traders."""
    chance = Random(f"{seed}:sales")
    left = [
        SALES_OF_A_MONTH * fee - sum(chance.choices(payouts, k=SALES_OF_A_MONTH))
        for _ in range(DRAWS)
    ]
    worst = quantile(left, percent)
    assert worst is not None
    return worst
