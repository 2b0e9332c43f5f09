"""News of orders and money, sent after commit. Losing one loses nothing: rows are the truth.

To the user's sockets (trading-api 10.2): frames `fill`, `order`, `settlement`, `wallet`.
To the matcher: `{"schema", "order_id", "op": "open" | "closed"}` on the orders channel.
To the evaluator: ids of changed firm accounts in a set.
A publisher that cannot reach Valkey says so in the log and goes on: the change is committed, and
an answer must never turn into an error after that (architecture law 2).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import redis
from django.conf import settings

from polysim.kernel.redis import get_redis
from tenants.office.services.announcing import tell_worker
from trading.hub import publish_to_user, publish_to_users
from trading.markets.books.keys import orders_channel
from wallets.news import tell_of_change

logger = logging.getLogger(__name__)


def tell_user(*, user_id: int, frame: Mapping[str, Any], now: datetime) -> None:
    """Send one frame to all sockets of a user."""
    try:
        publish_to_user(user_id, frame, now_s=int(now.timestamp()))
    except redis.RedisError as error:
        logger.warning("A %s frame for user %s was not sent: %s", frame["type"], user_id, error)


def tell_users(*, frames: Sequence[tuple[int, Mapping[str, Any]]], now: datetime) -> None:
    """Send frames to the users named beside them, in one round trip."""
    try:
        publish_to_users(frames, now_s=int(now.timestamp()))
    except redis.RedisError as error:
        logger.warning("%s frames for users were not sent: %s", len(frames), error)


def tell_matcher(*, schema: str, order_id: int, is_open: bool) -> None:
    """Tell the matcher that an order began or ceased to rest; it also finds out by itself."""
    text = json.dumps(
        {"schema": schema, "order_id": order_id, "op": "open" if is_open else "closed"}
    )
    try:
        get_redis().publish(orders_channel(), text)
    except redis.RedisError as error:
        logger.warning("The matcher was not told of order %s: %s", order_id, error)


def tell_evaluator(*, schema: str, wallet_id: int) -> None:
    """The cash or holdings of an account changed; the evaluator also finds out by itself.

    The firm's webhooks of it are sent at once.
    """
    tell_of_change(schema=schema, wallet_id=wallet_id)
    if schema != settings.RETAIL_SCHEMA:
        tell_worker(schema=schema)
