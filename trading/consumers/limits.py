"""How many sockets a user has open, counted in Valkey over all processes (trading-api 10)."""

import secrets
import time

import redis
import redis.asyncio
from django.conf import settings
from django.utils.module_loading import import_string

from polysim.kernel.redis import key
from trading.consumers.identity import in_database_thread

# A process that was killed cannot give its places back: they lapse.
PLACE_TTL_S = 60
REFRESH_S = 20
PAGE_SOCKETS_MAX = 20

# KEYS: the user's places. ARGV: now ms, place, limit, ttl s. 1 = taken.
_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], tonumber(ARGV[1]) + tonumber(ARGV[4]) * 1000, ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""


class Place:
    """One socket's place among its user's. Without Valkey nobody is counted or turned away."""

    def __init__(self, client: "redis.asyncio.Redis", user_id: int, *, pool: str) -> None:
        self._client = client
        self._key = key("sockets", pool, user_id)
        self._member = secrets.token_hex(8)

    async def take(self, limit: int) -> bool:
        """Take a place; False when the limit is reached."""
        try:
            answer = await self._client.eval(
                _TAKE, 1, self._key, _now_ms(), self._member, limit, PLACE_TTL_S
            )
        except (redis.RedisError, OSError):
            return True
        return bool(answer)

    async def refresh(self) -> None:
        """Keep the place for another minute."""
        try:
            pipe = self._client.pipeline(transaction=False)
            pipe.zadd(self._key, {self._member: _now_ms() + PLACE_TTL_S * 1000})
            pipe.expire(self._key, PLACE_TTL_S)
            await pipe.execute()
        except (redis.RedisError, OSError):
            return

    async def give_back(self) -> None:
        """Free the place."""
        try:
            await self._client.zrem(self._key, self._member)
        except (redis.RedisError, OSError):
            return


async def api_sockets_max(plan: str) -> int:
    """Sockets that a plan allows over all keys."""

    def read() -> int:
        return int(import_string(settings.PLAN_TERMS_SELECTOR)(plan).max_websocket_connections)

    return await in_database_thread(read)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
