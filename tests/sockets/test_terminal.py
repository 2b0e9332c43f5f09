"""The pages' socket `/ws/terminal/`: hello, snapshots, sequence, resync, the user's own news."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.sockets.conftest import Peer
from trading import hub as hub_module
from trading.consumers import socket as socket_module
from trading.consumers import terminal
from trading.consumers.identity import SocketIdentity
from trading.hub import get_hub, publish_to_user
from trading.markets import books
from trading.markets.books import MarketWrite, TokenBook, frames, keys
from trading.markets.pricing import Book

MARKET = "0x" + "a1" * 32
OTHER = "0x" + "b2" * 32
SHARES = 1_000_000
CARD = frames.MarketCard(MARKET, ("Yes", "No"), ("101", "102"))
BOOKS = (
    TokenBook("101", Book(((600_000, SHARES),), ((620_000, SHARES),))),
    TokenBook("102", Book()),
)


def price_text(price: str) -> str:
    return f'{{"type":"price","market_id":"{MARKET}","buy":"{price}"}}'


@pytest.fixture
def live_market(redis_client: Any) -> None:
    """The market is in Valkey with its newest price frame."""
    frame = frames.price_frame(CARD, BOOKS, emit_ms=1, changed_ms=1, confirmed_ms=1)
    write = MarketWrite(MARKET, BOOKS, confirmed_at_ms=1, price_frame=frame)
    books.write_market(write, now_ms=1)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session belongs to user 12."""

    async def user(_scope: Any) -> SocketIdentity:
        return SocketIdentity(12, "free")

    monkeypatch.setattr(terminal, "read_session_user", user)


async def subscribed(connect: Callable[..., Peer], **message: Any) -> Peer:
    peer = connect("/ws/terminal/")
    await peer.frame("hello")
    peer.send({"action": "subscribe"} | message)
    await peer.frame("subscribed")
    await asyncio.wait_for(get_hub().is_connected.wait(), timeout=5)
    return peer


async def test_an_anonymous_page_is_greeted_with_time_and_feed(
    connect: Callable[..., Peer], redis_client: Any
) -> None:
    redis_client.hset(keys.feed_key(), mapping={"mode": "demo", "halted": "1"})
    hello = await connect("/ws/terminal/").frame()
    assert hello["seq"] == 1
    assert hello["user_id"] is None
    assert hello["server_time_ms"] > 1_700_000_000_000
    assert (hello["feed"]["mode"], hello["feed"]["halted"]) == ("demo", True)


async def test_subscribing_answers_with_a_snapshot(
    connect: Callable[..., Peer], live_market: None
) -> None:
    peer = connect("/ws/terminal/")
    peer.send({"action": "subscribe", "markets": [MARKET], "books": [MARKET], "account": None})
    got = [await peer.frame() for _ in range(4)]
    assert [frame["type"] for frame in got] == ["hello", "subscribed", "price", "book"]
    assert [frame["seq"] for frame in got] == [1, 2, 3, 4]
    assert got[2]["buy"] == "0.61"
    assert got[3]["outcomes"][0]["bids"] == [["0.60", "1"]]
    assert got[3]["outcomes"][1]["asks"] == [["0.40", "1"]]


async def test_subscribing_keeps_the_market_live(
    connect: Callable[..., Peer], live_market: None, redis_client: Any
) -> None:
    peer = await subscribed(connect, markets=[MARKET])
    await peer.frame("price")
    assert redis_client.zscore(keys.page_interest_key(), MARKET) is not None


async def test_a_tick_arrives_with_the_next_sequence_number(
    connect: Callable[..., Peer], live_market: None, publish: Callable[[str, str], None]
) -> None:
    peer = await subscribed(connect, markets=[MARKET])
    snapshot = await peer.frame("price")
    publish(MARKET, price_text("0.65"))
    tick = await peer.frame()
    assert (tick["buy"], tick["seq"]) == ("0.65", snapshot["seq"] + 1)


async def test_ladders_and_trades_go_only_to_pages_that_show_the_book(
    connect: Callable[..., Peer], live_market: None, publish: Callable[[str, str], None]
) -> None:
    with_book = await subscribed(connect, books=[MARKET])
    without = await subscribed(connect, markets=[MARKET])
    await with_book.frame("book")
    await without.frame("price")
    publish(MARKET, '{"type":"trade","price":"0.62"}')
    publish(MARKET, '{"type":"book","outcomes":[]}')
    publish(MARKET, price_text("0.65"))
    assert (await with_book.frame())["type"] == "trade"
    assert (await with_book.frame())["type"] == "book"
    assert (await without.frame())["type"] == "price"


async def test_after_unsubscribing_nothing_more_comes(
    connect: Callable[..., Peer], live_market: None, publish: Callable[[str, str], None]
) -> None:
    peer = await subscribed(connect, markets=[MARKET])
    await peer.frame("price")
    peer.send({"action": "unsubscribe", "markets": [MARKET]})
    assert (await peer.frame())["markets"] == []
    publish(MARKET, price_text("0.65"))
    peer.send({"action": "ping"})
    assert (await peer.frame())["type"] == "pong"


