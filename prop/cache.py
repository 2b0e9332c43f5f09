"""Newest metrics and breaches of each challenge in Valkey, as their JSON objects (6.5).

Per challenge and kind a list of the newest 1000 objects, newest first, and a hash with how many
rows the database had. The database is the truth: a list that is not there, or whose number is not
the database's, is filled again, and Valkey may be lost or away at any moment. Writers push after
their commit; a push that never came is noticed by the number.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis

from polysim.kernel.redis import get_redis, key
from polysim.kernel.tenancy import require_building

logger = logging.getLogger(__name__)

KEPT = 1000
METRICS = "metrics"
BREACHES = "breaches"
LIFETIME_S = 7 * 86_400

# KEYS: list, state. ARGV: object, its id, kept, lifetime. The version rises in any case, so that a
# filler which read the database before this row was there does not store what it read. A row that
# the list begins with was read by a filler; one that is older than its head came late.
_PUSH = """
redis.call('HINCRBY', KEYS[2], 'version', 1)
redis.call('EXPIRE', KEYS[2], ARGV[4])
local head = redis.call('LINDEX', KEYS[1], 0)
if not head then return 0 end
local head_id = tonumber(cjson.decode(head)['id'])
if head_id == tonumber(ARGV[2]) then return 0 end
if head_id > tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[3]) - 1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('HINCRBY', KEYS[2], 'total', 1)
return 1
"""

# KEYS: list, state. ARGV: version seen before reading, total, lifetime, objects newest first.
_FILL = """
if (redis.call('HGET', KEYS[2], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
for index = 4, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[index]) end
redis.call('HSET', KEYS[2], 'total', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""

# ARGV: beginning of the lists' keys, ids of challenges.
_FIND_WARM = """
local found = {}
for index = 2, #ARGV do
  if redis.call('EXISTS', ARGV[1] .. ARGV[index]) == 1 then found[#found + 1] = ARGV[index] end
end
return found
"""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """Objects newest first, and the number of all rows (the database's)."""

    rows: Rows
    count: int


def push_rows(rows: Sequence[tuple[str, int, Mapping[str, Any]]]) -> None:
    """Put stored rows' objects first, in their order: (kind, challenge id, object) each.

    One round trip. Call it after the commit, in the building.
    """
    try:
        client = get_redis()
        script = _registered(client, _PUSH)
        pipeline = client.pipeline(transaction=False)
        for kind, challenge_id, row in rows:
            text = json.dumps(row, separators=(",", ":"))
            script(
                keys=_keys(kind, challenge_id),
                args=[text, row["id"], KEPT, LIFETIME_S],
                client=pipeline,
            )
        pipeline.execute()
    except redis.RedisError as error:
        # The next read finds another number than the database's and fills the list again.
        logger.warning("%s rows were not cached: %s", len(rows), error)


def find_warm(kind: str, challenge_ids: Sequence[int]) -> set[int]:
    """Which of these challenges have a list in memory; pushing to another one does nothing."""
    first = _keys(kind, 0)[0].removesuffix("0")
    try:
        found = _registered(get_redis(), _FIND_WARM)(keys=[], args=[first, *challenge_ids])
    except redis.RedisError as error:
        logger.warning("Nobody knows which %s are cached: %s", kind, error)
        return set()
    return {int(challenge_id) for challenge_id in found}


def read_page(
    kind: str,
    challenge_id: int,
    *,
    limit: int,
    offset: int,
    count: int,
    load: Callable[[int, int], Rows],
) -> Page:
    """Objects `offset` to `offset + limit`, newest first.

    `count` is the database's number of rows, `load(limit, offset)` reads their objects from it.
    What lies within the newest 1000 comes from memory, which is filled first where it is cold.
    """
    if offset >= count:
        return Page([], count)
    if min(offset + limit, count) > KEPT:
        return Page(load(limit, offset), count)
    try:
        rows = _read(kind, challenge_id, limit=limit, offset=offset, count=count)
        if rows is None:
            rows = _fill(kind, challenge_id, count=count, load=load)[offset : offset + limit]
    except redis.RedisError as error:
        logger.warning(
            "The %s of challenge %s come from the database: %s", kind, challenge_id, error
        )
        rows = load(limit, offset)
    return Page(rows, count)


def clear(challenge_id: int) -> None:
    """Forget a challenge's lists, after the commit that deleted its rows."""
    try:
        for kind in (METRICS, BREACHES):
            list_key, state_key = _keys(kind, challenge_id)
            pipeline = get_redis().pipeline(transaction=True)
            pipeline.delete(list_key)
            pipeline.hincrby(state_key, "version", 1)
            pipeline.expire(state_key, LIFETIME_S)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("The lists of challenge %s were not cleared: %s", challenge_id, error)


def _keys(kind: str, challenge_id: int) -> tuple[str, str]:
    base = key("prop", require_building(), kind, challenge_id)
    return base, f"{base}:state"


def _read(kind: str, challenge_id: int, *, limit: int, offset: int, count: int) -> Rows | None:
    list_key, state_key = _keys(kind, challenge_id)
    pipeline = get_redis().pipeline(transaction=True)
    pipeline.hget(state_key, "total")
    pipeline.llen(list_key)
    pipeline.lrange(list_key, offset, offset + limit - 1)
    total, length, texts = pipeline.execute()
    if total is None or int(total) != count or length != min(count, KEPT):
        return None
    return [json.loads(text) for text in texts]


def _fill(kind: str, challenge_id: int, *, count: int, load: Callable[[int, int], Rows]) -> Rows:
    list_key, state_key = _keys(kind, challenge_id)
    version = get_redis().hget(state_key, "version") or "0"
    rows = load(KEPT, 0)
    if len(rows) == min(count, KEPT):
        texts = [json.dumps(row, separators=(",", ":")) for row in rows]
        script = _registered(get_redis(), _FILL)
        script(keys=[list_key, state_key], args=[version, count, LIFETIME_S, *texts])
    return rows


@lru_cache(maxsize=8)
def _registered(client: Any, text: str) -> Any:
    return client.register_script(text)
