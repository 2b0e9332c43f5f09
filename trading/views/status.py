"""`/status/`, `/help/`: how the parts do, and how things work."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from polysim.kernel.clock import utc_now
from trading.selectors.pages.status import read_status
from trading.views.common import is_fragment


@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    """Feed, socket, database, jobs; the page asks for its panel again every 10 s."""
    context = {"section": "status", "status": read_status(now=utc_now())}
    template = "parts/status.html" if is_fragment(request) else "status.html"
    return render(request, template, context)


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """Prices, fees, orders and settlement in words."""
    return render(request, "help.html", {"section": "help"})
