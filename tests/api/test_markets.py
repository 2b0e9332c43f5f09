"""Lists of markets and events, single markets (trading-api 2.1 to 2.3)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests.api.catalogue import CONDITION, give_book, make_event, make_market, resolve
from trading.markets.api.listing import CURSOR_PATTERN, offset_cursor, read_offset_cursor
from trading.markets.models import Market

pytestmark = pytest.mark.django_db

GARBAGE = ["x", "-1", "201", "0", "1.5", "1_0", "", "9" * 30, "１０"]


@pytest.fixture
def names(anyone: Client) -> Callable[[str], list[str]]:
    """Slugs of the markets that a query lists."""

    def ask(query: str = "") -> list[str]:
        response = anyone.get(f"/v1/markets{query}")
        assert response.status_code == 200, response.content
        return [row["slug"] for row in response.json()]

    return ask


def test_a_row_shows_the_market_and_its_live_price(anyone: Client, retail: Any) -> None:
    market = make_market(1, slug="rate-cut-by-june", volume=Decimal("48210.75"))
    give_book(market)
    (row,) = anyone.get("/v1/markets").json()
    live = row.pop("live_price")
    assert row == {
        "id": "1",
        "condition_id": CONDITION.format(1),
        "slug": "rate-cut-by-june",
        "question": "Question 1?",
        "outcomes": ["Yes", "No"],
        "active": True,
        "closed": False,
        "is_hot": True,
        "image_url": None,
        "category": "economics",
        "clob_token_ids": ["1000", "1001"],
        "volume_24h": "48210.75",
        "last_price": "0.625",
        "neg_risk": False,
        "event_group_id": None,
        "event_title": None,
        "end_date": "2027-06-30T23:59:59Z",
    }
    assert live.pop("updated_at").endswith("Z")
    assert live == {
        "buy": "0.625",
        "sell": "0.375",
        "best_bid": "0.60",
        "best_ask": "0.65",
        "spread": "0.05",
        "last_trade": "0.62",
        "volume": "48210.75",
        "source": "websocket",
        "outcomes": [
            {"label": "Yes", "price": "0.625", "token_id": "1000"},
            {"label": "No", "price": "0.375", "token_id": "1001"},
        ],
    }


def test_without_a_live_book_the_last_sweep_stands_in(anyone: Client, retail: Any) -> None:
    make_market(1, price=Decimal("0.62"))
    make_market(2, price=None, volume=None)
    priced, unknown = anyone.get("/v1/markets").json()
    assert priced["live_price"]["source"] == "gamma_poller"
    assert (priced["live_price"]["buy"], priced["live_price"]["sell"]) == ("0.62", "0.38")
    assert (unknown["live_price"], unknown["volume_24h"], unknown["is_hot"]) == (None, None, False)


def test_without_valkey_lists_go_on_with_the_last_sweep(
    anyone: Client, retail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polysim.kernel.errors import ServiceUnavailable

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ServiceUnavailable()

    make_market(1)
    monkeypatch.setattr("trading.markets.selectors.quotes.read_quotes", refuse)
    (row,) = anyone.get("/v1/markets").json()
    assert row["live_price"]["source"] == "gamma_poller"


def test_the_list_is_ordered_by_volume_then_by_id(
    names: Callable[[str], list[str]], retail: Any
) -> None:
    for number, volume in ((1, 10), (2, 30), (3, None), (4, 10)):
        make_market(number, volume=None if volume is None else Decimal(volume))
    assert names() == ["market-2", "market-1", "market-4", "market-3"]
    assert names("?ascending=true") == ["market-1", "market-4", "market-2", "market-3"]
    assert names("?sort=nonsense") == names()
    assert names("?limit=2&offset=1") == ["market-1", "market-4"]
    assert names("?limit=2&offset=4") == []


def test_the_list_is_sorted_by_end_creation_and_liquidity(
    names: Callable[[str], list[str]], retail: Any
) -> None:
    make_market(1, ends_at=datetime(2027, 3, 1, tzinfo=UTC), liquidity=Decimal(5))
    make_market(2, ends_at=datetime(2027, 2, 1, tzinfo=UTC), liquidity=Decimal(9))
    assert names("?sort=end_date&ascending=1") == ["market-2", "market-1"]
    assert names("?sort=liquidity") == ["market-2", "market-1"]
    assert names("?sort=created_at&ascending=true") == ["market-1", "market-2"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?hot_only=true", ["market-1"]),
        ("?active_only=true", ["market-1", "market-2"]),
        ("?closed=true", ["market-3"]),
        ("?closed=false", ["market-1", "market-2"]),
        ("?category=ECON", ["market-1", "market-3"]),
        ("?category=%22sports%22", ["market-2"]),
        ("?q=QUESTION 2", ["market-2"]),
        ("?q=market-1", ["market-1"]),
        ("?q=%25", []),
        ("?q=", ["market-1", "market-2", "market-3"]),
        ("?q=_", []),
    ],
)
def test_filters(
    names: Callable[[str], list[str]], retail: Any, query: str, expected: list[str]
) -> None:
    make_market(1, volume=Decimal("5000.01"))
    make_market(2, volume=Decimal("5000"), category="sports")
    make_market(3, volume=Decimal("10"), is_closed=True)
    assert names(query) == expected


def test_up_and_down_markets_and_placeholders_are_not_listed(
    names: Callable[[str], list[str]], retail: Any
) -> None:
    make_market(1, kind=Market.Kind.UP_DOWN)
    make_market(2, is_hidden=True)
    assert names() == []


def test_the_envelope_walks_to_its_end(anyone: Client, retail: Any) -> None:
    for number in range(1, 6):
        make_market(number, volume=Decimal(100 - number))
    seen, cursor = [], "MA=="
    while cursor != "LTE=":
        page = anyone.get(f"/v1/markets?limit=2&next_cursor={cursor}").json()
        seen += [row["slug"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [f"market-{number}" for number in range(1, 6)]
    assert anyone.get("/v1/markets?envelope=true").json()["next_cursor"] == "LTE="
    assert len(anyone.get("/v1/markets?cursor=3").json()["data"]) == 2
    assert anyone.get("/v1/markets?next_cursor=LTE=").json()["data"] == []
    assert "data" in anyone.get("/v1/markets?next_cursor=").json()


@pytest.mark.parametrize("value", GARBAGE[:5] + GARBAGE[5:6] + GARBAGE[7:])
def test_a_limit_out_of_range_is_refused_not_clamped(
    anyone: Client, retail: Any, value: str
) -> None:
    for path in ("/v1/markets", "/v1/events"):
        response = anyone.get(path, {"limit": value})
        assert (response.status_code, response["X-Polysim-Code"]) == (422, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    "query", ["offset=-1", "next_cursor=%21", "cursor=é", "closed=maybe", "q=" + "x" * 121]
)
def test_unreadable_parameters_are_refused(anyone: Client, retail: Any, query: str) -> None:
    assert anyone.get(f"/v1/markets?{query}").status_code == 422


def test_unknown_parameters_are_ignored(names: Callable[[str], list[str]], retail: Any) -> None:
    make_market(1)
    assert names("?colour=blue") == ["market-1"]


def test_a_list_costs_the_same_queries_whatever_its_length(
    anyone: Client, retail: Any, django_assert_max_num_queries: Any
) -> None:
    event = make_event(1)
    for number in range(1, 41):
        make_market(number, event=event)
    anyone.get("/v1/markets")
    with django_assert_max_num_queries(5):
        assert len(anyone.get("/v1/markets").json()) == 40
    with django_assert_max_num_queries(6):
        assert len(anyone.get("/v1/events").json()["events"][0]["markets"]) == 20


def test_one_market_by_each_of_its_names(anyone: Client, retail: Any) -> None:
    market = make_market(1)
    by_id = anyone.get(f"/v1/markets/{market.condition_id}").json()
    by_slug = anyone.get("/v1/markets/by-slug/market-1").json()
    assert by_id == by_slug
    assert by_id["tokens"] == [
        {"token_id": "1000", "outcome": "Yes", "price": 0.5, "winner": False},
        {"token_id": "1001", "outcome": "No", "price": 0.5, "winner": False},
    ]
    assert (by_id["tick_size"], by_id["min_order_size"]) == ("0.01", "5")
    assert (by_id["question_id"], by_id["market_slug"]) == (market.condition_id, "market-1")
    assert (by_id["resolved_outcome"], by_id["archived"]) == (None, False)
    assert by_id["accepting_orders"] is True
    assert "order_book" not in by_id
    by_token = anyone.get("/v1/markets-by-token/1001").json()
    assert by_token == {
        "condition_id": market.condition_id,
        "primary_token_id": "1000",
        "outcome": "No",
    }


def test_a_market_with_its_book(anyone: Client, retail: Any) -> None:
    market = make_market(1)
    path = f"/v1/markets/{market.condition_id}?include_book=true"
    assert anyone.get(path).json()["order_book"] is None
    give_book(market)
    assert anyone.get(path).json()["order_book"]["token_id"] == "1000"


def test_a_settled_market_shows_its_winner(anyone: Client, retail: Any) -> None:
    market = make_market(1, is_closed=True)
    resolve(market, "0", "1")
    row = anyone.get(f"/v1/markets/{market.condition_id}").json()
    assert row["resolved_outcome"] == "No"
    assert [token["winner"] for token in row["tokens"]] == [False, True]
    assert [token["price"] for token in row["tokens"]] == [0.0, 1.0]
    assert row["accepting_orders"] is False


def test_a_split_market_has_no_winner(anyone: Client, retail: Any) -> None:
    market = make_market(1, is_closed=True)
    resolve(market, "0.5", "0.5")
    row = anyone.get(f"/v1/markets/{market.condition_id}").json()
    assert (row["resolved_outcome"], row["live_price"]["buy"]) == (None, "0.50")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/markets/0x00", "MARKET_NOT_FOUND"),
        ("/v1/markets/by-slug/nothing", "MARKET_NOT_FOUND"),
        ("/v1/markets-by-token/77", "TOKEN_NOT_FOUND"),
        ("/v1/markets-by-token/é", "TOKEN_NOT_FOUND"),
        ("/v1/markets/0x00/book", "MARKET_NOT_FOUND"),
        ("/v1/markets/0x00/candles", "MARKET_NOT_FOUND"),
    ],
)
def test_unknown_markets(anyone: Client, retail: Any, path: str, code: str) -> None:
    response = anyone.get(path)
    assert (response.status_code, response["X-Polysim-Code"]) == (404, code)


def test_events_carry_their_markets(anyone: Client, retail: Any) -> None:
    busy, quiet, empty = make_event(1, volume=Decimal(9000)), make_event(2), make_event(3)
    for number in range(1, 4):
        make_market(number, event=busy, volume=Decimal(10 * number))
    make_market(4, event=quiet, question="Will it rain?")
    body = anyone.get("/v1/events?markets_per_event=2").json()
    assert (body["total"], body["limit"], body["offset"]) == (2, 50, 0)
    assert [event["slug"] for event in body["events"]] == ["event-1", "event-2"]
    assert [row["slug"] for row in body["events"][0]["markets"]] == ["market-3", "market-2"]
    assert (body["events"][0]["is_hot"], body["has_sports"]) == (True, None)
    assert anyone.get("/v1/events?search=RAIN").json()["events"][0]["slug"] == "event-2"
    assert anyone.get("/v1/events?hot_only=true").json()["total"] == 1
    assert empty.slug not in str(body)


def test_events_without_sports_say_so(anyone: Client, retail: Any) -> None:
    make_market(1, event=make_event(1, category="sports"))
    make_market(2, event=make_event(2))
    body = anyone.get("/v1/events?include_sports=false").json()
    assert (body["total"], body["has_sports"]) == (1, True)


def test_an_empty_catalogue_asks_to_come_back(anyone: Client, retail: Any) -> None:
    response = anyone.get("/v1/events")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    make_market(1, event=make_event(1))
    assert anyone.get("/v1/events?search=nothing").json()["events"] == []


def test_categories_count_open_markets_and_name_their_fee(anyone: Client, retail: Any) -> None:
    make_market(1, fee_rate=Decimal("0.05"))
    make_market(2, fee_rate=Decimal("0.05"))
    make_market(3, fee_rate=Decimal("0.00"))
    make_market(4, category="sports", fee_rate=Decimal("0.03"))
    make_market(5, category="sports", is_closed=True)
    assert anyone.get("/v1/categories").json() == [
        {"category": "economics", "markets": 3, "fee_rate_bps": 500},
        {"category": "sports", "markets": 1, "fee_rate_bps": 300},
    ]


def test_the_documented_form_of_cursors_holds_for_every_page() -> None:
    for offset in (*range(120), 199, 200, 999, 1000, 12_345, 99_999, 100_000, 999_999):
        assert re.fullmatch(CURSOR_PATTERN, offset_cursor(offset)), offset
        assert read_offset_cursor(offset_cursor(offset)) == offset
    for wrong in ("NTA", "abc=", "MA=", "-1", "NTAwNTAwNTA="):
        assert not re.fullmatch(CURSOR_PATTERN, wrong)
