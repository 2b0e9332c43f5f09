"""Telling the other processes that markets appeared, changed, closed or resolved.

The channel is a hint to drop caches and look again; whoever misses it reads the same from the
database. Losing Valkey therefore loses nothing.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import redis
import structlog

from polysim.kernel.redis import get_redis
from trading.markets.books.keys import catalogue_channel

CHANGED: Final = "changed"
CLOSED: Final = "closed"
RESOLVED: Final = "resolved"
#: Condition ids per message, so that a first sweep of 2,000 markets stays a small frame.
CHUNK: Final = 200

logger = structlog.get_logger(__name__)


def publish_news(kind: str, condition_ids: Iterable[str]) -> None:
    """Publish `{"type": kind, "condition_ids": [...]}` on the catalogue channel."""
    listed: Sequence[str] = list(condition_ids)
    try:
        for start in range(0, len(listed), CHUNK):
            chunk = listed[start : start + CHUNK]
            message = json.dumps({"type": kind, "condition_ids": chunk}, separators=(",", ":"))
            get_redis().publish(catalogue_channel(), message)
    except redis.RedisError:
        logger.warning("catalogue_news_lost", kind=kind, markets=len(listed))
