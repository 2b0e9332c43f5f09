"""The order-book door `/clob` (polymarket-feed 3)."""

from __future__ import annotations

import base64
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trading.markets.standin.figures import SCALE, figure_text, number
from trading.markets.standin.history import PriceHistory
from trading.markets.standin.market import BUY, Market
from trading.markets.standin.replies import answer, answer_text, body_list, refuse
from trading.markets.standin.venue import Venue, iso, wall_ms

NO_BOOK: Final = "No orderbook exists for the requested token id"
BAD_TOKEN: Final = "Invalid token id"  # noqa: S105 - the venue's words
#: Cursors of the CLOB's own listings: base64 of an offset; this one ends them.
END_CURSOR: Final = "LTE="
PAGE_LENGTH: Final = 500
BATCH_MAX: Final = 500
SIMPLIFIED: Final = (
    "condition_id",
    "rewards",
    "tokens",
    "active",
    "closed",
    "archived",
    "accepting_orders",
)


class ClobDoor:
    """Books, prices, parameters and price history."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._history = PriceHistory()

    def routes(self) -> list[Route]:
        """The paths of this door."""
        routes = [
            Route("/ok", self.ok),
            Route("/", self.ok),
            Route("/time", self.time),
            Route("/book", self.book),
            Route("/books", self.books, methods=["POST"]),
            Route("/price", self.price),
            Route("/prices", self.prices, methods=["POST"]),
            Route("/midpoint", self.midpoint),
            Route("/midpoints", self.midpoints, methods=["POST"]),
            Route("/spread", self.spread),
            Route("/spreads", self.spreads, methods=["POST"]),
            Route("/last-trade-price", self.last_trade_price),
            Route("/last-trades-prices", self.last_trades_prices, methods=["POST"]),
            Route("/prices-history", self.prices_history),
            Route("/clob-markets/{condition_id}", self.market_info),
            Route("/markets-by-token/{token_id}", self.market_by_token),
            Route("/markets/{condition_id}", self.market),
        ]
        for path in ("/tick-size", "/neg-risk", "/fee-rate"):
            routes.append(Route(path, self.parameter))
            routes.append(Route(f"{path}/{{token_id}}", self.parameter))
        for prefix in ("/", "/sampling-"):
            routes.append(Route(f"{prefix}markets", self.markets))
            routes.append(Route(f"{prefix}simplified-markets", self.simplified_markets))
        return routes

    async def ok(self, request: Request) -> Response:
        return answer("OK")

    async def time(self, request: Request) -> Response:
        return answer(wall_ms() // 1000)

    # -- one token -----------------------------------------------------------------------------
    def _find(self, request: Request) -> tuple[Market, int] | Response:
        """The market with a book and the outcome that `token_id` names, or the refusal."""
        token = request.path_params.get("token_id") or request.query_params.get("token_id", "")
        if not token.isdecimal():
            return refuse(400, BAD_TOKEN)
        market = self._venue.market_of_token(token)
        if market is None or not market.has_book:
            return refuse(404, NO_BOOK)
        return market, market.index_of(token)

    async def book(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        return answer_text(self._venue.book_text(*found, is_frame=False))

    async def price(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        side = request.query_params.get("side", "").upper()
        if side not in ("BUY", "SELL"):
            return refuse(400, "Invalid side")
        return answer({"price": _side_price(*found, side)})

    async def midpoint(self, request: Request) -> Response:
        found = self._find(request)
        return found if isinstance(found, Response) else answer({"mid": _midpoint(*found)})

    async def spread(self, request: Request) -> Response:
        found = self._find(request)
        return found if isinstance(found, Response) else answer({"spread": _spread(*found)})

    async def last_trade_price(self, request: Request) -> Response:
        found = self._find(request)
        return found if isinstance(found, Response) else answer(_last_trade(*found))

    async def parameter(self, request: Request) -> Response:
        """Tick size, negative risk or the legacy fee of one token."""
        found = self._find(request)
        if isinstance(found, Response):
            return found
        market, _index = found
        if "/tick-size" in request.url.path:
            return answer({"minimum_tick_size": number(market.tick)})
        if "/neg-risk" in request.url.path:
            return answer({"neg_risk": market.is_neg_risk})
        return answer({"base_fee": 1000 if market.fees else 0})

    # -- batches -------------------------------------------------------------------------------
    async def _batch(
        self, request: Request
    ) -> list[tuple[str, Market, int, dict[str, Any]]] | Response:
        """The tokens of a batch body that have a book; unknown ones are left out."""
        rows = await body_list(request)
        if rows is None:
            return refuse(400, "Invalid payload")
        if len(rows) > BATCH_MAX:
            return refuse(400, "Payload exceeds the limit")
        found = []
        for row in rows:
            token = row.get("token_id")
            market = self._venue.market_of_token(token) if isinstance(token, str) else None
            if isinstance(token, str) and market is not None and market.has_book:
                found.append((token, market, market.index_of(token), row))
        return found

    async def books(self, request: Request) -> Response:
        found = await self._batch(request)
        if isinstance(found, Response):
            return found
        texts = [self._venue.book_text(m, index, is_frame=False) for _t, m, index, _r in found]
        return answer_text(f"[{','.join(texts)}]")

    async def prices(self, request: Request) -> Response:
        found = await self._batch(request)
        if isinstance(found, Response):
            return found
        prices: dict[str, dict[str, str]] = {}
        for token, market, index, row in found:
            side = str(row.get("side", "")).upper()
            sides = (side,) if side in ("BUY", "SELL") else ("BUY", "SELL")
            for name in sides:
                prices.setdefault(token, {})[name] = _side_price(market, index, name)
        return answer(prices)

    async def midpoints(self, request: Request) -> Response:
        found = await self._batch(request)
        if isinstance(found, Response):
            return found
        return answer({token: _midpoint(m, index) for token, m, index, _r in found})

    async def spreads(self, request: Request) -> Response:
        found = await self._batch(request)
        if isinstance(found, Response):
            return found
        return answer({token: _spread(m, index) for token, m, index, _r in found})

    async def last_trades_prices(self, request: Request) -> Response:
        found = await self._batch(request)
        if isinstance(found, Response):
            return found
        return answer(
            [{"token_id": token, **_last_trade(m, index)} for token, m, index, _ in found]
        )

    # -- markets -------------------------------------------------------------------------------
    async def market_info(self, request: Request) -> Response:
        market = self._venue.market_of(request.path_params["condition_id"])
        return answer(_compact_info(market)) if market else refuse(404, "market not found")

    async def market(self, request: Request) -> Response:
        market = self._venue.market_of(request.path_params["condition_id"])
        return answer(_clob_row(market)) if market else refuse(404, "market not found")

    async def market_by_token(self, request: Request) -> Response:
        market = self._venue.market_of_token(request.path_params["token_id"])
        if market is None:
            return refuse(404, "market not found")
        first, second = market.token_ids
        return answer(
            {
                "condition_id": market.condition_id,
                "primary_token_id": first,
                "secondary_token_id": second,
            }
        )

    def _page(self, request: Request, make_row: Any) -> Response:
        cursor = request.query_params.get("next_cursor", "")
        offset = _offset_of(cursor)
        if offset is None:
            return refuse(400, "invalid next_cursor")
        rows = list(self._venue.markets.values())
        chosen = rows[offset : offset + PAGE_LENGTH]
        following = offset + PAGE_LENGTH
        next_cursor = END_CURSOR if following >= len(rows) else _cursor_of(following)
        document = {"limit": PAGE_LENGTH, "count": len(chosen), "next_cursor": next_cursor}
        return answer(document | {"data": [make_row(market) for market in chosen]})

    async def markets(self, request: Request) -> Response:
        return self._page(request, _clob_row)

    async def simplified_markets(self, request: Request) -> Response:
        return self._page(request, lambda m: {name: _clob_row(m)[name] for name in SIMPLIFIED})

    async def prices_history(self, request: Request) -> Response:
        token = request.query_params.get("market", "")
        market = self._venue.market_of_token(token)
        if market is None:
            return answer({"history": []}) if token.isdecimal() else refuse(400, BAD_TOKEN)
        points = self._history.read(market, market.index_of(token), request.query_params)
        if points is None:
            return refuse(400, "either interval or startTs and endTs are needed, not both")
        return answer({"history": points})


def _offset_of(cursor: str) -> int | None:
    """The row at which a page of the CLOB's listings begins; None for a senseless cursor."""
    if not cursor:
        return 0
    try:
        offset = int(base64.b64decode(cursor.encode()).decode())
    except ValueError:
        return None
    return offset if offset >= 0 else None


