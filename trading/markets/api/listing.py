"""Lists of markets, events and categories; one market (trading-api 2.1 to 2.3)."""

import base64
import binascii
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import Flag, WholeNumber
from polysim.kernel.api.identity import Access
from polysim.kernel.api.paging import OFFSET_MAX, PageQuery
from polysim.kernel.api.views import ApiView, QuerySerializer, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import ServiceUnavailable, ValidationFailed
from trading.markets import selectors
from trading.markets.api import serializers as shapes
from trading.markets.api.rows import book_object, event_row, market_detail, outcomes_of, rows_of
from trading.markets.books import read_live_market
from trading.markets.errors import CatalogueEmpty, TokenNotFound
from trading.markets.models import Market
from trading.markets.selectors import MarketFilter

LAST_PAGE = "LTE="
QUOTES = "\"'"


# Base64 of decimal digits: three of them are four characters, one or two are padded.
_THREE = "(?:[MN][DTjz]|O[DT])[AEIMQUYcgk][wxyz0-5]"
_ONE_OR_TWO = "(?:(?:[MN][AQgw]|O[AQ])==|(?:[MN][DTjz]|O[DT])[AEIMQUYcgk]=)"
CURSOR_PATTERN = f"^(?:[0-9]{{1,6}}|{LAST_PAGE}|(?:{_THREE}){{1,2}}|(?:{_THREE})?{_ONE_OR_TWO})?$"


