"""Sending many webhooks at once, each within 15 s, to addresses that were checked.

Runs an event loop in a thread of its own, so that the caller can write each result while slower
receivers are still waited for.
"""

import asyncio
import os
import queue
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import certifi
import httpcore
from django.conf import settings

from tenants.office.webhooks.addresses import AddressRefused, check_url, resolve

TIMEOUT_S = 15.0
ERROR_CHARACTERS = 255
NO_ANSWER = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to make; `key` names it for the caller."""

    key: Any
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt: the status, or None with the reason why there was no answer."""

    key: Any
    status_code: int | None
    retry_after: str | None
    error: str
    duration_ms: int

    @property
    def is_success(self) -> bool:
        """Only 2xx counts; a redirect is a failure."""
        return self.status_code is not None and 200 <= self.status_code < 300


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to a host by addresses that were checked right before, never by its name."""

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await asyncio.to_thread(resolve, self._scheme, host, port)
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout=timeout, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def send_attempts(attempts: Sequence[Attempt]) -> Iterator[Result]:
    """Make all requests at the same time; results as they come, one for each attempt."""
    if not attempts:
        return
    results: queue.SimpleQueue[Result] = queue.SimpleQueue()
    thread = threading.Thread(
        target=lambda: asyncio.run(_send_all(attempts, results)), name="webhooks", daemon=True
    )
    thread.start()
    for _ in attempts:
        yield results.get()
    # A name server that does not answer may still hold one of its helpers.
    thread.join(timeout=1)


async def _send_all(attempts: Sequence[Attempt], results: "queue.SimpleQueue[Result]") -> None:
    # A helper for each: a name server that does not answer holds up its own attempts alone.
    helpers = ThreadPoolExecutor(max_workers=len(attempts), thread_name_prefix="webhook-names")
    asyncio.get_running_loop().set_default_executor(helpers)
    # An installation behind an authority of its own names it as OpenSSL does.
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE", certifi.where()))
    await asyncio.gather(*(_send_into(one, context, results) for one in attempts))


async def _send_into(
    attempt: Attempt, context: ssl.SSLContext, results: "queue.SimpleQueue[Result]"
) -> None:
    started = time.perf_counter()
    status, retry_after, error = None, None, "the attempt was broken off"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status, retry_after = await _post(attempt, context)
        error = "" if 200 <= status < 300 else f"answered {status}"
    except TimeoutError:
        error = f"no answer within {TIMEOUT_S:.0f} s"
    except AddressRefused as refusal:
        error = str(refusal)
    except (*NO_ANSWER, OSError) as failure:
        error = str(failure) or type(failure).__name__
    finally:
        duration_ms = round((time.perf_counter() - started) * 1000)
        error = error.replace("\x00", " ")[:ERROR_CHARACTERS]
        results.put(Result(attempt.key, status, retry_after, error, duration_ms))


async def _post(attempt: Attempt, context: ssl.SSLContext) -> tuple[int, str | None]:
    scheme, _, _ = check_url(attempt.url)
    headers: dict[str | bytes, str | bytes] = {
        "content-type": "application/json",
        "user-agent": f"Polysim-Webhooks/{settings.VERSION}",
    }
    headers.update(attempt.headers)
    async with (
        httpcore.AsyncConnectionPool(
            ssl_context=context, network_backend=CheckedBackend(scheme)
        ) as pool,
        pool.stream("POST", attempt.url, headers=headers, content=attempt.body) as response,
    ):
        # The body of the answer is not read: nothing in it counts.
        found = {name.lower(): value for name, value in response.headers}
        retry_after = found.get(b"retry-after")
        return response.status, None if retry_after is None else retry_after.decode("latin-1")
