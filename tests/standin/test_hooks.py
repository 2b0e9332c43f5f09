"""The hooks that switch faults on and move the venue by hand."""

import hashlib
import json
import time

import httpx
import pytest

from tests.standin.conftest import RunningVenue
from trading.markets.polymarket import gamma, wire


def _tokens(venue: RunningVenue, slug: str = "brightcoin") -> list[str]:
    return venue.market(slug)["token_ids"]


def _level(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "price": price, "size": size}


async def test_frozen_data_still_answers_pong(venue: RunningVenue) -> None:
    tokens = _tokens(venue)
    async with venue.socket(tokens) as reader:
        await reader.events(2)
        venue.hook("freeze")
        venue.hook("levels", token_id=tokens[0], changes=[_level("BUY", "0.01", "7")])
        await reader.send("PING")
        assert await reader.text() == "PONG"
        await reader.silence()
        assert venue.get("/control/state")["frozen"] is True
        venue.hook("thaw")
        venue.hook("levels", token_id=tokens[0], changes=[_level("BUY", "0.01", "8")])
        assert (await reader.event())["event_type"] == "price_change"
    async with venue.socket(tokens) as reader:
        await reader.events(2)
        venue.hook("freeze", seconds=0.3)
        venue.hook("levels", token_id=tokens[0], changes=[_level("BUY", "0.01", "9")])
        time.sleep(0.4)
        venue.hook("levels", token_id=tokens[0], changes=[_level("BUY", "0.01", "10")])
        assert (await reader.event())["price_changes"][0]["size"] == "10"


async def test_skipped_messages_leave_a_gap(venue: RunningVenue) -> None:
    tokens = _tokens(venue)
    async with venue.socket(tokens) as reader:
        await reader.events(2)
        venue.hook("skip", count=2)
        for size in ("1", "2", "3"):
            venue.hook("levels", token_id=tokens[0], changes=[_level("BUY", "0.01", size)])
        assert (await reader.event())["price_changes"][0]["size"] == "3"


async def test_a_book_can_be_crossed_for_a_while(venue: RunningVenue) -> None:
    tokens = _tokens(venue)
    async with venue.socket(tokens) as reader:
        await reader.events(2)
        venue.hook("cross", token_id=tokens[0], seconds=0.3)
        own = (await reader.event())["price_changes"][0]
        assert float(own["best_bid"]) > float(own["best_ask"])
        own = (await reader.event())["price_changes"][0]
        assert own["size"] == "0"
        assert float(own["best_bid"]) < float(own["best_ask"])


def test_a_spoiled_hash_does_not_reproduce(venue: RunningVenue) -> None:
    token = _tokens(venue)[0]
    venue.hook("hash", count=1)
    results = []
    for _ in range(2):
        book = venue.book(token)
        own = json.dumps(book | {"hash": ""}, separators=(",", ":"))
        results.append(hashlib.sha1(own.encode()).hexdigest() == book["hash"])
    assert results == [False, True]


async def test_garbage_reaches_every_socket(venue: RunningVenue) -> None:
    async with venue.socket([]) as reader:
        sent = venue.hook("garbage")["sent"]
        frames = [await reader.text() for _ in range(sent - 1)]
        assert any(wire.parse_frame(frame).garbage for frame in frames)
        venue.hook("garbage", frames=["\u0000nonsense"])
        while (frame := await reader.text()) != "\u0000nonsense":
            assert frame


@pytest.mark.parametrize("status", [425, 429, 503])
def test_rest_refuses_so_many_requests(venue: RunningVenue, status: int) -> None:
    venue.hook("status", status=status, requests=2, retry_after="3", path="/clob")
    assert venue.status_of("/gamma/tags") == 200
    refused = httpx.get(f"{venue.http}/clob/time", timeout=30)
    assert (refused.status_code, refused.headers["Retry-After"]) == (status, "3")
    assert "error" in refused.json()
    assert venue.status_of("/clob/time") == status
    assert venue.status_of("/clob/time") == 200


