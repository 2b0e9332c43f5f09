"""What stands in the cells of the BackOffice's tables, as safe HTML; and in CSV."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from polysim.kernel.clock import iso_text

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def column(
    words: str, *, order: str | None = None, is_number: bool = False
) -> Callable[[Any], Any]:
    """Mark a method of a screen as a column: its heading, its order, its alignment."""

    def inner(method: Any) -> Any:
        method.short_description = words
        method.admin_order_field = order
        method.is_number = is_number
        return method

    return inner


def link(address: str, words: object, *, sub: object = "") -> SafeString:
    """The cell that leads to a row's page, with a quiet second line."""
    tail = format_html('<span class="sub">{}</span>', sub) if sub else ""
    return format_html('<a class="id" href="{}">{}</a>{}', address, words, tail)


def tag(words: object, tone: str = "") -> SafeString:
    """A state: `tone` gain, loss, warn, acc or "" for neutral."""
    return format_html('<span class="tag {}">{}</span>', tone, words)


def with_sub(words: object, sub: object, tone: str = "") -> SafeString:
    """A value with a quiet second line; `tone` gain or loss colours it."""
    return format_html('{}<span class="sub {}">{}</span>', words, tone, sub)


def code(words: object) -> SafeString:
    """An id or a technical name."""
    return format_html("<code>{}</code>", words)


def moment_text(moment: datetime | None) -> SafeString:
    """A time in the firm's zone (the active one), with UTC on hover; a dash for none."""
    if moment is None:
        return SafeString('<span class="muted">–</span>')
    local, world = timezone.localtime(moment), moment.astimezone(UTC)
    return format_html(
        '<time class="nw" datetime="{}" title="{} UTC">{} {}</time>',
        world.isoformat(timespec="seconds").replace("+00:00", "Z"),
        f"{world:%Y-%m-%d %H:%M:%S}",
        f"{local.day} {local:%b %Y},",
        f"{local:%H:%M}",
    )


def csv_cell(value: Any) -> str:
    """Text that a spreadsheet would run as a formula is quoted; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso_text(value) or ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
