"""Exact shares and percents of scaled integers: money and percents are scaled by 10**6.

A rule compares without rounding. `part * 100 >= limit * whole` is turned into one integer
threshold by rounding the share to the side where whole millionths compare just like the fraction:
equity <= basis - share  <=>  equity <= basis - share_up(basis, limit).
"""

from decimal import Decimal

from polysim.kernel.money import SCALE, divide_half_up, divide_up, from_scaled

# 100 % in millionths of a percent: what a product of money and percent is divided by.
HUNDRED_PERCENT = 100 * SCALE
SECONDS_PER_DAY = 86_400
# Beyond every amount: a rule that is off compares with it, and so never fires.
FAR = 2**62


def share_up(basis: int, percent: int) -> int:
    """`percent` of `basis`, towards plus infinity."""
    return divide_up(basis * percent, HUNDRED_PERCENT)


def share_down(basis: int, percent: int) -> int:
    """`percent` of `basis`, towards minus infinity."""
    return basis * percent // HUNDRED_PERCENT


def share_half_up(basis: int, percent: int) -> int:
    """`percent` of `basis` to a millionth, for showing."""
    return divide_half_up(basis * percent, HUNDRED_PERCENT)


def percent_of(part: int, whole: int) -> int:
    """`part` as a percent of the positive `whole`, in millionths of a percent, half up."""
    return divide_half_up(part * HUNDRED_PERCENT, whole)


def days_of(seconds: int) -> Decimal:
    """Seconds as days with six places, half up."""
    return from_scaled(divide_half_up(seconds * SCALE, SECONDS_PER_DAY))
