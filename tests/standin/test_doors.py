"""The venue's REST doors, read by plain requests and by the adapter's own readers."""

import hashlib
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.standin.conftest import RunningVenue, running
from trading.markets.polymarket import gamma, rest, values, wire

COIN = "btc-updown-5m"


@pytest.fixture(scope="module")
def venue() -> Iterator[RunningVenue]:
    """One venue for all tests here: they read, and each changes a market of its own at most."""
    with running("--mode", "demo", "--paused", "--seed", "7") as started:
        yield started


def read(venue: RunningVenue, path: str, **params: Any) -> Any:
    """An answer decoded as the adapter does it, without float."""
    return values.loads(venue.text(path, **params))


def token_of(venue: RunningVenue, slug: str, outcome_index: int = 0) -> str:
    return venue.market(slug)["token_ids"][outcome_index]


# -- gamma -------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", ["volume_24hr", "liquidity", "endDate", ""])
def test_keyset_paging_is_complete_and_without_repeats(venue: RunningVenue, order: str) -> None:
    seen: list[str] = []
    params: dict[str, Any] = {"closed": "false", "limit": 7, "ascending": "false"}
    if order:
        params["order"] = order
    while True:
        page = venue.get("/gamma/events/keyset", **params)
        seen += [event["id"] for event in page["events"]]
        if "next_cursor" not in page:
            break
        assert len(page["events"]) == 7
        params["after_cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == venue.get("/control/state")["open_markets"] - 25
    assert set(seen) == {event["id"] for event in venue.open_events()}


def test_keyset_refuses_offset_and_foreign_cursors(venue: RunningVenue) -> None:
    assert venue.status_of("/gamma/events/keyset", offset=10) == 422
    assert venue.status_of("/gamma/events/keyset", after_cursor="bm9uZQ==") == 422
    assert venue.status_of("/gamma/markets/keyset", after_cursor="%%%") == 422


def test_events_come_busiest_first(venue: RunningVenue) -> None:
    params = {"order": "volume_24hr", "ascending": "false", "limit": 100}
    volumes = [row["volume24hr"] for row in venue.get("/gamma/events", **params)]
    assert volumes == sorted(volumes, reverse=True)


def test_the_older_paging_answers_arrays(venue: RunningVenue) -> None:
    first = venue.get("/gamma/markets", limit=10, closed="false")
    second = venue.get("/gamma/markets", limit=10, offset=10, closed="false")
    assert isinstance(first, list)
    assert len(first) == len(second) == 10
    assert not {row["id"] for row in first} & {row["id"] for row in second}
    assert venue.get("/gamma/markets", limit=10, offset=1_000, closed="false") == []


def test_lists_inside_a_market_row_are_text(venue: RunningVenue) -> None:
    row = venue.get("/gamma/markets", slug=venue.market(COIN)["slug"])[0]
    assert json.loads(row["outcomes"]) == ["Up", "Down"]
    assert all(isinstance(price, str) for price in json.loads(row["outcomePrices"]))
    assert all(token.isdecimal() for token in json.loads(row["clobTokenIds"]))
    assert row["umaResolutionStatuses"] == "[]"
    assert isinstance(row["volume"], str)
    assert row["orderPriceMinTickSize"] in (0.01, 0.001)
    assert row["orderMinSize"] == 5
    assert row["feeSchedule"]["rate"] == 0.07
    assert "markets" not in row["events"][0]
    assert "tags" not in row["events"][0]


def test_markets_are_found_by_every_identity(venue: RunningVenue) -> None:
    wanted = venue.market("brightcoin")
    row = venue.get("/gamma/markets", condition_ids=wanted["condition_id"])[0]
    by_token = venue.get("/gamma/markets", clob_token_ids=wanted["token_ids"][1])
    assert [each["id"] for each in by_token] == [row["id"]]
    assert venue.get(f"/gamma/markets/{row['id']}")["slug"] == wanted["slug"]
    assert venue.get(f"/gamma/markets/slug/{wanted['slug']}")["id"] == row["id"]
    event = row["events"][0]
    assert venue.get(f"/gamma/events/{event['id']}")["markets"][0]["id"] == row["id"]
    assert venue.get(f"/gamma/events/slug/{event['slug']}")["id"] == event["id"]
    assert venue.status_of("/gamma/events/slug/nothing-of-the-kind") == 404
    assert venue.status_of("/gamma/markets/123") == 404


def test_closed_markets_are_listed_when_asked_for(venue: RunningVenue) -> None:
    closed = venue.get("/gamma/markets", closed="true", limit=100)
    assert len(closed) >= 20
    assert all(row["closed"] is True for row in closed)
    condition = closed[0]["conditionId"]
    assert venue.get("/gamma/markets", condition_ids=condition) == []
    assert len(venue.get("/gamma/markets", condition_ids=condition, closed="true")) == 1


def test_a_window_of_last_week_is_still_answered(venue: RunningVenue) -> None:
    from trading.markets.standin.demo.groups import SERIES
    from trading.markets.standin.demo.world import World

    week_ago_ms = (int(time.time()) - 7 * 86_400) // 300 * 300 * 1_000
    market = World(7).window(SERIES[0], week_ago_ms)[0].markets[0]
    rows = venue.get("/gamma/markets", condition_ids=market.condition_id, closed="true")
    assert [row["slug"] for row in rows] == [market.slug]
    clob = rest.read_clob_market(read(venue, f"/clob/markets/{market.condition_id}"))
    parsed = gamma.read_market(rows[0])[0]
    assert parsed is not None
    assert clob is not None
    payouts = gamma.settled_payouts(parsed)
    assert payouts is not None
    verdict = gamma.clob_verdict(clob, token_ids=parsed.token_ids, payouts=payouts)
    assert verdict is gamma.Verdict.AGREES


def test_filters_by_tag_and_date(venue: RunningVenue) -> None:
    params = {"tag_slug": "up-or-down", "closed": "false", "limit": 100}
    soon = venue.get("/gamma/events/keyset", **params)["events"]
    assert len(soon) == 8
    assert all(event["markets"][0]["eventStartTime"] for event in soon)
    params |= {"end_date_max": "2020-01-01T00:00:00Z"}
    assert venue.get("/gamma/events/keyset", **params)["events"] == []
    tags = {row["slug"] for row in venue.get("/gamma/tags", limit=100)}
    assert {"crypto", "politics", "geopolitics", "weather"} <= tags
    assert venue.get("/gamma/tags/slug/crypto")["label"] == "Crypto"


def test_search_finds_words_of_titles_and_questions(venue: RunningVenue) -> None:
    found = venue.get("/gamma/public-search", q="meridian cup")
    assert found["pagination"]["totalResults"] >= 1
    assert any("Meridian Cup" in event["title"] for event in found["events"])
    assert venue.get("/gamma/public-search", q="zzzz")["events"] == []


def test_the_adapter_reads_every_row_without_dropping_one(venue: RunningVenue) -> None:
    payload = read(venue, "/gamma/events/keyset", limit=500)
    events, _cursor, dropped = gamma.read_events_page(payload)
    assert dropped == {}
    markets = [market for event in events for market in event.markets]
    assert sum(market.is_tradable for market in markets) >= 60
    assert {market.category for market in markets} == {
        "crypto", "economics", "culture", "weather", "other", "finance", "politics", "mentions",
        "tech", "sports", "geopolitics",
    }  # fmt: skip
    assert sum(market.is_up_down for market in markets if market.is_tradable) == 8
    settled = [market for market in markets if gamma.settled_payouts(market)]
    assert len(settled) == sum(market.closed is True for market in markets)


# -- clob --------------------------------------------------------------------------------------
def test_books_have_the_venue_s_shape_and_hash(venue: RunningVenue) -> None:
    tokens = [token for market in venue.markets() for token in market["token_ids"]]
    body = [{"token_id": token} for token in tokens]
    books = venue.post("/clob/books", body)
    assert 120 <= len(books) < len(tokens)
    for book in books:
        keys = ["market", "asset_id", "timestamp", "hash", "bids", "asks", "min_order_size"]
        keys += ["tick_size", "neg_risk", "last_trade_price"]
        assert list(book) == keys
        own = json.dumps(book | {"hash": ""}, separators=(",", ":"))
        assert hashlib.sha1(own.encode()).hexdigest() == book["hash"]
        for name, is_rising in (("bids", True), ("asks", False)):
            prices = [float(level["price"]) for level in book[name]]
            assert prices == sorted(prices, reverse=not is_rising)
        if book["bids"] and book["asks"]:
            assert float(book["bids"][-1]["price"]) < float(book["asks"][-1]["price"])
    parsed, _dropped = wire.parse_books(books)
    assert len(parsed) == len(books)


def test_top_prices_follow_from_the_book(venue: RunningVenue) -> None:
    market = venue.market("brightcoin")
    venue.hook(
        "book",
        token_id=market["token_ids"][0],
        bids=[{"price": "0.45", "size": "100"}, {"price": "0.44", "size": "7.5"}],
        asks=[{"price": "0.48", "size": "30"}],
    )
    first, second = market["token_ids"]
    assert venue.get("/clob/price", token_id=first, side="BUY") == {"price": "0.45"}
    assert venue.get("/clob/price", token_id=first, side="SELL") == {"price": "0.48"}
    assert venue.get("/clob/midpoint", token_id=second) == {"mid": "0.535"}
    assert venue.get("/clob/spread", token_id=second) == {"spread": "0.03"}
    body = [{"token_id": first}, {"token_id": "1"}]
    assert venue.post("/clob/midpoints", body) == {first: "0.465"}
    assert venue.post("/clob/spreads", body) == {first: "0.03"}
    sides = [{"token_id": first, "side": "BUY"}, {"token_id": first, "side": "SELL"}]
    assert venue.post("/clob/prices", sides) == {first: {"BUY": "0.45", "SELL": "0.48"}}
    levels = venue.book(second)["asks"]
    assert levels == [{"price": "0.56", "size": "7.5"}, {"price": "0.55", "size": "100"}]


def test_parameters_of_a_token(venue: RunningVenue) -> None:
    token = token_of(venue, "meridian-cup-winner")
    free = token_of(venue, "verania-ostmark-treaty")
    assert venue.get("/clob/tick-size", token_id=token) == {"minimum_tick_size": 0.001}
    assert venue.get(f"/clob/tick-size/{token}") == {"minimum_tick_size": 0.001}
    assert venue.get("/clob/neg-risk", token_id=token) == {"neg_risk": True}
    assert venue.get("/clob/fee-rate", token_id=token) == {"base_fee": 1000}
    assert venue.get(f"/clob/fee-rate/{free}") == {"base_fee": 0}
    condition = venue.market("meridian-cup-winner")["condition_id"]
    info = rest.read_market_info(read(venue, f"/clob/clob-markets/{condition}"))
    assert info is not None
    assert (info.tick_size, info.min_order_size, info.neg_risk) == (1_000, 5_000_000, True)
    assert info.fee_data == {"r": Decimal("0.03"), "e": 1, "to": True}
    assert venue.get(f"/clob/markets-by-token/{token}")["condition_id"] == condition


def test_unknown_tokens_are_refused_as_the_venue_does(venue: RunningVenue) -> None:
    answer = httpx.get(f"{venue.http}/clob/book", params={"token_id": "12345"})
    assert answer.status_code == 404
    expected = {"error": "No orderbook exists for the requested token id"}
    assert answer.json() == expected
    answer = httpx.get(f"{venue.http}/clob/book", params={"token_id": "abc"})
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid token id"})
    assert venue.status_of("/clob/markets/0x00") == 404
    closed = venue.get("/gamma/markets", closed="true", limit=1)[0]
    token = json.loads(closed["clobTokenIds"])[0]
    assert venue.status_of("/clob/book", token_id=token) == 404
    assert httpx.post(f"{venue.http}/clob/books", content="{").status_code == 400


def test_the_clob_listing_ends_with_its_own_cursor(venue: RunningVenue) -> None:
    page = venue.get("/clob/markets", next_cursor="")
    assert page["next_cursor"] == "LTE="
    assert page["count"] == len(page["data"]) == len(venue.markets())
    assert venue.get("/clob/markets", next_cursor="MA==")["count"] == page["count"]
    assert venue.status_of("/clob/markets", next_cursor="?") == 400
    assert set(venue.get("/clob/simplified-markets")["data"][0]) >= {"condition_id", "tokens"}


def test_time_and_health(venue: RunningVenue) -> None:
    assert venue.get("/clob/ok") == "OK"
    assert abs(venue.get("/clob/time") - time.time()) < 5


def test_price_history_reaches_back_a_month(venue: RunningVenue) -> None:
    first, second = venue.market("verania-snap-election")["token_ids"]
    day = venue.get("/clob/prices-history", market=first, interval="1d", fidelity=60)["history"]
    assert 23 <= len(day) <= 25
    mirrored = venue.get("/clob/prices-history", market=second, interval="1d", fidelity=60)
    pairs = zip(day, mirrored["history"], strict=True)
    assert all(abs(own["p"] + other["p"] - 1) < 1e-9 for own, other in pairs)
    everything = read(venue, "/clob/prices-history", market=first, interval="max", fidelity=720)
    points, dropped = rest.read_history(everything)
    assert dropped == 0
    assert points[0].at_s < time.time() - 28 * 86_400
    start, end = day[3]["t"], day[5]["t"]
    part = venue.get("/clob/prices-history", market=first, startTs=start, endTs=end, fidelity=60)
    assert part["history"] == day[3:6]
    both = {"market": first, "interval": "1d", "startTs": start}
    assert venue.status_of("/clob/prices-history", **both) == 400


# -- data --------------------------------------------------------------------------------------
def test_the_public_tape_in_both_shapes(venue: RunningVenue) -> None:
    market = venue.market("copper-above")
    venue.hook("trade", token_id=market["token_ids"][1], side="SELL", size="12", price="0.55")
    old = read(venue, "/data/trades", market=market["condition_id"], limit=5)
    new = read(venue, "/data/v2/trades", condition_id=market["condition_id"], limit=5)
    assert len(old) == len(new["data"]) == 5
    for payload in (old, new):
        trades, dropped = rest.read_trades(payload)
        assert dropped == 0
        newest = trades[0]
        assert (newest.token_id, newest.side) == (market["token_ids"][1], "SELL")
        assert (newest.price, newest.size) == (550_000, 12_000_000)
    times = [row["timestamp"] for row in old]
    assert times == sorted(times, reverse=True)
