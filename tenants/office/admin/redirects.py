"""Origins to which the firm's login links may lead."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from polysim.kernel.clock import utc_now
from tenants.models import RedirectOrigin
from tenants.office.admin.screens import Command, Screen, register
from tenants.office.admin_site import actor_of, firm_of
from tenants.office.cells import column, link, moment_text
from tenants.services.redirects import allow_origin, remove_origin


class OriginForm(forms.Form):
    """An origin to allow."""

    origin = forms.CharField(
        max_length=300, help_text="Such as https://portal.example; no path, no query."
    )


def _remove(request: HttpRequest, row: RedirectOrigin, data: Mapping[str, Any]) -> HttpResponse:
    remove_origin(firm=firm_of(request), origin_id=row.pk, actor=actor_of(request), now=utc_now())
    messages.success(request, f"{row.origin} is off the list.")
    return redirect("backoffice:redirects")


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
    create_right = "keys.manage"
    create_words = "Allow an origin"
    create_form = OriginForm
    commands = (
        Command(
            "remove",
            "Remove",
            "keys.manage",
            "Links that lead there lead to the markets from now on.",
            _remove,
            tone="danger",
        ),
    )
    list_display = ("origin_cell", "made")
    csv_columns = {"origin": lambda row: row.origin, "created_at": lambda row: row.created_at}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(firm=firm_of(request))

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(origin__icontains=term)

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> str:
        row = allow_origin(
            firm=firm_of(request), origin=data["origin"], actor=actor_of(request), now=utc_now()
        )
        return f"{row.origin} is on the list."

    @column("Origin", order="origin")
    def origin_cell(self, row: RedirectOrigin) -> Any:
        return link(f"{row.pk}/do/remove/", row.origin)

    @column("Since", order="created_at")
    def made(self, row: RedirectOrigin) -> Any:
        return moment_text(row.created_at)
