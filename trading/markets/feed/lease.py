"""The one process that owns the venue connections: a lease of 15 s in Valkey (polymarket-feed 5.4).

A process that was killed cannot release its lease. Its successor on the same machine sees that it
is gone and takes over at once instead of waiting for the lease to lapse.
"""

import asyncio
import logging
import os
import platform
import secrets
from pathlib import Path

import redis
import redis.asyncio

from trading.markets.books import keys, scripts
from trading.markets.books.state import OWNER_LEASE_S

logger = logging.getLogger(__name__)

RETRY_S = 1.0

# KEYS: owner. ARGV: the dead owner's token, ours, lease ms.
_TAKE_OVER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

HELD, HELD_ANEW = 1, 2


class OwnerLostError(Exception):
    """Another process owns the feed now."""


class Lease:
    """Our claim. The token names the process, so that others can see whether it still lives."""

    def __init__(self, client: "redis.asyncio.Redis", *, lease_s: int = OWNER_LEASE_S) -> None:
        self._client = client
        self._lease_ms = lease_s * 1000
        self.token = "|".join([*_process_identity(os.getpid()), secrets.token_hex(4)])
        self.short = secrets.token_hex(2)

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        waiting = False
        while True:
            try:
                if await self.hold() or await self._take_over_from_the_dead():
                    return
                if not waiting:
                    logger.info("another process owns the feed; waiting for its lease")
                waiting = True
            except (redis.RedisError, OSError) as error:
                if not waiting:
                    logger.warning("the lease cannot be asked for: %s", error)
                waiting = True
            await asyncio.sleep(RETRY_S)

    async def hold(self) -> int:
        """Renew the lease: 0 when it is another's, HELD, or HELD_ANEW when nobody had it.

        HELD_ANEW while we thought that we had it means that Valkey lost its data.
        """
        answer = await self._client.eval(
            scripts.HOLD_LEASE, 1, keys.owner_key(), self.token, self._lease_ms
        )
        return int(answer)

    async def release(self) -> None:
        """Let the next process begin at once."""
        try:
            await self._client.eval(scripts.RELEASE_LEASE, 1, keys.owner_key(), self.token)
        except (redis.RedisError, OSError):
            return

    async def _take_over_from_the_dead(self) -> bool:
        owner = await self._client.get(keys.owner_key())
        if not owner or not is_dead_neighbour(str(owner)):
            return False
        answer = await self._client.eval(
            _TAKE_OVER, 1, keys.owner_key(), owner, self.token, self._lease_ms
        )
        return bool(answer)


def _process_identity(process_id: int) -> tuple[str, str, str]:
    """(machine and process namespace, process id, start time of that process)."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        namespace, boot = "", ""
    return f"{platform.node()}/{boot}/{namespace}", str(process_id), _start_time(process_id)


def _start_time(process_id: int) -> str:
    """The kernel's start time of a process, "" when it does not run."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return ""
    # The command in parentheses may hold spaces; the start time is the 22nd field.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def is_dead_neighbour(token: str) -> bool:
    """Whether the owner ran on this machine, where we can look, and is gone."""
    place, _, rest = token.partition("|")
    own_place, _, _ = _process_identity(os.getpid())
    parts = rest.split("|")
    if place != own_place or "//" in place or len(parts) != 3 or not parts[0].isdigit():
        return False
    return _start_time(int(parts[0])) != parts[1]
