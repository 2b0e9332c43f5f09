"""Numbers as a trader reads them: "$9,785.00", "5.12 %", "1 day"."""

from decimal import ROUND_DOWN, Decimal

from polysim.kernel.money import cents, from_scaled

_TWO_PLACES = Decimal("0.01")


def money_words(amount: Decimal | int, currency: str = "USD") -> str:
    """Money to cents, half up; an int is scaled by 10**6."""
    number = from_scaled(amount) if isinstance(amount, int) else amount
    text = f"{abs(cents(number)):,.2f}"
    sign = "-" if cents(number) < 0 else ""
    return f"{sign}${text}" if currency == "USD" else f"{sign}{text} {currency}"


def percent_words(percent: Decimal) -> str:
    """A limit as it was set: "5 %", "2.125 %"."""
    return f"{_trimmed(percent)} %"


def measured_words(percent: Decimal) -> str:
    """A measured percent to two places, half up: "5.12 %", "10 %"."""
    return f"{_trimmed(cents(percent))} %"


def used_words(percent: Decimal) -> str:
    """A measured percent that has not reached its limit: cut, so that it never seems to."""
    return f"{_trimmed(percent.quantize(_TWO_PLACES, ROUND_DOWN))} %"


def count_words(count: int, noun: str) -> str:
    """`1 day`, `3 days`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _trimmed(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