def test_rest_refuses_for_a_while_answers_late_or_lies(venue: RunningVenue) -> None:
    venue.hook("status", status=503, seconds=0.3)
    assert venue.status_of("/data/trades") == 503
    time.sleep(0.35)
    assert venue.status_of("/data/trades") == 200
    venue.hook("status", status=200, requests=1, delay_ms=300)
    began = time.monotonic()
    assert venue.status_of("/clob/time") == 200
    assert time.monotonic() - began >= 0.3
    venue.hook("status", status=200, requests=1, body="<html>")
    assert httpx.get(f"{venue.http}/clob/time", timeout=30).text == "<html>"
    venue.hook("status", status=500)
    assert venue.status_of("/clob/time") == 500
    venue.hook("clear")
    assert venue.status_of("/clob/time") == 200


@pytest.mark.parametrize("payouts", [["1", "0"], ["0", "1"], ["0.5", "0.5"]])
def test_a_market_can_be_resolved_to_any_vector(venue: RunningVenue, payouts: list[str]) -> None:
    market = venue.market("brightcoin")
    venue.hook("resolve", slug=market["slug"], payouts=payouts)
    condition = market["condition_id"]
    row = venue.get("/gamma/markets", condition_ids=condition, closed="true")[0]
    parsed = gamma.read_market(row)[0]
    assert parsed is not None
    settled = gamma.settled_payouts(parsed)
    assert settled is not None
    assert [f"{payout.normalize():f}" for payout in settled] == payouts
    clob = venue.get(f"/clob/markets/{condition}")
    assert [token["winner"] for token in clob["tokens"]] == [p == "1" for p in payouts]
    assert clob["is_50_50_outcome"] is (payouts == ["0.5", "0.5"])
    assert venue.status_of("/clob/book", token_id=market["token_ids"][0]) == 404


def test_a_held_book_stays_while_others_move(venue: RunningVenue) -> None:
    token = _tokens(venue)[0]
    venue.hook("book", token_id=token, bids=[{"price": "0.3", "size": "5"}], asks=[])
    held = venue.book(token)
    others = {market["slug"]: market["best_bid"] for market in venue.markets()}
    venue.hook("advance", seconds=60)
    assert venue.book(token)["hash"] == held["hash"]
    assert {market["slug"]: market["best_bid"] for market in venue.markets()} != others
    venue.hook("release", token_id=token)
    venue.hook("advance", seconds=30)
    assert venue.book(token)["hash"] != held["hash"]


def test_pause_and_resume(venue: RunningVenue) -> None:
    assert venue.get("/control/state")["paused"] is True
    first = [venue.book(token)["hash"] for token in _tokens(venue, "verania-assembly")]
    time.sleep(1.0)
    assert [venue.book(t)["hash"] for t in _tokens(venue, "verania-assembly")] == first
    venue.hook("resume")
    deadline = time.monotonic() + 20
    while venue.get("/control/state")["trades"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    venue.hook("pause")
    assert venue.get("/control/state")["paused"] is True


@pytest.mark.parametrize(
    ("hook", "given"),
    [
        ("resolve", {"slug": "nothing"}),
        ("resolve", {"slug": "brightcoin-new-high-2027", "payouts": "1"}),
        ("book", {"condition_id": "0x00"}),
        ("trade", {"slug": "brightcoin-new-high-2027", "side": "BUY"}),
        ("freeze", {"seconds": -1}),
        ("skip", {"count": "two"}),
        ("status", {"status": 9}),
        ("advance", {"seconds": 1e9}),
        ("garbage", {"frames": [1]}),
    ],
)
def test_senseless_hooks_are_refused_with_the_reason(
    venue: RunningVenue, hook: str, given: dict[str, object]
) -> None:
    answer = httpx.post(f"{venue.http}/control/{hook}", json=given)
    assert answer.status_code == 400
    assert answer.json()["error"]
    body = httpx.post(f"{venue.http}/control/{hook}", content="[1]")
    assert body.status_code == 400
