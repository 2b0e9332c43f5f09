"""Taker fees. Only takers pay; maker fills, settlements and geopolitics are free.

fee = C x rate x (p x (1 - p))^exponent with C shares filled and p the exact VWAP of that fill;
half-up to five places (below 0.00001: nothing), then to cents. The rate is the market's own or its
category's, in millionths (0.07 is 70_000). Contract: trading-api 8, contracts/README 12.
"""

from polysim.kernel.money import CENT, SCALE, divide_half_up

_FIVE_PLACES = SCALE // 100_000


def taker_fee(*, quantity: int, notional_product: int, rate: int, exponent: int = 1) -> int:
    """The fee in scaled whole cents for `quantity` scaled shares.

    `notional_product` is the exact sum of price * shares (scaled by 10**12), so that
    p = notional_product / quantity holds without rounding.
    """
    if quantity <= 0 or rate <= 0:
        return 0
    complement = quantity * SCALE - notional_product
    # C * (p (1-p))^e with p = n / (q * 10**6): one exact fraction, rounded once to five places.
    numerator = quantity * rate * (notional_product * complement) ** exponent
    denominator = SCALE * (quantity * SCALE) ** (2 * exponent)
    five_places = divide_half_up(numerator, denominator * _FIVE_PLACES)
    return divide_half_up(five_places * _FIVE_PLACES, CENT) * CENT


def rate_in_basis_points(rate: int) -> int:
    """A rate in millionths as basis points, half up (`fee_rate_bps`)."""
    return divide_half_up(rate, 100)
