"""The state of every part of Polysim for `/status/`, each asked for with a short wait."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, connection
from django_celery_beat.models import PeriodicTask
from redis import RedisError

from polysim.kernel.clock import from_milliseconds, to_milliseconds
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.redis import get_redis
from trading.heartbeat import EVALUATOR_STILL_AFTER_MS, read_evaluators
from trading.markets.books import FeedState, read_feed_state

GOOD, SLOW, BAD = "good", "slow", "bad"
STALE_AFTER_MS = 15_000
DOWN_AFTER_MS = 60_000
LATE_FACTOR = 3
LATE_SLACK = timedelta(minutes=4)
JOB_WORDS = {
    "sweep-catalogue": "Catalogue of markets",
    "poll-resolutions": "Results of markets",
    "settle-resolved-markets": "Settlement",
    "record-equity": "Equity points",
}


@dataclass(frozen=True)
class PartState:
    """One line of the page: `state` is good, slow or bad, `words` say it."""

    name: str
    state: str
    words: str
    at: datetime | None = None


@dataclass(frozen=True)
class Status:
    """All parts, with the feed's own figures."""

    parts: tuple[PartState, ...]
    jobs: tuple[PartState, ...]
    feed: FeedState | None
    checked_at: datetime

    @property
    def is_good(self) -> bool:
        """Whether nothing is slow or bad."""
        return all(part.state == GOOD for part in (*self.parts, *self.jobs))


def read_status(*, now: datetime) -> Status:
    """Ask every part once."""
    feed = _read_feed()
    return Status(
        parts=(
            _feed_state(feed, now),
            _database_state(),
            _valkey_state(),
            *_evaluator_states(now),
        ),
        jobs=tuple(_job_states(now)),
        feed=feed,
        checked_at=now,
    )


def _evaluator_states(now: datetime) -> list[PartState]:
    """Evaluators that were seen within the last hour; without firms there is none to see."""
    found = []
    now_ms = to_milliseconds(now)
    for shard, seen in sorted(read_evaluators().items()):
        name = f"Challenges {shard + 1}" if shard else "Challenges"
        at = from_milliseconds(seen.at_ms)
        if now_ms - seen.at_ms > EVALUATOR_STILL_AFTER_MS:
            words = f"are not evaluated since {(now_ms - seen.at_ms) // 1000} s"
            found.append(PartState(name, BAD, words, at))
        elif seen.active and not seen.evaluated:
            words = f"0 of {seen.active} active phases are evaluated"
            found.append(PartState(name, BAD, words, at))
        else:
            words = f"{seen.evaluated} active phases evaluated in {seen.duration_ms} ms"
            found.append(PartState(name, GOOD, words, at))
    return found


def _read_feed() -> FeedState | None:
    try:
        return read_feed_state()
    except ServiceUnavailable:
        return None


def _feed_state(feed: FeedState | None, now: datetime) -> PartState:
    name = "Price feed"
    now_ms = to_milliseconds(now)
    if feed is None:
        return PartState(name, BAD, "cannot be read while the price store restarts")
    if not feed.last_data_ms:
        return PartState(name, BAD, "has not received a price yet")
    at = from_milliseconds(feed.last_data_ms)
    age_ms = now_ms - feed.last_data_ms
    if feed.is_halted:
        return PartState(name, BAD, "the venue does not answer; market orders are off", at)
    if not feed.is_running(now_ms) or age_ms > DOWN_AFTER_MS:
        return PartState(name, BAD, "stands still; market orders are off", at)
    if feed.is_lagging or age_ms > STALE_AFTER_MS:
        return PartState(name, SLOW, "is behind", at)
    return PartState(name, GOOD, "receives prices", at)


def _database_state() -> PartState:
    started_s = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return PartState("Database", BAD, "does not answer; nothing can be placed")
    return _timed("Database", started_s)


def _valkey_state() -> PartState:
    started_s = time.perf_counter()
    try:
        get_redis().ping()
    except (RedisError, OSError):
        return PartState("Price store", BAD, "does not answer; orders are refused")
    return _timed("Price store", started_s)


def _timed(name: str, started_s: float) -> PartState:
    milliseconds = (time.perf_counter() - started_s) * 1000
    state = GOOD if milliseconds < 250 else SLOW
    return PartState(name, state, f"answers in {milliseconds:.1f} ms")


def _job_states(now: datetime) -> list[PartState]:
    """The repeating jobs: late when they were not started for three times their interval."""
    tasks = {
        task.name: task
        for task in PeriodicTask.objects.filter(name__in=JOB_WORDS).select_related("interval")
    }
    states = []
    for name, words in JOB_WORDS.items():
        task = tasks.get(name)
        if task is None:
            states.append(PartState(words, SLOW, "is not planned"))
            continue
        every = timedelta(**{task.interval.period: task.interval.every}) if task.interval else None
        since = task.last_run_at or task.date_changed
        is_late = every is not None and now - since > LATE_FACTOR * every + LATE_SLACK
        if task.last_run_at is None:
            words_of_state = "has never run" if is_late else "waits for its first turn"
        else:
            words_of_state = "is late" if is_late else "runs"
        states.append(PartState(words, BAD if is_late else GOOD, words_of_state, task.last_run_at))
    return states
