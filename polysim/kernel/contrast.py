"""Contrast of colours by the formula of WCAG 2.2 (ui.md, Tokens)."""

from decimal import Decimal

CONTRAST_MIN = Decimal("4.5")
# The surfaces that text stands on.
SURFACES = {"light": "#ffffff", "dark": "#161b24"}


def contrast_of(one: str, other: str) -> Decimal:
    """The ratio of two colours such as `#1d4ed8`, from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + Decimal("0.05")) / (low + Decimal("0.05"))


def _luminance(colour: str) -> Decimal:
    parts = [Decimal(int(colour[index : index + 2], 16)) / 255 for index in (1, 3, 5)]
    red, green, blue = (_linear(part) for part in parts)
    return Decimal("0.2126") * red + Decimal("0.7152") * green + Decimal("0.0722") * blue


def _linear(part: Decimal) -> Decimal:
    if part <= Decimal("0.04045"):
        return part / Decimal("12.92")
    return ((part + Decimal("0.055")) / Decimal("1.055")) ** Decimal("2.4")
