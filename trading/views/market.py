"""`/markets/<slug>/`: one market with chart, book, tape, ticket and own orders."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_safe

from polysim.kernel.clock import utc_now
from trading.charts import Chart, draw_price_chart
from trading.markets.models import VenueTrade
from trading.selectors.pages.history import INTERVALS, find_interval
from trading.selectors.pages.market import (
    SIBLINGS_OPEN,
    MarketView,
    own_price_of_trade,
    read_market_view,
)
from trading.selectors.pages.portfolio import list_market_settlements
from trading.views.context import get_shell
from trading.views.ticket import TicketForm, describe

CHARTS_LIBRARY = "lightweight-charts/lightweight-charts.standalone.production.js"
RULES_SHOWN_LENGTH = 700


@dataclass(frozen=True)
class Side:
    """One outcome on the ticket: what buying costs, selling brings, and free shares."""

    index: int
    label: str
    ask: Decimal | None
    bid: Decimal | None
    free: Decimal


@dataclass(frozen=True)
class TapePrice:
    """A tape price seen from the page's outcome."""

    value: Decimal
    is_buy: bool

    @property
    def words(self) -> str:
        """For screen readers, as colour alone says nothing."""
        return "bought" if self.is_buy else "sold"


@require_safe
def market_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The whole page."""
    view = _read(request, slug)
    context = _page_context(request, view)
    if view.is_open and context["can_trade"]:
        form = TicketForm.from_query(request.GET, view=view)
        context |= {"form": form, "preview": describe(request, form, view=view)}
    return render(request, "market.html", context)


@require_safe
def chart_fragment(request: HttpRequest, slug: str) -> HttpResponse:
    """The chart's panel for another interval."""
    view = _read(request, slug)
    return render(request, "parts/market_chart.html", _chart_context(request, view))


@require_safe
def chart_points(request: HttpRequest, slug: str) -> HttpResponse:
    """The chart's points as JSON for the script that takes the drawing over."""
    view = _read(request, slug)
    chart = _chart(request, view)
    step_s = int(find_interval(request.GET.get("interval")).step.total_seconds())
    return JsonResponse(
        {
            "kind": "chance",
            "title": chart.title,
            "step_s": step_s,
            "offset_s": offset_s(get_shell(request).zone),
            "points": json_points(chart),
            "marks": [
                {"time": _on_step(mark.at, view.points), "is_sale": mark.is_sale}
                for mark in view.marks(_outcome_index(request))
                if view.points and mark.at >= view.points[0].at
            ],
        }
    )


@require_safe
def own_fragment(request: HttpRequest, slug: str) -> HttpResponse:
    """Position and open orders, after they changed."""
    view = _read(request, slug)
    return render(request, "parts/market_own.html", _own_context(view))


def json_points(chart: Chart) -> list[tuple[int, str | None]]:
    """Unix seconds and decimal text; None is a gap."""
    return [
        (int(point.at.timestamp()), None if point.value is None else f"{point.value:f}")
        for point in chart.points
    ]


def offset_s(zone: ZoneInfo) -> int:
    """Seconds that the zone is ahead of UTC now."""
    ahead = utc_now().astimezone(zone).utcoffset()
    return int(ahead.total_seconds()) if ahead else 0


def _on_step(moment: datetime, points: list[Any]) -> int:
    """The chart's sample that shows a moment, as markers stand on samples."""
    later = (int(point.at.timestamp()) for point in points if point.at >= moment)
    return next(later, int(points[-1].at.timestamp()))


def _outcome_index(request: HttpRequest) -> int:
    return 1 if request.GET.get("outcome") == "1" else 0


def _read(request: HttpRequest, slug: str) -> MarketView:
    return read_market_view(
        slug,
        account=get_shell(request).account,
        interval=find_interval(request.GET.get("interval")),
        outcome_index=_outcome_index(request),
        now=utc_now(),
    )


def _chart(request: HttpRequest, view: MarketView) -> Chart:
    index = _outcome_index(request)
    label = view.outcomes[index].label
    if len(view.group) == 1:
        name = label
    else:
        name = view.row.name if index == 0 else f"{label}, {view.row.name}"
    return draw_price_chart(
        view.points, name=name, zone=get_shell(request).zone, marks=view.marks(index)
    )


def _chart_context(request: HttpRequest, view: MarketView) -> dict[str, Any]:
    index = _outcome_index(request)
    change = view.stats.change_24h if view.stats else None
    holding = next((h for h in view.holdings if h.position.outcome.index == index), None)
    return {
        "section": "markets",
        "view": view,
        "is_single": len(view.group) == 1,
        "row": view.row,
        "market": view.market,
        "outcome": view.outcomes[index],
        "chart": _chart(request, view),
        "chance_price": _chance_price(view, index),
        "change": -change if change is not None and index else change,
        "average": holding.position.average_price if holding else None,
        "intervals": INTERVALS,
        "interval": find_interval(request.GET.get("interval")),
    }


