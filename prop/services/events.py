"""Telling of transitions, once each: a stored event, the firm's outbox, frames (6.7).

One or many take the same statements: events are stored, written to the outbox and sent together.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, transaction

from polysim.kernel.tenancy import require_building
from prop.events import make_frame, tell_customers_and_staff
from prop.models import Challenge, ChallengePhase, Job, Payout, RuleBreach
from prop.objects.values import money_number, percent_number
from prop.services.following import (
    CANCELLED_EVENT,
    FAILED_EVENT,
    PASSED_EVENT,
    PAYOUT_PAID_EVENT,
    PHASE_CHANGED_EVENT,
    start_jobs_on_commit,
)
from tenants.office.services import write_events

Row = TypeVar("Row")

MAIL_TASK = "prop.tasks.mail_events"
# What the firm's server hears of, too.
PARTNER_EVENTS = (FAILED_EVENT, PHASE_CHANGED_EVENT, PASSED_EVENT)

# Under a key that exists once; what is there already is not answered.
_STORE = """
INSERT INTO prop_propevent (key, event, challenge_id, customer_id, data, created_at)
SELECT e.key, e.event, e.challenge_id, e.customer_id, e.data, %s
FROM jsonb_to_recordset(%s::jsonb)
  AS e (key text, event text, challenge_id bigint, customer_id bigint, data jsonb)
ON CONFLICT (key) DO NOTHING
RETURNING id, key
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is to be told of a challenge, under the key that tells it apart."""

    key: str
    event: str
    challenge: Challenge
    data: Mapping[str, Any]


def announce(*, jobs: Sequence[Job], now: datetime) -> int:
    """Store and send the events that jobs stand for; answers how many were not told before.

    In the caller's transaction; frames go out after its commit. Of a deleted program's challenges
    there is nothing to tell.
    """
    facts = _read_facts(jobs)
    news = [
        News(
            key=job.key,
            event=job.payload["event"],
            challenge=_found(facts.challenges, job.challenge_id),
            data=_data_of(job, facts),
        )
        for job in jobs
        if job.challenge_id is not None
    ]
    return len(tell_all(news=news, now=now))


def tell(
    *, key: str, event: str, challenge: Challenge, data: Mapping[str, Any], now: datetime
) -> int | None:
    """Store an event under a key that exists once, and send it: its id, None when it was there."""
    news = News(key=key, event=event, challenge=challenge, data=data)
    return tell_all(news=[news], now=now).get(key)


@transaction.atomic
def tell_all(*, news: Sequence[News], now: datetime) -> dict[str, int]:
    """Store what was not told before and send it, in this order; answers the events' ids by key."""
    ids = _store(news, now) if news else {}
    fresh = [one for one in news if one.key in ids]
    if not fresh:
        return {}
    for_partners = [(one.event, one.data) for one in fresh if one.event in PARTNER_EVENTS]
    if for_partners:
        write_events(events=for_partners, now=now)
    schema = require_building()
    frames = [
        (
            one.challenge.customer_id,
            make_frame(event=one.event, event_id=ids[one.key], data=one.data, now=now),
        )
        for one in fresh
    ]
    transaction.on_commit(lambda: tell_customers_and_staff(schema=schema, frames=frames, now=now))
    start_jobs_on_commit(MAIL_TASK)
    return ids


def _store(news: Sequence[News], now: datetime) -> dict[str, int]:
    rows = [
        {
            "key": one.key,
            "event": one.event,
            "challenge_id": one.challenge.pk,
            "customer_id": one.challenge.customer_id,
            "data": dict(one.data),
        }
        for one in news
    ]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [now, json.dumps(rows)])
        return {key: event_id for event_id, key in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the jobs' events tell of, by id; breaches are the primary ones, by phase."""

    challenges: Mapping[int, Challenge]
    phases: Mapping[int, ChallengePhase]
    breaches: Mapping[int, RuleBreach]
    payout_of_phase: Mapping[int, int]
    payouts: Mapping[int, Payout]


def _read_facts(jobs: Sequence[Job]) -> _Facts:
    """One query for each kind of row that is needed, however many jobs."""
    phases = {job.payload[name] for job in jobs for name in _PHASES if name in job.payload}
    failed = _phases_with(jobs, FAILED_EVENT)
    passed = _phases_with(jobs, PASSED_EVENT)
    paid = [job.payload["payout"] for job in jobs if job.payload["event"] == PAYOUT_PAID_EVENT]
    breaches = RuleBreach.objects.filter(phase__in=failed, is_primary=True) if failed else ()
    payouts = Payout.objects.filter(phase__in=passed) if passed else ()
    return _Facts(
        challenges=Challenge.objects.in_bulk(
            {job.challenge_id for job in jobs if job.challenge_id}
        ),
        phases=ChallengePhase.objects.in_bulk(phases),
        breaches={breach.phase_id: breach for breach in breaches},
        payout_of_phase={payout.phase_id: payout.pk for payout in payouts if payout.phase_id},
        payouts=Payout.objects.in_bulk(paid),
    )


_PHASES = ("phase", "from_phase")


def _phases_with(jobs: Sequence[Job], event: str) -> list[int]:
    return [job.payload["phase"] for job in jobs if job.payload["event"] == event]


def _data_of(job: Job, facts: _Facts) -> dict[str, Any]:
    """The event's data. Raises ObjectDoesNotExist for a job whose rows are not there."""
    assert job.challenge_id is not None
    challenge = _found(facts.challenges, job.challenge_id)
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
        phase = _found(facts.phases, job.payload["phase"])
        data["phase_index"] = phase.phase_index
        data["account_login"] = phase.account_login
        if event == FAILED_EVENT:
            return data | _failure(_found(facts.breaches, phase.pk))
        if event == PASSED_EVENT:
            return data | {"payout_id": facts.payout_of_phase.get(phase.pk)}
        if event == PHASE_CHANGED_EVENT:
            former = _found(facts.phases, job.payload["from_phase"])
            return data | {"from_phase_index": former.phase_index}
    if event == CANCELLED_EVENT:
        return data | {"reason": challenge.cancel_reason}
    if event == PAYOUT_PAID_EVENT:
        return data | _payment(_found(facts.payouts, job.payload["payout"]))
    return data


def _found(rows: Mapping[int, Row], row_id: int) -> Row:
    row = rows.get(row_id)
    if row is None:
        raise ObjectDoesNotExist(f"What the event tells of is not there: {row_id}.")
    return row


def _failure(breach: RuleBreach) -> dict[str, Any]:
    return {
        "rule": breach.rule,
        "limit_value": percent_number(breach.limit_value),
        "actual_value": percent_number(breach.actual_value),
    }


def _payment(payout: Payout) -> dict[str, Any]:
    return {
        "payout_id": payout.pk,
        "payer_login": payout.payer_login,
        "amount": money_number(payout.amount),
        "currency": payout.currency,
    }
