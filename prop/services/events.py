"""Telling of transitions, once each: a stored event, the firm's outbox, frames (6.7)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from polysim.kernel.tenancy import require_building
from prop.events import make_frame, tell_customer_and_staff
from prop.models import Challenge, ChallengePhase, Job, Payout, PropEvent, RuleBreach
from prop.objects.values import money_number, percent_number
from prop.services.following import (
    CANCELLED_EVENT,
    FAILED_EVENT,
    PASSED_EVENT,
    PAYOUT_PAID_EVENT,
    PHASE_CHANGED_EVENT,
    start_jobs_on_commit,
)
from tenants.office.services import write_event

MAIL_TASK = "prop.tasks.mail_events"
# What the firm's server hears of, too.
PARTNER_EVENTS = (FAILED_EVENT, PHASE_CHANGED_EVENT, PASSED_EVENT)


def announce(*, job: Job, now: datetime) -> PropEvent | None:
    """Store and send the event that a job stands for; None when it was told before.

    In the caller's transaction; frames go out after its commit.
    """
    event: str = job.payload["event"]
    if job.challenge_id is None:
        # The program was deleted, and with it everything there is to tell of.
        return None
    challenge = Challenge.objects.get(pk=job.challenge_id)
    data = _data_of(job, challenge)
    return tell(key=job.key, event=event, challenge=challenge, data=data, now=now)


def tell(
    *, key: str, event: str, challenge: Challenge, data: Mapping[str, Any], now: datetime
) -> PropEvent | None:
    """Store an event under a key that exists once, and send it; None when it is there already."""
    values = {
        "event": event,
        "challenge": challenge,
        "customer_id": challenge.customer_id,
        "data": dict(data),
        "created_at": now,
    }
    stored, is_new = PropEvent.objects.get_or_create(key=key, defaults=values)
    if not is_new:
        return None
    if event in PARTNER_EVENTS:
        write_event(type=event, data=data, now=now)
    schema = require_building()
    frame = make_frame(event=event, event_id=stored.pk, data=data, now=now)
    customer_id = challenge.customer_id
    transaction.on_commit(
        lambda: tell_customer_and_staff(
            schema=schema, customer_id=customer_id, frame=frame, now=now
        )
    )
    start_jobs_on_commit(MAIL_TASK)
    result: PropEvent = stored
    return result


def _data_of(job: Job, challenge: Challenge) -> dict[str, Any]:
    data: dict[str, Any] = {
        "challenge_id": challenge.pk,
        "purchase_id": challenge.purchase_id,
        "program_id": challenge.program_id,
        "customer_id": challenge.customer_id,
        "phase_index": challenge.current_phase_index,
        "account_login": challenge.account_login,
        "status": challenge.status,
    }
    event = job.payload["event"]
    if "phase" in job.payload:
        phase = ChallengePhase.objects.get(pk=job.payload["phase"])
        data["phase_index"] = phase.phase_index
        data["account_login"] = phase.account_login
        if event == FAILED_EVENT:
            return data | _failure(phase)
        if event == PASSED_EVENT:
            payout = Payout.objects.filter(phase=phase).values_list("pk", flat=True).first()
            return data | {"payout_id": payout}
        if event == PHASE_CHANGED_EVENT:
            former = ChallengePhase.objects.get(pk=job.payload["from_phase"])
            return data | {"from_phase_index": former.phase_index}
    if event == CANCELLED_EVENT:
        return data | {"reason": challenge.cancel_reason}
    if event == PAYOUT_PAID_EVENT:
        return data | _payment(job.payload["payout"])
    return data


def _failure(phase: ChallengePhase) -> dict[str, Any]:
    breach = RuleBreach.objects.get(phase=phase, is_primary=True)
    return {
        "rule": breach.rule,
        "limit_value": percent_number(breach.limit_value),
        "actual_value": percent_number(breach.actual_value),
    }


def _payment(payout_id: int) -> dict[str, Any]:
    payout = Payout.objects.get(pk=payout_id)
    return {
        "payout_id": payout.pk,
        "payer_login": payout.payer_login,
        "amount": money_number(payout.amount),
        "currency": payout.currency,
    }
