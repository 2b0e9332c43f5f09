"""Prices and sizes as integers scaled by 10**6, and the texts that the venue writes for them."""

from functools import lru_cache
from typing import Final

SCALE: Final = 1_000_000
#: Six decimals are the finest that the venue writes (polymarket-feed 6).
DECIMALS: Final = 6


class FigureError(ValueError):
    """A text that is no plain decimal number of at most six decimals."""


def parse_figure(text: object) -> int:
    """The scaled integer of a decimal text or JSON number; further decimals are cut off.

    Raises FigureError.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise FigureError(f"not a number: {text!r}")
    written = f"{text:.{DECIMALS}f}" if isinstance(text, float) else str(text).strip()
    sign = -1 if written.startswith("-") else 1
    whole, _point, decimals = written.lstrip("+-").partition(".")
    if not (whole + decimals).isdecimal():
        raise FigureError(f"not a number: {text!r}")
    return sign * (int(whole or "0") * SCALE + int(decimals[:DECIMALS].ljust(DECIMALS, "0")))


@lru_cache(maxsize=16_384)
def figure_text(figure: int) -> str:
    """The shortest decimal text: 530000 -> "0.53", 30000000 -> "30"."""
    whole, part = divmod(abs(figure), SCALE)
    sign = "-" if figure < 0 else ""
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:06d}".rstrip("0")


def trade_price_text(price: int) -> str:
    """How books write the last trade price: at least three decimals, 510000 -> "0.510"."""
    text = figure_text(price)
    whole, _point, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(3, '0')}"


def number(figure: int) -> float:
    """The JSON number that Gamma writes for display fields."""
    return figure / SCALE
