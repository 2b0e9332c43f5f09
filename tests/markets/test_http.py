"""Asking the venue over REST: addresses, decoding, refusals, and the limit of all processes."""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.venue import CONDITION, TOKEN_NO, TOKEN_YES, MadeUpVenue, book_message
from trading.markets.polymarket import http, limits, rest
from trading.markets.polymarket.limits import (
    LocalLimit,
    SharedLimit,
    backoff_ms,
    reconnect_backoff_ms,
    retry_after_ms,
)


class NoLimit:
    """Never waits; remembers the pauses it was told."""

    def __init__(self, wait_ms: int = 0) -> None:
        self.pauses: list[tuple[str, int]] = []
        self.wait_ms = wait_ms

    def reserve_ms(self, _host: str, *, max_wait_ms: int) -> int:
        return self.wait_ms

    def pause(self, host: str, wait_ms: int) -> None:
        self.pauses.append((host, wait_ms))


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeps that were asked for, none of them slept."""
    asked: list[float] = []
    monkeypatch.setattr(http.time, "sleep", asked.append)
    return asked


def _client(
    answer: Callable[[httpx.Request], httpx.Response], **options: Any
) -> tuple[http.VenueClient, MadeUpVenue, NoLimit]:
    venue, limit = MadeUpVenue(answer), NoLimit()
    client = http.VenueClient(transport=venue, limit=limit, **options)  # type: ignore[arg-type]
    return client, venue, limit


def _in_turn(*answers: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    remaining = list(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        first = remaining.pop(0)
        if isinstance(first, Exception):
            raise first
        return first

    return answer


def test_addresses_are_settings_and_the_client_names_itself(settings: Any) -> None:
    settings.POLYMARKET_GAMMA_URL = "http://127.0.0.1:9/gamma/"
    client, venue, _limit = _client(lambda _request: httpx.Response(200, json=[]))

    client.send(rest.markets_request([CONDITION], closed=True))

    (request,) = venue.requests
    assert str(request.url) == (
        f"http://127.0.0.1:9/gamma/markets?condition_ids={CONDITION}&closed=true&limit=100"
    )
    assert request.headers["User-Agent"].startswith("Polysim/")
    assert "gzip" in request.headers["Accept-Encoding"]


def test_answers_are_unzipped_and_keep_their_decimals() -> None:
    body = gzip.compress(b'{"rate": 0.1}')
    client, _venue, _limit = _client(
        lambda _request: httpx.Response(200, content=body, headers={"Content-Encoding": "gzip"})
    )

    assert str(client.send(rest.probe_request())["rate"]) == "0.1"


def test_books_are_asked_in_hundreds_and_matched_by_token() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = [entry["token_id"] for entry in json.loads(request.content)]
        known = [book_message(asset_id=token) for token in reversed(asked) if token != "5"]
        return httpx.Response(200, json=known)

    client, venue, _limit = _client(answer)
    tokens = [str(number) for number in range(1, 151)]

    books = client.fetch_books(tokens)

    assert [len(json.loads(request.content)) for request in venue.requests] == [100, 50]
    assert len(books) == 149
    assert "5" not in books
    assert all(books[token].token_id == token for token in books)


@pytest.mark.parametrize("status", [425, 429, 500, 502, 503, 504])
def test_a_busy_venue_is_asked_again_and_all_processes_pause(
    status: int, sleeps: list[float]
) -> None:
    client, venue, limit = _client(
        _in_turn(httpx.Response(status), httpx.Response(status), httpx.Response(200, json="OK"))
    )

    assert client.send(rest.probe_request()) == "OK"

    assert len(venue.requests) == 3
    assert 1 <= sleeps[0] <= 2 <= sleeps[1] <= 4
    assert [host for host, _wait in limit.pauses] == ["clob.polymarket.com"] * 2


def test_retry_after_is_waited_for(sleeps: list[float]) -> None:
    client, _venue, _limit = _client(
        _in_turn(httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(200, json="OK"))
    )

    client.send(rest.probe_request())

    assert sleeps == [7.0]


def test_repeats_end_and_the_venue_is_called_unreachable(sleeps: list[float]) -> None:
    client, venue, _limit = _client(lambda _request: httpx.Response(503), repeats=2)

    with pytest.raises(http.VenueUnreachableError):
        client.send(rest.probe_request())

    assert len(venue.requests) == 3


def test_a_lost_connection_is_tried_again(sleeps: list[float]) -> None:
    client, _venue, _limit = _client(
        _in_turn(httpx.ConnectError("refused"), httpx.Response(200, json="OK"))
    )

    assert client.send(rest.probe_request()) == "OK"


def test_404_is_told_apart_and_not_repeated(sleeps: list[float]) -> None:
    client, venue, _limit = _client(
        lambda _request: httpx.Response(
            404, json={"error": "No orderbook exists for the requested token id"}
        )
    )

    with pytest.raises(http.VenueNotFoundError, match="No orderbook exists"):
        client.send(rest.book_request(TOKEN_YES))

    assert (len(venue.requests), sleeps) == (1, [])


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(400, json={"error": "Invalid token id"}), http.VenueRefusedError),
        (httpx.Response(403), http.VenueUnreachableError),
        (httpx.Response(451), http.VenueUnreachableError),
        (httpx.Response(302, headers={"Location": "http://x/"}), http.VenueRefusedError),
        (httpx.Response(200, content=b"<html>"), http.VenueGarbageError),
        (httpx.Response(200, content=b'{"a":'), http.VenueGarbageError),
        (httpx.Response(200, content=b""), http.VenueGarbageError),
    ],
)
def test_other_answers_are_errors_at_once(
    response: httpx.Response, error: type[Exception], sleeps: list[float]
) -> None:
    client, venue, _limit = _client(lambda _request: response)

    with pytest.raises(error):
        client.send(rest.probe_request())

    assert (len(venue.requests), sleeps) == (1, [])


def test_a_body_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1_000)
    client, _venue, _limit = _client(lambda _request: httpx.Response(200, content=b"1" * 1_001))

    with pytest.raises(http.VenueGarbageError):
        client.send(rest.probe_request())


def test_an_exhausted_limit_sends_nothing() -> None:
    client, venue, limit = _client(lambda _request: httpx.Response(200, json="OK"))
    limit.wait_ms = -1

    with pytest.raises(http.VenueUnreachableError, match="request limit"):
        client.send(rest.probe_request())

    assert venue.requests == []


async def test_the_asyncio_client_behaves_alike(redis_client: Any) -> None:
    answers = _in_turn(
        httpx.Response(425, headers={"Retry-After": "0"}),
        httpx.Response(200, json=[book_message(), book_message(asset_id=TOKEN_NO)]),
        httpx.Response(404),
    )
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        redis_client.flushall()  # the pause is over

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        async with http.AsyncVenueClient(transport=httpx.MockTransport(answers)) as client:
            books = await client.fetch_books([TOKEN_YES, TOKEN_NO])
            with pytest.raises(http.VenueNotFoundError):
                await client.fetch_book(TOKEN_YES)

    assert set(books) == {TOKEN_YES, TOKEN_NO}
    assert len(waits) == 1


def test_backoff_doubles_from_one_to_two_seconds_up_to_thirty() -> None:
    assert [backoff_ms(attempt, chance=0) for attempt in range(7)] == [
        1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ]  # fmt: skip
    assert backoff_ms(0, chance=1) == 2_000
    assert backoff_ms(9, chance=1) == 30_000
    assert backoff_ms(0, chance=0, retry_after_ms=45_000) == 45_000


def test_reconnecting_waits_up_to_a_quarter_second_doubling() -> None:
    assert [reconnect_backoff_ms(attempt, chance=1) for attempt in (0, 1, 2, 20)] == [
        250, 500, 1_000, 30_000,
    ]  # fmt: skip
    assert reconnect_backoff_ms(5, chance=0) == 0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7_000),
        ("0", None),
        ("-3", None),
        ("soon", None),
        (None, None),
        ("999999", 300_000),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 10_000),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header: str | None, expected: int | None) -> None:
    assert retry_after_ms(header, now_s=90.0) == expected


def test_one_bucket_spreads_the_requests_of_two_processes(redis_client: Any) -> None:
    first = SharedLimit(redis_client, requests_per_second=20)
    second = SharedLimit(redis_client, requests_per_second=20)

    waits = [
        limit.reserve_ms("host", max_wait_ms=5_000) for _ in range(15) for limit in (first, second)
    ]

    assert waits[:20] == [0] * 20
    assert 30 <= waits[20] <= 50
    assert 400 <= waits[29] <= 500


def test_a_queue_longer_than_the_caller_waits_reserves_nothing(redis_client: Any) -> None:
    limit = SharedLimit(redis_client, requests_per_second=1)

    waits = [limit.reserve_ms("host", max_wait_ms=1_500) for _ in range(4)]

    assert waits[0] == 0
    assert 0 < waits[1] <= 1_000
    assert waits[2:] == [-1, -1]


def test_a_pause_holds_back_its_host_only(redis_client: Any) -> None:
    limit = SharedLimit(redis_client, requests_per_second=20)
    limit.pause("busy", 3_000)
    limit.pause("busy", 10)

    assert 2_900 <= limit.reserve_ms("busy", max_wait_ms=5_000) <= 3_000
    assert limit.reserve_ms("free", max_wait_ms=5_000) == 0


def test_without_valkey_each_process_keeps_to_a_quarter() -> None:
    nowhere = redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    limit = SharedLimit(nowhere, requests_per_second=20)

    waits = [limit.reserve_ms("host", max_wait_ms=5_000) for _ in range(3)]
    limit.pause("host", 100)

    assert waits[0] == 0
    assert 150 <= waits[1] <= 200


def test_the_local_limit_spaces_evenly() -> None:
    limit = LocalLimit(4, clock=lambda: 100.0)

    assert [limit.reserve_ms() for _ in range(3)] == [0, 250, 500]


def test_the_bucket_and_pause_keys_lie_below_the_installation(settings: Any) -> None:
    settings.REDIS_KEY_PREFIX = "elsewhere"

    assert limits.bucket_key() == "elsewhere:venue:bucket"
    assert limits.pause_key("host") == "elsewhere:venue:pause:host"
