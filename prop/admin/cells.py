"""Cells that several screens of challenges share: states, rooms, traders, rules in words."""

from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from prop.models import ChallengeStatus, PayoutStatus, PurchaseStatus
from prop.rules import RULES_BY_NAME
from prop.selectors.rooms import LossRoom
from tenants.office.cells import link, tag
from trading.formats import money_text, whole_money_text

CHALLENGE_TONES = {
    ChallengeStatus.PENDING: "warn",
    ChallengeStatus.ACTIVE: "acc",
    ChallengeStatus.PASSED: "gain",
    ChallengeStatus.FAILED: "loss",
    ChallengeStatus.CANCELLED: "",
}
PURCHASE_TONES = {
    PurchaseStatus.PENDING: "warn",
    PurchaseStatus.PAID: "warn",
    PurchaseStatus.ACCOUNT_CREATED: "warn",
    PurchaseStatus.ACTIVE: "gain",
    PurchaseStatus.FAILED: "loss",
    PurchaseStatus.REFUNDED: "",
}
PAYOUT_TONES = {
    PayoutStatus.PENDING: "warn",
    PayoutStatus.APPROVED: "acc",
    PayoutStatus.PAID: "gain",
    PayoutStatus.REJECTED: "loss",
    PayoutStatus.SKIPPED: "",
}
JOB_TONES = {"queued": "warn", "running": "acc", "done": "gain", "failed": "loss"}


def rule_words(name: str) -> str:
    """max_daily_loss_pct -> Daily loss."""
    rule = RULES_BY_NAME.get(name)
    return rule.title if rule is not None else name.replace("_", " ")


def trader_cell(row: Any) -> Any:
    """The trader of a row that was prepared with `row.trader`; a dash for one long gone."""
    if row.trader is None:
        return f"customer {row.customer_id}"
    address = reverse("backoffice:traders_detail", args=[row.trader.pk])
    return link(address, row.trader.external_id, sub=row.trader.email)


def challenge_tag(row: Any) -> SafeString:
    """The state of a challenge or phase, with the rule that failed it."""
    words = row.get_status_display()
    rule = getattr(row, "fail_rule", "")
    if rule:
        words = f"{words}: {rule_words(rule).lower()}"
    return tag(words, CHALLENGE_TONES[ChallengeStatus(row.status)])


def room_cell(room: LossRoom | None) -> SafeString:
    """A bar of what is used, with dollars and percent left."""
    if room is None:
        return SafeString('<span class="muted">off</span>')
    return format_html(
        '<span class="room-words"><b class="{0}">{1} left</b> <span class="muted">{2}% room</span>'
        '</span><svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" '
        'aria-label="{2} percent of the room is left"><rect class="{0}" width="{3}" height="6"/>'
        "</svg>",
        room.tone,
        whole_money_text(room.left),
        f"{room.percent:.0f}",
        f"{room.used:.1f}",
    )


def money_cell(amount: Decimal, currency: str = "USD") -> str:
    """Dollars and cents; other currencies are named."""
    return money_text(amount) if currency == "USD" else f"{amount:,.2f} {currency}"


def percent_text(percent: Decimal) -> str:
    """5 -> 5%, 2.125 -> 2.125%."""
    text = f"{percent:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"
