"""Signs of life of the matcher and the evaluator, for status pages and alarms, in Valkey."""

import json
import logging
from dataclasses import asdict, dataclass

import redis

from polysim.kernel.redis import get_redis, key

logger = logging.getLogger(__name__)

KEPT_S = 3600
# The matcher cycles every second; so long without a sign it is said to stand still.
STILL_AFTER_MS = 15_000
# The evaluator's full pass comes every 5 s.
EVALUATOR_STILL_AFTER_MS = 30_000


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


@dataclass(frozen=True, slots=True)
class EvaluatorState:
    """An evaluator shard's last full pass: when, how long, phases evaluated and active."""

    at_ms: int
    duration_ms: int
    evaluated: int
    active: int


def note_evaluator(*, shard: int, state: EvaluatorState) -> None:
    """Write the sign of life of one shard; losing one loses nothing."""
    try:
        get_redis().hset(key("evaluator", "heartbeat"), str(shard), json.dumps(asdict(state)))
        get_redis().expire(key("evaluator", "heartbeat"), KEPT_S)
    except redis.RedisError as error:
        logger.warning("The evaluator's sign of life was not written: %s", error)


def read_evaluators() -> dict[int, EvaluatorState]:
    """The last full passes by shard; empty when none was seen for an hour."""
    try:
        fields = get_redis().hgetall(key("evaluator", "heartbeat"))
    except (redis.RedisError, OSError):
        return {}
    return {int(shard): EvaluatorState(**json.loads(text)) for shard, text in fields.items()}
