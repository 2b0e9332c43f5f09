"""Hand-made messages of the venue for tests. All of them are synthetic, none is recorded."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from trading.markets.polymarket import values

CONDITION = "0x" + "ab" * 32
TOKEN_YES = "1" * 77
TOKEN_NO = "2" * 77
NOW_MS = 1_790_000_000_000


def read_lines(path: Path) -> Iterator[Any]:
    """Decoded lines of a recording, gzipped or not."""
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield values.loads(line)


def condition_of(number: int) -> str:
    return f"0x{number:064x}"


def gamma_market(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A tradable market row as Gamma sends it; `changes` replace fields (None removes one)."""
    row: dict[str, Any] = {
        "synthetic": True,
        "id": str(500_000 + number),
        "conditionId": condition_of(number),
        "slug": f"made-up-question-{number}",
        "question": f"Will made-up thing {number} happen?",
        "description": "Written by hand for a test.",
        "groupItemTitle": "",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.135", "0.865"]',
        "clobTokenIds": json.dumps([str(10**70 + 2 * number), str(10**70 + 2 * number + 1)]),
        "active": True,
        "closed": False,
        "archived": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "negRisk": False,
        "negRiskOther": False,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "bestBid": 0.13,
        "bestAsk": 0.14,
        "lastTradePrice": 0.13,
        "oneDayPriceChange": -0.02,
        "volume": "1234.5",
        "volumeNum": 1234.5,
        "volume24hr": 100.25,
        "liquidityNum": 900,
        "startDate": "2026-03-01T00:00:00Z",
        "endDate": "2027-03-01T00:00:00Z",
        "umaResolutionStatuses": "[]",
    }
    row.update(changes)
    return {name: value for name, value in row.items() if value is not None}


def gamma_event(number: int, markets: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """An event row with these markets."""
    row: dict[str, Any] = {
        "synthetic": True,
        "id": str(9_000 + number),
        "slug": f"made-up-event-{number}",
        "title": f"Made-up event {number}",
        "description": "",
        "startDate": "2026-03-01T00:00:00Z",
        "endDate": "2027-03-01T00:00:00Z",
        "active": True,
        "closed": False,
        "volume24hr": 5000.5,
        "tags": [{"id": "2", "label": "Politics", "slug": "politics"}],
        "markets": markets,
    }
    row.update(changes)
    return {name: value for name, value in row.items() if value is not None}


def decoded(row: Any) -> Any:
    """The row as our decoder reads it from the wire (Decimal in place of float)."""
    return values.loads(json.dumps(row))


def book_message(**changes: Any) -> dict[str, Any]:
    """A websocket `book` of the first token: bids 0.47 and 0.48, asks 0.53 and 0.52."""
    message: dict[str, Any] = {
        "synthetic": True,
        "event_type": "book",
        "market": CONDITION,
        "asset_id": TOKEN_YES,
        "timestamp": str(NOW_MS),
        "hash": "",
        "bids": [{"price": "0.47", "size": "100"}, {"price": ".48", "size": "30"}],
        "asks": [{"price": "0.53", "size": "60.5"}, {"price": "0.52", "size": "25"}],
        "tick_size": "0.01",
        "last_trade_price": "0.500",
    }
    message.update(changes)
    return message


class MadeUpVenue(httpx.BaseTransport):
    """Answers requests from a function of (method, path, query pairs, JSON body)."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer(request)
