"""The matcher's sign of life, for status pages: unix milliseconds of its last cycle in Valkey."""

import redis

from polysim.kernel.redis import get_redis, key

KEPT_S = 3600
# The matcher cycles every second; so long without a sign it is said to stand still.
STILL_AFTER_MS = 15_000


def note_matcher(*, now_ms: int, open_orders: int) -> None:
    """Write the sign of life; raises redis.RedisError like every other step of the matcher."""
    get_redis().hset(key("matcher"), mapping={"heartbeat_ms": now_ms, "open_orders": open_orders})
    get_redis().expire(key("matcher"), KEPT_S)


def read_matcher() -> tuple[int, int] | None:
    """(unix ms of the last cycle, open orders it watches); None when it was never seen."""
    try:
        fields = get_redis().hgetall(key("matcher"))
    except (redis.RedisError, OSError):
        return None
    if not fields:
        return None
    return int(fields["heartbeat_ms"]), int(fields["open_orders"])
