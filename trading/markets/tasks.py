"""Celery tasks of the venue's data (queue `feed`). Each is safe to repeat and calls one service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

import redis
import structlog
from celery import shared_task
from django.conf import settings

from polysim.kernel.clock import utc_now
from polysim.kernel.redis import get_redis, key
from trading.markets import catalogue, history, resolution
from trading.markets.polymarket.http import VenueClient, VenueError

#: Markets whose past is filled per sweep; three requests and one page of trades each.
BACKFILL_PER_SWEEP: Final = 5
KEEP_TAPE: Final = timedelta(days=14)

logger = structlog.get_logger(__name__)


@shared_task(name="trading.markets.tasks.sweep_catalogue", soft_time_limit=300)
def sweep_catalogue() -> None:
    """Read the catalogue; then ask for the past of a few busy markets that have none yet."""
    if not _venue_is_on():
        return
    with _only_one("sweep") as may_run:
        if not may_run:
            return
        try:
            with VenueClient() as client:
                catalogue.sweep_catalogue(client=client, now=utc_now())
        except VenueError as error:
            logger.warning("catalogue_sweep_failed", reason=str(error))
            return
    for condition_id in history.markets_without_history(BACKFILL_PER_SWEEP):
        backfill_history.apply_async([condition_id], expires=300)


@shared_task(name="trading.markets.tasks.poll_resolutions", soft_time_limit=300)
def poll_resolutions() -> None:
    """Ask for the results that are due and write them."""
    if not _venue_is_on():
        return
    with _only_one("resolutions") as may_run:
        if not may_run:
            return
        try:
            with VenueClient() as client:
                resolution.poll_resolutions(client=client, now=utc_now())
        except VenueError as error:
            logger.warning("resolution_poll_failed", reason=str(error))


@shared_task(name="trading.markets.tasks.backfill_history", soft_time_limit=120)
def backfill_history(condition_id: str) -> None:
    """Fill one market's past minutes and tape, once."""
    if not _venue_is_on():
        return
    with VenueClient() as client:
        history.backfill_market(condition_id=condition_id, client=client, now=utc_now())


@shared_task(name="trading.markets.tasks.refresh_markets", soft_time_limit=120)
def refresh_markets(condition_ids: list[str]) -> None:
    """Read markets that frames named (`new_market`, `market_resolved`) and settle what is due."""
    if not _venue_is_on():
        return
    try:
        with VenueClient() as client:
            catalogue.refresh_named_markets(condition_ids, client=client, now=utc_now())
    except VenueError as error:
        logger.warning("market_refresh_failed", reason=str(error))


@shared_task(name="trading.markets.tasks.forget_old_history")
def forget_old_history() -> None:
    """Keep the tape short; minute candles stay."""
    history.forget_old_history(now=utc_now(), keep=KEEP_TAPE)


def _venue_is_on() -> bool:
    return str(settings.POLYMARKET_FEED_MODE) != "off"


@contextmanager
def _only_one(name: str, *, seconds: int = 300) -> Iterator[bool]:
    """A lock in Valkey: a slow run is not overtaken by the next one. Without Valkey: run."""
    lock = get_redis().lock(key("task", name), timeout=seconds, blocking=False)
    try:
        held = bool(lock.acquire())
    except redis.RedisError:
        yield True
        return
    try:
        yield held
    finally:
        if held:
            with suppress(redis.RedisError):
                lock.release()
