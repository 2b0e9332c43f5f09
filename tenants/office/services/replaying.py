"""Sending again, and sending a test (partner-api B3): same id, new timestamp, a new schedule."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import models, transaction

from polysim.kernel.errors import NotFound, PolysimError
from tenants.office.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.office.rendering import render_data
from tenants.office.services.announcing import announce_events
from tenants.office.services.audit import Actor, write_firm_audit
from tenants.office.services.dispatching import make_delivery

TEST_TYPE = "webhook.test"
BATCH = 1_000


class WebhookDisabled(PolysimError):
    """Nothing is sent to an endpoint that is switched off."""

    code = "WEBHOOK_DISABLED"
    status = 409
    message = "This endpoint is switched off. Switch it on first."


@transaction.atomic
def send_test_event(*, endpoint_id: UUID, actor: Actor, now: datetime) -> WebhookDelivery:
    """A `webhook.test` event for this endpoint alone, whatever types it listens to.

    Raises NotFound or WebhookDisabled.
    """
    endpoint = _get_enabled(endpoint_id)
    event = WebhookEvent.objects.create(
        message_id=f"msg_{secrets.token_hex(16)}",
        type=TEST_TYPE,
        data={"webhook_id": str(endpoint.pk)},
        occurred_at=now,
        dispatched_at=now,
    )
    delivery = make_delivery(event, endpoint, now=now)
    delivery.save(force_insert=True)
    _write_audit(endpoint, "webhook.tested", actor=actor, now=now, after={"id": event.message_id})
    announce_events()
    return delivery


@transaction.atomic
def replay_delivery(
    *, endpoint_id: UUID, delivery_id: UUID, actor: Actor, now: datetime
) -> WebhookDelivery:
    """Send one delivery again from the start of its schedule. Raises NotFound, WebhookDisabled."""
    endpoint = _get_enabled(endpoint_id)
    rows = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("event")
    delivery: WebhookDelivery | None = rows.filter(pk=delivery_id, endpoint=endpoint).first()
    if delivery is None:
        raise NotFound()
    _restart(WebhookDelivery.objects.filter(pk=delivery.pk), now=now)
    delivery.refresh_from_db()
    after = {"delivery_id": str(delivery.pk)}
    _write_audit(endpoint, "webhook.delivery_replayed", actor=actor, now=now, after=after)
    announce_events()
    return delivery


@transaction.atomic
def replay_deliveries(
    *,
    endpoint_id: UUID,
    since: datetime,
    actor: Actor,
    now: datetime,
    until: datetime | None = None,
    types: Sequence[str] | None = None,
    only_failed: bool = True,
) -> int:
    """Send again what happened from `since` (inclusive) to `until` (exclusive); answers how many.

    `only_failed`: deliveries whose schedule was used up or broken off. Otherwise every event of
    the time and types, those too that the endpoint never got (it was off, or did not exist yet).
    Raises NotFound or WebhookDisabled.
    """
    endpoint = _get_enabled(endpoint_id)
    events = WebhookEvent.objects.filter(dispatched_at__isnull=False, occurred_at__gte=since)
    # A test belongs to the endpoint it was made for.
    others_tests = models.Q(type=TEST_TYPE) & ~models.Q(data__webhook_id=str(endpoint.pk))
    events = events.exclude(others_tests)
    if until is not None:
        events = events.filter(occurred_at__lt=until)
    if types:
        events = events.filter(type__in=types)
    known = WebhookDelivery.objects.filter(endpoint=endpoint, event__in=events)
    if only_failed:
        known = known.filter(status=WebhookDelivery.Status.FAILED)
    count = _restart(known, now=now)
    if not only_failed:
        count += _make_missing(events, endpoint, now=now)
    after = {
        "since": since.isoformat(),
        "until": None if until is None else until.isoformat(),
        "types": None if types is None else list(types),
        "only_failed": only_failed,
        "count": count,
    }
    _write_audit(endpoint, "webhook.replayed", actor=actor, now=now, after=after)
    announce_events()
    return count


def _make_missing(
    events: "models.QuerySet[WebhookEvent]", endpoint: WebhookEndpoint, *, now: datetime
) -> int:
    """Deliveries of events that this endpoint never had one of."""
    total = 0
    while True:
        missing = events.exclude(deliveries__endpoint=endpoint).order_by("id")
        batch = list(missing[:BATCH])
        for event in batch:
            # Nobody may have wanted it when it was dispatched.
            event.data = render_data(event.type, event.data)
        WebhookEvent.objects.bulk_update(batch, ["data"])
        WebhookDelivery.objects.bulk_create(
            [make_delivery(event, endpoint, now=now) for event in batch]
        )
        total += len(batch)
        if len(batch) < BATCH:
            return total


def _restart(rows: "models.QuerySet[WebhookDelivery]", *, now: datetime) -> int:
    """Back to the first attempt; a request that is open now ends without counting."""
    return rows.update(
        status=WebhookDelivery.Status.PENDING,
        attempts=0,
        round_started_at=now,
        next_attempt_at=now,
        claimed_until=None,
    )


def _get_enabled(endpoint_id: UUID) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.select_for_update()
    endpoint = rows.filter(pk=endpoint_id, deleted_at__isnull=True).first()
    if endpoint is None:
        raise NotFound()
    if not endpoint.is_enabled:
        raise WebhookDisabled()
    return endpoint


def _write_audit(
    endpoint: WebhookEndpoint,
    action: str,
    *,
    actor: Actor,
    now: datetime,
    after: Mapping[str, object],
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="webhook",
        object_id=endpoint.pk,
        now=now,
        after=after,
    )
