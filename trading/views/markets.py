"""`/` and `/markets/`: the start page and the list of markets."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.views.decorators.http import require_safe

from polysim.kernel.clock import utc_now
from trading.selectors.pages.catalogue import (
    CARDS,
    PAGE_SIZE,
    SORTS,
    STATUSES,
    count_topics,
    list_front_rows,
    list_market_page,
    read_filters,
)
from trading.views.context import get_shell


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """What Polysim is, with three live markets; people with a session go on to the list."""
    if get_shell(request).user is not None:
        return HttpResponseRedirect(resolve_url("markets"))
    rows = list_front_rows(now=utc_now())
    context = {
        "rows": rows,
        "first": rows[0] if rows else None,
        "open_count": sum(count for _, count in count_topics()),
    }
    return render(request, "landing.html", context)


@require_safe
def market_list(request: HttpRequest) -> HttpResponse:
    """Cards or a table of markets, filtered, sorted, searched, a page at a time."""
    account = get_shell(request).account
    filters = read_filters(request.GET)
    page = list_market_page(
        filters=filters,
        own_market_ids={h.position.market_id for h in account.holdings} if account else (),
        wallet_id=account.id if account else None,
        now=utc_now(),
    )
    context = {
        "section": "markets",
        "page": page,
        "page_size": PAGE_SIZE,
        "statuses": STATUSES,
        "sorts": SORTS,
        "sort_words": dict(SORTS)[filters.sort],
        "has_cards": not filters.after and not filters.is_narrowed and len(page.rows) > CARDS,
    }
    return render(request, "markets.html", context)
