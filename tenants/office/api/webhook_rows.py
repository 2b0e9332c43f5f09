"""Webhook endpoints and deliveries as the partner door takes and shows them (partner-api B3)."""

from typing import Any

from rest_framework import serializers

from polysim.kernel.api.fields import Flag, WholeNumber
from polysim.kernel.api.paging import CursorField
from polysim.kernel.api.partner_fields import PartnerMoment, PlainText
from polysim.kernel.api.views import QuerySerializer
from polysim.kernel.clock import iso_micro_text
from tenants.office.models import EVENT_TYPES, WebhookDelivery, WebhookEndpoint
from tenants.office.services.dispatching import ALL_TYPES
from tenants.office.services.endpoints import DESCRIPTION_LENGTH_MAX
from tenants.office.webhooks.addresses import URL_LENGTH_MAX

STATUSES = WebhookDelivery.Status.values
SUBSCRIBED_TYPES = [ALL_TYPES, *EVENT_TYPES]


class EventTypes(serializers.ListField):
    """Names of event types, or `["*"]` for all."""

    def __init__(self, **options: Any) -> None:
        child = serializers.ChoiceField(choices=SUBSCRIBED_TYPES)
        super().__init__(child=child, min_length=1, max_length=len(EVENT_TYPES) + 1, **options)


class EndpointBody(serializers.Serializer[Any]):
    """A new endpoint."""

    url = PlainText(max_length=URL_LENGTH_MAX, help_text="https only, to a public address.")
    event_types = EventTypes(default=lambda: [ALL_TYPES])
    description = PlainText(max_length=DESCRIPTION_LENGTH_MAX, allow_blank=True, default="")


class EndpointChange(serializers.Serializer[Any]):
    """What to change; at least one field."""

    url = PlainText(max_length=URL_LENGTH_MAX, required=False)
    event_types = EventTypes(required=False)
    description = PlainText(max_length=DESCRIPTION_LENGTH_MAX, allow_blank=True, required=False)
    enabled = Flag(required=False)


class ReplayBody(serializers.Serializer[Any]):
    """Which events to send again."""

    since = PartnerMoment(help_text="Of the event, inclusive.")
    until = PartnerMoment(required=False, help_text="Of the event, exclusive.")
    types = EventTypes(required=False)
    only_failed = Flag(default=True)


class EmptyBody(serializers.Serializer[Any]):
    """Nothing is sent."""


class DeliveriesQuery(QuerySerializer):
    """Filters of the list of deliveries."""

    status = serializers.ChoiceField(choices=STATUSES, required=False)
    type = serializers.ChoiceField(choices=EVENT_TYPES, required=False)
    since = PartnerMoment(required=False)
    cursor = CursorField()
    limit = WholeNumber(min_value=1, max_value=200, default=50)


class EndpointAnswer(serializers.Serializer[Any]):
    """An endpoint; its secret is never shown again."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField(allow_blank=True)
    enabled = serializers.BooleanField()
    disabled_reason = serializers.CharField(allow_null=True)
    disabled_at = serializers.DateTimeField(allow_null=True)
    paused_until = serializers.DateTimeField(allow_null=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    former_secret_until = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class EndpointSecretAnswer(EndpointAnswer):
    """An endpoint with its new secret, this once."""

    secret = serializers.CharField()


class EndpointsAnswer(serializers.Serializer[Any]):
    """All endpoints of the firm, oldest first, on one page."""

    data = EndpointAnswer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class DeliveryAnswer(serializers.Serializer[Any]):
    """An event on its way to an endpoint."""

    id = serializers.UUIDField()
    webhook_id = serializers.UUIDField()
    message_id = serializers.CharField(help_text="The header `webhook-id`.")
    type = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    last_attempt_at = serializers.DateTimeField(allow_null=True)
    last_status_code = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(allow_null=True)
    last_duration_ms = serializers.IntegerField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class DeliveriesAnswer(serializers.Serializer[Any]):
    """A page of deliveries, the newest event first."""

    data = DeliveryAnswer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class ReplayAnswer(serializers.Serializer[Any]):
    """How many events are sent again."""

    count = serializers.IntegerField()


def endpoint_row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """The JSON object of an endpoint."""
    return {
        "id": str(endpoint.pk),
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "description": endpoint.description,
        "enabled": endpoint.is_enabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "disabled_at": iso_micro_text(endpoint.disabled_at),
        "paused_until": iso_micro_text(endpoint.paused_until),
        "last_success_at": iso_micro_text(endpoint.last_success_at),
        "former_secret_until": iso_micro_text(endpoint.former_secret_until),
        "created_at": iso_micro_text(endpoint.created_at),
        "updated_at": iso_micro_text(endpoint.updated_at),
    }


def delivery_row(delivery: WebhookDelivery) -> dict[str, Any]:
    """The JSON object of a delivery whose event was read with it."""
    return {
        "id": str(delivery.pk),
        "webhook_id": str(delivery.endpoint_id),
        "message_id": delivery.event.message_id,
        "type": delivery.event.type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "next_attempt_at": iso_micro_text(delivery.next_attempt_at),
        "last_attempt_at": iso_micro_text(delivery.last_attempt_at),
        "last_status_code": delivery.last_status_code,
        "last_error": delivery.last_error or None,
        "last_duration_ms": delivery.last_duration_ms,
        "occurred_at": iso_micro_text(delivery.event.occurred_at),
        "created_at": iso_micro_text(delivery.created_at),
    }
