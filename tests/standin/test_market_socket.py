"""The market websocket: subscriptions, heartbeat, events (polymarket-feed 4)."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from websockets.exceptions import ConnectionClosed

from tests.standin.conftest import Reader, RunningVenue
from trading.markets.polymarket import wire

BOOK = {
    "bids": [{"price": "0.45", "size": "100"}, {"price": "0.44", "size": "50"}],
    "asks": [{"price": "0.47", "size": "30"}, {"price": "0.50", "size": "10"}],
}


async def test_a_subscription_brings_one_book_per_token(venue: RunningVenue) -> None:
    tokens = venue.market("brightcoin")["token_ids"]
    async with venue.socket(tokens) as reader:
        books = await reader.events(2)
        assert [book["event_type"] for book in books] == ["book", "book"]
        assert [book["asset_id"] for book in books] == tokens
        for token, book in zip(tokens, books, strict=True):
            rest_book = venue.book(token)
            assert {k: v for k, v in book.items() if k != "event_type"} == rest_book
        await reader.silence()


async def test_many_books_share_a_frame(venue: RunningVenue) -> None:
    tokens = [token for market in venue.markets() for token in market["token_ids"]]
    async with venue.socket(tokens) as reader:
        payload = json.loads(await reader.text())
        assert isinstance(payload, list)
        assert len(payload) == 64


async def test_without_initial_dump_no_book_comes(venue: RunningVenue) -> None:
    tokens = venue.market("brightcoin")["token_ids"]
    async with venue.socket(tokens, initial_dump=False) as reader:
        await reader.silence()


async def test_the_heartbeat_is_text(venue: RunningVenue) -> None:
    async with venue.socket([]) as reader:
        await reader.send("PING")
        assert await reader.text() == "PONG"


async def test_tokens_can_be_added_and_removed(venue: RunningVenue) -> None:
    first, second = venue.market("brightcoin")["token_ids"]
    async with venue.socket([first]) as reader:
        assert (await reader.event())["asset_id"] == first
        await reader.send({"operation": "subscribe", "assets_ids": [first, second]})
        assert (await reader.event())["asset_id"] == second
        await reader.send({"operation": "unsubscribe", "assets_ids": [first, second]})
        await reader.send("PING")
        assert await reader.text() == "PONG"
        venue.hook("levels", token_id=first, changes=[_change("BUY", "0.01", "9")])
        await reader.silence()
        await reader.send({"operation": "subscribe", "assets_ids": [first]})
        book = await reader.event()
        assert book["bids"][0] == {"price": "0.01", "size": "9"}


def _change(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "price": price, "size": size}


async def test_a_level_change_names_both_tokens_and_the_new_tops(venue: RunningVenue) -> None:
    first, second = venue.market("brightcoin")["token_ids"]
    venue.hook("book", token_id=first, **BOOK)
    async with venue.socket([first, second]) as reader:
        await reader.events(2)
        venue.hook("levels", token_id=first, changes=[_change("SELL", "0.46", "12")])
        message = await reader.event()
        assert message["event_type"] == "price_change"
        assert "asset_id" not in message
        own, other = message["price_changes"]
        assert (own["asset_id"], own["side"], own["price"]) == (first, "SELL", "0.46")
        assert (own["best_bid"], own["best_ask"], own["size"]) == ("0.45", "0.46", "12")
        assert (other["asset_id"], other["side"], other["price"]) == (second, "BUY", "0.54")
        assert (other["best_bid"], other["best_ask"]) == ("0.54", "0.55")
        venue.hook("levels", token_id=second, changes=[_change("BUY", "0.54", "0")])
        message = await reader.event()
        assert [entry["size"] for entry in message["price_changes"]] == ["0", "0"]
        assert message["price_changes"][0]["best_ask"] == "0.47"


async def test_an_empty_side_is_named_zero_or_one(venue: RunningVenue) -> None:
    first, second = venue.market("brightcoin")["token_ids"]
    venue.hook("book", token_id=first, bids=[{"price": "0.2", "size": "5"}], asks=[])
    async with venue.socket([first, second]) as reader:
        await reader.events(2)
        venue.hook("levels", token_id=first, changes=[_change("BUY", "0.2", "0")])
        own, other = (await reader.event())["price_changes"]
        assert (own["best_bid"], own["best_ask"]) == ("0", "1")
        assert (other["best_bid"], other["best_ask"]) == ("0", "1")


async def test_a_trade_is_followed_by_the_books(venue: RunningVenue) -> None:
    first, second = venue.market("brightcoin")["token_ids"]
    venue.hook("book", token_id=first, **BOOK)
    async with venue.socket([first, second]) as reader:
        await reader.events(2)
        venue.hook("trade", token_id=first, side="BUY", size="10")
        trade, own, other = await reader.events(3)
        assert trade["event_type"] == "last_trade_price"
        assert (trade["price"], trade["size"], trade["side"]) == ("0.47", "10", "BUY")
        assert trade["transaction_hash"].startswith("0x")
        assert own["asks"][-1] == {"price": "0.47", "size": "20"}
        assert other["bids"][-1] == {"price": "0.53", "size": "20"}
        assert own["last_trade_price"] == "0.470"
        assert own["timestamp"] >= trade["timestamp"]


async def test_custom_events_come_only_to_those_who_ask(venue: RunningVenue) -> None:
    market = venue.market("brightcoin")
    first, second = market["token_ids"]
    venue.hook("book", token_id=first, **BOOK)
    async with (
        venue.socket([first, second]) as plain,
        venue.socket([first, second], custom_feature_enabled=True) as custom,
    ):
        await plain.events(2)
        await custom.events(2)
        venue.hook("levels", token_id=first, changes=[_change("BUY", "0.46", "5")])
        venue.hook("resolve", token_id=first, payouts=["1", "0"])
        assert (await plain.event())["event_type"] == "price_change"
        await plain.silence()
        change, own, other, resolved = await custom.events(4)
        assert change["event_type"] == "price_change"
        assert (own["event_type"], own["asset_id"]) == ("best_bid_ask", first)
        assert (own["best_bid"], own["best_ask"], own["spread"]) == ("0.46", "0.47", "0.01")
        assert (other["best_bid"], other["best_ask"]) == ("0.53", "0.54")
        assert resolved["event_type"] == "market_resolved"
        assert resolved["winning_asset_id"] == first
        assert resolved["winning_outcome"] == "Yes"
        assert resolved["market"] == market["condition_id"]


async def test_new_windows_are_announced(venue: RunningVenue) -> None:
    async with venue.socket([], custom_feature_enabled=True) as reader:
        venue.hook("advance", seconds=305)
        announced = await reader.event()
        assert announced["event_type"] == "new_market"
        assert announced["synthetic"] is True
        assert announced["outcomes"] == ["Up", "Down"]
        listed = venue.get("/gamma/markets", condition_ids=announced["market"])
        assert json.loads(listed[0]["clobTokenIds"]) == announced["assets_ids"]


async def test_a_tick_change_is_told_before_the_new_book(venue: RunningVenue) -> None:
    first, second = venue.market("brightcoin")["token_ids"]
    async with venue.socket([first, second]) as reader:
        await reader.events(2)
        venue.hook("tick", token_id=first, tick="0.001")
        events = await reader.events(4)
        assert [event["event_type"] for event in events[:2]] == ["tick_size_change"] * 2
        assert events[0]["old_tick_size"] == "0.01"
        assert events[0]["new_tick_size"] == "0.001"
        assert [event["tick_size"] for event in events[2:]] == ["0.001", "0.001"]


@pytest.mark.parametrize("text", ["hello", "{}", '{"type":"user"}', '{"assets_ids":[]}', "[]"])
async def test_senseless_messages_are_answered_in_plain_text(
    venue: RunningVenue, text: str
) -> None:
    async with venue.socket([]) as reader:
        await reader.send(text)
        assert await reader.text() == "INVALID OPERATION"


async def test_a_local_book_kept_from_the_socket_equals_the_venue_s(
    run_venue: Callable[..., RunningVenue],
) -> None:
    """Half a minute of the living demo, pressed into a moment, followed change by change."""
    venue = run_venue("--paused", "--seed", "3")
    tokens = [t for m in venue.markets() if not m["closed"] for t in m["token_ids"]]
    books: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}
    async with venue.socket(tokens) as reader:
        for book in await reader.events(len(tokens)):
            books[book["asset_id"]] = _sides(book)
        await asyncio.to_thread(venue.hook, "advance", seconds=30)
        changes = 0
        await reader.send("PING")
        while (frame := await reader.text()) != "PONG":
            parsed = wire.parse_frame(frame)
            assert parsed.garbage == {}
            payload = json.loads(frame)
            for event in payload if isinstance(payload, list) else [payload]:
                if event["event_type"] == "book":
                    books[event["asset_id"]] = _sides(event)
                elif event["event_type"] == "price_change":
                    changes += 1
                    _follow(books, event)
        assert changes > 300
        for token in tokens[:40]:
            assert books[token] == _sides(venue.book(token))


def _sides(book: dict[str, list[dict[str, str]]]) -> tuple[dict[Decimal, Decimal], ...]:
    return tuple(
        {Decimal(level["price"]): Decimal(level["size"]) for level in book[name]}
        for name in ("bids", "asks")
    )


def _follow(books, message) -> None:
    for entry in message["price_changes"]:
        sides = books[entry["asset_id"]]
        levels = sides[0] if entry["side"] == "BUY" else sides[1]
        price, size = Decimal(entry["price"]), Decimal(entry["size"])
        if size:
            levels[price] = size
        else:
            levels.pop(price, None)
    for entry in message["price_changes"]:
        bids, asks = books[entry["asset_id"]]
        assert Decimal(entry["best_bid"]) == max(bids, default=Decimal(0))
        assert Decimal(entry["best_ask"]) == min(asks, default=Decimal(1))
        assert not bids or not asks or max(bids) < min(asks)


async def test_a_dropped_socket_ends_without_goodbye(venue: RunningVenue) -> None:
    async with venue.socket(venue.market("brightcoin")["token_ids"]) as reader:
        await reader.events(2)
        assert venue.hook("drop")["dropped"] == 1
        with pytest.raises(ConnectionClosed) as closed:
            await _read_to_end(reader)
        assert closed.value.rcvd is None


async def _read_to_end(reader: Reader) -> None:
    while True:
        await reader.text()
