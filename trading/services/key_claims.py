"""One request of an idempotency key at a time, from before it reads the book.

The row decides whether an order exists; the claim only keeps a repeat from being matched against
a book from which its own first request has just taken the depth. It lies in Valkey and ends by
itself, so a killed process blocks its key for seconds. Contract: trading-api 4.1 (Idempotency).
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from polysim.kernel.api.refusals import IdempotencyConflictPending
from polysim.kernel.redis import get_redis, key

logger = logging.getLogger(__name__)

# Above the longest time an order may take: lock wait and reconnecting together.
CLAIM_MS_MAX = 15_000


@contextmanager
def claim_order_key(*, user_id: int, order_key: str | None) -> Iterator[None]:
    """Hold the user's key while its order is placed; None claims nothing.

    Raises IdempotencyConflictPending while another request with the key runs. Without Valkey
    nothing is claimed: there is no book to match against either.
    """
    if order_key is None:
        yield
        return
    digest = hashlib.sha256(order_key.encode("utf-8", "surrogatepass")).hexdigest()
    name = key("order-key", user_id, digest)
    try:
        is_ours = bool(get_redis().set(name, "1", nx=True, px=CLAIM_MS_MAX))
    except redis.RedisError:
        yield
        return
    if not is_ours:
        raise IdempotencyConflictPending()
    try:
        yield
    finally:
        try:
            get_redis().delete(name)
        except redis.RedisError:
            logger.warning("The claim of an order's key stays until it ends by itself.")
