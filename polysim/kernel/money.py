"""Money, prices and shares: scales, rounding and their text. The only place that rounds.

Inside the engine, the feed and Valkey all three are integers scaled by 10**6 (`SCALE`): $6.54 is
6_540_000. At the edges and in the database they are Decimal. Floats are refused. Every rounding is
half up and away from zero unless its name says otherwise. Contract: trading-api 0, stack 9.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow

SCALE = 1_000_000
CENT = 10_000
# The square of SCALE: what price * shares is scaled by.
SCALE_SQUARED = SCALE * SCALE

_SCALE_DECIMAL = Decimal(SCALE)
# Added to a rounded number it turns minus zero into zero.
_ZERO = Decimal(0)
_CENTS = Decimal("0.01")
_FOUR_PLACES = Decimal("0.0001")
_SIX_PLACES = Decimal("0.000001")
_DECIMAL_TEXT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
# Beyond so many digits before the point a number is no price, share count or sum of money.
_MAGNITUDE_MAX = 30
# Python's usual 28 digits would round silently; here a digit too many is an error.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])


class NotExact(ValueError):
    """The number is no finite decimal with at most 6 decimal places."""


def to_scaled(number: Decimal | int) -> int:
    """Scale a Decimal by 10**6; raises NotExact when digits would be lost."""
    if isinstance(number, int):
        return number * SCALE
    if not number.is_finite() or number.adjusted() > _MAGNITUDE_MAX:
        raise NotExact(str(number))
    try:
        scaled = _EXACT.multiply(number, _SCALE_DECIMAL)
    except Inexact:
        raise NotExact(str(number)) from None
    whole = int(scaled)
    if whole != scaled:
        raise NotExact(str(number))
    return whole


def from_scaled(scaled: int) -> Decimal:
    """The Decimal of a scaled integer, with six places."""
    return Decimal(scaled).scaleb(-6)


def divide_half_up(numerator: int, denominator: int) -> int:
    """Integer division rounded half away from zero; the denominator is positive."""
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((-2 * numerator + denominator) // (2 * denominator))


def divide_up(numerator: int, denominator: int) -> int:
    """Integer division rounded towards plus infinity."""
    return -(-numerator // denominator)


def product_to_cents_half_up(product: int) -> int:
    """A price * shares product (scaled by 10**12) as scaled whole cents, half up."""
    return divide_half_up(product, SCALE * CENT) * CENT


def product_to_cents_up(product: int) -> int:
    """A price * shares product (scaled by 10**12) as scaled whole cents, rounded up (holds)."""
    return divide_up(product, SCALE * CENT) * CENT


def cents(amount: Decimal) -> Decimal:
    """A Decimal amount to whole cents, half up."""
    return amount.quantize(_CENTS, ROUND_HALF_UP)


def six_places(amount: Decimal) -> Decimal:
    """A Decimal to six places, half up."""
    return amount.quantize(_SIX_PLACES, ROUND_HALF_UP)


def parse_decimal(value: object) -> Decimal:
    """A finite Decimal from decimal text, int or Decimal; raises NotExact for anything else.

    JSON numbers reach us as Decimal through the parser, so nothing passes through a float.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise NotExact(repr(value))
    # Python's own reading takes digits of every script, and underscores.
    if isinstance(value, str) and not _DECIMAL_TEXT.fullmatch(value.strip()):
        raise NotExact(repr(value))
    number = Decimal(value)
    if not number.is_finite():
        raise NotExact(repr(value))
    return number


def money_text(amount: Decimal | None) -> str | None:
    """Money with two decimals, half up: "9993.30"."""
    return None if amount is None else f"{cents(amount) + _ZERO:.2f}"


def four_places_text(number: Decimal | None) -> str | None:
    """Prices and shares of order answers: four decimals, half up: "0.6540"."""
    return None if number is None else _four_places(number)


def price_text(price: Decimal | None) -> str | None:
    """A price with 2 to 4 decimals, half up: "0.62", "0.6563"."""
    return _trimmed(price, least=2)


def shares_text(quantity: Decimal | None) -> str | None:
    """Shares with 1 to 4 decimals, half up: "120.0", "0.2525"."""
    return _trimmed(quantity, least=1)


def _four_places(number: Decimal) -> str:
    return f"{number.quantize(_FOUR_PLACES, ROUND_HALF_UP) + _ZERO:.4f}"


def _trimmed(number: Decimal | None, *, least: int) -> str | None:
    if number is None:
        return None
    text = _four_places(number)
    spare = 4 - least
    zeros = len(text) - len(text.rstrip("0"))
    return text[: len(text) - min(zeros, spare)] if zeros and spare else text
