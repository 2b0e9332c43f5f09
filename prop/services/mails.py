"""Mails to traders about their challenges: ended, passed, paid (ui.md, Notifications).

A stored event is mailed once: it is claimed by a conditional update before the mail is sent, and
given back when the mail server does not take it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from polysim.kernel.money import from_scaled
from polysim.kernel.tenancy import require_building
from prop.models import Challenge, Payout, PropEvent, RuleBreach, Verdict
from prop.rules import RULES_BY_NAME
from prop.services.following import (
    CANCELLED_EVENT,
    FAILED_EVENT,
    PASSED_EVENT,
    PAYOUT_PAID_EVENT,
    PAYOUT_REJECTED_EVENT,
    PHASE_CHANGED_EVENT,
)
from tenants.models import Firm

MAILED = (
    FAILED_EVENT,
    PHASE_CHANGED_EVENT,
    PASSED_EVENT,
    CANCELLED_EVENT,
    PAYOUT_PAID_EVENT,
    PAYOUT_REJECTED_EVENT,
)
# An older event is no news: its page tells it better than a late mail.
MAILED_WITHIN = timedelta(days=1)
BATCH_MAX = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """What one mail says: a headline, a sentence, figures as (label, text), what comes next."""

    subject: str
    sentence: str
    figures: tuple[tuple[str, str], ...]
    next_step: str
    button: str
    path: str


def mail_due_events(*, now: datetime) -> int:
    """Mail the building's events that were not mailed yet; answers how many. Safe to repeat."""
    due = PropEvent.objects.filter(
        event__in=MAILED, mailed_at__isnull=True, created_at__gt=now - MAILED_WITHIN
    )
    sent = 0
    for event in due.select_related("challenge", "customer").order_by("pk")[:BATCH_MAX]:
        if not PropEvent.objects.filter(pk=event.pk, mailed_at__isnull=True).update(mailed_at=now):
            continue
        try:
            _send(event)
        except OSError:
            PropEvent.objects.filter(pk=event.pk).update(mailed_at=None)
            raise
        sent += 1
    return sent


def _send(event: PropEvent) -> None:
    if event.challenge is None or not event.customer.is_active:
        return
    firm = Firm.objects.get(schema_name=require_building())
    letter = _letter(event, event.challenge)
    origin = settings.BASE_URL.rstrip("/")
    context = {
        "letter": letter,
        "firm": firm,
        "link": f"{origin}{letter.path}?tenant={firm.slug}",
        "event": event,
        "recipient": event.customer.email,
    }
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=render_to_string("prop/email/event.txt", context),
        to=[event.customer.email],
        reply_to=[firm.contact_email] if firm.contact_email else None,
    )
    message.attach_alternative(render_to_string("prop/email/event.html", context), "text/html")
    message.send()


def _letter(event: PropEvent, challenge: Challenge) -> Letter:
    name = str(challenge.terms["program"]["name"])
    if event.event == FAILED_EVENT:
        return _failed(event, challenge, name)
    if event.event == CANCELLED_EVENT:
        return Letter(
            f"{name} was cancelled",
            f"The firm cancelled this challenge: {event.data.get('reason', '')}",
            (),
            "Open orders were cancelled and trading is closed.",
            "Open the challenge",
            f"/challenges/{challenge.pk}/",
        )
    if event.event in (PAYOUT_PAID_EVENT, PAYOUT_REJECTED_EVENT):
        return _payout(event, name)
    return _passed(event, challenge, name)


def _failed(event: PropEvent, challenge: Challenge, name: str) -> Letter:
    breach = RuleBreach.objects.filter(challenge=challenge, is_primary=True).latest("pk")
    rule = RULES_BY_NAME.get(breach.rule)
    title = (rule.title if rule is not None else breach.rule).lower()
    zone = ZoneInfo(str(challenge.terms["program"]["timezone"]))
    local = breach.created_at.astimezone(zone)
    figures = [("Your equity", _dollars(breach.equity))]
    verdict = Verdict.objects.filter(phase_id=breach.phase_id).first()
    if verdict is not None:
        day = from_scaled(int(verdict.inputs["measures"]["day_start_equity"]))
        figures.insert(0, ("Equity at the start of the day", _dollars(day)))
    figures.append(("Measured", breach.message))
    return Letter(
        f"{name} has ended: {title}",
        f"On {local.day} {local:%B at %H:%M:%S} ({zone}) a limit of your challenge was reached. "
        "Equity counts open positions.",
        tuple(figures),
        "Open orders were cancelled and new orders are closed. Open positions stay until they "
        "settle; nothing more counts.",
        "See prices and positions used",
        f"/challenges/{challenge.pk}/why/",
    )


def _passed(event: PropEvent, challenge: Challenge, name: str) -> Letter:
    is_over = event.event == PASSED_EVENT
    data: Mapping[str, Any] = event.data
    if is_over:
        sentence = "You met every rule of the last phase."
        after = "Its account is closed for trading; a payout, if there is one, is being prepared."
        return Letter(
            f"{name}: passed",
            sentence,
            (),
            after,
            "Open the challenge",
            f"/challenges/{challenge.pk}/",
        )
    return Letter(
        f"{name}: phase {data.get('from_phase_index')} passed",
        f"Phase {data.get('phase_index')} has begun.",
        (("New account", str(data.get("account_login"))),),
        "Trade on in the new account; the old one is closed for trading.",
        "Open the challenge",
        f"/challenges/{challenge.pk}/",
    )


def _payout(event: PropEvent, name: str) -> Letter:
    payout = Payout.objects.get(pk=event.data["payout_id"])
    figures = (
        ("Profit", _dollars(payout.profit)),
        ("Your share", f"{(payout.profit_split * 100).normalize():f} %"),
        ("Paid to you", _dollars(payout.amount)),
    )
    path = f"/challenges/{payout.challenge_id}/"
    if event.event == PAYOUT_PAID_EVENT:
        sentence = f"Your share was booked to account {payout.payer_login}."
        return Letter(f"{name}: payout paid", sentence, figures, "", "Open the challenge", path)
    return Letter(
        f"{name}: payout rejected",
        f"The firm did not approve this payout: {payout.reason}",
        figures[:2],
        "Ask the firm if you think that this is wrong.",
        "Open the challenge",
        path,
    )


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}" if amount >= 0 else f"\u2212${-amount:,.2f}"
