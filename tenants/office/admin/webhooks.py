"""Where the firm wants to hear of events, and how their deliveries fared."""

import json
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from tenants.office.admin.screens import Screen, register
from tenants.office.admin.traders import is_uuid
from tenants.office.cells import code, column, link, moment_text, tag, with_sub
from tenants.office.models import EVENT_TYPES, WebhookDelivery, WebhookEndpoint

DELIVERIES_SHOWN = 20
TONES = {"pending": "warn", "succeeded": "gain", "failed": "loss"}


@register(WebhookEndpoint)
class WebhookScreen(Screen):
    """Endpoints, their choice of events, their state."""

    slug = "webhooks"
    title = "Webhooks"
    view_right = "webhooks.view"
    summary = "Signed messages to the firm's servers about what happened."
    empty_words = "No endpoint yet. Events are kept for 30 days and can be replayed."
    search_words = "Address or id"
    detail_template = "office/webhook.html"
    ordering = ("-created_at",)
    list_display = ("url_cell", "events", "state", "success", "made")
    list_filter = ("is_enabled",)
    csv_columns = {
        "id": lambda row: row.pk,
        "url": lambda row: row.url,
        "event_types": lambda row: " ".join(row.event_types),
        "is_enabled": lambda row: row.is_enabled,
        "last_success_at": lambda row: row.last_success_at,
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).filter(deleted_at__isnull=True)
        return rows.defer("secret_sealed", "former_secret_sealed")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(url__icontains=term) | Q(description__icontains=term)
        return queryset.filter(named | Q(pk=term) if is_uuid(term) else named)

    @column("Address", order="url")
    def url_cell(self, row: WebhookEndpoint) -> Any:
        return link(self.address_of(row), row.url, sub=row.description)

    @column("Events")
    def events(self, row: WebhookEndpoint) -> Any:
        return "all" if row.event_types == ["*"] else f"{len(row.event_types)} types"

    @column("State", order="is_enabled")
    def state(self, row: WebhookEndpoint) -> Any:
        return tag("on", "gain") if row.is_enabled else tag(row.disabled_reason or "off", "warn")

    @column("Last success", order="last_success_at")
    def success(self, row: WebhookEndpoint) -> Any:
        return moment_text(row.last_success_at)

    @column("Made", order="created_at")
    def made(self, row: WebhookEndpoint) -> Any:
        return moment_text(row.created_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        latest = row.deliveries.select_related("event").order_by("-created_at", "-id")
        return {"deliveries": list(latest[:DELIVERIES_SHOWN])}


class EventTypeFilter(SimpleListFilter):
    """By the type of the event."""

    title = "Event"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in EVENT_TYPES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event__type=self.value()) if self.value() else queryset


@register(WebhookDelivery)
class DeliveryScreen(Screen):
    """Every event on its way to an endpoint."""

    slug = "deliveries"
    title = "Webhook deliveries"
    view_right = "webhooks.view"
    summary = "Newest first. A failed one can be sent again while its event is kept."
    empty_words = "Nothing was delivered yet."
    search_words = "Message id, delivery id or event type"
    detail_template = "office/delivery.html"
    ordering = ("-created_at", "-id")
    list_display = ("message", "target", "state", "tries", "answer", "made")
    list_filter = ("status", EventTypeFilter)
    list_select_related = ("event", "endpoint")
    csv_columns = {
        "id": lambda row: row.pk,
        "message_id": lambda row: row.event.message_id,
        "type": lambda row: row.event.type,
        "url": lambda row: row.endpoint.url,
        "status": lambda row: row.status,
        "attempts": lambda row: row.attempts,
        "last_status_code": lambda row: row.last_status_code,
        "last_error": lambda row: row.last_error,
        "created_at": lambda row: row.created_at,
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("event", "endpoint")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(event__message_id=term) | Q(event__type=term)
        return queryset.filter(named | Q(pk=term) if is_uuid(term) else named)

    @column("Event")
    def message(self, row: WebhookDelivery) -> Any:
        return link(self.address_of(row), row.event.type, sub=row.event.message_id)

    @column("To")
    def target(self, row: WebhookDelivery) -> Any:
        address = reverse("backoffice:webhooks_detail", args=[row.endpoint_id])
        return link(address, row.endpoint.url)

    @column("State", order="status")
    def state(self, row: WebhookDelivery) -> Any:
        return tag(row.status, TONES[row.status])

    @column("Tries", order="attempts", is_number=True)
    def tries(self, row: WebhookDelivery) -> Any:
        return row.attempts

    @column("Answer")
    def answer(self, row: WebhookDelivery) -> Any:
        if row.last_status_code is None:
            return row.last_error or "–"
        return with_sub(code(row.last_status_code), row.last_error)

    @column("Made", order="created_at")
    def made(self, row: WebhookDelivery) -> Any:
        return moment_text(row.created_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"event_text": json.dumps(row.event.data, indent=2, sort_keys=True)}
