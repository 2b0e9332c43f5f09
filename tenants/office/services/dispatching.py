"""From events to deliveries: who wants to hear of what happened (partner-api B3)."""

from datetime import datetime

from django.db import transaction

from tenants.office.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.office.rendering import render_data

BATCH = 200
ALL_TYPES = "*"


@transaction.atomic
def dispatch_events(*, now: datetime, limit: int = BATCH) -> int:
    """Make the deliveries of the oldest `limit` events of this building; answers how many events.

    An event that no endpoint wants is marked all the same. Several workers take different events.
    """
    waiting = WebhookEvent.objects.filter(dispatched_at__isnull=True).order_by("id")
    events = list(waiting.select_for_update(skip_locked=True)[:limit])
    if not events:
        return 0
    endpoints = list(WebhookEndpoint.objects.filter(is_enabled=True, deleted_at__isnull=True))
    deliveries: list[WebhookDelivery] = []
    for event in events:
        wanted_by = [endpoint for endpoint in endpoints if wants(endpoint, event.type)]
        if wanted_by:
            event.data = render_data(event.type, event.data)
        event.dispatched_at = now
        deliveries += [make_delivery(event, endpoint, now=now) for endpoint in wanted_by]
    WebhookEvent.objects.bulk_update(events, ["data", "dispatched_at"])
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    return len(events)


def wants(endpoint: WebhookEndpoint, event_type: str) -> bool:
    """Whether an endpoint listens to a type."""
    return ALL_TYPES in endpoint.event_types or event_type in endpoint.event_types


def make_delivery(
    event: WebhookEvent, endpoint: WebhookEndpoint, *, now: datetime
) -> WebhookDelivery:
    """A delivery that is due at once, not saved."""
    return WebhookDelivery(
        event=event,
        endpoint=endpoint,
        round_started_at=now,
        next_attempt_at=now,
        created_at=now,
    )