@extend_schema_field({"type": "string", "pattern": CURSOR_PATTERN})
class MarketCursor(serializers.CharField):
    """`next_cursor` of an answer, or a bare offset."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=64, **options)


class MarketListQuery(PageQuery):
    """Filters and page of 2.1."""

    hot_only = Flag(default=False)
    active_only = Flag(default=False)
    closed = Flag(required=False)
    category = serializers.CharField(required=False, max_length=120)
    q = serializers.CharField(required=False, max_length=120)
    envelope = Flag(default=False)
    next_cursor = MarketCursor()
    cursor = MarketCursor()
    sort = serializers.CharField(required=False, max_length=64)
    ascending = Flag(default=False)


class MarketListView(ApiView):
    """Listed markets (2.1)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="list_markets",
        parameters=[MarketListQuery],
        responses=PolymorphicProxySerializer(
            component_name="MarketListAnswer",
            serializers=[shapes.MarketRow(many=True), shapes.MarketPage],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(request, MarketListQuery)
        sent = request.query_params
        has_envelope = wanted["envelope"] or "next_cursor" in sent or "cursor" in sent
        cursor = wanted.get("next_cursor", wanted.get("cursor"))
        offset = wanted["offset"] if cursor is None else read_offset_cursor(cursor)
        limit = wanted["limit"]
        markets = selectors.list_markets(
            market_filter(wanted), limit=limit + int(has_envelope), offset=offset
        )
        rows = rows_of(markets[:limit], selectors.quote_markets(markets[:limit], now=utc_now()))
        if not has_envelope:
            return Response(rows)
        is_last = len(markets) <= limit
        following = LAST_PAGE if is_last else offset_cursor(offset + limit)
        return Response({"data": rows, "next_cursor": following})


def market_filter(wanted: dict[str, Any]) -> MarketFilter:
    """The selector's filter from validated parameters."""
    return MarketFilter(
        is_hot_only=wanted["hot_only"],
        is_active_only=wanted["active_only"],
        is_closed=wanted.get("closed"),
        category=wanted.get("category", "").strip(QUOTES),
        text=wanted.get("q", ""),
        sort=wanted.get("sort", selectors.catalogue.DEFAULT_SORT),
        is_ascending=wanted["ascending"],
    )


def offset_cursor(offset: int) -> str:
    """Base64 of the decimal offset."""
    return base64.b64encode(str(offset).encode()).decode()


def read_offset_cursor(cursor: str) -> int:
    """The offset of a cursor: base64 of a decimal, or the bare number; raises ValidationFailed."""
    text = cursor
    if not _is_offset(text):
        try:
            text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
    # Polymarket's own mark of the end is an offset of -1: there is nothing behind it.
    if text == "-1":
        return OFFSET_MAX
    if not _is_offset(text) or int(text) > OFFSET_MAX:
        raise ValidationFailed([("next_cursor", "is not a cursor of this list")])
    return int(text)


def _is_offset(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 7


class MarketQuery(QuerySerializer):
    include_book = Flag(default=False)


class MarketView(ApiView):
    """One market by its condition id (2.2)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_market", parameters=[MarketQuery], responses=shapes.MarketDetail
    )
    def get(self, request: Request, condition_id: str) -> Response:
        wanted = read_query(request, MarketQuery)
        market = selectors.get_market(condition_id)
        return Response(_detail(market, with_book=wanted["include_book"]))


class MarketBySlugView(ApiView):
    """One market by its slug (2.2)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_market_by_slug",
        parameters=[MarketQuery],
        responses=shapes.MarketDetail,
    )
    def get(self, request: Request, slug: str) -> Response:
        wanted = read_query(request, MarketQuery)
        market = selectors.get_market_by_slug(slug)
        return Response(_detail(market, with_book=wanted["include_book"]))


def _detail(market: Market, *, with_book: bool) -> dict[str, Any]:
    now = utc_now()
    quotes = selectors.quote_markets([market], now=now, note_interest=True)
    detail = market_detail(market, quotes[market.condition_id])
    if with_book:
        outcome = outcomes_of(market)[0]
        outcome.market = market
        try:
            live = read_live_market(market.condition_id)
            detail["order_book"] = book_object(outcome, live, depth=None, now=now)
        except ServiceUnavailable:
            detail["order_book"] = None
    return detail


class MarketByTokenView(ApiView):
    """The market of a token (2.2)."""

    access = Access.PUBLIC

    @extend_schema(operation_id="get_market_by_token", responses=shapes.TokenPlace)
    def get(self, request: Request, token_id: str) -> Response:
        outcome = selectors.get_outcome_by_token(token_id)
        first = outcome.market.outcomes.filter(index=0).first()
        if first is None:
            raise TokenNotFound()
        return Response(
            {
                "condition_id": outcome.market.condition_id,
                "primary_token_id": first.token_id,
                "outcome": outcome.label,
            }
        )


class EventListQuery(PageQuery):
    """Filters and page of 2.3."""

    hot_only = Flag(default=False)
    markets_per_event = WholeNumber(min_value=1, max_value=100, default=20)
    category = serializers.CharField(required=False, max_length=120)
    search = serializers.CharField(required=False, max_length=120)
    include_sports = Flag(default=True)


class EventListView(ApiView):
    """Events with their markets (2.3)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="list_events", parameters=[EventListQuery], responses=shapes.EventList
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(request, EventListQuery)
        page = selectors.list_events(
            limit=wanted["limit"],
            offset=wanted["offset"],
            is_hot_only=wanted["hot_only"],
            category=wanted.get("category", "").strip(QUOTES),
            text=wanted.get("search", ""),
            with_sports=wanted["include_sports"],
            markets_per_event=wanted["markets_per_event"],
        )
        if not page.total and selectors.is_catalogue_empty():
            raise CatalogueEmpty()
        markets = [market for _, inside in page.events for market in inside]
        quotes = selectors.quote_markets(markets, now=utc_now())
        return Response(
            {
                "events": [
                    event_row(event, rows_of(inside, quotes)) for event, inside in page.events
                ],
                "total": page.total,
                "limit": wanted["limit"],
                "offset": wanted["offset"],
                "cache_source": "db",
                "has_sports": True if page.has_hidden_sports else None,
                "message": None,
            }
        )


class CategoryListView(ApiView):
    """Categories of open markets (2.3)."""

    access = Access.PUBLIC

    @extend_schema(operation_id="list_categories", responses=shapes.Category(many=True))
    def get(self, request: Request) -> Response:
        return Response(
            [
                {
                    "category": row.category,
                    "markets": row.markets,
                    "fee_rate_bps": int(row.fee_rate * 10_000),
                }
                for row in selectors.list_categories()
            ]
        )
