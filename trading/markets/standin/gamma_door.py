"""The catalogue door `/gamma` (polymarket-feed 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trading.markets.standin.gamma_rows import event_row, market_row, tag_rows
from trading.markets.standin.market import Event, Market
from trading.markets.standin.replies import (
    SortKey,
    answer,
    listed,
    page_after,
    refuse,
    wants,
    whole,
)
from trading.markets.standin.venue import Venue, wall_ms

EVENTS_PAGE_MAX: Final = 500
MARKETS_PAGE_MAX: Final = 100
ARRAY_PAGE_MAX: Final = 100
DEFAULT_LIMIT: Final = 20
SORT_FIELDS: Final = {
    "volume_24hr": "volume_24h",
    "volume24hr": "volume_24h",
    "volume": "volume_total",
    "volumeNum": "volume_total",
    "volume_num": "volume_total",
    "liquidity": "liquidity",
    "liquidityNum": "liquidity",
    "liquidity_num": "liquidity",
    "startDate": "starts_ms",
    "start_date": "starts_ms",
    "endDate": "ends_ms",
    "end_date": "ends_ms",
}

Row = Event | Market


class GammaDoor:
    """Events, markets, tags, series and search."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> list[Route]:
        """The paths of this door; fixed ones before those with a placeholder."""
        return [
            Route("/events/keyset", self.events_keyset),
            Route("/events/slug/{slug}", self.event_by_slug),
            Route("/events/{id}/tags", self.event_tags),
            Route("/events/{id}", self.event_by_id),
            Route("/events", self.events),
            Route("/markets/keyset", self.markets_keyset),
            Route("/markets/slug/{slug}", self.market_by_slug),
            Route("/markets/{id}/tags", self.market_tags),
            Route("/markets/{id}", self.market_by_id),
            Route("/markets", self.markets),
            Route("/tags/slug/{slug}", self.tag),
            Route("/tags/{slug}", self.tag),
            Route("/tags", self.tags),
            Route("/series/{id}", self.series_by_id),
            Route("/series", self.series),
            Route("/sports", self.nothing),
            Route("/sports/market-types", self.nothing),
            Route("/teams", self.nothing),
            Route("/public-search", self.search),
        ]

    # -- events --------------------------------------------------------------------------------
    async def events_keyset(self, request: Request) -> Response:
        rows = self._filtered_events(request)
        limit = whole(request, "limit", DEFAULT_LIMIT, maximum=EVENTS_PAGE_MAX)
        return _keyset_page(request, rows, "events", self._event_row, limit)

    async def events(self, request: Request) -> Response:
        rows = _array_page(request, self._filtered_events(request))
        return answer([self._event_row(event) for event in rows])

    def _event_row(self, event: Event) -> dict[str, Any]:
        return event_row(event, wall_ms())

    def _filtered_events(self, request: Request) -> list[Event]:
        rows: Iterable[Event] = self._venue.events.values()
        closed = wants(request, "closed")
        ids, slugs = set(listed(request, "id")), set(listed(request, "slug"))
        if closed is not None:
            rows = (event for event in rows if event.is_closed == closed)
        if ids:
            rows = (event for event in rows if event.gamma_id in ids)
        if slugs:
            rows = (event for event in rows if event.slug in slugs)
        featured = wants(request, "featured")
        if featured is not None:
            rows = (event for event in rows if event.is_featured == featured)
        rows = _with_tags(request, rows, lambda event: event)
        title = request.query_params.get("title_search", "").lower()
        if title:
            rows = (event for event in rows if title in event.title.lower())
        series = set(listed(request, "series_id"))
        if series:
            rows = (event for event in rows if event.series_slug in series)
        rows = _within_dates(request, _active_only(request, rows))
        return _sorted(request, _within_amounts(request, rows, suffix=""))

    def _event_by(self, name: str, value: str) -> Event | None:
        return next((e for e in self._venue.events.values() if getattr(e, name) == value), None)

    async def event_by_id(self, request: Request) -> Response:
        event = self._event_by("gamma_id", request.path_params["id"])
        return answer(self._event_row(event)) if event else refuse(404, "id not found")

    async def event_by_slug(self, request: Request) -> Response:
        event = self._event_by("slug", request.path_params["slug"])
        return answer(self._event_row(event)) if event else refuse(404, "slug not found")

    async def event_tags(self, request: Request) -> Response:
        event = self._event_by("gamma_id", request.path_params["id"])
        return answer(tag_rows(event)) if event else refuse(404, "id not found")

    # -- markets -------------------------------------------------------------------------------
    async def markets_keyset(self, request: Request) -> Response:
        rows = self._filtered_markets(request)
        limit = whole(request, "limit", DEFAULT_LIMIT, maximum=MARKETS_PAGE_MAX)
        return _keyset_page(request, rows, "markets", self._market_row, limit)

    async def markets(self, request: Request) -> Response:
        rows = _array_page(request, self._filtered_markets(request))
        return answer([self._market_row(market) for market in rows])

    def _market_row(self, market: Market) -> dict[str, Any]:
        return market_row(market, wall_ms(), has_parent=True)

    def _filtered_markets(self, request: Request) -> list[Market]:
        conditions, tokens = listed(request, "condition_ids"), listed(request, "clob_token_ids")
        rows: Iterable[Market]
        if conditions:
            found = (self._venue.market_of(name) for name in dict.fromkeys(conditions))
            rows = [market for market in found if market is not None]
        elif tokens:
            held = (self._venue.market_of_token(token) for token in tokens)
            rows = dict.fromkeys(market for market in held if market is not None)
        else:
            rows = self._venue.markets.values()
        # Without the filter the venue lists open markets only, those asked for by id too.
        closed = wants(request, "closed") or False
        rows = (market for market in rows if market.is_closed == closed)
        for name, attribute in (("id", "gamma_id"), ("slug", "slug")):
            wanted = set(listed(request, name))
            if wanted:
                rows = [market for market in rows if getattr(market, attribute) in wanted]
        status = request.query_params.get("uma_resolution_status")
        if status:
            rows = (market for market in rows if market.uma_status == status)
        rows = _with_tags(request, rows, lambda market: market.event)
        rows = _within_dates(request, _active_only(request, rows))
        return _sorted(request, _within_amounts(request, rows, suffix="_num"))

    def _market_by(self, name: str, value: str) -> Market | None:
        return next((m for m in self._venue.markets.values() if getattr(m, name) == value), None)

    async def market_by_id(self, request: Request) -> Response:
        market = self._market_by("gamma_id", request.path_params["id"])
        return answer(self._market_row(market)) if market else refuse(404, "id not found")

    async def market_by_slug(self, request: Request) -> Response:
        market = self._market_by("slug", request.path_params["slug"])
        return answer(self._market_row(market)) if market else refuse(404, "slug not found")

    async def market_tags(self, request: Request) -> Response:
        market = self._market_by("gamma_id", request.path_params["id"])
        if market is None or market.event is None:
            return refuse(404, "id not found")
        return answer(tag_rows(market.event))

    # -- tags, series, search ------------------------------------------------------------------
    def _all_tags(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for event in self._venue.events.values():
            for row in tag_rows(event):
                found.setdefault(row["slug"], row)
        return found

    async def tags(self, request: Request) -> Response:
        rows = sorted(self._all_tags().values(), key=lambda row: int(row["id"] or 0))
        return answer(_array_page(request, rows))

    async def tag(self, request: Request) -> Response:
        wanted = request.path_params["slug"]
        for row in self._all_tags().values():
            if wanted in (row["slug"], row["id"]):
                return answer(row)
        return refuse(404, "tag not found")

    async def series(self, request: Request) -> Response:
        slugs = sorted({e.series_slug for e in self._venue.events.values() if e.series_slug})
        return answer(_array_page(request, [_series_row(slug) for slug in slugs]))

    async def series_by_id(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        if not any(event.series_slug == wanted for event in self._venue.events.values()):
            return refuse(404, "series not found")
        return answer(_series_row(wanted))

    async def nothing(self, request: Request) -> Response:
        return answer([])

    async def search(self, request: Request) -> Response:
        words = request.query_params.get("q", "").lower().split()
        if not words:
            return refuse(400, "q is required")
        found = [
            event
            for event in self._venue.events.values()
            if not event.is_closed and all(word in _searched_text(event) for word in words)
        ]
        found.sort(key=lambda event: event.volume_24h, reverse=True)
        limit = whole(request, "limit_per_type", DEFAULT_LIMIT, maximum=ARRAY_PAGE_MAX) or 1
        page = max(1, whole(request, "page", 1, maximum=10_000))
        chosen = found[(page - 1) * limit : page * limit]
        pagination = {"hasMore": len(found) > page * limit, "totalResults": len(found)}
        rows = [self._event_row(event) for event in chosen]
        return answer({"events": rows, "pagination": pagination})


def _series_row(slug: str) -> dict[str, Any]:
    return {"id": slug, "slug": slug, "ticker": slug, "title": slug, "active": True}


def _searched_text(event: Event) -> str:
    questions = " ".join(market.question for market in event.markets)
    return f"{event.title} {questions}".lower()


def _with_tags(
    request: Request, rows: Iterable[Any], event_of: Callable[[Any], Event | None]
) -> list[Any]:
    """Rows whose event carries the wanted tags and none of the excluded ones."""
    wanted = set(listed(request, "tag_id", "tag_slug"))
    unwanted = set(listed(request, "exclude_tag_id"))
    needs_all = request.query_params.get("tag_match") == "all"
    chosen = []
    for row in rows:
        event = event_of(row)
        names = set(event.tag_names()) if event is not None else set()
        fits = wanted <= names if needs_all else not wanted or bool(wanted & names)
        if fits and not unwanted & names:
            chosen.append(row)
    return chosen


def _moment_ms(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _within_dates(request: Request, rows: Iterable[Any]) -> list[Any]:
    """`start_date_min/max` and `end_date_min/max`; a row without the date does not match."""
    chosen = list(rows)
    for name, attribute in (("start_date", "starts_ms"), ("end_date", "ends_ms")):
        lowest = _moment_ms(request.query_params.get(f"{name}_min", ""))
        highest = _moment_ms(request.query_params.get(f"{name}_max", ""))
        if lowest is not None:
            chosen = [r for r in chosen if (getattr(r, attribute) or 0) >= lowest]
        if highest is not None:
            dated = [r for r in chosen if getattr(r, attribute)]
            chosen = [r for r in dated if getattr(r, attribute) <= highest]
    return chosen


def _within_amounts(request: Request, rows: Iterable[Any], *, suffix: str) -> list[Any]:
    chosen = list(rows)
    for name, attribute in (("liquidity", "liquidity"), ("volume", "volume_total")):
        for bound, sign in (("min", 1), ("max", -1)):
            given = request.query_params.get(f"{name}{suffix}_{bound}", "")
            if given.replace(".", "", 1).isdecimal():
                limit = float(given)
                chosen = [r for r in chosen if sign * getattr(r, attribute) >= sign * limit]
    return chosen


def _active_only(request: Request, rows: Iterable[Any]) -> list[Any]:
    """`active=false` and `archived=true` match nothing here."""
    if wants(request, "active") is False or wants(request, "archived") is True:
        return []
    return list(rows)


def _sort_key(request: Request) -> Callable[[Row], SortKey]:
    field = SORT_FIELDS.get(request.query_params.get("order", ""))

    def key(row: Row) -> SortKey:
        value = (getattr(row, field) or 0) if field else 0
        return (round(value, 6), int(row.gamma_id))

    return key


def _is_ascending(request: Request) -> bool:
    return wants(request, "ascending") is not False


def _sorted(request: Request, rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=_sort_key(request), reverse=not _is_ascending(request))


def _array_page(request: Request, rows: Sequence[Any]) -> list[Any]:
    """The older paging: `limit` and `offset`."""
    limit = whole(request, "limit", DEFAULT_LIMIT, maximum=ARRAY_PAGE_MAX)
    offset = whole(request, "offset", 0, maximum=1_000_000)
    return list(rows[offset : offset + limit])


def _keyset_page(
    request: Request,
    rows: Sequence[Any],
    name: str,
    make_row: Callable[[Any], dict[str, Any]],
    limit: int,
) -> Response:
    if "offset" in request.query_params:
        return refuse(422, "offset is not supported, use after_cursor")
    page = page_after(
        rows,
        key=_sort_key(request),
        is_ascending=_is_ascending(request),
        cursor=request.query_params.get("after_cursor", ""),
        limit=max(1, limit),
    )
    if page is None:
        return refuse(422, "invalid cursor")
    chosen, cursor = page
    document: dict[str, Any] = {name: [make_row(row) for row in chosen]}
    if cursor is not None:
        document["next_cursor"] = cursor
    return answer(document)
