"""The firm's audit log: read, filtered, exported; nobody edits it."""

import json
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from tenants.models import StaffRole
from tenants.office.admin.screens import Screen, is_id, register
from tenants.office.cells import column, link, moment_text, with_sub
from tenants.office.models import FirmAuditEntry

AREAS = (
    ("account.", "Accounts"),
    ("prop.balance.", "Balances"),
    ("prop.challenge.", "Challenges"),
    ("prop.group.", "Groups"),
    ("prop.job.", "Jobs"),
    ("key.", "Keys"),
    ("login_link.", "Login links"),
    ("order.", "Orders"),
    ("prop.payout.", "Payouts"),
    ("prop.program.", "Programs"),
    ("prop.purchase.", "Purchases"),
    ("redirect.", "Redirects"),
    ("prop.settings.", "Settings of challenges"),
    ("prop.simulation.", "Simulations"),
    ("settings.", "Settings"),
    ("staff.", "Staff"),
    ("trader.", "Traders"),
    ("user.", "Users"),
    ("webhook.", "Webhooks"),
)


class AreaFilter(SimpleListFilter):
    """By the first part of the dotted action."""

    title = "Area"
    parameter_name = "area"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AREAS)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value():
            return queryset.filter(action__startswith=self.value())
        return queryset


@register(FirmAuditEntry)
class AuditScreen(Screen):
    """Who, when, from where, what, on what, before and after."""

    slug = "audit"
    title = "Audit log"
    view_right = "audit.view"
    summary = "Every write of staff, keys, traders and Polysim itself. Nobody can edit it."
    empty_words = "Nothing was written yet. Every change will stand here."
    search_words = "Action, object id, e-mail or key prefix"
    detail_template = "office/audit_entry.html"
    list_display = ("when", "action_cell", "object_cell", "who", "origin", "changed")
    list_filter = ("actor_kind", AreaFilter)
    csv_columns = {
        "id": lambda row: row.pk,
        "time": lambda row: row.created_at,
        "actor_kind": lambda row: row.actor_kind,
        "actor": lambda row: row.actor_name,
        "role": lambda row: row.role,
        "action": lambda row: row.action,
        "object_type": lambda row: row.object_type,
        "object_id": lambda row: row.object_id,
        "before": lambda row: json.dumps(row.before, sort_keys=True),
        "after": lambda row: json.dumps(row.after, sort_keys=True),
        "remote_address": lambda row: row.remote_address,
        "request_id": lambda row: row.request_id,
    }

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = (
            Q(action__startswith=term.lower())
            | Q(object_id=term)
            | Q(actor_name__istartswith=term)
            | Q(request_id=term)
        )
        return queryset.filter(named | Q(pk=int(term)) if is_id(term) else named)

    @column("Time", order="id")
    def when(self, row: FirmAuditEntry) -> Any:
        return moment_text(row.created_at)

    @column("Action")
    def action_cell(self, row: FirmAuditEntry) -> Any:
        return link(self.address_of(row), row.action)

    @column("Object")
    def object_cell(self, row: FirmAuditEntry) -> Any:
        return with_sub(row.object_type, row.object_id)

    @column("Who")
    def who(self, row: FirmAuditEntry) -> Any:
        kind = dict(StaffRole.choices).get(row.role) or row.get_actor_kind_display()
        return with_sub(row.actor_name, kind)

    @column("From")
    def origin(self, row: FirmAuditEntry) -> Any:
        return row.remote_address or "–"

    @column("Changed")
    def changed(self, row: FirmAuditEntry) -> Any:
        names = list(dict.fromkeys([*row.before, *row.after]))
        return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        names = list(dict.fromkeys([*row.before, *row.after]))
        compared = [
            (name, _words(row.before.get(name)), _words(row.after.get(name))) for name in names
        ]
        return {"compared": compared, "role_words": dict(StaffRole.choices).get(row.role, "")}


def _words(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
