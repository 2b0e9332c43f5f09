"""How pages write numbers and times (ui.md, "Numbers and words").

Built in: every template has these without loading them. They take exact Decimals (never floats)
and answer text; None is a dash with a reason. Prices are per share in dollars (0..1).
"""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from polysim.kernel.clock import utc_now
from polysim.kernel.money import SCALE, from_scaled, to_scaled
from trading.engine.fees import taker_fee
from trading.formats import (
    MINUS,
    compact_text,
    depth_text,
    money_text,
    percent_text,
    price_cents_text,
    shares_text,
    signed_money_text,
    whole_money_text,
)
from trading.formats import chance_text as chance_of
from wallets.models import LedgerTransaction

register = template.Library()

DASH = "–"
UTC_ZONE = ZoneInfo("UTC")


def unknown_mark(reason: str) -> SafeString:
    """A dash that says why nothing is known."""
    return format_html(
        '<span class="muted" title="{0}">{1}<span class="vh"> {0}</span></span>', reason, DASH
    )


@register.simple_tag
def unknown(reason: str) -> SafeString:
    """The dash of a value that is not known, with its reason."""
    return unknown_mark(reason)


@register.filter
def cents(price: Decimal | None, tick: Decimal | None = None) -> str:
    """0.634 -> "63.4¢". With the market's tick as many decimals as the tick has."""
    return unknown_mark("no price yet") if price is None else price_cents_text(price, tick)


@register.filter
def chance(price: Decimal | None) -> str:
    """0.62 -> "62%"; "<1%" and ">99%" at the ends, 0% and 100% only when exact."""
    return unknown_mark("no price yet") if price is None else chance_of(price)


@register.filter
def money(amount: Decimal | None) -> str:
    """1234.5 -> "$1,234.50", -12 -> "−$12.00"."""
    return unknown_mark("not known") if amount is None else money_text(amount)


@register.filter
def whole_money(amount: Decimal | None) -> str:
    """1462.8 -> "$1,463": book values, where cents are noise."""
    return unknown_mark("not known") if amount is None else whole_money_text(amount)


@register.filter
def dollars_part(amount: Decimal) -> str:
    """The text of `money` up to the decimal point, for the headline."""
    return money_text(amount).rpartition(".")[0]


@register.filter
def cents_part(amount: Decimal) -> str:
    """The text of `money` from the decimal point on, for the headline."""
    return "." + money_text(amount).rpartition(".")[2]


@register.filter
def compact_money(amount: Decimal | None) -> str:
    """1_840_000 -> "$1.84m", 412_300 -> "$412k"."""
    return unknown_mark("not reported by the venue") if amount is None else compact_text(amount)


@register.filter
def shares(quantity: Decimal | None) -> str:
    """1400 -> "1,400", 15.2424 -> "15.24"."""
    return unknown_mark("not known") if quantity is None else shares_text(quantity)


@register.filter
def depth(quantity: Decimal) -> str:
    """Shares of a level of the book: 20,479 or 1.17m."""
    return depth_text(quantity)


@register.filter
def signed_money(amount: Decimal) -> str:
    """42 -> "+$42.00", -12 -> "−$12.00"; zero has no sign."""
    return signed_money_text(amount)


@register.filter
def percent(ratio: Decimal | None) -> str:
    """0.127 -> "+12.7%": always signed."""
    return DASH if ratio is None else percent_text(ratio)


@register.filter
def is_down(value: Decimal | None) -> bool:
    """Whether a profit is a loss; for the class of its cell."""
    return value is not None and value < 0


@register.simple_tag
def profit(
    amount: Decimal | None, ratio: Decimal | None = None, *, is_stacked: bool = False
) -> SafeString:
    """A profit with arrow, sign and percent in the colour of its value."""
    if amount is None:
        return unknown_mark("no price yet")
    tone = value_class(amount)
    small = ""
    if ratio is not None:
        pattern = ' <small class="{}">{}</small>' if is_stacked else " <small>{1}</small>"
        small = format_html(pattern, tone, percent_text(ratio))
    return format_html(
        '<span class="{}" data-live="profit">{}{}{}</span>',
        tone,
        arrow(amount),
        signed_money_text(amount),
        small,
    )


@register.filter
def value_class(amount: Decimal | None) -> str:
    """The colour class of a profit: gain, loss or none at zero."""
    if not amount:
        return "muted" if amount is None else "flat"
    return "gain" if amount > 0 else "loss"


def arrow(amount: Decimal) -> SafeString:
    """The shape that says up or down to everybody; the sign says it to screen readers."""
    if not amount:
        return SafeString("")
    return format_html('<span aria-hidden="true">{} </span>', "▲" if amount > 0 else "▼")


