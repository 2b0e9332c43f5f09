"""Order books and quotes of tokens (trading-api 2.4, 2.5)."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import WholeNumber
from polysim.kernel.api.identity import READ, Access
from polysim.kernel.api.views import ApiView, QuerySerializer, read_body, read_query
from polysim.kernel.clock import from_milliseconds, iso_text, to_milliseconds, utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.money import price_text
from trading.markets import selectors
from trading.markets.api import prose
from trading.markets.api import serializers as shapes
from trading.markets.api.limits import get_batch_limit
from trading.markets.api.rows import (
    TOKEN_ID,
    book_object,
    level_text,
    mid_text,
    outcome_prices,
    spread_text,
    token_book,
)
from trading.markets.books import (
    LiveMarket,
    note_page_interest,
    read_live_market,
    read_live_markets,
)
from trading.markets.models import Market, Outcome
from trading.markets.pricing import Book

ITEMS_MAX = 500
BATCH_MARKETS_MAX = 50
SIDES = ("BUY", "SELL")
# A market nobody looked at has no book yet; the feed fetches one within a second or two.
FIRST_BOOK_WAIT_S = 2.0
FIRST_BOOK_POLL_S = 0.1
_waiting = threading.BoundedSemaphore(2)

TOKEN_PARAMETER = OpenApiParameter("token_id", OpenApiTypes.STR, required=True)
SIDE_PARAMETER = OpenApiParameter("side", OpenApiTypes.STR, required=True, enum=SIDES)
# Answers whose keys are token ids.
TEXT_BY_TOKEN = {"type": "object", "additionalProperties": {"type": "string"}}
PRICES_BY_TOKEN = {"type": "object", "additionalProperties": TEXT_BY_TOKEN}


class DepthQuery(QuerySerializer):
    """How many levels per side, the best ones; omitted = all."""

    depth = WholeNumber(min_value=1, max_value=500, required=False)


class MarketBookQuery(DepthQuery):
    """Depth and outcome, the first one by default."""

    outcome = serializers.CharField(required=False, max_length=200)


class BookUnavailable(PolysimError):
    """The market has no book at present."""

    code = "BOOK_UNAVAILABLE"
    status = 404
    message = "No orderbook exists for the requested token id"


class MarketBookView(ApiView):
    """The book of one outcome of a market (2.4)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_market_book", parameters=[MarketBookQuery], responses=shapes.OrderBook
    )
    def get(self, request: Request, condition_id: str) -> Response:
        wanted = read_query(request, MarketBookQuery)
        market = selectors.get_market(condition_id)
        outcome = selectors.find_outcome(market, wanted.get("outcome"))
        outcome.market = market
        book = _book(outcome, depth=wanted.get("depth"))
        if book is None:
            raise BookUnavailable()
        return Response(book)


class TokenBookView(ApiView):
    """The book of a token, named in the query or the path (2.4)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_book",
        parameters=[TOKEN_PARAMETER, DepthQuery],
        responses=shapes.OrderBook,
    )
    def get(self, request: Request) -> Response:
        return _token_book(request, request.query_params.get("token_id", ""))


class ClobBookView(ApiView):
    """The same with the token in the path."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_clob_book", parameters=[DepthQuery], responses=shapes.OrderBook
    )
    def get(self, request: Request, token_id: str) -> Response:
        return _token_book(request, token_id)


def _token_book(request: Request, token_id: str) -> Response:
    outcome = read_outcome(token_id)
    wanted = read_query(request, DepthQuery)
    book = _book(outcome, depth=wanted.get("depth"))
    if book is None:
        raise prose.no_order_book()
    return Response(book)


def _book(outcome: Outcome, *, depth: int | None) -> dict[str, Any] | None:
    live = read_live_soon(outcome.market)
    return book_object(outcome, live, depth=depth, now=utc_now())


def read_live_soon(market: Market) -> LiveMarket:
    """The live market; for one that nobody looked at yet, waits up to 2 s for its first book.

    Few threads of a process may wait at once, the others answer with what there is.
    """
    live = read_live_market(market.condition_id)
    if live.books != (None, None) or market.is_closed or not _waiting.acquire(blocking=False):
        return live
    try:
        note_page_interest([market.condition_id])
        end_s = time.monotonic() + FIRST_BOOK_WAIT_S
        while live.books == (None, None) and time.monotonic() < end_s:
            time.sleep(FIRST_BOOK_POLL_S)
            live = read_live_market(market.condition_id)
    finally:
        _waiting.release()
    return live


def read_outcome(token_id: str) -> Outcome:
    """The outcome of a token; 400 and 404 in Polymarket's words."""
    if not TOKEN_ID.fullmatch(token_id):
        raise prose.invalid_token_id()
    outcome = selectors.list_outcomes_by_token([token_id]).get(token_id)
    if outcome is None:
        raise prose.no_order_book()
    return outcome


