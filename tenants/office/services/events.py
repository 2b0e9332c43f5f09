"""Events of the outbox: written with the change that causes them (partner-api B3)."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tenants.office.models import EVENT_TYPES, WebhookEvent
from tenants.office.services.announcing import announce_events


def write_event(*, type: str, data: Mapping[str, Any], now: datetime) -> WebhookEvent:  # noqa: A002
    """One event in the caller's transaction and building; delivered soon after it commits.

    Rows of the trades feed and ended orders write theirs by trigger, with ids alone.
    """
    if type not in EVENT_TYPES:
        raise ValueError(f"{type} is no type of event")
    event = WebhookEvent.objects.create(
        message_id=f"msg_{secrets.token_hex(16)}", type=type, data=dict(data), occurred_at=now
    )
    announce_events()
    return event