@register.simple_tag
def points(change: Decimal | None, *, is_coloured: bool = False) -> SafeString:
    """A change of chance: -0.04 -> "▼ −4 pts"; neutral colour, as a chance is no profit."""
    if change is None:
        return unknown_mark("no price a day ago")
    whole = (change * 100).quantize(Decimal(1), ROUND_HALF_UP)
    if whole == 0:
        return SafeString("0 pts")
    sign = MINUS if whole < 0 else "+"
    unit = "pt" if abs(whole) == 1 else "pts"
    tone = value_class(whole) if is_coloured else ""
    return format_html(
        '<span class="{}">{}{}{} {}</span>', tone, arrow(whole), sign, abs(whole), unit
    )


@register.filter
def bar_percent(price: Decimal | None) -> str:
    """A price as a CSS percentage for the chance rule."""
    return f"{(price or Decimal(0)) * 100:.1f}%"


def _zone(context: Any) -> ZoneInfo:
    return getattr(context.get("shell"), "zone", None) or UTC_ZONE


@register.simple_tag(takes_context=True)
def when(context: Any, moment: datetime | None, style: str = "") -> SafeString:
    """A `<time>`: relative under a day, else the date; the exact time and zone on hover.

    `style` is "" (relative or date), "exact" (date, time and zone), "clock" (14:02:31) or "day".
    """
    if moment is None:
        return unknown_mark("not known")
    zone = _zone(context)
    local = moment.astimezone(zone)
    exact = f"{local.day} {local:%B %Y, %H:%M:%S} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        exact,
        SafeString(" data-relative") if style == "" else "",
        _time_words(local, style),
    )


def _time_words(local: datetime, style: str) -> str:
    if style == "clock":
        return f"{local:%H:%M:%S}"
    if style == "day":
        return f"{local.day} {local:%B %Y}"
    if style == "exact":
        return f"{local.day} {local:%b %Y}, {local:%H:%M} {local.tzname()}"
    return relative_words(local, utc_now())


def relative_words(moment: datetime, now: datetime) -> str:
    """ "in 9 h", "8 s ago", "just now"; from a day on the date, with the year if it differs."""
    seconds = int((moment - now).total_seconds())
    distance = abs(seconds)
    if distance >= 86_400:
        local_now = now.astimezone(moment.tzinfo)
        year = f" {moment:%Y}" if moment.year != local_now.year else ""
        return f"{moment.day} {moment:%b}{year}"
    if distance < 1:
        return "just now"
    if distance < 60:
        amount = f"{distance} s"
    elif distance < 3600:
        amount = f"{distance // 60} min"
    else:
        amount = f"{distance // 3600} h"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


@register.simple_tag(takes_context=True)
def query(context: Any, **changes: Any) -> str:
    """The present address's query with some parameters changed; None or "" removes one."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            parameters.pop(name, None)
        else:
            parameters[name] = value
    text = parameters.urlencode()
    return f"?{text}" if text else "?"


@register.filter
def initials(name: str) -> str:
    """Northline Capital -> NC, Alpha -> AL: the text of a firm account's badge."""
    words = name.split()
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else name[:2]).upper()


@register.filter
def hold_of(order: Any) -> Decimal:
    """The cash behind a resting buy: limit times what is left, rounded up to cents."""
    return (order.price * order.remaining_quantity).quantize(Decimal("0.01"), ROUND_UP)


@register.filter
def ledger_words(kind: str) -> str:
    """TOPUP_REFUND -> Top-up refund: a movement's type in words."""
    return dict(LedgerTransaction.Type.choices).get(kind, kind.replace("_", " ").capitalize())


@register.filter
def counter_words(name: str) -> str:
    """hash_mismatch -> Hash mismatch: a counter of the feed as a label."""
    return name.replace("_", " ").capitalize()


EXAMPLE_SHARES = 100


@register.filter
def times(price: Decimal | None, count: int) -> Decimal | None:
    """A price for so many shares."""
    return None if price is None else price * count


@register.filter
def example_fee(row: Any) -> Decimal | None:
    """The fee of the start page's example: 100 shares at the best ask (trading-api 8)."""
    price = row.price.asks[0]
    if price is None:
        return None
    shares = EXAMPLE_SHARES * SCALE
    fee = taker_fee(
        quantity=shares,
        notional_product=shares * to_scaled(price),
        rate=to_scaled(row.market.fee_rate),
        exponent=row.market.fee_exponent,
    )
    return from_scaled(fee)


@register.filter
def example_profit(row: Any) -> Decimal | None:
    """What the example makes if it is right, fee paid."""
    price, fee = row.price.asks[0], example_fee(row)
    return None if price is None or fee is None else EXAMPLE_SHARES * (1 - price) - fee


@register.simple_tag
def mail_folder() -> str:
    """Where mail is written instead of sent (development); "" where it is sent."""
    if not settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"):
        return ""
    folder = Path(settings.EMAIL_FILE_PATH)
    is_inside = folder.is_relative_to(settings.BASE_DIR)
    return str(folder.relative_to(settings.BASE_DIR) if is_inside else folder.name)
