"""The venue's REST doors over httpx: one synchronous and one asyncio client, same behaviour.

Every address is a setting (feed contract 1). Each request waits for its turn in the bucket that
all processes share; 425, 429 and 5xx are repeated with growing pauses (contract 3). Answers are
decoded without float.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any, Final

import httpx
from django.conf import settings

from polysim.kernel.redis import get_redis, open_async_redis
from trading.markets.polymarket import rest, values
from trading.markets.polymarket.limits import (
    RETRIED_STATUSES,
    AsyncSharedLimit,
    SharedLimit,
    backoff_ms,
    retry_after_ms,
)
from trading.markets.polymarket.rest import Request
from trading.markets.polymarket.wire import BookSnapshot, parse_book, parse_books

#: Repeats after the first try of one request.
DEFAULT_REPEATS: Final = 3
MAX_QUEUE_WAIT_MS: Final = 30_000
#: Bodies beyond this are refused while they arrive.
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
BLOCKED_STATUSES: Final = frozenset({403, 451})
TRANSPORT_ERRORS: Final = (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects)


class VenueError(Exception):
    """The venue gave no usable answer."""


class VenueNotFoundError(VenueError):
    """404: no such market, or no order book (closed or not yet open). Not to be repeated hot."""


class VenueRefusedError(VenueError):
    """Another 4xx: the request itself was wrong."""


class VenueUnreachableError(VenueError):
    """No connection, a blocked place (403, 451), or still refusing after every repeat."""


class VenueGarbageError(VenueError):
    """A 200 whose body is not the JSON that was asked for."""


def door_url(door: str) -> str:
    """The configured address of a door, without trailing slash."""
    address = {
        rest.GAMMA: settings.POLYMARKET_GAMMA_URL,
        rest.CLOB: settings.POLYMARKET_CLOB_URL,
        rest.DATA: settings.POLYMARKET_DATA_URL,
    }[door]
    return str(address).rstrip("/")


def user_agent() -> str:
    return f"Polysim/{getattr(settings, 'VERSION', '1.0.0')} (paper trading; reads only)"


def _client_options() -> dict[str, Any]:
    return {
        "headers": {
            "User-Agent": user_agent(),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        },
        "timeout": httpx.Timeout(settings.POLYMARKET_HTTP_TIMEOUT_S),
        "limits": httpx.Limits(max_connections=8, max_keepalive_connections=4),
        "follow_redirects": False,
    }


def _too_big(size: int) -> bool:
    return size > MAX_BODY_BYTES


def _decode(body: bytes, url: str) -> Any:
    try:
        return values.loads(body)
    except ValueError as error:
        raise VenueGarbageError(f"{url}: {error}") from None


def _judge(status: int, body: bytes, url: str) -> Any:
    """The decoded answer of a final status; raises the matching VenueError otherwise."""
    if status == httpx.codes.OK:
        return _decode(body, url)
    excerpt = body[:200].decode("utf-8", "replace")
    if status == httpx.codes.NOT_FOUND:
        raise VenueNotFoundError(f"{url}: 404 {excerpt}")
    if status in BLOCKED_STATUSES or status in RETRIED_STATUSES:
        raise VenueUnreachableError(f"{url}: {status} {excerpt}")
    raise VenueRefusedError(f"{url}: {status} {excerpt}")


class VenueClient:
    """Synchronous access to the venue, for Celery tasks and commands. Close it, or use `with`."""

    def __init__(
        self,
        *,
        repeats: int = DEFAULT_REPEATS,
        max_wait_ms: int = MAX_QUEUE_WAIT_MS,
        transport: httpx.BaseTransport | None = None,
        limit: SharedLimit | None = None,
    ) -> None:
        self._http = httpx.Client(transport=transport, **_client_options())
        self._repeats = repeats
        self._max_wait_ms = max_wait_ms
        self._limit = limit or SharedLimit(
            get_redis(), requests_per_second=settings.POLYMARKET_HTTP_MAX_RPS
        )

    def __enter__(self) -> VenueClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def send(self, request: Request) -> Any:
        """The decoded answer (numbers as int or Decimal). Raises a VenueError."""
        url = door_url(request.door) + request.path
        for attempt in range(self._repeats + 1):
            last = attempt == self._repeats
            try:
                status, headers, body = self._exchange(request, url)
            except TRANSPORT_ERRORS as error:
                if last:
                    raise VenueUnreachableError(f"{url}: {type(error).__name__}") from error
                time.sleep(backoff_ms(attempt, chance=random.random()) / 1000)
                continue
            if status not in RETRIED_STATUSES:
                return _judge(status, body, url)
            wait_ms = _pause_after(headers, attempt)
            self._limit.pause(httpx.URL(url).host, wait_ms)
            if last:
                return _judge(status, body, url)
            time.sleep(min(wait_ms, self._max_wait_ms) / 1000)
        raise VenueUnreachableError(url)

    def _exchange(self, request: Request, url: str) -> tuple[int, httpx.Headers, bytes]:
        wait_ms = self._limit.reserve_ms(httpx.URL(url).host, max_wait_ms=self._max_wait_ms)
        if wait_ms < 0:
            raise VenueUnreachableError(f"{url}: our own request limit is exhausted")
        if wait_ms:
            time.sleep(wait_ms / 1000)
        with self._http.stream(
            request.method, url, params=list(request.params), json=request.body
        ) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if _too_big(len(body)):
                    raise VenueGarbageError(f"{url}: more than {MAX_BODY_BYTES} bytes")
            return response.status_code, response.headers, bytes(body)

    def fetch_books(self, token_ids: Sequence[str]) -> dict[str, BookSnapshot]:
        """Order books by token id; tokens that the venue does not know are missing."""
        books: dict[str, BookSnapshot] = {}
        for start in range(0, len(token_ids), rest.BATCH_SIZE):
            batch = token_ids[start : start + rest.BATCH_SIZE]
            books |= parse_books(self.send(rest.books_request(batch)))[0]
        return books


class AsyncVenueClient:
    """The same for an event loop. `repeats=0` leaves every repeat to the caller.

    `max_wait_ms` bounds the wait for a turn and each pause between repeats.
    """

    def __init__(
        self,
        *,
        repeats: int = DEFAULT_REPEATS,
        max_wait_ms: int = MAX_QUEUE_WAIT_MS,
        transport: httpx.AsyncBaseTransport | None = None,
        limit: AsyncSharedLimit | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(transport=transport, **_client_options())
        self._repeats = repeats
        self._max_wait_ms = max_wait_ms
        self._redis = None if limit is not None else open_async_redis()
        self._limit = limit or AsyncSharedLimit(
            self._redis or open_async_redis(),
            requests_per_second=settings.POLYMARKET_HTTP_MAX_RPS,
        )

    async def __aenter__(self) -> AsyncVenueClient:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()
        if self._redis is not None:
            await self._redis.aclose()

    async def send(self, request: Request) -> Any:
        """The decoded answer (numbers as int or Decimal). Raises a VenueError."""
        url = door_url(request.door) + request.path
        for attempt in range(self._repeats + 1):
            last = attempt == self._repeats
            try:
                status, headers, body = await self._exchange(request, url)
            except TRANSPORT_ERRORS as error:
                if last:
                    raise VenueUnreachableError(f"{url}: {type(error).__name__}") from error
                await asyncio.sleep(backoff_ms(attempt, chance=random.random()) / 1000)
                continue
            if status not in RETRIED_STATUSES:
                return _judge(status, body, url)
            wait_ms = _pause_after(headers, attempt)
            await self._limit.pause(httpx.URL(url).host, wait_ms)
            if last:
                return _judge(status, body, url)
            await asyncio.sleep(min(wait_ms, self._max_wait_ms) / 1000)
        raise VenueUnreachableError(url)

    async def _exchange(self, request: Request, url: str) -> tuple[int, httpx.Headers, bytes]:
        wait_ms = await self._limit.reserve_ms(httpx.URL(url).host, max_wait_ms=self._max_wait_ms)
        if wait_ms < 0:
            raise VenueUnreachableError(f"{url}: our own request limit is exhausted")
        if wait_ms:
            await asyncio.sleep(wait_ms / 1000)
        async with self._http.stream(
            request.method, url, params=list(request.params), json=request.body
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if _too_big(len(body)):
                    raise VenueGarbageError(f"{url}: more than {MAX_BODY_BYTES} bytes")
            return response.status_code, response.headers, bytes(body)

    async def fetch_books(self, token_ids: Sequence[str]) -> dict[str, BookSnapshot]:
        """Order books by token id; tokens that the venue does not know are missing."""
        books: dict[str, BookSnapshot] = {}
        for start in range(0, len(token_ids), rest.BATCH_SIZE):
            batch = token_ids[start : start + rest.BATCH_SIZE]
            answer = await self.send(rest.books_request(batch))
            books |= parse_books(answer)[0]
        return books

    async def fetch_book(self, token_id: str) -> BookSnapshot:
        """One order book. Raises VenueNotFoundError where the venue has none."""
        book = parse_book(await self.send(rest.book_request(token_id)))
        if book is None or book.token_id != token_id:
            raise VenueGarbageError(f"book of {token_id}")
        return book


def _pause_after(headers: httpx.Headers, attempt: int) -> int:
    stated = retry_after_ms(headers.get("Retry-After"), now_s=time.time())
    return backoff_ms(attempt, chance=random.random(), retry_after_ms=stated)
