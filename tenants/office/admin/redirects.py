"""Origins to which the firm's login links may lead."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.models import RedirectOrigin
from tenants.office.admin.screens import Screen, register
from tenants.office.admin_site import firm_of
from tenants.office.cells import code, column, moment_text


@register(RedirectOrigin)
class RedirectScreen(Screen):
    """The allowlist of redirects."""

    slug = "redirects"
    title = "Redirects"
    view_right = "keys.view"
    summary = "A login link may lead to these origins after sign-in, and to Polysim itself."
    empty_words = "No origin yet. Login links lead into the terminal."
    search_words = "Origin"
    has_detail = False
    list_display = ("origin_cell", "made")
    csv_columns = {"origin": lambda row: row.origin, "created_at": lambda row: row.created_at}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(firm=firm_of(request))

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(origin__icontains=term)

    @column("Origin", order="origin")
    def origin_cell(self, row: RedirectOrigin) -> Any:
        return code(row.origin)

    @column("Since", order="created_at")
    def made(self, row: RedirectOrigin) -> Any:
        return moment_text(row.created_at)
