"""The public data door `/data`: trades, history and results (polymarket-feed 8)."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trading.markets.standin.figures import number
from trading.markets.standin.history import sample
from trading.markets.standin.market import Market, Print
from trading.markets.standin.replies import answer, listed, refuse, whole
from trading.markets.standin.venue import Venue, wall_ms

TRADES_MAX: Final = 500
DEFAULT_LIMIT: Final = 100


class DataDoor:
    """The public tape and what hangs on it. It names no wallets: nobody trades here."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> list[Route]:
        """The paths of this door."""
        return [
            Route("/trades", self.trades),
            Route("/v2/trades", self.trades_v2),
            Route("/v2/prices-history", self.prices_history),
            Route("/v2/resolutions", self.resolutions),
            Route("/v2/oi", self.open_interest),
        ]

    def _tape(self, request: Request, *names: str) -> list[tuple[Market, Print]]:
        """The trades asked for, newest first."""
        wanted = listed(request, *names)
        markets = [self._venue.market_of(name) for name in wanted]
        if not wanted:
            markets = list(self._venue.markets.values())
        side = request.query_params.get("side", "").upper()
        rows = [
            (market, trade)
            for market in markets
            if market is not None
            for trade in market.tape
            if side in ("", trade.side)
        ]
        rows.sort(key=lambda row: row[1].timestamp_ms, reverse=True)
        return rows

    async def trades(self, request: Request) -> Response:
        rows = self._tape(request, "market")
        limit = whole(request, "limit", DEFAULT_LIMIT, maximum=TRADES_MAX)
        offset = whole(request, "offset", 0, maximum=10_000)
        return answer([_old_row(*row) for row in rows[offset : offset + limit]])

    async def trades_v2(self, request: Request) -> Response:
        rows = self._tape(request, "condition_id")
        limit = whole(request, "limit", DEFAULT_LIMIT, maximum=TRADES_MAX)
        chosen = [_new_row(*row) for row in rows[:limit]]
        return answer({"data": chosen, "pagination": {"limit": limit, "has_more": False}})

    async def prices_history(self, request: Request) -> Response:
        token = request.query_params.get("token_id", "")
        market = self._venue.market_of_token(token)
        if market is None:
            return refuse(404, "token not found")
        now_s = wall_ms() // 1000
        start = whole(request, "start", now_s - 86_400, maximum=now_s)
        end = whole(request, "end", now_s, maximum=now_s)
        step = max(60, whole(request, "bucket_seconds", 60, maximum=86_400))
        points = sample(market, market.index_of(token), start, end, step)
        rows = [{"timestamp": p["t"], "price": p["p"], "resolution": step} for p in points]
        return answer({"data": rows, "pagination": {"has_more": False}})

    async def resolutions(self, request: Request) -> Response:
        rows = []
        for name in listed(request, "condition_id"):
            market = self._venue.market_of(name)
            if market is not None and market.payouts is not None:
                payouts = [float(payout) for payout in market.payouts]
                row = {"condition_id": name, "status": "resolved", "was_disputed": False}
                rows.append(row | {"payouts": payouts})
        return answer({"data": rows})

    async def open_interest(self, request: Request) -> Response:
        rows = [
            {"condition_id": name, "value": round(market.liquidity, 2)}
            for name in listed(request, "condition_id")
            if (market := self._venue.market_of(name)) is not None
        ]
        return answer({"data": rows})


def _shared(market: Market, trade: Print) -> dict[str, Any]:
    return {
        "side": trade.side,
        "size": number(trade.size),
        "price": number(trade.price),
        "timestamp": trade.timestamp_ms // 1000,
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "outcome": market.outcomes[trade.outcome_index],
        "name": "",
        "pseudonym": "",
    }


def _old_row(market: Market, trade: Print) -> dict[str, Any]:
    return _shared(market, trade) | {
        "proxyWallet": "",
        "asset": market.token_ids[trade.outcome_index],
        "conditionId": market.condition_id,
        "eventSlug": market.event.slug if market.event else "",
        "outcomeIndex": trade.outcome_index,
        "transactionHash": trade.transaction_hash,
    }


def _new_row(market: Market, trade: Print) -> dict[str, Any]:
    return _shared(market, trade) | {
        "proxy_wallet": "",
        "token_id": market.token_ids[trade.outcome_index],
        "condition_id": market.condition_id,
        "event_slug": market.event.slug if market.event else "",
        "outcome_index": trade.outcome_index,
        "transaction_hash": trade.transaction_hash,
        "profile_image": "",
    }