def read_books(outcomes: Sequence[Outcome]) -> dict[str, tuple[LiveMarket, Book]]:
    """Live market and own book by token id; tokens without a book are left out."""
    live = read_live_markets(
        [outcome.market.condition_id for outcome in outcomes], note_interest=True
    )
    found = {}
    for outcome in outcomes:
        market = live[outcome.market.condition_id]
        book = token_book(market, outcome.index)
        if book is not None:
            found[outcome.token_id] = (market, book)
    return found


def read_items(request: Request, *, with_side: bool = False) -> list[dict[str, str]]:
    """`[{"token_id", "side"?}]` or `{"items": [...]}`, at most 500, in Polymarket's words."""
    items: Any = request.data
    if isinstance(items, dict):
        items = items.get("items")
    if not isinstance(items, list):
        raise prose.invalid_payload()
    if len(items) > ITEMS_MAX:
        raise prose.payload_exceeds_limit()
    return [_read_item(item, with_side=with_side) for item in items]


def _read_item(item: Any, *, with_side: bool) -> dict[str, str]:
    if not isinstance(item, dict):
        raise prose.invalid_payload()
    token_id, side = item.get("token_id"), item.get("side")
    if not isinstance(token_id, str) or not TOKEN_ID.fullmatch(token_id):
        raise prose.invalid_token_id()
    if not with_side:
        return {"token_id": token_id}
    if side not in SIDES:
        raise prose.invalid_side()
    return {"token_id": token_id, "side": side}


class BooksView(ApiView):
    """Books of many tokens; unknown ones are left out (2.4)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_books",
        request=shapes.TokenItem(many=True),
        responses=shapes.OrderBook(many=True),
    )
    def post(self, request: Request) -> Response:
        token_ids = [item["token_id"] for item in read_items(request)]
        outcomes = selectors.list_outcomes_by_token(token_ids)
        live = read_live_markets(
            [outcome.market.condition_id for outcome in outcomes.values()], note_interest=True
        )
        now = utc_now()
        books = [
            book_object(
                outcomes[token], live[outcomes[token].market.condition_id], depth=None, now=now
            )
            for token in token_ids
            if token in outcomes
        ]
        return Response([book for book in books if book is not None])


def best_of(book: Book, side: str) -> int | None:
    """BUY is the best bid, SELL the best ask."""
    return book.best_bid if side == "BUY" else book.best_ask


class PriceView(ApiView):
    """The best price of one side (2.5)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_price",
        parameters=[TOKEN_PARAMETER, SIDE_PARAMETER],
        responses=shapes.Price,
    )
    def get(self, request: Request) -> Response:
        token_id = request.query_params.get("token_id", "")
        if not TOKEN_ID.fullmatch(token_id):
            raise prose.ProseRefusal("Invalid token_id", status=400, code="INVALID_REQUEST")
        side = request.query_params.get("side", "")
        if side not in SIDES:
            raise prose.invalid_side()
        live, book = one_book(token_id)
        price = best_of(book, side)
        if price is None:
            raise prose.no_order_book()
        now_ms = to_milliseconds(utc_now())
        return Response(
            {
                "price": level_text(price),
                "quote_at": iso_text(from_milliseconds(live.confirmed_at_ms)),
                "age_ms": live.age_ms(now_ms),
            }
        )


def one_book(token_id: str) -> tuple[LiveMarket, Book]:
    """Live market and own book of a token; 400 and 404 in Polymarket's words."""
    outcome = read_outcome(token_id)
    live = read_live_soon(outcome.market)
    book = token_book(live, outcome.index)
    if book is None:
        raise prose.no_order_book()
    return live, book


class MidpointView(ApiView):
    """The middle of a two-sided book (2.5)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_midpoint", parameters=[TOKEN_PARAMETER], responses=shapes.Midpoint
    )
    def get(self, request: Request) -> Response:
        _, book = one_book(request.query_params.get("token_id", ""))
        mid = mid_text(book)
        if mid is None:
            raise prose.no_order_book()
        return Response({"mid": mid})


class SpreadView(ApiView):
    """The spread of a two-sided book, at most 0.10 (2.5)."""

    access = Access.PUBLIC

    @extend_schema(operation_id="get_spread", parameters=[TOKEN_PARAMETER], responses=shapes.Spread)
    def get(self, request: Request) -> Response:
        _, book = one_book(request.query_params.get("token_id", ""))
        spread = spread_text(book)
        if spread is None:
            raise prose.no_order_book()
        return Response({"spread": spread})


class LastTradeView(ApiView):
    """The last trade of a token (2.5)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_last_trade_price",
        parameters=[TOKEN_PARAMETER],
        responses=shapes.LastTrade,
    )
    def get(self, request: Request) -> Response:
        outcome = read_outcome(request.query_params.get("token_id", ""))
        trade = last_trade(outcome, read_live_soon(outcome.market))
        if trade is None:
            raise prose.no_order_book()
        return Response(trade)


