"""Reading a firm's office: webhooks and their work, the login mails of a sandbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg import sql

from tenants.office.models import SandboxMail, WebhookDelivery, WebhookEndpoint


def list_endpoints() -> list[WebhookEndpoint]:
    """The endpoints of this building, oldest first; deleted ones are not shown."""
    rows = WebhookEndpoint.objects.filter(deleted_at__isnull=True)
    return list(rows.order_by("created_at", "id"))


def find_endpoint(*, endpoint_id: UUID) -> WebhookEndpoint | None:
    """One endpoint, or None where it is unknown or deleted."""
    return WebhookEndpoint.objects.filter(pk=endpoint_id, deleted_at__isnull=True).first()


def list_deliveries(
    *,
    endpoint_id: UUID | None = None,
    status: str | None = None,
    type: str | None = None,  # noqa: A002
    since: datetime | None = None,
    before_event: int | None = None,
    limit: int = 50,
) -> list[WebhookDelivery]:
    """Deliveries with their events, the newest event first.

    `since` is of the delivery, inclusive; `before_event` the id of the last event seen.
    """
    rows = WebhookDelivery.objects.select_related("event")
    if endpoint_id is not None:
        rows = rows.filter(endpoint_id=endpoint_id)
    if status is not None:
        rows = rows.filter(status=status)
    if type is not None:
        rows = rows.filter(event__type=type)
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    if before_event is not None:
        rows = rows.filter(event_id__lt=before_event)
    return list(rows.order_by("-event_id", "-id")[:limit])


def find_delivery(*, endpoint_id: UUID, delivery_id: UUID) -> WebhookDelivery | None:
    """One delivery of an endpoint, with its event."""
    rows = WebhookDelivery.objects.select_related("event")
    return rows.filter(pk=delivery_id, endpoint_id=endpoint_id).first()


WORK = """
    SELECT {name} WHERE EXISTS (
        SELECT FROM {events} WHERE dispatched_at IS NULL)
    OR EXISTS (
        SELECT FROM {deliveries} WHERE status = 'pending' AND next_attempt_at <= %(now)s
        AND (claimed_until IS NULL OR claimed_until <= %(now)s))
"""
BUILDINGS_PER_QUERY = 200


def list_buildings_with_work(*, schemas: Sequence[str], now: datetime) -> list[str]:
    """The schemas with events to dispatch or deliveries due: one query for 200 buildings."""
    found: list[str] = []
    for start in range(0, len(schemas), BUILDINGS_PER_QUERY):
        parts = [_work_of(schema) for schema in schemas[start : start + BUILDINGS_PER_QUERY]]
        with connection.cursor() as cursor:
            query: Any = sql.SQL(" UNION ALL ").join(parts)
            cursor.execute(query, {"now": now})
            found += [row[0] for row in cursor.fetchall()]
    return found


def _work_of(schema: str) -> sql.Composed:
    return sql.SQL(WORK).format(
        name=sql.Literal(schema),
        events=sql.Identifier(schema, "office_webhookevent"),
        deliveries=sql.Identifier(schema, "office_webhookdelivery"),
    )


def list_sandbox_mails(*, after_id: int, limit: int, recipient: str = "") -> list[SandboxMail]:
    """Login mails of a sandbox firm behind `after_id`, oldest first; `recipient` "" is all."""
    rows = SandboxMail.objects.filter(pk__gt=after_id)
    if recipient:
        rows = rows.filter(recipient=recipient)
    return list(rows.order_by("pk")[:limit])
