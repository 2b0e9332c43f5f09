"""The firm's API keys: name, prefix, scopes; a secret is shown once, when it is made."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from polysim.kernel.clock import utc_now
from tenants.models import TenantKey
from tenants.office.admin.screens import Screen, register
from tenants.office.admin_site import firm_of
from tenants.office.cells import column, link, moment_text, tag, with_sub


def key_state(row: TenantKey) -> tuple[str, str]:
    """The state of a key in a word, and its tone."""
    if row.revoked_at is not None:
        return "revoked", ""
    if row.expires_at is not None and row.expires_at <= utc_now():
        return "expired", ""
    if not row.is_active:
        return "switched off", "warn"
    return "active", "gain"


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
