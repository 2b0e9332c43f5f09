"""The firm's API keys: name, prefix, scopes; a secret is shown once, when it is made."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from polysim.kernel.clock import utc_now
from tenants.models import DEFAULT_PERMISSIONS, TENANT_PERMISSIONS, TenantKey
from tenants.office.admin.screens import Command, Screen, register, show_once
from tenants.office.admin_site import actor_of, backoffice, firm_of
from tenants.office.cells import column, link, moment_text, tag, with_sub
from tenants.services.tenant_keys import (
    create_tenant_key,
    revoke_tenant_key,
    rotate_tenant_key,
    switch_tenant_key,
)


def key_state(row: TenantKey) -> tuple[str, str]:
    """The state of a key in a word, and its tone."""
    if row.revoked_at is not None:
        return "revoked", ""
    if row.expires_at is not None and row.expires_at <= utc_now():
        return "expired", ""
    if not row.is_active:
        return "switched off", "warn"
    return "active", "gain"


class KeyForm(forms.Form):
    """What a new key is called and may do."""

    name = forms.CharField(max_length=100, help_text="Which server uses it.")
    permissions = forms.MultipleChoiceField(
        choices=[(one, one) for one in TENANT_PERMISSIONS],
        initial=list(DEFAULT_PERMISSIONS),
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.IntegerField(
        required=False, min_value=1, max_value=3650, label="Days until it expires"
    )


class OverlapForm(forms.Form):
    """How long the former key counts beside the new one."""

    hours = forms.IntegerField(
        min_value=0,
        max_value=720,
        initial=24,
        label="Hours both keys count",
        help_text="0 ends the former key at once; at most 30 days.",
    )


def _show(request: HttpRequest, raw_key: str, words: str) -> HttpResponse:
    screen = backoffice.screen_of(TenantKey)
    return show_once(request, screen, title="The new key", secret=raw_key, words=words)


def _rotate(request: HttpRequest, row: TenantKey, data: Mapping[str, Any]) -> HttpResponse:
    _, raw_key = rotate_tenant_key(
        firm=firm_of(request),
        key_id=row.pk,
        overlap=timedelta(hours=data["hours"]),
        actor=actor_of(request),
        now=utc_now(),
    )
    return _show(
        request, raw_key, f"It takes over from {row.name}; both count for {data['hours']} h."
    )


def _switch(request: HttpRequest, row: TenantKey, data: Mapping[str, Any]) -> str:
    is_active = not row.is_active
    switch_tenant_key(
        firm=firm_of(request),
        key_id=row.pk,
        is_active=is_active,
        actor=actor_of(request),
        now=utc_now(),
    )
    return f"{row.name} is switched {'on' if is_active else 'off'}."


def _revoke(request: HttpRequest, row: TenantKey, data: Mapping[str, Any]) -> str:
    revoke_tenant_key(firm=firm_of(request), key_id=row.pk, actor=actor_of(request), now=utc_now())
    return f"{row.name} is revoked. It is unknown from now on."


def _why_ended(request: HttpRequest, row: TenantKey) -> str:
    return "The key was revoked." if row.revoked_at is not None else ""


def _why_not_off(request: HttpRequest, row: TenantKey) -> str:
    return _why_ended(request, row) or ("" if row.is_active else "It is switched off already.")


def _why_not_on(request: HttpRequest, row: TenantKey) -> str:
    return _why_ended(request, row) or ("It is switched on." if row.is_active else "")


@register(TenantKey)
class KeyScreen(Screen):
    """Keys of the firm's servers."""

    slug = "keys"
    title = "API keys"
    view_right = "keys.view"
    summary = "Keys of the firm's servers for the partner API. A secret is shown once."
    empty_words = "No key yet. The firm's servers need one to call the partner API."
    search_words = "Name or prefix"
    detail_template = "office/key.html"
    list_display = ("name_cell", "scopes", "state", "last_used", "expires", "made")
    list_filter = ("is_active",)
    list_select_related = ("created_by",)
    create_right = "keys.manage"
    create_words = "New key"
    create_form = KeyForm
    commands = (
        Command(
            "rotate",
            "Rotate",
            "keys.manage",
            "Makes a successor with the same rights and shows it once; the former key goes on "
            "for the hours you choose.",
            _rotate,
            form=OverlapForm,
            tone="primary",
            why_not=_why_ended,
        ),
        Command(
            "switch-off",
            "Switch off",
            "keys.manage",
            "Calls with it are refused within 5 seconds; it can be switched on again.",
            _switch,
            why_not=_why_not_off,
        ),
        Command(
            "switch-on",
            "Switch on",
            "keys.manage",
            "Calls with it are taken again.",
            _switch,
            why_not=_why_not_on,
        ),
        Command(
            "revoke",
            "Revoke",
            "keys.manage",
            "Ends the key for good within 5 seconds. There is no way back.",
            _revoke,
            tone="danger",
            why_not=_why_ended,
        ),
    )
    csv_columns = {
        "id": lambda row: row.pk,
        "prefix": lambda row: row.key_prefix,
        "name": lambda row: row.name,
        "permissions": lambda row: " ".join(row.permissions),
        "state": lambda row: key_state(row)[0],
        "created_by": lambda row: row.created_by.email if row.created_by else "",
        "created_at": lambda row: row.created_at,
        "expires_at": lambda row: row.expires_at,
        "last_used_at": lambda row: row.last_used_at,
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).filter(firm=firm_of(request))
        return rows.defer("key_hash").select_related("created_by")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(name__icontains=term) | queryset.filter(
            key_prefix__startswith=term[:12]
        )

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        now, days = utc_now(), data["days"]
        row, raw_key = create_tenant_key(
            firm=firm_of(request),
            name=data["name"],
            permissions=data["permissions"],
            expires_at=now + timedelta(days=days) if days else None,
            actor=actor_of(request),
            now=now,
        )
        return _show(request, raw_key, f"{row.name}, may {', '.join(row.permissions)}.")

    @column("Key", order="name")
    def name_cell(self, row: TenantKey) -> Any:
        return link(self.address_of(row), row.name, sub=f"{row.key_prefix}…")

    @column("May")
    def scopes(self, row: TenantKey) -> Any:
        return ", ".join(row.permissions)

    @column("State")
    def state(self, row: TenantKey) -> Any:
        return tag(*key_state(row))

    @column("Last used", order="last_used_at")
    def last_used(self, row: TenantKey) -> Any:
        return moment_text(row.last_used_at)

    @column("Expires", order="expires_at")
    def expires(self, row: TenantKey) -> Any:
        return moment_text(row.expires_at)

    @column("Made", order="created_at")
    def made(self, row: TenantKey) -> Any:
        who = row.created_by.email if row.created_by else "Polysim"
        return with_sub(moment_text(row.created_at), who)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        words, tone = key_state(row)
        return {"state": words, "tone": tone, "successors": list(row.successors.all())}
