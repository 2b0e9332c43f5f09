"""Exact arithmetic over int64 columns: the array twins of `exact` and of `market_value`.

Products are split so that no step leaves 64 bits; the rare rows that could are done in Python
integers. Results beyond FAR stand at FAR, which is past every amount that is compared with them.
"""

import numpy as np
import numpy.typing as npt

from polysim.kernel.money import SCALE

from .exact import FAR, HUNDRED_PERCENT, percent_of, share_up

Column = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# The largest basis whose share of up to 1000 % is formed in 64 bits (576 billion dollars).
_BASIS_MAX = 2**59
# The largest whole whose percents are formed in 64 bits (922 million dollars).
_WHOLE_MAX = 9 * 10**14
# So many times the whole still have a percent in 64 bits.
_TIMES_MAX = 4 * 10**10
# The largest quantity whose product with a mark stays within 64 bits (9.2 million shares).
_QUANTITY_MAX = 9_200_000 * SCALE
# Up to here thousands of amounts add up within 64 bits.
_AMOUNT_MAX = 2**50
_TEN_THOUSAND = 10_000
_HALF = SCALE // 2


def column(values: object) -> Column:
    """An int64 column of its own; raises OverflowError for what does not fit."""
    return np.array(values, dtype=np.int64)


def shares_up(basis: Column, percent: Column) -> Column:
    """`exact.share_up` of every row; the basis is not negative."""
    hundreds = basis // HUNDRED_PERCENT
    rest = basis - hundreds * HUNDRED_PERCENT
    shares = hundreds * percent - (-(rest * percent) // HUNDRED_PERCENT)
    for row in np.flatnonzero(basis > _BASIS_MAX):
        shares[row] = min(share_up(int(basis[row]), int(percent[row])), FAR)
    return np.minimum(shares, FAR)


def percents_of(part: Column, whole: Column) -> Column:
    """`exact.percent_of` of every row: part of a positive whole, half away from zero."""
    size = np.abs(part)
    total, rest = np.divmod(size, whole)
    # Two steps of 10**4 make the 10**8 of a percent with six places.
    high, rest = np.divmod(rest * _TEN_THOUSAND, whole)
    low, rest = np.divmod(rest * _TEN_THOUSAND, whole)
    size = total * HUNDRED_PERCENT + high * _TEN_THOUSAND + low + (2 * rest >= whole)
    shown: Column = np.where(part < 0, -size, size)
    for row in np.flatnonzero((whole > _WHOLE_MAX) | (total > _TIMES_MAX)):
        exact = percent_of(int(part[row]), int(whole[row]))
        shown[row] = min(max(exact, -FAR), FAR)
    return shown


def market_values(quantity: Column, mark: Column, out: Column | None = None) -> Column:
    """`market_value` of every row, for quantities from 0 and marks from 0 to 1.

    `out` may be the marks' own column, so that a pass over many rows needs no new memory.
    """
    wide, worth = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if len(quantity) and quantity.max() > _QUANTITY_MAX:
        wide = np.flatnonzero(quantity > _QUANTITY_MAX)
        whole, part = np.divmod(quantity[wide], SCALE)
        worth = whole * mark[wide] + (part * mark[wide] + _HALF) // SCALE
    values: Column = np.multiply(quantity, mark, out=out)
    values += _HALF
    values //= SCALE
    values[wide] = worth
    return values


def sums(groups: Column, amounts: Column, size: int) -> Column:
    """The sum of the amounts (not negative) of each group 0..size-1, at most FAR."""
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, groups, amounts)
    if len(amounts) and amounts.max() > _AMOUNT_MAX:
        for group in np.unique(groups[amounts > _AMOUNT_MAX]):
            total[group] = min(sum(amounts[groups == group].tolist()), FAR)
    return total


def grown(old: npt.NDArray[np.generic], size: int) -> npt.NDArray[np.generic]:
    """The column with zeros appended up to `size` rows."""
    new = np.zeros(size, dtype=old.dtype)
    new[: len(old)] = old
    return new
