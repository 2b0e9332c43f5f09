"""Frames of trading-api 10.1 and the terminal's ladder, as text."""

import json

import pytest

from trading.markets.books import FeedState, TokenBook, frames
from trading.markets.pricing import Book

SHARES = 1_000_000
CARD = frames.MarketCard("0x5f", ("Yes", "No"), ("7101", "7102"), volume="48210.75")
FIRST = TokenBook(
    "7101",
    Book(bids=((610_000, 10 * SHARES),), asks=((630_000, 6_500_000), (640_000, SHARES))),
    last_trade=620_000,
    last_trade_side="BUY",
    last_trade_size=40 * SHARES,
    last_trade_ms=5,
)
SECOND = TokenBook("7102", Book())
EMIT_MS = 1_799_143_200_250


def price_frame(books: frames.Books = (FIRST, SECOND)) -> dict[str, object]:
    text = frames.price_frame(
        CARD, books, emit_ms=EMIT_MS, changed_ms=EMIT_MS - 50, confirmed_ms=EMIT_MS - 50
    )
    assert text.startswith(frames.PRICE_PREFIX)
    return json.loads(text)


def test_a_price_frame_has_the_contracts_members() -> None:
    frame = price_frame()
    assert frame["buy"] == "0.62"
    assert frame["sell"] == "0.38"
    assert (frame["best_bid"], frame["best_ask"]) == ("0.61", "0.63")
    assert (frame["last_trade"], frame["last_trade_side"], frame["last_trade_size"]) == (
        "0.62",
        "BUY",
        "40",
    )
    assert frame["emit_ts_ms"] == EMIT_MS
    assert frame["updated_at"] == "2027-01-05T10:00:00.200Z"
    assert frame["source"] == "websocket"
    assert frame["tokens"] == {
        "7101": {"label": "Yes", "price": "0.62"},
        "7102": {"label": "No", "price": "0.38"},
    }


def test_only_an_outcome_that_traded_has_a_last_trade() -> None:
    first, second = price_frame()["outcomes"]
    assert first["last_trade"] == "0.62"
    assert "last_trade" not in second
    assert (second["best_bid"], second["best_ask"]) == ("0.37", "0.39")


def test_a_trade_of_the_second_outcome_is_shown_from_the_first() -> None:
    traded = TokenBook(
        "7102",
        Book(),
        last_trade=390_000,
        last_trade_side="BUY",
        last_trade_size=SHARES,
        last_trade_ms=9,
    )
    frame = price_frame((FIRST, traded))
    assert (frame["last_trade"], frame["last_trade_side"]) == ("0.61", "SELL")


def test_a_market_without_books_has_no_prices() -> None:
    frame = price_frame((None, None))
    assert frame["buy"] is None
    assert frame["status"] == "absent"


def test_a_ladder_shows_twelve_levels_of_both_outcomes_best_first() -> None:
    levels = tuple((600_000 - 10_000 * step, SHARES) for step in range(20))
    first = TokenBook("7101", Book(bids=levels, asks=((630_000, 6_500_000),)))
    text = frames.book_frame("0x5f", (first, SECOND), emit_ms=EMIT_MS, confirmed_ms=EMIT_MS)
    assert text.startswith(frames.BOOK_PREFIX)
    own, other = json.loads(text)["outcomes"]
    assert own["bids"][0] == ["0.60", "1"]
    assert len(own["bids"]) == 12
    assert own["asks"] == [["0.63", "6.5"]]
    assert other["bids"] == [["0.37", "6.5"]]
    assert other["asks"][0] == ["0.40", "1"]
    assert own["spread"] == "0.03"


@pytest.mark.parametrize(
    ("price", "text"),
    [(650_000, "0.65"), (655_000, "0.655"), (655_500, "0.6555"), (655_550, "0.6556"), (5, "0.00")],
)
def test_prices_have_two_to_four_decimals(price: int, text: str) -> None:
    assert frames.price_text(price) == text


def test_a_trade_frame_names_its_outcome() -> None:
    text = frames.trade_frame(
        CARD,
        outcome_index=1,
        price=380_000,
        size=2_500_000,
        side="SELL",
        traded_ms=EMIT_MS,
        identity="ab",
    )
    assert text.startswith(frames.TRADE_PREFIX)
    trade = json.loads(text)
    assert (trade["label"], trade["price"], trade["size"]) == ("No", "0.38", "2.5")


def test_a_feed_frame_says_when_its_owner_is_gone() -> None:
    feed = FeedState(mode="demo", heartbeat_ms=EMIT_MS)
    alive = json.loads(frames.feed_frame(feed, now_ms=EMIT_MS + 15_000))
    gone = json.loads(frames.feed_frame(feed, now_ms=EMIT_MS + 15_001))
    assert alive["running"] is True
    assert gone["running"] is False
