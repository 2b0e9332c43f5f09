"""Connections to Valkey, which holds only what can be rebuilt (architecture, Processes).

`get_redis` gives the process-wide client of the data database; keys are written with `key()`, so
that several installations (and test workers) can share one server.
"""

from functools import lru_cache
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


def key(*parts: object) -> str:
    """A key below this installation's prefix: `polysim:book:0x…`."""
    return ":".join([settings.REDIS_KEY_PREFIX, *map(str, parts)])


@lru_cache(maxsize=1)
def get_redis() -> "redis.Redis":
    """The process-wide client; answers are `str`. Timeouts are short: an order is refused fast."""
    return redis.Redis.from_url(
        settings.REDIS_DATA_URL,
        decode_responses=True,
        socket_timeout=settings.REDIS_TIMEOUT_S,
        socket_connect_timeout=settings.REDIS_TIMEOUT_S,
        max_connections=settings.REDIS_MAX_CONNECTIONS,
        health_check_interval=30,
        # One more try for a connection that went stale, none for a server that is gone: the
        # library's own default waits for seconds before it says so.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


def open_async_redis(**options: Any) -> "redis.asyncio.Redis":
    """A new asyncio client for the running loop; the caller closes it."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_DATA_URL, decode_responses=True, health_check_interval=30, **options
    )
