"""Exact request limits: two fixed clock windows counted by one Lua script (accounts-api 2.3).

Both windows must have room; a refused request is not counted. The windows are those of Valkey's
own clock, so all processes agree on them. If Valkey does not answer, requests pass.
"""

import ipaddress
import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest

from polysim.kernel.redis import get_redis, key

logger = logging.getLogger(__name__)

ANONYMOUS_PER_SECOND = 20
ANONYMOUS_PER_MINUTE = 600

# KEYS: counter base, identity version. ARGV: limit per second, limit per minute, unix ms or 0.
# Answers: allowed (1), or the full window (0 = second, -1 = minute); used in both windows; the
# unix second; the identity version.
_METER = """
local now_ms = tonumber(ARGV[3])
if now_ms == 0 then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end
local second = math.floor(now_ms / 1000)
local minute = math.floor(second / 60)
local second_key = KEYS[1] .. ':s:' .. second
local minute_key = KEYS[1] .. ':m:' .. minute
local in_second = tonumber(redis.call('GET', second_key) or '0')
local in_minute = tonumber(redis.call('GET', minute_key) or '0')
local allowed = 1
if in_minute >= tonumber(ARGV[2]) then
  allowed = -1
elseif in_second >= tonumber(ARGV[1]) then
  allowed = 0
else
  in_second = redis.call('INCR', second_key)
  in_minute = redis.call('INCR', minute_key)
  if in_second == 1 then redis.call('EXPIRE', second_key, 5) end
  if in_minute == 1 then redis.call('EXPIRE', minute_key, 65) end
end
local version = redis.call('GET', KEYS[2]) or '0'
return {allowed, in_second, in_minute, second, version}
"""


@dataclass(frozen=True, slots=True)
class Meter:
    """The outcome of one counted request; `identity_version` rises when a credential dies."""

    is_allowed: bool
    tier: str
    limit_per_second: int
    limit_per_minute: int
    remaining_in_second: int
    remaining_in_minute: int
    reset_at_s: int
    retry_after_s: int
    full_window: str
    identity_version: str

    def headers(self) -> dict[str, str]:
        """Both header families with the same values."""
        values = {
            "Tier": self.tier,
            "Limit": str(self.limit_per_minute),
            "Limit-Per-Second": str(self.limit_per_second),
            "Remaining": str(self.remaining_in_minute),
            "Remaining-Per-Second": str(self.remaining_in_second),
            "Reset": str(self.reset_at_s),
        }
        families = ("X-RateLimit", "X-Polysim-RateLimit")
        return {f"{family}-{name}": text for family in families for name, text in values.items()}


def count_request(
    name: str, *, tier: str, per_second: int, per_minute: int, now_ms: int = 0
) -> Meter | None:
    """Count one request of `name` (`key:318`, `user:12`, `ip:…`), or refuse it.

    None: the limiter itself failed and the request passes. `now_ms` (unix ms) replaces Valkey's
    clock in tests.
    """
    try:
        answer = _registered(get_redis(), _METER)(
            keys=[key("rate", name), identity_version_key()], args=[per_second, per_minute, now_ms]
        )
    except (redis.RedisError, OSError) as error:
        logger.warning("The rate limiter did not answer, the request passes: %s", error)
        return None
    allowed, in_second, in_minute, second, version = answer
    minute_end_s = (int(second) // 60 + 1) * 60
    is_minute_full = int(allowed) == -1
    return Meter(
        is_allowed=int(allowed) == 1,
        tier=tier,
        limit_per_second=per_second,
        limit_per_minute=per_minute,
        remaining_in_second=max(0, per_second - int(in_second)),
        remaining_in_minute=max(0, per_minute - int(in_minute)),
        reset_at_s=minute_end_s,
        retry_after_s=minute_end_s - int(second) if is_minute_full else 1,
        full_window="minute" if is_minute_full else "second",
        identity_version=str(version),
    )


def count_tries(name: str, *, limit: int, period_s: int) -> int:
    """Count one try of `name` in a window of `period_s`; seconds to wait, 0 = go on.

    For small limits such as tries to log in. A refused try is not counted. If Valkey does not
    answer, the try passes.
    """
    try:
        script = _registered(get_redis(), _TRIES)
        return int(script(keys=[key("tries", name)], args=[limit, period_s]))
    except (redis.RedisError, OSError) as error:
        logger.warning("The try limiter did not answer, the try passes: %s", error)
        return 0


_TRIES = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if used >= tonumber(ARGV[1]) then
  return math.max(1, redis.call('TTL', KEYS[1]))
end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 0
"""


@lru_cache(maxsize=4)
def _registered(client: Any, text: str) -> Any:
    return client.register_script(text)


def identity_version_key() -> str:
    """Counter that rises when keys, passwords or plans change: caches of identities are void."""
    return key("identity", "version")


def raise_identity_version() -> None:
    """Void every process's cached identities; without Valkey they end by their age (5 s)."""
    try:
        get_redis().incr(identity_version_key())
    except (redis.RedisError, OSError) as error:
        logger.warning("Cached identities end by their age only: %s", error)


def client_address(request: HttpRequest) -> str:
    """The caller's address: the peer's, or the one our own proxies report.

    `TRUSTED_PROXIES` proxies in front of us each append to X-Forwarded-For; what a client wrote
    there itself is never believed.
    """
    hops = settings.TRUSTED_PROXIES
    if hops:
        listed = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        candidate = listed[-hops].strip() if len(listed) >= hops else listed[0].strip()
    else:
        candidate = request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(candidate))
    except ValueError:
        return "0.0.0.0"  # noqa: S104 (a name for callers without an address, e.g. unix sockets)


def address_meter_name(address: str) -> str:
    """Whose calls count together without a credential: an address, of IPv6 its /64 network."""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6:
        parsed_network = ipaddress.ip_network((int(parsed) >> 64 << 64, 64))
        return f"ip:{parsed_network.network_address}"
    return f"ip:{parsed}"
