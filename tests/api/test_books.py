"""Order books, quotes, parameters and history of tokens (trading-api 2.4 to 2.7)."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests.api.catalogue import give_book, make_market
from trading.markets.books import STALE
from trading.markets.models import Market, MinuteCandle, Outcome
from trading.markets.pricing import Book

pytestmark = pytest.mark.django_db

SHARES = 1_000_000
JSON: dict[str, Any] = {"content_type": "application/json"}
NO_BOOK = "No orderbook exists for the requested token id"


@pytest.fixture
def market(retail: Any) -> Market:
    """A market whose book is live: bids 0.60, 0.58; asks 0.65, 0.66, 0.70; last trade 0.62."""
    market = make_market(1)
    give_book(market)
    return market


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.markets.api.quoting.FIRST_BOOK_WAIT_S", 0.0)


def assert_prose(response: Any, status: int, prose: str, code: str) -> None:
    assert (response.status_code, response.json()) == (status, {"error": prose})
    assert response["X-Polysim-Code"] == code


def test_a_book_has_its_best_level_last(anyone: Client, market: Market) -> None:
    book = anyone.get("/v1/book?token_id=1000").json()
    assert book["bids"] == [{"price": "0.58", "size": "10"}, {"price": "0.60", "size": "5"}]
    assert [level["price"] for level in book["asks"]] == ["0.70", "0.66", "0.65"]
    assert (book["mid"], book["spread"]) == ("0.625", "0.05")
    assert (book["token_id"], book["asset_id"]) == ("1000", "1000")
    assert book["market"] == market.condition_id
    assert (book["min_order_size"], book["tick_size"]) == ("5", "0.01")
    assert (book["neg_risk"], book["last_trade_price"]) == (False, "0.62")
    assert book["timestamp"].isdigit()
    assert len(book["timestamp"]) == 13


def test_the_hash_can_be_recomputed_from_the_answer(anyone: Client, market: Market) -> None:
    for path in ("/v1/book?token_id=1000", "/v1/book?token_id=1001&depth=1"):
        book = anyone.get(path).json()
        names = ["market", "asset_id", "timestamp", "hash", "bids", "asks"]
        names += ["min_order_size", "tick_size", "neg_risk", "last_trade_price"]
        document = {name: book[name] for name in names} | {"hash": ""}
        text = json.dumps(document, separators=(",", ":"))
        assert hashlib.sha1(text.encode()).hexdigest() == book["hash"]


def test_all_forms_answer_the_same_book(anyone: Client, market: Market) -> None:
    first = anyone.get("/v1/book?token_id=1000").json()
    assert anyone.get("/v1/clob/book/1000").json() == first
    assert anyone.get(f"/v1/markets/{market.condition_id}/book").json() == first
    assert anyone.get(f"/v1/markets/{market.condition_id}/book?outcome=YES").json() == first
    assert anyone.post("/v1/books", [{"token_id": "1000"}], **JSON).json() == [first]
    items = {"items": [{"token_id": "1000"}, {"token_id": "77"}]}
    assert anyone.post("/v1/books", items, **JSON).json() == [first]
    other = anyone.get(f"/v1/markets/{market.condition_id}/book?outcome=no").json()
    assert other["token_id"] == "1001"


def test_depth_keeps_the_best_levels_and_the_middle_of_all(anyone: Client, market: Market) -> None:
    book = anyone.get("/v1/book?token_id=1000&depth=1").json()
    assert book["bids"] == [{"price": "0.60", "size": "5"}]
    assert book["asks"] == [{"price": "0.65", "size": "6"}]
    assert book["mid"] == "0.625"
    for depth in ("0", "501", "x"):
        assert anyone.get(f"/v1/book?token_id=1000&depth={depth}").status_code == 422


def test_a_book_that_the_feed_left_is_called_stale(anyone: Client, market: Market) -> None:
    give_book(market, status=STALE)
    assert anyone.get("/v1/book?token_id=1000").json()["stale"] is True


@pytest.mark.parametrize("token", ["", "abc", "0x12", "-1", "1" * 81, "１"])
@pytest.mark.parametrize("path", ["book", "midpoint", "spread", "last-trade-price", "tick-size"])
def test_a_token_is_digits(anyone: Client, retail: Any, path: str, token: str) -> None:
    response = anyone.get(f"/v1/{path}", {"token_id": token})
    assert_prose(response, 400, "Invalid token id", "INVALID_REQUEST")


@pytest.mark.parametrize("path", ["book", "midpoint", "spread", "last-trade-price"])
def test_a_token_without_a_book(anyone: Client, retail: Any, path: str) -> None:
    make_market(2)
    for token in ("77", "2000"):
        response = anyone.get(f"/v1/{path}?token_id={token}")
        assert_prose(response, 404, NO_BOOK, "BOOK_UNAVAILABLE")


def test_a_market_without_a_book_or_outcome(anyone: Client, market: Market) -> None:
    bare = make_market(2)
    response = anyone.get(f"/v1/markets/{bare.condition_id}/book")
    assert (response.status_code, response["X-Polysim-Code"]) == (404, "BOOK_UNAVAILABLE")
    response = anyone.get(f"/v1/markets/{market.condition_id}/book?outcome=Maybe")
    assert (response.status_code, response["X-Polysim-Code"]) == (400, "INVALID_OUTCOME")


def test_buy_is_the_best_bid_and_sell_the_best_ask(anyone: Client, market: Market) -> None:
    buy = anyone.get("/v1/price?token_id=1000&side=BUY").json()
    sell = anyone.get("/v1/price?token_id=1000&side=SELL").json()
    assert (buy["price"], sell["price"]) == ("0.60", "0.65")
    assert 0 <= buy["age_ms"] < 10_000
    assert buy["quote_at"].endswith("Z")
    assert_prose(
        anyone.get("/v1/price?token_id=x&side=BUY"), 400, "Invalid token_id", "INVALID_REQUEST"
    )
    for side in ("", "buy", "HOLD"):
        response = anyone.get("/v1/price", {"token_id": "1000", "side": side})
        assert_prose(response, 400, "Invalid side", "INVALID_REQUEST")


def test_a_one_sided_book_has_a_price_but_no_middle(anyone: Client, retail: Any) -> None:
    market = make_market(1)
    give_book(market, book=Book(bids=((600_000, 5 * SHARES),)))
    assert anyone.get("/v1/price?token_id=1000&side=BUY").json()["price"] == "0.60"
    assert anyone.get("/v1/price?token_id=1000&side=SELL").status_code == 404
    for path in ("midpoint", "spread"):
        assert anyone.get(f"/v1/{path}?token_id=1000").status_code == 404
        assert anyone.post(f"/v1/{path}s", [{"token_id": "1000"}], **JSON).json() == {}


def test_the_reported_spread_is_at_most_ten_cents(anyone: Client, retail: Any) -> None:
    market = make_market(1)
    wide = Book(bids=((300_000, 5 * SHARES),), asks=((700_000, 5 * SHARES),))
    give_book(market, book=wide)
    assert anyone.get("/v1/spread?token_id=1000").json() == {"spread": "0.10"}
    assert anyone.get("/v1/markets").json()[0]["live_price"]["spread"] == "0.10"


def test_fine_ticks_are_shown_exactly(anyone: Client, retail: Any) -> None:
    market = make_market(1, tick_size=Decimal("0.001"))
    fine = Book(bids=((1_000, 5_500_000),), asks=((2_000, 250_000),))
    give_book(market, book=fine)
    book = anyone.get("/v1/book?token_id=1000").json()
    assert book["bids"] == [{"price": "0.001", "size": "5.5"}]
    assert book["asks"] == [{"price": "0.002", "size": "0.25"}]
    assert (book["mid"], book["tick_size"]) == ("0.0015", "0.001")


def test_middle_spread_and_last_trade(anyone: Client, market: Market) -> None:
    assert anyone.get("/v1/midpoint?token_id=1000").json() == {"mid": "0.625"}
    assert anyone.get("/v1/midpoint?token_id=1001").json() == {"mid": "0.375"}
    assert anyone.get("/v1/spread?token_id=1000").json() == {"spread": "0.05"}
    last = anyone.get("/v1/last-trade-price?token_id=1000").json()
    assert last == {"price": "0.62", "side": "BUY"}


def test_many_tokens_at_once(anyone: Client, market: Market) -> None:
    items = [{"token_id": "1000"}, {"token_id": "1001"}, {"token_id": "77"}]
    assert anyone.post("/v1/midpoints", items, **JSON).json() == {
        "1000": "0.625",
        "1001": "0.375",
    }
    assert anyone.post("/v1/spreads", items, **JSON).json() == {"1000": "0.05", "1001": "0.05"}
    sided = [{"token_id": "1000", "side": side} for side in ("BUY", "SELL")]
    assert anyone.post("/v1/prices", sided, **JSON).json() == {
        "1000": {"BUY": "0.60", "SELL": "0.65"}
    }
    last = anyone.post("/v1/last-trades-prices", items, **JSON).json()
    assert last[0] == {"token_id": "1000", "price": "0.62", "side": "BUY"}
    assert last[1]["price"] == "0.38"
    assert len(last) == 2


@pytest.mark.parametrize("path", ["books", "prices", "midpoints", "spreads", "last-trades-prices"])
def test_payloads_that_cannot_be_used(anyone: Client, retail: Any, path: str) -> None:
    for payload in ({}, "x", 3, ["1000"], [[]], {"items": "1000"}):
        response = anyone.post(f"/v1/{path}", json.dumps(payload), **JSON)
        assert_prose(response, 400, "Invalid payload", "INVALID_REQUEST")
    many = [{"token_id": "1", "side": "BUY"}] * 501
    response = anyone.post(f"/v1/{path}", many, **JSON)
    assert_prose(response, 400, "Payload exceeds the limit", "INVALID_REQUEST")
    for token in (1000, None, "x"):
        response = anyone.post(f"/v1/{path}", [{"token_id": token, "side": "BUY"}], **JSON)
        assert_prose(response, 400, "Invalid token id", "INVALID_REQUEST")
    assert anyone.post(f"/v1/{path}", "[]", **JSON).status_code == 200


def test_a_batch_of_displayed_prices_keeps_the_asked_order(bot: Client, market: Market) -> None:
    unknown = "0x" + "0" * 64
    body = {"market_ids": [unknown, market.condition_id]}
    rows = bot.post("/v1/prices/batch", body, **JSON).json()
    assert rows[0] == {"condition_id": unknown}
    assert (rows[1]["buy"], rows[1]["sell"], rows[1]["source"]) == ("0.625", "0.375", "websocket")
    assert [outcome["price"] for outcome in rows[1]["outcomes"]] == ["0.625", "0.375"]


def test_a_batch_is_as_large_as_the_tier_allows(
    anyone: Client, make_key: Callable[..., str], market: Market
) -> None:
    def ask(tier: str, number: int) -> Any:
        body = {"market_ids": [market.condition_id] * number}
        return anyone.post(
            "/v1/prices/batch", body, headers={"X-API-Key": make_key("read", tier=tier)}, **JSON
        )

    assert ask("pro", 5).status_code == 200
    assert ask("pro", 6)["X-Polysim-Code"] == "BATCH_LIMIT_EXCEEDED"
    assert ask("free", 2)["X-Polysim-Code"] == "BATCH_LIMIT_EXCEEDED"
    assert ask("pro", 0)["X-Polysim-Code"] == "INVALID_REQUEST"


def test_parameters_of_a_token(anyone: Client, retail: Any) -> None:
    make_market(1, fee_rate=Decimal("0.07"), is_neg_risk=True, tick_size=Decimal("0.001"))
    make_market(2, fee_rate=Decimal("0"))
    for path in ("tick-size/1000", "tick-size?token_id=1000"):
        assert anyone.get(f"/v1/{path}").content == b'{"minimum_tick_size":0.001}'
    for path in ("neg-risk/1000", "neg-risk?token_id=1000"):
        assert anyone.get(f"/v1/{path}").json() == {"neg_risk": True}
    fees = [anyone.get(f"/v1/fee-rate?token_id={token}").json() for token in (1000, 2001)]
    assert fees == [
        {"base_fee": 1000, "fee_rate_bps": 700},
        {"base_fee": 0, "fee_rate_bps": 0},
    ]
    assert_prose(anyone.get("/v1/neg-risk/77"), 404, "market not found", "MARKET_NOT_FOUND")
    missing = anyone.get("/v1/fee-rate?token_id=77")
    assert_prose(missing, 404, "fee rate not found for market", "MARKET_NOT_FOUND")


def test_the_clock_is_a_bare_number(anyone: Client, retail: Any) -> None:
    answer = anyone.get("/v1/time").json()
    assert abs(answer - datetime.now(UTC).timestamp()) < 5


@pytest.fixture
def history(market: Market) -> Outcome:
    """Minutes 10:00 to 12:59 of 5 January 2027, one cent up each hour, dipping at half past."""
    outcome = market.outcomes.get(index=0)
    start = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
    for minute in range(180):
        base = Decimal("0.60") + Decimal("0.01") * (minute // 60)
        low = base - Decimal("0.05") if minute % 60 == 30 else base
        MinuteCandle.objects.create(
            outcome=outcome,
            minute_at=start + timedelta(minutes=minute),
            open=base,
            high=base,
            low=low,
            close=base + Decimal("0.0025"),
            volume=2,
        )
    return outcome


def test_candles_open_with_the_first_and_close_with_the_last_price(
    anyone: Client, market: Market, history: Outcome
) -> None:
    path = f"/v1/markets/{market.condition_id}/candles"
    rows = anyone.get(f"{path}?start_time=2027-01-05&end_time=2027-01-05").json()
    assert [row["t"] for row in rows] == [1_799_143_200 + 3600 * hour for hour in range(3)]
    assert rows[0] == {
        "t": 1_799_143_200,
        "o": "0.6000",
        "h": "0.6000",
        "l": "0.5500",
        "c": "0.6025",
        "v": None,
    }
    day = anyone.get(f"{path}?interval=max&end_time=1799200000").json()
    assert [(row["o"], row["c"], row["l"]) for row in day] == [("0.6000", "0.6225", "0.5500")]
    since = anyone.get(f"{path}?start_time=2027-01-05T11:00:00Z&end_time=2027-01-06").json()
    assert [row["o"] for row in since] == ["0.6100", "0.6200"]
    assert anyone.get(f"{path}?outcome=no&interval=max").json() == []


def test_candles_know_five_intervals(anyone: Client, market: Market) -> None:
    response = anyone.get(f"/v1/markets/{market.condition_id}/candles?interval=5m")
    assert (response.status_code, response["X-Polysim-Code"]) == (400, "INVALID_INTERVAL")
    assert response.json()["supported_intervals"] == ["1h", "6h", "1d", "1w", "max"]
    assert (
        anyone.get(f"/v1/markets/{market.condition_id}/candles?start_time=yesterday").status_code
        == 422
    )


def test_prices_history_in_both_forms(anyone: Client, history: Outcome) -> None:
    span = "market=1000&startTs=1799143200&endTs=1799146800&fidelity=30"
    body = anyone.get(f"/v1/prices-history?{span}").json()
    assert body == {
        "history": [
            {"t": 1_799_143_200, "p": 0.6025},
            {"t": 1_799_145_000, "p": 0.6025},
        ]
    }
    rows = anyone.get(f"/v1/prices-history?{span}&format=ohlcv").json()
    assert rows[0] == {
        "t": 1_799_143_200,
        "o": "0.6000",
        "h": "0.6000",
        "l": "0.6000",
        "c": "0.6025",
    }
    alias = anyone.get("/v1/prices-history?token_id=1000&interval=max&fidelity=100000")
    assert alias.status_code == 200
    assert_prose(anyone.get("/v1/prices-history"), 400, "Invalid token id", "INVALID_REQUEST")
    for wrong in ("fidelity=0", "interval=2h", "format=csv", "startTs=9&endTs=1"):
        assert anyone.get(f"/v1/prices-history?market=1000&{wrong}").status_code == 422
