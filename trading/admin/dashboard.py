"""The dashboard's part about traders, accounts, feed and webhooks."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from polysim.kernel.clock import utc_now
from tenants.office.admin_site import backoffice, firm_of, may, page_context, zone_of
from trading.selectors.pages.office import read_office_figures, start_of_local_day


def floor_context(request: HttpRequest) -> dict[str, Any]:
    """Figures of the floor, for every dashboard."""
    now, zone = utc_now(), zone_of(request)
    local = now.astimezone(zone)
    next_midnight = start_of_local_day(now, zone) + timedelta(days=1)
    left_s = int((next_midnight - local).total_seconds())
    return {
        "figures": read_office_figures(firm=firm_of(request), zone=zone, now=now),
        "local_day": f"{local:%A}, {local.day} {local:%B}",
        "day_left": f"{left_s // 3600} h {left_s % 3600 // 60} min",
        "can_see_audit": may(request, "audit.view"),
        "can_see_webhooks": may(request, "webhooks.view"),
    }


def dashboard(request: HttpRequest) -> HttpResponse:
    """The first page of the BackOffice."""
    context = page_context(request, title="Dashboard", crumbs=[("Dashboard", "")])
    return render(request, "office/dashboard.html", context | floor_context(request))


backoffice.dashboard = dashboard
