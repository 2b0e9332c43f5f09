"""Requests to the venue's REST doors, and readers of the answers (feed contract 2, 3 and 8).

Pure: a `Request` names its door; `http` turns it into an address by the settings. Readers never
raise; what cannot be used is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from trading.markets.polymarket import values
from trading.markets.polymarket.wire import TradePrint, tick_size

GAMMA: Final = "gamma"
CLOB: Final = "clob"
DATA: Final = "data"
#: Tokens or condition ids per batch request (contract 2.1 and 3).
BATCH_SIZE: Final = 100
EVENTS_PAGE_SIZE: Final = 100
MAX_HISTORY_POINTS: Final = 50_000

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One REST call: `door` is `gamma`, `clob` or `data`; a body makes it a POST."""

    door: str
    path: str
    params: Params = ()
    body: Any = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


def events_request(
    *, closed: bool = False, cursor: str = "", limit: int = EVENTS_PAGE_SIZE
) -> Request:
    """A page of events with their markets, busiest first (keyset paging)."""
    params = [
        ("closed", "true" if closed else "false"),
        ("order", "volume_24hr"),
        ("ascending", "false"),
        ("limit", str(limit)),
    ]
    if cursor:
        params.append(("after_cursor", cursor))
    return Request(GAMMA, "/events/keyset", tuple(params))


def events_by_offset(offset: int) -> Request:
    """The same page by the older paging form, which answers a bare array."""
    params = (
        ("closed", "false"),
        ("active", "true"),
        ("archived", "false"),
        ("order", "volume_24hr"),
        ("ascending", "false"),
        ("limit", str(EVENTS_PAGE_SIZE)),
        ("offset", str(offset)),
    )
    return Request(GAMMA, "/events", params)


