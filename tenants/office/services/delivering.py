"""Sending what is due, and what follows from each answer (partner-api B3, Delivery).

A worker claims deliveries for a minute before it sends: another one takes others, and what a
killed worker had claimed is anybody's again after that minute. A result counts only while its
claim holds.
"""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import InvalidToken
from django.db import models, transaction

from polysim.kernel.seals import unseal
from tenants.office.models import WebhookDelivery, WebhookEndpoint
from tenants.office.services.disabling import disable_endpoint
from tenants.office.webhooks.bodies import render_body
from tenants.office.webhooks.schedule import SLOWED_FOR, next_pause, parse_retry_after
from tenants.office.webhooks.sending import Attempt, Result, send_attempts
from tenants.office.webhooks.signing import sign_attempt

logger = logging.getLogger(__name__)

CLAIMED_FOR = timedelta(seconds=60)
# At most so many requests are open to one endpoint, over all workers.
OPEN_PER_ENDPOINT_MAX = 10
GONE = 410
UNREADABLE = "its secret cannot be read by this installation; rotate it"
SLOWING_STATUSES = frozenset({429, 502, 504})


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this worker alone sends until `until`."""

    delivery: WebhookDelivery
    until: datetime


def deliver_due(*, now: datetime) -> int:
    """Send what is due in this building at `now`, each once; answers how many were sent."""
    claims = claim_due(now=now)
    attempts = []
    for claim in claims:
        try:
            attempts.append(_attempt_of(claim, now=now))
        except InvalidToken:
            # Another installation's key sealed it; the other endpoints must not wait for this one.
            record_result(claim=claim, result=Result(claim, None, None, UNREADABLE, 0), now=now)
    for result in send_attempts(attempts):
        finished_at = now + timedelta(milliseconds=result.duration_ms)
        record_result(claim=result.key, result=result, now=finished_at)
    return len(claims)


def claim_due(*, now: datetime) -> list[Claim]:
    """Take what is due, a few of each endpoint.

    While an endpoint is slowed down, only deliveries that were tried before go on by their own
    schedule; new ones wait.
    """
    until = now + CLAIMED_FOR
    claims: list[Claim] = []
    endpoints = WebhookEndpoint.objects.filter(
        is_enabled=True,
        deleted_at__isnull=True,
        pk__in=WebhookDelivery.objects.filter(_is_due(now)).values("endpoint"),
    )
    for endpoint in list(endpoints):
        claims += [Claim(delivery, until) for delivery in _claim_of(endpoint, now, until)]
    return claims


def _is_due(now: datetime) -> models.Q:
    is_free = models.Q(claimed_until__isnull=True) | models.Q(claimed_until__lte=now)
    return is_free & models.Q(status=WebhookDelivery.Status.PENDING, next_attempt_at__lte=now)


@transaction.atomic
def _claim_of(endpoint: WebhookEndpoint, now: datetime, until: datetime) -> list[WebhookDelivery]:
    open_now = endpoint.deliveries.filter(
        status=WebhookDelivery.Status.PENDING, claimed_until__gt=now
    ).count()
    due = endpoint.deliveries.filter(_is_due(now)).select_related("event")
    if endpoint.paused_until is not None and endpoint.paused_until > now:
        due = due.filter(attempts__gt=0)
    due = due.order_by("next_attempt_at").select_for_update(skip_locked=True, of=("self",))
    taken = list(due[: max(0, OPEN_PER_ENDPOINT_MAX - open_now)])
    for delivery in taken:
        delivery.endpoint = endpoint
        delivery.claimed_until = until
    WebhookDelivery.objects.filter(pk__in=[one.pk for one in taken]).update(claimed_until=until)
    return taken


def _attempt_of(claim: Claim, *, now: datetime) -> Attempt:
    event, endpoint = claim.delivery.event, claim.delivery.endpoint
    body = render_body(type=event.type, occurred_at=event.occurred_at, data=event.data)
    headers = sign_attempt(
        message_id=event.message_id,
        body=body,
        sent_at=now,
        secrets_in_force=secrets_in_force(endpoint, now=now),
    )
    return Attempt(claim, endpoint.url, headers, body.encode())


def secrets_in_force(endpoint: WebhookEndpoint, *, now: datetime) -> list[str]:
    """The secrets that sign now: the present one, and the former for 24 h after a rotation."""
    sealed = [endpoint.secret_sealed]
    if endpoint.former_secret_until is not None and endpoint.former_secret_until > now:
        sealed.append(endpoint.former_secret_sealed)
    return [unseal(one) for one in sealed]


@transaction.atomic
def record_result(*, claim: Claim, result: Result, now: datetime) -> WebhookDelivery | None:
    """Write what came of an attempt; None if the claim was lost (replayed, disabled, too late)."""
    # Endpoint before delivery, in every transaction that locks both.
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=claim.delivery.endpoint_id)
    delivery = (
        WebhookDelivery.objects.select_for_update()
        .filter(pk=claim.delivery.pk, claimed_until=claim.until, status="pending")
        .first()
    )
    if delivery is None:
        return None
    delivery.attempts += 1
    delivery.claimed_until = None
    delivery.last_attempt_at = now - timedelta(milliseconds=result.duration_ms)
    delivery.last_status_code = result.status_code
    delivery.last_error = result.error
    delivery.last_duration_ms = result.duration_ms
    if result.is_success:
        _succeed(delivery, endpoint, now=now)
    else:
        _fail(delivery, endpoint, result, now=now)
    return delivery


def _succeed(delivery: WebhookDelivery, endpoint: WebhookEndpoint, *, now: datetime) -> None:
    delivery.status = WebhookDelivery.Status.SUCCEEDED
    delivery.next_attempt_at = None
    delivery.save()
    endpoint.last_success_at = now
    endpoint.paused_until = None
    endpoint.save(update_fields=["last_success_at", "paused_until"])


def _fail(
    delivery: WebhookDelivery, endpoint: WebhookEndpoint, result: Result, *, now: datetime
) -> None:
    retry_after = parse_retry_after(result.retry_after, now=now)
    pause = next_pause(
        attempts=delivery.attempts, spread=random.uniform(-1, 1), retry_after=retry_after
    )
    if pause is None or result.status_code == GONE:
        delivery.status = WebhookDelivery.Status.FAILED
        delivery.next_attempt_at = None
    else:
        delivery.next_attempt_at = now + pause
    delivery.save()
    if result.status_code == GONE:
        disable_endpoint(endpoint=endpoint, reason="gone", now=now)
    elif pause is None and not _had_success_since(endpoint, delivery.round_started_at):
        disable_endpoint(endpoint=endpoint, reason="schedule_used_up", now=now)
    elif result.status_code in SLOWING_STATUSES:
        until = now + max(SLOWED_FOR, retry_after or SLOWED_FOR)
        endpoint.paused_until = max(until, endpoint.paused_until or until)
        endpoint.save(update_fields=["paused_until"])


def _had_success_since(endpoint: WebhookEndpoint, moment: datetime) -> bool:
    return endpoint.last_success_at is not None and endpoint.last_success_at >= moment
