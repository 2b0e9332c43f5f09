"""`/v1/ws/prices` and `/v1/ws/executions` (trading-api 10, 10.1, 10.2)."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from tests.sockets.conftest import Peer
from trading.consumers import prices, snapshots
from trading.consumers.identity import SocketIdentity
from trading.hub import get_hub, publish_to_user
from trading.markets import books
from trading.markets.books import MarketWrite, TokenBook, frames
from trading.markets.pricing import Book

MARKET = "0x" + "a1" * 32
OTHER = "0x" + "b2" * 32
UNKNOWN = "0x" + "c3" * 32
SHARES = 1_000_000


@pytest.fixture(autouse=True)
def _caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """`?token=good` is user 12 on plan pro; other tokens are nobody's."""

    async def user(scope: Any) -> SocketIdentity | None:
        is_good = scope["query_string"] == b"token=good"
        return SocketIdentity(12, "pro") if is_good else None

    async def three(_plan: str) -> int:
        return 3

    monkeypatch.setattr(prices, "read_token_or_session_user", user)
    monkeypatch.setattr(prices.limits, "api_sockets_max", three)
    monkeypatch.setattr(snapshots, "_catalogue_frames", lambda _condition_ids: {})


@pytest.fixture
def live_markets(redis_client: Any) -> None:
    for condition_id in (MARKET, OTHER):
        card = frames.MarketCard(condition_id, ("Yes", "No"), ("101", "102"))
        pair = (
            TokenBook("101", Book(((600_000, SHARES),), ((620_000, SHARES),))),
            TokenBook("102", Book()),
        )
        frame = frames.price_frame(card, pair, emit_ms=1, changed_ms=1, confirmed_ms=1)
        write = MarketWrite(condition_id, pair, confirmed_at_ms=1, price_frame=frame)
        books.write_market(write, now_ms=1)


def price_text(condition_id: str, price: str) -> str:
    return f'{{"type":"price","market_id":"{condition_id}","buy":"{price}"}}'


async def test_while_the_database_is_away_a_socket_is_asked_to_come_back(
    connect: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_scope: Any) -> None:
        raise OperationalError("the database is restarting")

    monkeypatch.setattr(prices, "read_token_or_session_user", broken)
    assert await connect("/v1/ws/prices", query="token=good").ended() == 1013


async def test_a_bad_token_is_closed_with_4001(connect: Callable[..., Peer]) -> None:
    assert await connect("/v1/ws/prices", query="token=bad").ended() == 4001


async def test_the_first_frame_names_the_user(connect: Callable[..., Peer]) -> None:
    frame = await connect("/v1/ws/prices", query="token=good").frame()
    assert frame == {"type": "connected", "user_id": 12, "protocol_version": "1.0"}


async def test_a_fourth_socket_of_a_pro_user_is_closed_with_4002(
    connect: Callable[..., Peer],
) -> None:
    first = connect("/v1/ws/prices", query="token=good")
    await first.frame()
    await connect("/v1/ws/executions", query="token=good").frame()
    await connect("/v1/ws/prices", query="token=good").frame()
    assert await connect("/v1/ws/executions", query="token=good").ended() == 4002
    await first.leave()
    assert (await connect("/v1/ws/prices", query="token=good").frame())["type"] == "connected"


@pytest.mark.parametrize("key", ["markets", "conditions"])
@pytest.mark.parametrize("verb", ["action", "type"])
async def test_subscribing_lists_everything_and_sends_the_current_state(
    connect: Callable[..., Peer], live_markets: None, key: str, verb: str
) -> None:
    peer = connect("/v1/ws/prices", query="token=good")
    await peer.frame("connected")
    peer.send({verb: "subscribe", key: [MARKET]})
    assert await peer.frame() == {"type": "subscribed", "markets": [MARKET]}
    assert (await peer.frame())["market_id"] == MARKET
    peer.send({verb: "subscribe", key: [OTHER, MARKET]})
    assert await peer.frame() == {"type": "subscribed", "markets": [MARKET, OTHER]}
    assert (await peer.frame())["market_id"] == OTHER
    peer.send({verb: "unsubscribe", key: [MARKET]})
    assert await peer.frame() == {"type": "subscribed", "markets": [OTHER]}