def ending_events_request(*, tag_slug: str, ends_after: datetime, ends_before: datetime) -> Request:
    """Open events of one tag that end within a span of time, one page."""
    params = (
        ("closed", "false"),
        ("tag_slug", tag_slug),
        ("end_date_min", ends_after.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("end_date_max", ends_before.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("limit", str(EVENTS_PAGE_SIZE)),
    )
    return Request(GAMMA, "/events/keyset", params)


def markets_request(condition_ids: Sequence[str], *, closed: bool | None = None) -> Request:
    """Markets by condition id (at most 100); `closed=None` leaves the venue's own default."""
    params = [("condition_ids", condition_id) for condition_id in condition_ids]
    if closed is not None:
        params.append(("closed", "true" if closed else "false"))
    params.append(("limit", str(BATCH_SIZE)))
    return Request(GAMMA, "/markets", tuple(params))


def books_request(token_ids: Sequence[str]) -> Request:
    """Order books of at most 100 tokens."""
    return Request(CLOB, "/books", body=[{"token_id": token_id} for token_id in token_ids])


def book_request(token_id: str) -> Request:
    return Request(CLOB, "/book", (("token_id", token_id),))


def clob_market_request(condition_id: str) -> Request:
    """One market of the CLOB, for `tokens[].winner`."""
    return Request(CLOB, f"/markets/{condition_id}")


def history_request(token_id: str, *, interval: str, fidelity_minutes: int) -> Request:
    params = (
        ("market", token_id),
        ("interval", interval),
        ("fidelity", str(fidelity_minutes)),
    )
    return Request(CLOB, "/prices-history", params)


def trades_request(condition_id: str, *, limit: int = 100) -> Request:
    """The newest public trades of one market (older form, bare array)."""
    params = (("market", condition_id), ("limit", str(limit)), ("takerOnly", "true"))
    return Request(DATA, "/trades", params)


def probe_request() -> Request:
    """The cheapest call that shows whether the venue answers at all."""
    return Request(CLOB, "/time")


@dataclass(frozen=True, slots=True)
class ClobToken:
    """One token as the CLOB describes it; `winner` None means that it does not say."""

    token_id: str
    outcome: str
    winner: bool | None


@dataclass(frozen=True, slots=True)
class ClobMarket:
    """`GET /markets/{condition_id}`."""

    condition_id: str
    tokens: tuple[ClobToken, ...]
    closed: bool | None
    is_50_50: bool


@dataclass(frozen=True, slots=True)
class MarketInfo:
    """`GET /clob-markets/{condition_id}`: sizes and tick scaled by 10**6."""

    condition_id: str
    tokens: tuple[ClobToken, ...]
    min_order_size: int | None
    tick_size: int | None
    accepting_orders: bool | None
    neg_risk: bool | None
    fee_data: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A past price: unix seconds, price scaled by 10**6 (0 and 1 included)."""

    at_s: int
    price: int


def read_clob_market(payload: object) -> ClobMarket | None:
    """The CLOB's view of one market, or None when the answer is unusable."""
    if not isinstance(payload, dict):
        return None
    condition_id = values.condition_id(payload.get("condition_id"))
    if condition_id is None:
        return None
    tokens = payload.get("tokens")
    return ClobMarket(
        condition_id=condition_id,
        tokens=_read_tokens(tokens, token_key="token_id", outcome_key="outcome"),  # noqa: S106
        closed=values.flag(payload.get("closed")),
        is_50_50=values.flag(payload.get("is_50_50_outcome")) is True,
    )


def read_market_info(payload: object) -> MarketInfo | None:
    """Compact market info, or None when the answer is unusable."""
    if not isinstance(payload, dict):
        return None
    condition_id = values.condition_id(payload.get("c"))
    if condition_id is None:
        return None
    return MarketInfo(
        condition_id=condition_id,
        tokens=_read_tokens(payload.get("t"), token_key="t", outcome_key="o"),  # noqa: S106
        min_order_size=values.scaled(payload.get("mos")) or None,
        tick_size=tick_size(payload.get("mts")),
        accepting_orders=values.flag(payload.get("ao")),
        neg_risk=values.flag(payload.get("nr")),
        fee_data=values.mapping(payload.get("fd")),
    )


def _read_tokens(raw: object, *, token_key: str, outcome_key: str) -> tuple[ClobToken, ...]:
    tokens: list[ClobToken] = []
    for entry in raw if isinstance(raw, list) else []:
        token_id = values.token_id(entry.get(token_key)) if isinstance(entry, dict) else None
        if token_id is not None:
            tokens.append(
                ClobToken(
                    token_id=token_id,
                    outcome=values.text(entry.get(outcome_key), limit=200),
                    winner=values.flag(entry.get("winner")),
                )
            )
    return tuple(tokens)


def read_history(payload: object) -> tuple[list[PricePoint], int]:
    """Points of `prices-history` by rising time, and how many rows were dropped."""
    rows = payload.get("history") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or len(rows) > MAX_HISTORY_POINTS:
        return [], 1
    points: dict[int, int] = {}
    dropped = 0
    for row in rows:
        at_ms = values.timestamp_ms(row.get("t")) if isinstance(row, dict) else None
        price = values.scaled(row.get("p")) if isinstance(row, dict) else None
        if at_ms is None or price is None or price > values.ONE:
            dropped += 1
            continue
        points[at_ms // 1000] = price
    return [PricePoint(at_s=at_s, price=points[at_s]) for at_s in sorted(points)], dropped


def read_trades(payload: object) -> tuple[list[TradePrint], int]:
    """Public trades in either shape of the Data API; names and wallets are not even read."""
    rows = payload.get("data") if isinstance(payload, dict) else payload
    if not isinstance(rows, list):
        return [], 1
    trades: list[TradePrint] = []
    dropped = 0
    for row in rows:
        trade = _read_trade(row) if isinstance(row, dict) else None
        if trade is None:
            dropped += 1
        else:
            trades.append(trade)
    return trades, dropped


def _read_trade(row: dict[str, Any]) -> TradePrint | None:
    condition_id = values.condition_id(row.get("condition_id") or row.get("conditionId"))
    token_id = values.token_id(row.get("token_id") or row.get("asset"))
    price = values.scaled(row.get("price"))
    size = values.scaled(row.get("size"))
    side = values.side(row.get("side"))
    timestamp_ms = values.timestamp_ms(row.get("timestamp"))
    if condition_id is None or token_id is None or timestamp_ms is None or side is None:
        return None
    # Data API prices are averages with many digits: cut to six decimals, they are display only.
    if price is None or not 0 < price < values.ONE or not size:
        return None
    return TradePrint(
        condition_id=condition_id,
        token_id=token_id,
        price=price,
        size=size,
        side=side,
        timestamp_ms=timestamp_ms,
        transaction_hash=values.text(
            row.get("transaction_hash") or row.get("transactionHash"), limit=80
        ),
    )