def _cursor_of(offset: int) -> str:
    return base64.b64encode(str(offset).encode()).decode()


def _side_price(market: Market, index: int, side: str) -> str:
    """The best price of the book side that `side` names: BUY is the bid."""
    bid, ask = market.top(index)
    price = bid if side == BUY else ask
    return figure_text(price) if price is not None else ("0" if side == BUY else "1")


def _midpoint(market: Market, index: int) -> str:
    bid, ask = market.top(index)
    if bid is not None and ask is not None:
        return figure_text((bid + ask) // 2)
    return figure_text(bid if bid is not None else ask or 0)


def _spread(market: Market, index: int) -> str:
    bid, ask = market.top(index)
    return figure_text((SCALE if ask is None else ask) - (bid or 0))


def _last_trade(market: Market, index: int) -> dict[str, str]:
    if market.last_prices is None:
        return {"price": "0.5", "side": ""}
    return {"price": figure_text(market.last_prices[index]), "side": market.last_side}


def _compact_info(market: Market) -> dict[str, Any]:
    """3.2: keys of one to four letters."""
    row: dict[str, Any] = {
        "r": {"mi": 100, "ma": 3.5, "moas": 4},
        "t": [
            {"t": token, "o": outcome}
            for token, outcome in zip(market.token_ids, market.outcomes, strict=True)
        ],
        "c": market.condition_id,
        "mos": market.min_size // SCALE,
        "mts": number(market.tick),
        "mbf": 1000 if market.fees else 0,
        "tbf": 1000 if market.fees else 0,
        "ao": market.is_accepting and not market.is_closed,
        "nr": market.is_neg_risk,
        "cbos": False,
        "aot": iso(market.starts_ms),
        "ibce": True,
    }
    if market.fees is not None:
        row["fd"] = {"r": market.fees.rate, "e": market.fees.exponent, "to": True}
    return row


def _clob_row(market: Market) -> dict[str, Any]:
    middle = market.middle()
    tokens = []
    for index, (token, outcome) in enumerate(zip(market.token_ids, market.outcomes, strict=True)):
        price = 0.0 if middle is None else number(middle if index == 0 else SCALE - middle)
        is_winner = False
        if market.payouts is not None:
            price = float(market.payouts[index])
            is_winner = market.payouts[index] == "1"
        row = {"token_id": token, "outcome": outcome, "price": price, "winner": is_winner}
        tokens.append(row)
    return {
        "condition_id": market.condition_id,
        "question_id": str(market.describe(market).get("questionID", "")),
        "tokens": tokens,
        "question": market.question,
        "active": True,
        "closed": market.is_closed,
        "archived": False,
        "accepting_orders": market.is_accepting and not market.is_closed,
        "enable_order_book": not market.is_closed,
        "minimum_order_size": market.min_size // SCALE,
        "minimum_tick_size": number(market.tick),
        "neg_risk": market.is_neg_risk,
        "market_slug": market.slug,
        "end_date_iso": iso(market.ends_ms) or None,
        "game_start_time": None,
        "seconds_delay": 0,
        "is_50_50_outcome": market.payouts == ("0.5", "0.5"),
        "maker_base_fee": 1000 if market.fees else 0,
        "taker_base_fee": 1000 if market.fees else 0,
        "rewards": {"rates": None, "min_size": 100, "max_spread": 3.5},
        "tags": [label for _id, label, _slug in market.event.tags] if market.event else [],
    }