async def test_resync_sends_everything_again(
    connect: Callable[..., Peer], live_market: None
) -> None:
    peer = await subscribed(connect, markets=[MARKET], books=[MARKET])
    await peer.frame("book")
    peer.send({"action": "resync"})
    kinds = [(await peer.frame())["type"] for _ in range(4)]
    assert kinds == ["hello", "subscribed", "price", "book"]


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        '"text"',
        {"action": "dance"},
        {"action": "subscribe", "markets": "all"},
        {"action": "subscribe", "markets": ["0x12"]},
        {"action": "subscribe", "markets": [7]},
        {"action": "subscribe", "account": "mine"},
        {"action": "subscribe", "account": True},
        {"action": "subscribe", "books": [f"0x{number:064x}" for number in range(11)]},
        {"action": "subscribe", "markets": [f"0x{number:064x}" for number in range(201)]},
    ],
)
async def test_a_wrong_message_is_answered_and_the_socket_stays(
    connect: Callable[..., Peer], message: Any
) -> None:
    peer = connect("/ws/terminal/")
    await peer.frame("hello")
    peer.send(message)
    assert (await peer.frame())["type"] == "error"
    peer.send({"action": "ping"})
    assert (await peer.frame())["type"] == "pong"


async def test_a_flood_of_messages_closes_the_socket(connect: Callable[..., Peer]) -> None:
    peer = connect("/ws/terminal/")
    await peer.frame("hello")
    for _ in range(201):
        peer.send({"action": "ping"})
    assert await peer.ended() == 1008


async def test_a_page_of_another_origin_is_turned_away(connect: Callable[..., Peer]) -> None:
    peer = connect("/ws/terminal/", host="localhost:8000", origin="https://evil.example")
    assert await peer.ended() == 1008


async def test_the_users_news_arrive_and_carry_their_own_counter(
    connect: Callable[..., Peer], signed_in: None
) -> None:
    peer = await subscribed(connect, account=31)
    first = publish_to_user(12, {"type": "fill", "order_id": 1, "wallet_id": 31}, now_s=1_000)
    fill = await peer.frame()
    assert (fill["type"], fill["order_id"], fill["user_seq"]) == ("fill", 1, first)
    assert fill["seq"] == 3


async def test_news_of_another_account_are_left_out_without_a_gap(
    connect: Callable[..., Peer], signed_in: None
) -> None:
    peer = await subscribed(connect, account=31)
    publish_to_user(12, {"type": "fill", "wallet_id": 99}, now_s=1_000)
    publish_to_user(12, {"type": "order", "wallet_id": 31}, now_s=1_000)
    frame = await peer.frame()
    assert (frame["type"], frame["seq"]) == ("order", 3)


async def test_a_stranger_hears_nothing_of_a_user(
    connect: Callable[..., Peer], live_market: None, publish: Callable[[str, str], None]
) -> None:
    anonymous = await subscribed(connect, markets=[MARKET])
    await anonymous.frame("price")
    publish_to_user(12, {"type": "fill", "wallet_id": 31}, now_s=1_000)
    publish(MARKET, price_text("0.65"))
    assert (await anonymous.frame())["type"] == "price"


async def test_a_user_may_open_twenty_pages(connect: Callable[..., Peer], signed_in: None) -> None:
    for _ in range(20):
        await connect("/ws/terminal/").frame("hello")
    assert await connect("/ws/terminal/").ended() == 4002


async def test_a_full_process_asks_to_come_back_later(
    connect: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "SOCKETS_MAX", 1)
    await connect("/ws/terminal/").frame("hello")
    assert await connect("/ws/terminal/").ended() == 1013


async def test_news_of_a_shown_market_arrive(
    connect: Callable[..., Peer], live_market: None, redis_client: Any
) -> None:
    peer = await subscribed(connect, markets=[MARKET])
    await peer.frame("price")
    news = {"type": "resolved", "condition_ids": [OTHER, MARKET]}
    redis_client.publish(keys.catalogue_channel(), json.dumps(news))
    frame = await peer.frame()
    assert (frame["type"], frame["market_id"], frame["change"]) == ("market", MARKET, "resolved")


async def test_a_slow_reader_gets_the_newest_price_and_delays_nobody(
    connect: Callable[..., Peer], live_market: None, publish: Callable[[str, str], None]
) -> None:
    slow = await subscribed(connect, markets=[MARKET])
    quick = await subscribed(connect, markets=[MARKET])
    await slow.frame("price")
    await quick.frame("price")
    slow.is_reading.clear()
    for number in range(100):
        publish(MARKET, price_text(f"0.{number:02d}"))
        assert (await quick.frame())["buy"] == f"0.{number:02d}"
    slow.is_reading.set()
    got = [await slow.frame("price")]
    while got[-1]["buy"] != "0.99":
        got.append(await slow.frame("price"))
    assert len(got) <= 3


async def test_a_reader_too_slow_for_its_fills_is_closed(
    connect: Callable[..., Peer], signed_in: None
) -> None:
    peer = await subscribed(connect)
    peer.is_reading.clear()
    for number in range(70):
        publish_to_user(12, {"type": "fill", "order_id": number}, now_s=1_000)
    await asyncio.sleep(0.5)
    peer.is_reading.set()
    assert await peer.ended() == 1013
    orders = [peer.sent.get_nowait()["order_id"] for _ in range(peer.sent.qsize())]
    assert orders == list(range(len(orders)))


async def test_after_valkey_was_away_every_page_gets_a_snapshot(
    connect: Callable[..., Peer],
    live_market: None,
    redis_client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "RECONNECT_S_MAX", 0.1)
    peer = await subscribed(connect, markets=[MARKET])
    await peer.frame("price")
    redis_client.client_kill_filter(_type="pubsub")
    lost = await peer.frame("feed")
    assert lost["running"] is False
    assert (await peer.frame("hello"))["type"] == "hello"
    assert (await peer.frame("price"))["buy"] == "0.61"


async def test_an_unknown_path_is_refused(connect: Callable[..., Peer]) -> None:
    peer = connect("/ws/nowhere/")
    assert await peer.ended() == 4404
    assert not peer.is_accepted
