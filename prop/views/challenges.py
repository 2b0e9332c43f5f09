"""`/challenges/`: what can be bought, what runs, and one challenge in all its figures."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound
from polysim.kernel.tenancy import enter_building
from prop.charts import ChallengeChart
from prop.selectors.pages.challenge import (
    ChallengeView,
    draw_curve,
    get_own_challenge,
    read_challenge,
)
from prop.selectors.pages.curve import PERIODS, find_period
from prop.selectors.pages.day import read_day_page
from prop.selectors.pages.evidence import read_evidence
from prop.selectors.pages.overview import read_firm_overview
from prop.views.common import in_firm, own_firms
from tenants.models import Firm
from trading.views.common import signed_in
from trading.views.context import get_shell
from trading.views.market import charts_path, json_points, offset_s

SECTION = {"section": "challenges"}


@require_safe
@signed_in
def overview_page(request: HttpRequest) -> HttpResponse:
    """Offers, purchases with their next step, running and finished challenges of all own firms."""
    return _overview(request, is_shop_shown=True)


@require_safe
@signed_in
def mine_page(request: HttpRequest) -> HttpResponse:
    """Own purchases and challenges alone."""
    return _overview(request, is_shop_shown=False)


def _overview(request: HttpRequest, *, is_shop_shown: bool) -> HttpResponse:
    shell = get_shell(request)
    _ = shell.accounts
    asked = request.GET.get("tenant", "")
    firms = [firm for firm in own_firms(request) if not asked or firm.slug == asked]
    if asked and not firms:
        raise NotFound()
    parts = []
    for firm in firms:
        with enter_building(firm.schema_name):
            parts.append(read_firm_overview(firm=firm, user=shell.user, now=utc_now()))
    context = {**SECTION, "parts": parts, "is_shop_shown": is_shop_shown}
    return render(request, "prop/overview.html", context)


@require_safe
@in_firm
def challenge_page(request: HttpRequest, challenge_id: int, *, firm: Firm) -> HttpResponse:
    """One challenge: steps, meters, curve, days, statistics, breaches, payout."""
    view = _view(request, challenge_id)
    context = _context(request, view, firm)
    return render(request, "prop/challenge.html", context | {"charts_path": charts_path()})


@require_safe
@in_firm
def live_fragment(request: HttpRequest, challenge_id: int, *, firm: Firm) -> HttpResponse:
    """Steps, headline figures and meters, freshly valued."""
    return render(
        request, "prop/parts/live.html", _context(request, _view(request, challenge_id), firm)
    )


@require_safe
@in_firm
def curve_points(request: HttpRequest, challenge_id: int, *, firm: Firm) -> HttpResponse:
    """The equity chart as JSON for the script that takes the drawing over."""
    view = _view(request, challenge_id)
    drawn = _chart(request, view)
    return JsonResponse(
        {
            "kind": "equity",
            "title": drawn.chart.title,
            "step_s": 60,
            "offset_s": offset_s(get_shell(request).zone),
            "points": json_points(drawn.chart),
            "baseline": f"{view.start:f}",
            "lines": [
                {"kind": line.kind, "title": line.words, "value": f"{line.value:f}"}
                for line in view.lines
            ],
            "marks": [],
        }
    )


@require_safe
@in_firm
def why_page(request: HttpRequest, challenge_id: int, *, firm: Firm) -> HttpResponse:
    """Why a phase ended: the rule in words, the numbers, the prices used, the chart of that day."""
    challenge = get_own_challenge(user=get_shell(request).user, challenge_id=challenge_id)
    evidence = read_evidence(challenge=challenge, viewer_zone=get_shell(request).zone)
    if evidence is None:
        raise NotFound("This challenge has no verdict.")
    context = {**SECTION, "challenge": challenge, "evidence": evidence, "firm": firm}
    return render(request, "prop/why.html", context)


@require_safe
@in_firm
def day_page(request: HttpRequest, challenge_id: int, day: str, *, firm: Firm) -> HttpResponse:
    """One local day of a challenge: its trades and its line."""
    try:
        chosen = date.fromisoformat(day)
    except ValueError as error:
        raise NotFound() from error
    challenge = get_own_challenge(user=get_shell(request).user, challenge_id=challenge_id)
    page = read_day_page(
        challenge=challenge, day=chosen, viewer_zone=get_shell(request).zone, now=utc_now()
    )
    context = {**SECTION, "challenge": challenge, "page": page, "firm": firm}
    return render(request, "prop/day.html", context)


def _view(request: HttpRequest, challenge_id: int) -> ChallengeView:
    challenge = get_own_challenge(user=get_shell(request).user, challenge_id=challenge_id)
    return read_challenge(challenge=challenge, now=utc_now())


def _chart(request: HttpRequest, view: ChallengeView) -> ChallengeChart:
    period = find_period(request.GET.get("period"))
    return draw_curve(view=view, period=period, viewer_zone=get_shell(request).zone, now=utc_now())


def _context(request: HttpRequest, view: ChallengeView, firm: Firm) -> dict[str, Any]:
    period = find_period(request.GET.get("period"))
    return {
        **SECTION,
        "view": view,
        "challenge": view.challenge,
        "firm": firm,
        "drawn": _chart(request, view),
        "period": period,
        "periods": PERIODS,
        "query": urlencode({"tenant": firm.slug, "period": period.key}),
    }
