"""Where a firm wants to hear of events: making, changing and removing endpoints (partner-api B3).

All run in the firm's building and leave an audit entry; secrets are shown once and stored sealed.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from polysim.kernel.errors import NotFound, PolysimError, ValidationFailed
from polysim.kernel.seals import seal
from polysim.kernel.tenancy import require_building
from tenants.models import Firm
from tenants.office.models import EVENT_TYPES, WebhookEndpoint
from tenants.office.services.audit import Actor, write_firm_audit
from tenants.office.services.disabling import switch_off
from tenants.office.services.dispatching import ALL_TYPES
from tenants.office.webhooks.addresses import AddressRefused, check_url, resolve
from tenants.office.webhooks.signing import make_secret

ENDPOINTS_MAX = 10
DESCRIPTION_LENGTH_MAX = 255
FORMER_SECRET_SIGNS_FOR = timedelta(hours=24)
SWITCHED_OFF_BY_FIRM = "switched_off"


class WebhookLimitReached(PolysimError):
    """The firm has 10 endpoints."""

    code = "WEBHOOK_LIMIT_REACHED"
    status = 409
    message = "A firm has at most 10 webhook endpoints. Delete one first."


@dataclass(frozen=True, slots=True)
class EndpointWithSecret:
    """An endpoint and its new secret in clear, to be shown this once."""

    endpoint: WebhookEndpoint
    secret: str = dataclasses.field(repr=False)


def create_endpoint(
    *,
    url: str,
    event_types: Sequence[str],
    description: str = "",
    actor: Actor,
    now: datetime,
) -> EndpointWithSecret:
    """A new endpoint. Raises ValidationFailed (URL, types, description) or WebhookLimitReached."""
    # Names are resolved before the transaction: that may take seconds.
    _check_fields(url=url, event_types=event_types, description=description)
    secret = make_secret()
    with transaction.atomic():
        _lock_firm()
        if WebhookEndpoint.objects.filter(deleted_at__isnull=True).count() >= ENDPOINTS_MAX:
            raise WebhookLimitReached()
        endpoint = WebhookEndpoint.objects.create(
            url=url,
            description=description,
            event_types=list(dict.fromkeys(event_types)),
            secret_sealed=seal(secret),
            created_at=now,
            updated_at=now,
        )
        _write_audit(
            endpoint, "webhook.created", actor=actor, now=now, after=shown_fields(endpoint)
        )
    return EndpointWithSecret(endpoint, secret)


def update_endpoint(
    *,
    endpoint_id: UUID,
    actor: Actor,
    now: datetime,
    url: str | None = None,
    event_types: Sequence[str] | None = None,
    description: str | None = None,
    is_enabled: bool | None = None,
) -> WebhookEndpoint:
    """Change what is given. Raises NotFound or ValidationFailed.

    Switching off ends what is on its way (it can be replayed); switching on also forgets why it
    was off and any slowing down.
    """
    _check_fields(url=url, event_types=event_types, description=description)
    with transaction.atomic():
        endpoint = _get_locked(endpoint_id)
        before = shown_fields(endpoint)
        if url is not None:
            endpoint.url = url
        if event_types is not None:
            endpoint.event_types = list(dict.fromkeys(event_types))
        if description is not None:
            endpoint.description = description
        if is_enabled is True and not endpoint.is_enabled:
            endpoint.is_enabled, endpoint.disabled_reason = True, ""
            endpoint.disabled_at = endpoint.paused_until = None
        endpoint.updated_at = now
        endpoint.save()
        if is_enabled is False and endpoint.is_enabled:
            switch_off(endpoint=endpoint, reason=SWITCHED_OFF_BY_FIRM, now=now)
        after = shown_fields(endpoint)
        _write_audit(endpoint, "webhook.updated", actor=actor, now=now, before=before, after=after)
    return endpoint


@transaction.atomic
def delete_endpoint(*, endpoint_id: UUID, actor: Actor, now: datetime) -> None:
    """Remove an endpoint for good; its deliveries stay until their events are forgotten."""
    endpoint = _get_locked(endpoint_id)
    before = shown_fields(endpoint)
    switch_off(endpoint=endpoint, reason="deleted", now=now)
    endpoint.deleted_at = now
    # Nothing can be signed in its name any more.
    endpoint.secret_sealed = endpoint.former_secret_sealed = ""
    endpoint.save(update_fields=["deleted_at", "secret_sealed", "former_secret_sealed"])
    _write_audit(endpoint, "webhook.deleted", actor=actor, now=now, before=before)


@transaction.atomic
def rotate_secret(*, endpoint_id: UUID, actor: Actor, now: datetime) -> EndpointWithSecret:
    """A new secret; the former one signs too for 24 h, one from an earlier rotation no more."""
    endpoint = _get_locked(endpoint_id)
    secret = make_secret()
    endpoint.former_secret_sealed = endpoint.secret_sealed
    endpoint.former_secret_until = now + FORMER_SECRET_SIGNS_FOR
    endpoint.secret_sealed = seal(secret)
    endpoint.updated_at = now
    endpoint.save()
    _write_audit(endpoint, "webhook.secret_rotated", actor=actor, now=now)
    return EndpointWithSecret(endpoint, secret)


def shown_fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """What the firm set, as the audit log shows it; never the secret."""
    return {
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "description": endpoint.description,
        "is_enabled": endpoint.is_enabled,
    }


def _check_fields(
    *, url: str | None, event_types: Sequence[str] | None, description: str | None
) -> None:
    wrong: list[tuple[str, str]] = []
    if url is not None:
        try:
            resolve(*check_url(url))
        except AddressRefused as refusal:
            wrong.append(("url", str(refusal)))
    if event_types is not None:
        unknown = [name for name in event_types if name not in (ALL_TYPES, *EVENT_TYPES)]
        if not event_types:
            wrong.append(("event_types", "must name at least one type"))
        elif unknown:
            wrong.append(("event_types", "names a type that does not exist"))
    if description is not None and len(description) > DESCRIPTION_LENGTH_MAX:
        wrong.append(("description", f"must have at most {DESCRIPTION_LENGTH_MAX} characters"))
    if wrong:
        raise ValidationFailed(wrong)


def _lock_firm() -> None:
    """One creation at a time, so that the limit holds; rows that refer to the firm go on."""
    Firm.objects.select_for_update(no_key=True).get(schema_name=require_building())


def _get_locked(endpoint_id: UUID) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.select_for_update()
    endpoint = rows.filter(pk=endpoint_id, deleted_at__isnull=True).first()
    if endpoint is None:
        raise NotFound()
    return endpoint


def _write_audit(
    endpoint: WebhookEndpoint,
    action: str,
    *,
    actor: Actor,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="webhook",
        object_id=endpoint.pk,
        now=now,
        before=before,
        after=after,
    )
