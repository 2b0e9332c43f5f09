"""Where the firm wants to hear of events, and how their deliveries fared."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from polysim.kernel.clock import utc_now
from tenants.office.admin.screens import Command, Screen, register, show_once
from tenants.office.admin.traders import is_uuid
from tenants.office.admin_site import actor_of, backoffice
from tenants.office.cells import code, column, link, moment_text, tag, with_sub
from tenants.office.models import EVENT_TYPES, WebhookDelivery, WebhookEndpoint
from tenants.office.services.endpoints import (
    create_endpoint,
    delete_endpoint,
    rotate_secret,
    update_endpoint,
)
from tenants.office.services.replaying import (
    replay_deliveries,
    replay_delivery,
    send_test_event,
)

DELIVERIES_SHOWN = 20
REPLAY_DAYS_MAX = 30
TONES = {"pending": "warn", "succeeded": "gain", "failed": "loss"}


class EndpointForm(forms.Form):
    """Where to send which events."""

    url = forms.CharField(max_length=2048, label="Address", help_text="https, publicly reachable.")
    description = forms.CharField(max_length=255, required=False)
    event_types = forms.MultipleChoiceField(
        choices=[("*", "All events, those to come too"), *((one, one) for one in EVENT_TYPES)],
        initial=["*"],
        widget=forms.CheckboxSelectMultiple,
        label="Events",
    )

    def prepare(self, request: HttpRequest, row: WebhookEndpoint | None) -> None:
        """Begin with what an endpoint has."""
        if row is not None:
            for name in ("url", "description", "event_types"):
                self.fields[name].initial = getattr(row, name)


class ReplayForm(forms.Form):
    """Which events to send again."""

    hours = forms.IntegerField(
        min_value=1,
        max_value=REPLAY_DAYS_MAX * 24,
        initial=24,
        label="Events of the last hours",
        help_text="Events are kept for 30 days.",
    )
    only_failed = forms.BooleanField(
        required=False, initial=True, label="Only deliveries that failed"
    )


def _chosen(types: list[str]) -> list[str]:
    return ["*"] if "*" in types else types


def _show(request: HttpRequest, secret: str, words: str) -> HttpResponse:
    screen = backoffice.screen_of(WebhookEndpoint)
    return show_once(request, screen, title="The signing secret", secret=secret, words=words)


def _change(request: HttpRequest, row: WebhookEndpoint, data: Mapping[str, Any]) -> str:
    update_endpoint(
        endpoint_id=row.pk,
        url=data["url"],
        description=data["description"],
        event_types=_chosen(data["event_types"]),
        actor=actor_of(request),
        now=utc_now(),
    )
    return "Saved."


def _switch(request: HttpRequest, row: WebhookEndpoint, data: Mapping[str, Any]) -> str:
    is_enabled = not row.is_enabled
    update_endpoint(
        endpoint_id=row.pk, is_enabled=is_enabled, actor=actor_of(request), now=utc_now()
    )
    return f"The endpoint is switched {'on' if is_enabled else 'off'}."


def _test(request: HttpRequest, row: WebhookEndpoint, data: Mapping[str, Any]) -> str:
    send_test_event(endpoint_id=row.pk, actor=actor_of(request), now=utc_now())
    return "A webhook.test event is on its way."


def _rotate(request: HttpRequest, row: WebhookEndpoint, data: Mapping[str, Any]) -> HttpResponse:
    made = rotate_secret(endpoint_id=row.pk, actor=actor_of(request), now=utc_now())
    return _show(request, made.secret, "Both secrets sign for 24 hours.")


def _replay(request: HttpRequest, row: WebhookEndpoint, data: Mapping[str, Any]) -> str:
    now = utc_now()
    count = replay_deliveries(
        endpoint_id=row.pk,
        since=now - timedelta(hours=data["hours"]),
        only_failed=data["only_failed"],
        actor=actor_of(request),
        now=now,
    )
    return f"{count} event{'' if count == 1 else 's'} on the way again, with the same ids."


def _delete(request: HttpRequest, row: WebhookEndpoint, data: Mapping[str, Any]) -> HttpResponse:
    delete_endpoint(endpoint_id=row.pk, actor=actor_of(request), now=utc_now())
    messages.success(request, "The endpoint is deleted.")
    return redirect("backoffice:webhooks")


def _replay_one(request: HttpRequest, row: WebhookDelivery, data: Mapping[str, Any]) -> str:
    replay_delivery(
        endpoint_id=row.endpoint_id, delivery_id=row.pk, actor=actor_of(request), now=utc_now()
    )
    return "On its way again, with the same id."


def _why_off(request: HttpRequest, row: WebhookEndpoint) -> str:
    return "" if row.is_enabled else "The endpoint is switched off. Switch it on first."


def _why_on(request: HttpRequest, row: WebhookEndpoint) -> str:
    return "It is switched on." if row.is_enabled else ""


def _why_not_replayed(request: HttpRequest, row: WebhookDelivery) -> str:
    if row.endpoint.deleted_at is not None:
        return "The endpoint was deleted."
    return _why_off(request, row.endpoint)


MANAGE = "webhooks.manage"
ENDPOINT_COMMANDS = (
    Command(
        "test",
        "Send a test",
        MANAGE,
        "Sends webhook.test to this address alone.",
        _test,
        tone="primary",
        why_not=_why_off,
    ),
    Command(
        "replay",
        "Replay",
        MANAGE,
        "Sends events again with the same ids and new times.",
        _replay,
        form=ReplayForm,
        why_not=_why_off,
    ),
    Command("change", "Change", MANAGE, "Address, words, events.", _change, form=EndpointForm),
    Command(
        "rotate",
        "Rotate the secret",
        MANAGE,
        "Shows a new secret once; both sign for 24 hours.",
        _rotate,
    ),
    Command(
        "switch-off",
        "Switch off",
        MANAGE,
        "What is on its way ends; it can be replayed.",
        _switch,
        why_not=_why_off,
    ),
    Command(
        "switch-on",
        "Switch on",
        MANAGE,
        "Events are sent again from now on; the missed ones by a replay.",
        _switch,
        why_not=_why_on,
    ),
    Command(
        "delete",
        "Delete",
        MANAGE,
        "Removes the endpoint and its secret for good.",
        _delete,
        tone="danger",
    ),
)


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
    create_right = "webhooks.manage"
    create_words = "New endpoint"
    create_form = EndpointForm
    commands = ENDPOINT_COMMANDS
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

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        made = create_endpoint(
            url=data["url"],
            description=data["description"],
            event_types=_chosen(data["event_types"]),
            actor=actor_of(request),
            now=utc_now(),
        )
        return _show(request, made.secret, f"Verify the signatures of {made.endpoint.url} with it.")

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
    commands = (
        Command(
            "replay",
            "Replay",
            MANAGE,
            "Sends the event again with the same id, from the start of its schedule.",
            _replay_one,
            tone="primary",
            why_not=_why_not_replayed,
        ),
    )
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
