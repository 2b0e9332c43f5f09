"""Metrics that were just stored: into the caches that are warm, and to who looks on (6.5, 6.7)."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import redis

from prop.cache import METRICS, find_warm, push_rows
from prop.evaluator.book import PhaseBook
from prop.events import METRIC, make_frame, tell_customers_and_staff
from prop.models import MetricSnapshot
from prop.objects import metric_object
from prop.rules.columns import Column
from trading.hub import find_connected

logger = logging.getLogger(__name__)

# Up to so many metrics of one pass are told to everybody, beyond only to who has a page open.
TOLD_TO_ALL_MAX = 500


def tell_metrics(
    book: PhaseBook, rows: Column, *, metrics: Mapping[int, int], now: datetime
) -> None:
    """`metrics` are the stored rows' ids by phase id."""
    if not len(rows):
        return
    challenges = book.challenge[rows].tolist()
    customers = book.customer[rows].tolist()
    warm = find_warm(METRICS, challenges)
    is_small = len(challenges) <= TOLD_TO_ALL_MAX
    watching = set(customers) if is_small else _listening(customers)
    wanted = [
        metrics[phase_id]
        for phase_id, challenge_id, customer_id in zip(
            book.arrays.ids[rows].tolist(), challenges, customers, strict=True
        )
        if challenge_id in warm or customer_id in watching
    ]
    owners = dict(zip(challenges, customers, strict=True))
    cached: list[tuple[str, int, Mapping[str, Any]]] = []
    frames: list[tuple[int, Mapping[str, Any]]] = []
    for row in MetricSnapshot.objects.filter(pk__in=wanted).order_by("pk"):
        values = metric_object(row)
        if row.challenge_id in warm:
            cached.append((METRICS, row.challenge_id, values))
        customer_id = owners[row.challenge_id]
        if customer_id in watching:
            frame = make_frame(event=METRIC, event_id=0, data=values, now=now)
            frames.append((customer_id, frame))
    push_rows(cached)
    tell_customers_and_staff(schema=book.schema, frames=frames, now=now)


def _listening(customers: Sequence[int]) -> set[int]:
    try:
        return find_connected(customers)
    except redis.RedisError as error:
        logger.warning("Nobody knows who listens: %s", error)
        return set()
