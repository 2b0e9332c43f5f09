"""Telling a worker that a building has webhooks to deliver, after commit.

The sweep finds the same work seconds later, so a broker that does not answer loses nothing. While
a worker has been told and has not begun, further events tell nobody: it will read them too.
"""

import logging
from functools import partial

import redis
from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError

from polysim.kernel.redis import get_redis, key
from polysim.kernel.tenancy import require_building

logger = logging.getLogger(__name__)

TASK = "tenants.office.tasks.deliver_webhooks"
TOLD_FOR_S = 30


def announce_events() -> None:
    """Have the current building's webhooks delivered once the caller's transaction commits."""
    transaction.on_commit(partial(tell_worker, schema=require_building()))


def tell_worker(*, schema: str) -> None:
    """Ask a worker now, unless one was asked and has not begun."""
    try:
        if get_redis().set(_marker(schema), "1", nx=True, ex=TOLD_FOR_S):
            current_app.send_task(TASK, [schema], retry=False, expires=TOLD_FOR_S)
    except (KombuError, redis.RedisError, OSError) as error:
        logger.warning("Webhooks of %s wait for the next sweep: %s", schema, error)


def begin_work(*, schema: str) -> None:
    """A worker begins: whatever is written from now on tells the next one."""
    try:
        get_redis().delete(_marker(schema))
    except redis.RedisError as error:
        logger.warning("The webhooks' marker of %s stays a while: %s", schema, error)


def _marker(schema: str) -> str:
    return key("webhooks", "told", schema)
