"""How often we may ask the venue, and how long we wait after a refusal (contract 3 and 3.3).

One token bucket in Valkey over all processes, one pause per host after 425/429/5xx. Without
Valkey each process falls back to a quarter of the rate on its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final

import redis
import redis.asyncio

from polysim.kernel.redis import key

MAX_BACKOFF_MS: Final = 30_000
FIRST_BACKOFF_MS: Final = 1_000
#: Longest `Retry-After` that is believed.
MAX_RETRY_AFTER_MS: Final = 300_000
RETRIED_STATUSES: Final = frozenset({425, 429, 500, 502, 503, 504})

#: Reserves one request and answers the milliseconds to wait before sending it. The bucket may go
#: below zero (a queue); beyond `max_wait` nothing is reserved and -1 is the answer.
#: KEYS: bucket, pause of the host. ARGV: requests per second, longest wait in ms.
RESERVE_LUA: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rate, max_wait = tonumber(ARGV[1]), tonumber(ARGV[2])
local pause = redis.call('PTTL', KEYS[2])
if pause < 0 then pause = 0 end
local state = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(state[1]) or rate, tonumber(state[2]) or now
level = math.min(rate, level + math.max(0, now - at) * rate / 1000) - 1
local wait = pause
if level < 0 then wait = math.max(pause, math.ceil(-level * 1000 / rate)) end
if wait > max_wait then return -1 end
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', now)
redis.call('PEXPIRE', KEYS[1], 60000)
return wait
"""

#: Lengthens the pause of a host, never shortens it. KEYS: pause. ARGV: milliseconds.
PAUSE_LUA: Final = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
return 1
"""


def bucket_key() -> str:
    return key("venue", "bucket")


def pause_key(host: str) -> str:
    return key("venue", "pause", host)


def backoff_ms(attempt: int, *, chance: float, retry_after_ms: int | None = None) -> int:
    """Wait before repeat number `attempt` (0 = first): 1 to 2 s, doubling up to 30 s.

    `chance` in 0..1 is the jitter. A stated `Retry-After` is a lower bound.
    """
    base = min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** min(attempt, 10))
    wait = min(MAX_BACKOFF_MS, int(base * (1 + chance)))
    return max(wait, retry_after_ms or 0)


def reconnect_backoff_ms(attempt: int, *, chance: float) -> int:
    """Websocket reconnect (5.4): random between 0 and min(30 s, 0.25 s x 2^attempt)."""
    return int(min(MAX_BACKOFF_MS, 250 * 2 ** min(attempt, 10)) * chance)


def retry_after_ms(header: str | None, *, now_s: float) -> int | None:
    """`Retry-After` in milliseconds: seconds or an HTTP date; None when absent or senseless."""
    if not header:
        return None
    try:
        wait_s = float(int(header.strip()))
    except ValueError:
        try:
            wait_s = parsedate_to_datetime(header).timestamp() - now_s
        except (TypeError, ValueError, OverflowError):
            return None
    if wait_s <= 0:
        return None
    return int(min(MAX_RETRY_AFTER_MS, wait_s * 1000))


@dataclass(slots=True)
class LocalLimit:
    """Even spacing of requests within one process, for when Valkey does not answer."""

    requests_per_second: float
    clock: Callable[[], float] = time.monotonic
    _next_s: float = field(default=0.0)

    def reserve_ms(self) -> int:
        now = self.clock()
        start = max(now, self._next_s)
        self._next_s = start + 1 / self.requests_per_second
        return int((start - now) * 1000)


class SharedLimit:
    """The bucket of all processes, for synchronous callers."""

    def __init__(self, client: redis.Redis, *, requests_per_second: int) -> None:
        self._client = client
        self._rate = max(1, requests_per_second)
        self._reserve = client.register_script(RESERVE_LUA)
        self._pause = client.register_script(PAUSE_LUA)
        self._local = LocalLimit(self._rate / 4)

    def reserve_ms(self, host: str, *, max_wait_ms: int) -> int:
        """Milliseconds to wait before sending, or -1 when that is longer than `max_wait_ms`."""
        try:
            return int(
                self._reserve(keys=[bucket_key(), pause_key(host)], args=[self._rate, max_wait_ms])
            )
        except redis.RedisError:
            return self._local.reserve_ms()

    def pause(self, host: str, wait_ms: int) -> None:
        """Keep every process off `host` for a while."""
        try:
            self._pause(keys=[pause_key(host)], args=[wait_ms])
        except redis.RedisError:
            return


class AsyncSharedLimit:
    """The same bucket for the event loop of `stream_prices`."""

    def __init__(self, client: redis.asyncio.Redis, *, requests_per_second: int) -> None:
        self._rate = max(1, requests_per_second)
        self._reserve: Any = client.register_script(RESERVE_LUA)
        self._pause: Any = client.register_script(PAUSE_LUA)
        self._local = LocalLimit(self._rate / 4)

    async def reserve_ms(self, host: str, *, max_wait_ms: int) -> int:
        """Milliseconds to wait before sending, or -1 when that is longer than `max_wait_ms`."""
        try:
            return int(
                await self._reserve(
                    keys=[bucket_key(), pause_key(host)], args=[self._rate, max_wait_ms]
                )
            )
        except redis.RedisError:
            return self._local.reserve_ms()

    async def pause(self, host: str, wait_ms: int) -> None:
        """Keep every process off `host` for a while."""
        try:
            await self._pause(keys=[pause_key(host)], args=[wait_ms])
        except redis.RedisError:
            return
