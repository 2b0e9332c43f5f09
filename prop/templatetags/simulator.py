"""Template words of the simulator's report, whose numbers are text."""

from decimal import Decimal

from django import template

from prop.rules.words import money_words

register = template.Library()


@register.filter
def amount(text: str, currency: str) -> str:
    """ "12260.00" in USD -> "$12,260.00"."""
    return money_words(Decimal(text), currency)


@register.filter
def whole(text: str) -> str:
    """A percent to whole numbers, for narrow places: "24.60" -> "25"."""
    return f"{Decimal(text):.0f}"


@register.filter
def count(number: int) -> str:
    """12345 -> "12,345"."""
    return f"{number:,}"