def _chance_price(view: MarketView, index: int) -> Decimal | None:
    first = view.row.price.chance
    if first is None or index == 0:
        return first
    return 1 - first


def _own_context(view: MarketView) -> dict[str, Any]:
    return {
        "view": view,
        "market": view.market,
        "market_path": reverse("market", args=[view.market.slug]),
        "holdings": view.holdings,
        "open_orders": view.open_orders,
    }


def _page_context(request: HttpRequest, view: MarketView) -> dict[str, Any]:
    shell = get_shell(request)
    index = _outcome_index(request)
    market = view.market
    rules, more_rules = split_rules(market_rules(view))
    ladder = view.ladder(index)
    group = list(view.group)
    shown = group[:SIBLINGS_OPEN]
    if view.row not in shown:
        shown = [*shown, view.row]
    event = market.event
    settlements = []
    if view.is_resolved and shell.account:
        with shell.account.building():
            settlements = list_market_settlements(account=shell.account, market_id=market.id)
    return {
        **_chart_context(request, view),
        **_own_context(view),
        "heading": event.title if event and len(group) > 1 else market.question,
        "group_open": shown,
        "group_more": [row for row in group if row not in shown],
        "ladder": ladder,
        "tick": market.tick_size,
        "tick_cents": f"{market.tick_size * 100:f}".rstrip("0").rstrip("."),
        "last_price": _last_price(view, index),
        "tape": [(trade, _tape_price(trade, index)) for trade in view.tape],
        "rules": rules,
        "more_rules": more_rules,
        "source": market.resolution_source,
        "source_url": _web_address(market.resolution_source),
        "fee_words": f"{(market.fee_rate * 100).normalize():f}%",
        "age_words": _age_words(view.age_ms),
        "confirmed_at_ms": view.live.confirmed_at_ms if view.live else 0,
        "charts_path": charts_path(),
        "settlements": settlements,
        "can_trade": bool(shell.account and shell.account.can_trade),
        "ends_soon": _ends_within_a_day(view),
        "sides": sides_of(view),
    }


def _ends_within_a_day(view: MarketView) -> bool:
    """Whether a countdown says more than the date."""
    ends_at, now = view.market.ends_at, view.now
    return bool(ends_at and now and timedelta() < ends_at - now < timedelta(days=1))


def sides_of(view: MarketView) -> list[Side]:
    """Both outcomes as the ticket shows them."""
    sides = []
    for outcome in view.outcomes:
        ladder = view.ladder(outcome.index)
        held = [h for h in view.holdings if h.position.outcome_id == outcome.id]
        price = view.row.price
        other_ask = price.asks[1 - outcome.index]
        sides.append(
            Side(
                index=outcome.index,
                label=outcome.label,
                ask=ladder.best_ask if view.live else price.asks[outcome.index],
                bid=ladder.best_bid if view.live else _mirror(other_ask),
                free=sum((h.free_quantity for h in held), Decimal(0)),
            )
        )
    return sides


def _mirror(price: Decimal | None) -> Decimal | None:
    return None if price is None else 1 - price


def _last_price(view: MarketView, index: int) -> Decimal | None:
    if view.live is not None:
        scaled = view.live.last_trade(index)
        if scaled is not None:
            return Decimal(scaled).scaleb(-6)
    return own_price_of_trade(view.last_trade, index) if view.last_trade else None


def _tape_price(trade: VenueTrade, index: int) -> TapePrice:
    is_own_side = trade.outcome.index == index
    return TapePrice(own_price_of_trade(trade, index), (trade.side == "BUY") == is_own_side)


def market_rules(view: MarketView) -> str:
    """The venue's own text."""
    return str(getattr(view.outcomes[0], "rules", ""))


def split_rules(text: str) -> tuple[list[str], list[str]]:
    """Paragraphs that stand open, and those behind "Full text"."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n|\r\n\r\n", text) if part.strip()]
    shown: list[str] = []
    length = 0
    for paragraph in paragraphs:
        if shown and length + len(paragraph) > RULES_SHOWN_LENGTH:
            break
        shown.append(paragraph)
        length += len(paragraph)
    return shown, paragraphs[len(shown) :]


def _web_address(source: str) -> str:
    """The source as a link when it is one address of the web, else nothing."""
    parts = urlsplit(source.strip())
    is_address = parts.scheme in ("http", "https") and parts.netloc and " " not in source.strip()
    return source.strip() if is_address else ""


def _age_words(age_ms: int | None) -> str:
    if age_ms is None:
        return ""
    seconds = age_ms // 1000
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"


@lru_cache(maxsize=1)
def charts_path() -> str:
    """The charts library's address; "" when it was not fetched: the drawings stand alone then."""
    return "" if finders.find(CHARTS_LIBRARY) is None else static(CHARTS_LIBRARY)
