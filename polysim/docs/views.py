"""The guide's pages: one template each, in one list."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from polysim.docs.examples import load_examples
from polysim.docs.reference import read_reference
from polysim.kernel.errors import NotFound
from tenants.office.models import EVENT_TYPES

QUICKSTART = "quickstart"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the guide; its template is `docs/<slug>.html`."""

    slug: str
    title: str
    group: str


PAGES = (
    Page(QUICKSTART, "Quickstart", "Start"),
    Page("authentication", "Authentication", "Start"),
    Page("sandbox", "Sandbox and test clocks", "Start"),
    Page("traders", "Traders and login links", "Guides"),
    Page("accounts", "Accounts", "Guides"),
    Page("trades", "Trade feed", "Guides"),
    Page("orders", "Server-side orders", "Guides"),
    Page("webhooks", "Webhooks", "Guides"),
    Page("programs", "Programs and payouts", "Guides"),
    Page("errors", "Errors", "Reference"),
    Page("idempotency", "Idempotency", "Reference"),
    Page("limits", "Rate limits", "Reference"),
    Page("reference", "Endpoints", "Reference"),
)
BY_SLUG = {page.slug: page for page in PAGES}


@require_safe
def docs_page(request: HttpRequest, slug: str = QUICKSTART) -> HttpResponse:
    """One page of the guide; NotFound for an unknown one."""
    page = BY_SLUG.get(slug)
    if page is None:
        raise NotFound()
    groups: dict[str, list[Page]] = {}
    for one in PAGES:
        groups.setdefault(one.group, []).append(one)
    context = {
        "page": page,
        "groups": groups.items(),
        "code": load_examples(),
        "base": settings.BASE_URL.rstrip("/"),
        "event_types": EVENT_TYPES,
        "sections": read_reference() if slug == "reference" else (),
    }
    return render(request, f"docs/{page.slug}.html", context)