def last_trade(outcome: Outcome, live: LiveMarket) -> dict[str, str] | None:
    """Price and side of the market's newest trade seen from the outcome; None without one."""
    price = live.last_trade(outcome.index)
    if price is None:
        return None
    own = live.books[outcome.index]
    side = own.last_trade_side if own and own.last_trade == price else None
    return {"price": level_text(price), "side": side or ""}


class PricesView(ApiView):
    """Best prices of many tokens (2.5)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_prices",
        request=shapes.SidedTokenItem(many=True),
        responses={200: PRICES_BY_TOKEN},
    )
    def post(self, request: Request) -> Response:
        items = read_items(request, with_side=True)
        outcomes = selectors.list_outcomes_by_token([item["token_id"] for item in items])
        books = read_books(list(outcomes.values()))
        answer: dict[str, dict[str, str]] = {}
        for item in items:
            found = books.get(item["token_id"])
            price = best_of(found[1], item["side"]) if found else None
            if price is not None:
                answer.setdefault(item["token_id"], {})[item["side"]] = level_text(price)
        return Response(answer)


class _ManyView(ApiView):
    """A text per token, for the calls that differ only in what they read from a book."""

    access = Access.PUBLIC

    @staticmethod
    def read(book: Book) -> str | None:
        """The text of one book."""
        raise NotImplementedError

    def answer(self, request: Request) -> Response:
        """The texts of all sent tokens that have one."""
        token_ids = [item["token_id"] for item in read_items(request)]
        books = read_books(list(selectors.list_outcomes_by_token(token_ids).values()))
        texts = {token: self.read(book) for token, (_, book) in books.items()}
        return Response({token: text for token, text in texts.items() if text is not None})


class MidpointsView(_ManyView):
    """Midpoints of many tokens (2.5)."""

    read = staticmethod(mid_text)

    @extend_schema(
        operation_id="get_midpoints",
        request=shapes.TokenItem(many=True),
        responses={200: TEXT_BY_TOKEN},
    )
    def post(self, request: Request) -> Response:
        return self.answer(request)


class SpreadsView(_ManyView):
    """Spreads of many tokens (2.5)."""

    read = staticmethod(spread_text)

    @extend_schema(
        operation_id="get_spreads",
        request=shapes.TokenItem(many=True),
        responses={200: TEXT_BY_TOKEN},
    )
    def post(self, request: Request) -> Response:
        return self.answer(request)


class LastTradesView(ApiView):
    """Last trades of many tokens (2.5)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_last_trades_prices",
        request=shapes.TokenItem(many=True),
        responses=shapes.TokenLastTrade(many=True),
    )
    def post(self, request: Request) -> Response:
        token_ids = [item["token_id"] for item in read_items(request)]
        outcomes = selectors.list_outcomes_by_token(token_ids)
        live = read_live_markets(
            [outcome.market.condition_id for outcome in outcomes.values()], note_interest=True
        )
        rows = []
        for token_id in dict.fromkeys(token_ids):
            outcome = outcomes.get(token_id)
            trade = last_trade(outcome, live[outcome.market.condition_id]) if outcome else None
            if trade is not None:
                rows.append({"token_id": token_id, **trade})
        return Response(rows)


class InvalidRequest(PolysimError):
    """The request is well formed but asks for nothing that can be answered."""

    code = "INVALID_REQUEST"
    status = 400


class BatchLimitExceeded(PolysimError):
    """More items than the caller's tier may send at once."""

    code = "BATCH_LIMIT_EXCEEDED"
    status = 400

    def __init__(self, limit: int) -> None:
        super().__init__(f"Your tier allows {limit} items in one request.")


class PriceBatchView(ApiView):
    """Displayed prices of up to as many markets as the tier allows (2.5)."""

    access = Access.KEY
    scopes = {"POST": READ}

    @extend_schema(
        operation_id="get_prices_batch",
        request=shapes.PriceBatchRequest,
        responses=shapes.BatchPrice(many=True),
    )
    def post(self, request: Request) -> Response:
        market_ids = read_body(request, shapes.PriceBatchRequest)["market_ids"]
        if not market_ids:
            raise InvalidRequest("market_ids is empty.")
        limit = min(BATCH_MARKETS_MAX, get_batch_limit(self.identity.tier))
        if len(market_ids) > limit:
            raise BatchLimitExceeded(limit)
        markets = selectors.load_markets(market_ids)
        quotes = selectors.quote_markets(list(markets.values()), now=utc_now())
        rows: list[dict[str, Any]] = []
        for condition_id in market_ids:
            quote = quotes.get(condition_id)
            row: dict[str, Any] = {"condition_id": condition_id}
            if quote is not None and quote.is_known:
                row |= {
                    "buy": price_text(quote.prices[0]),
                    "sell": price_text(quote.prices[1]),
                    "outcomes": outcome_prices(markets[condition_id], quote),
                    "source": quote.source,
                }
            rows.append(row)
        return Response(rows)