async def test_the_sequence_rises_per_market(
    connect: Callable[..., Peer], live_markets: None, publish: Callable[[str, str], None]
) -> None:
    peer = connect("/v1/ws/prices", query="token=good")
    peer.send({"action": "subscribe", "markets": [MARKET, OTHER]})
    snapshots_got = [await peer.frame("price") for _ in range(2)]
    assert [frame["seq"] for frame in snapshots_got] == [1, 1]
    await asyncio.wait_for(get_hub().is_connected.wait(), timeout=5)
    publish(MARKET, price_text(MARKET, "0.65"))
    assert (await peer.frame("price"))["seq"] == 2
    publish(MARKET, price_text(MARKET, "0.66"))
    assert (await peer.frame("price"))["seq"] == 3
    publish(OTHER, price_text(OTHER, "0.10"))
    assert (await peer.frame("price"))["seq"] == 2


async def test_an_unknown_market_is_an_error_and_not_subscribed(
    connect: Callable[..., Peer], live_markets: None
) -> None:
    peer = connect("/v1/ws/prices", query="token=good")
    peer.send({"action": "subscribe", "markets": [UNKNOWN]})
    assert UNKNOWN in (await peer.frame("error"))["message"]
    peer.send({"action": "subscribe", "markets": [MARKET]})
    assert (await peer.frame("subscribed"))["markets"] == [MARKET]


async def test_over_fifty_markets_nothing_is_added(connect: Callable[..., Peer]) -> None:
    peer = connect("/v1/ws/prices", query="token=good")
    peer.send({"action": "subscribe", "markets": [f"0x{number:064x}" for number in range(51)]})
    assert "50" in (await peer.frame("error"))["message"]
    peer.send({"action": "unsubscribe", "markets": []})
    assert (await peer.frame("subscribed"))["markets"] == []


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        {"action": "jump"},
        {"action": "subscribe", "markets": "all"},
        {"action": "subscribe", "assets_ids": ["713"]},
        {"action": "subscribe", "markets": ["713"]},
    ],
)
async def test_wrong_messages_are_answered_and_the_socket_stays(
    connect: Callable[..., Peer], message: Any
) -> None:
    peer = connect("/v1/ws/prices", query="token=good")
    await peer.frame("connected")
    peer.send(message)
    assert set(await peer.frame()) == {"type", "message"}
    peer.send({"action": "ping"})
    pong = await peer.frame()
    assert pong["type"] == "pong"
    assert isinstance(pong["ts"], int)


async def test_fills_need_no_subscription_and_count_over_reconnects(
    connect: Callable[..., Peer],
) -> None:
    fill = {"type": "fill", "order_id": 8124, "price": "0.6000"}
    peer = connect("/v1/ws/executions", query="token=good")
    await peer.frame("connected")
    await asyncio.wait_for(get_hub().is_connected.wait(), timeout=5)
    publish_to_user(12, fill, now_s=1_000)
    first = await peer.frame()
    assert first == {"seq": 1_001, **fill}
    await peer.leave()
    publish_to_user(12, fill, now_s=2_000)
    again = connect("/v1/ws/executions", query="token=good")
    await again.frame("connected")
    publish_to_user(12, fill, now_s=2_000)
    assert (await again.frame())["seq"] == 1_003


async def test_subscribing_on_executions_is_acknowledged_and_ignored(
    connect: Callable[..., Peer],
) -> None:
    peer = connect("/v1/ws/executions", query="token=good")
    await peer.frame("connected")
    peer.send({"action": "subscribe", "markets": [MARKET]})
    assert await peer.frame() == {"type": "subscribed", "markets": []}


@pytest.mark.django_db(transaction=True)
async def test_a_real_session_and_a_real_token_open_a_socket(
    connect: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asgiref.sync import sync_to_async
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from polysim.kernel.clock import utc_now
    from tenants.models import User
    from tenants.services import issue_ws_token
    from trading.consumers import identity

    monkeypatch.setattr(prices, "read_token_or_session_user", identity.read_token_or_session_user)

    def prepare() -> tuple[int, str, str]:
        user = User.objects.create_user("ada@example.com", "a long enough password")
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        caller = SimpleNamespace(user=user, key_id=None, tier="free")
        return user.pk, session.session_key, issue_ws_token(identity=caller, now=utc_now())

    user_id, session_key, token = await sync_to_async(prepare)()
    with_token = connect("/v1/ws/prices", query=f"token={token}")
    assert (await with_token.frame())["user_id"] == user_id
    cookie = f"sessionid={session_key}"
    page = connect("/ws/terminal/", cookie=cookie, host="localhost", origin="http://localhost")
    assert (await page.frame())["user_id"] == user_id
    stranger = connect("/ws/terminal/", cookie="sessionid=nobody")
    assert (await stranger.frame())["user_id"] is None
    assert await connect("/v1/ws/prices", query="token=forged").ended() == 4001
