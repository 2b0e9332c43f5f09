"""Events of the outbox: written with the change that causes them (partner-api B3)."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tenants.office.models import EVENT_TYPES, WebhookEvent
from tenants.office.services.announcing import announce_events


def write_event(*, type: str, data: Mapping[str, Any], now: datetime) -> WebhookEvent:  # noqa: A002
    """One event in the caller's transaction and building; delivered soon after it commits.

    Rows of the trades feed and ended orders write theirs by trigger, with ids alone.
    """
    event: WebhookEvent = write_events(events=[(type, data)], now=now)[0]
    return event


def write_events(
    *, events: Sequence[tuple[str, Mapping[str, Any]]], now: datetime
) -> list[WebhookEvent]:
    """Several events (type, data) in their order, in one statement; as `write_event`."""
    for name, _ in events:
        if name not in EVENT_TYPES:
            raise ValueError(f"{name} is no type of event")
    rows = [
        WebhookEvent(
            message_id=f"msg_{secrets.token_hex(16)}", type=name, data=dict(data), occurred_at=now
        )
        for name, data in events
    ]
    written: list[WebhookEvent] = WebhookEvent.objects.bulk_create(rows)
    announce_events()
    return written
