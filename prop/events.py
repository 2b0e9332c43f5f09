"""Frames about challenges, sent after commit; losing one loses nothing, rows are the truth (6.7).

To the customer's sockets over their own channel, to the staff of the firm over one channel per
building. Both get `{"type": "prop", "event", "id", "time", "data"}`; `id` is the stored event's,
0 for what is not stored (`prop.metric`).
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import redis

from polysim.kernel.redis import get_redis, key
from trading.events import tell_users

logger = logging.getLogger(__name__)

METRIC = "prop.metric"
WARNING = "prop.warning"


def staff_channel(schema: str) -> str:
    """Pub/sub: all frames about challenges of one firm, for its staff."""
    return key("prop", "staff", schema)


def make_frame(
    *, event: str, event_id: int, data: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """One frame; times are Unix seconds."""
    return {
        "type": "prop",
        "event": event,
        "id": event_id,
        "time": int(now.timestamp()),
        "data": dict(data),
    }


def tell_customers_and_staff(
    *, schema: str, frames: Sequence[tuple[int, Mapping[str, Any]]], now: datetime
) -> None:
    """Send frames to the customers named beside them, and all of them to the firm's staff."""
    tell_users(frames=[(one, {**frame, "schema": schema}) for one, frame in frames], now=now)
    tell_staff(schema=schema, frames=[frame for _, frame in frames])


def tell_staff(*, schema: str, frames: Iterable[Mapping[str, Any]]) -> None:
    """Send frames to the sockets of a firm's staff."""
    try:
        pipeline = get_redis().pipeline(transaction=False)
        for frame in frames:
            pipeline.publish(staff_channel(schema), json.dumps(frame, separators=(",", ":")))
        pipeline.execute()
    except redis.RedisError as error:
        logger.warning("The staff of %s were not told: %s", schema, error)
