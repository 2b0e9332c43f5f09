"""What one evaluator process holds: the books of its firms, under a lock of its own.

The lock is PostgreSQL's, held by a connection of its own: it is free the moment its process dies,
and whoever gets it reads everything anew. Firms are spread over the shards by their schema's name.
"""

import logging
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError, connection

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.redis import get_redis
from polysim.kernel.tenancy import enter_building
from prop.evaluator.book import PhaseBook
from prop.evaluator.loading import (
    count_active,
    find_changed_accounts,
    find_phases_of,
    list_active_ids,
)
from prop.evaluator.marks import apply_marks, apply_results, held_tokens
from prop.evaluator.passes import PassReport, run_pass
from prop.rules.columns import column
from prop.services.jobs import list_kinds_done_together, run_due_jobs
from prop.services.readings import stale_after_s
from tenants.selectors import list_schemas
from trading.heartbeat import EvaluatorState, note_evaluator
from wallets.news import changed_accounts_key

logger = logging.getLogger(__name__)

# The safety net looks back beyond its last look: a change may be committed late.
LOOK_BACK = timedelta(seconds=30)
# Batches of jobs that this process works off after a pass: no wait for a worker that is busy, but
# an avalanche of verdicts is shared with the workers, so that others are judged meanwhile.
FOLLOW_UPS_MAX = 4
# Any number that nothing else in this database locks with.
LOCK_SPACE = 7_201_945


def shard_of(schema: str) -> int:
    """The shard that evaluates a firm."""
    return zlib.crc32(schema.encode()) % settings.PROP_EVALUATOR_SHARDS


@dataclass(frozen=True, slots=True)
class Round:
    """What one round over all firms of a shard did."""

    evaluated: int
    decided: int
    is_owner: bool = True


class Shard:
    """The firms of one shard. Every public method may be called again after any error.

    With a `clock` a pass is dated when its fills and prices had been read, without one by `now`.
    """

    def __init__(
        self,
        number: int,
        *,
        clock: Callable[[], datetime] | None = None,
        list_firms: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self.number = number
        self.books: dict[str, PhaseBook] = {}
        self._clock = clock
        self._list_firms = list_firms or self._my_firms
        self._firms: Sequence[str] = ()
        self._looked_at: dict[str, datetime] = {}
        # States of accounts that changed lately and were read since.
        self._seen: dict[str, dict[int, tuple[int, datetime]]] = {}
        self._stale_after_s: dict[str, int] = {}
        self._lock: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        """Give the lock back and forget everything."""
        self.books.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def evaluate_all(self, *, now: datetime) -> Round:
        """A full pass over all firms: what was missed is found, and all that changed is stored."""
        return self._round(now, is_full=True)

    def evaluate_changed(self, *, now: datetime) -> Round:
        """A pass over the accounts whose holdings, cash or prices changed."""
        return self._round(now, is_full=False)

    def _round(self, now: datetime, *, is_full: bool) -> Round:
        if not self._owns():
            self.books.clear()
            return Round(0, 0, is_owner=False)
        began = time.perf_counter()
        evaluated = decided = 0
        if is_full or not self._firms:
            self._firms = self._list_firms()
        for schema in self._firms:
            try:
                with enter_building(schema):
                    report = self._pass(schema, now, is_full=is_full)
            except (ServiceUnavailable, DatabaseError, redis.RedisError) as error:
                # What this firm's book holds may be half of a change: it is read anew.
                logger.warning("The phases of %s wait for the next pass: %s", schema, error)
                self.books.pop(schema, None)
                continue
            evaluated += report.evaluated
            decided += len(report.decided)
        self._note(now, evaluated, began, is_full=is_full)
        return Round(evaluated, decided)

    def _pass(self, schema: str, now: datetime, *, is_full: bool) -> PassReport:
        book = self.books.get(schema)
        is_new = book is None
        if book is None:
            # Emptied before reading: what changes from here on is told again.
            self._take_changed(schema)
            book = self.books[schema] = PhaseBook(schema)
            self._seen[schema] = find_changed_accounts(now - LOOK_BACK)
            book.load()
            self._looked_at[schema] = now
        is_full = is_full or is_new
        changed = self._bring_in_accounts(book, now, is_full=is_full)
        if not book.phase_count:
            # Most firms of a night: nothing to price, nothing to judge.
            return PassReport()
        tokens = held_tokens(book)
        changed_tokens = apply_marks(book, tokens)
        if is_full:
            changed_tokens = np.concatenate([changed_tokens, apply_results(book, tokens)])
        if is_full or schema not in self._stale_after_s:
            self._stale_after_s[schema] = stale_after_s()
        limit_s = self._stale_after_s[schema]
        now = now if self._clock is None else self._clock()
        rows = None
        if not is_full:
            rows = column(sorted(changed))
            if len(changed_tokens):
                rows = np.union1d(rows, book.arrays.positions.phases_holding(changed_tokens))
            if not len(rows):
                return PassReport()
        report = run_pass(book, now=now, stale_after_s=limit_s, rows=rows)
        if report.decided:
            _follow_up(now)
        return report

    def _bring_in_accounts(self, book: PhaseBook, now: datetime, *, is_full: bool) -> set[int]:
        """Take over accounts that changed, phases that began or ended; answers changed rows."""
        known, unknown = book.phases_of(self._take_changed(book.schema))
        if is_full:
            known += self._find_missed(book.schema, now)
        fresh = find_phases_of(unknown) if unknown else []
        if is_full and count_active() != (book.phase_count, book.id_sum()):
            active = set(list_active_ids())
            here = book.phase_ids()
            for phase_id in here - active:
                book.remove(phase_id)
            fresh += sorted(active - here)
        book.add(fresh)
        changed = set(book.refresh(list(dict.fromkeys(known))).tolist())
        return changed | {
            row for phase_id in fresh if (row := book.arrays.row_of(phase_id)) is not None
        }

    def _find_missed(self, schema: str, now: datetime) -> list[int]:
        """Phases whose account changed without a word, or whose news is still on its way."""
        seen = self._seen[schema]
        found = find_changed_accounts(self._looked_at[schema] - LOOK_BACK)
        self._looked_at[schema], self._seen[schema] = now, found
        return [phase_id for phase_id, state in found.items() if seen.get(phase_id) != state]

    def _take_changed(self, schema: str) -> list[int]:
        """Wallet ids that were told of, which are then forgotten."""
        name = changed_accounts_key(schema)
        pipeline = get_redis().pipeline(transaction=True)
        pipeline.smembers(name)
        pipeline.delete(name)
        return sorted(int(login) for login in pipeline.execute()[0])

    def _my_firms(self) -> list[str]:
        return [
            schema
            for schema in list_schemas()
            if schema != settings.RETAIL_SCHEMA and shard_of(schema) == self.number
        ]

    def _owns(self) -> bool:
        """Whether this process holds the shard's lock; takes it when it is free."""
        if self._lock is not None:
            try:
                self._lock.execute("SELECT 1")
                return True
            except psycopg.Error:
                logger.warning("The lock of shard %s was lost.", self.number)
                self._lock = None
                self.books.clear()
        try:
            held = _connect()
            row = held.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, self.number]
            ).fetchone()
        except psycopg.Error as error:
            logger.warning("Shard %s cannot be locked: %s", self.number, error)
            return False
        if row is not None and row[0]:
            self._lock = held
            return True
        held.close()
        return False

    def _note(self, now: datetime, evaluated: int, began: float, *, is_full: bool) -> None:
        active = sum(book.phase_count for book in self.books.values())
        state = EvaluatorState(
            at_ms=to_milliseconds(now),
            duration_ms=round((time.perf_counter() - began) * 1000),
            evaluated=evaluated,
            active=active,
        )
        if is_full:
            note_evaluator(shard=self.number, state=state)


def _follow_up(now: datetime) -> None:
    """Take accounts that are over out of trading and tell of it here, at once.

    What is left, also by an error, is the workers', who were told when the verdicts were written.
    """
    kinds = list_kinds_done_together()
    try:
        for _ in range(FOLLOW_UPS_MAX):
            if not run_due_jobs(now=now, kinds=kinds).claimed:
                break
    except DatabaseError:
        logger.warning("Jobs of verdicts are left to the workers.", exc_info=True)


def _connect() -> "psycopg.Connection[Any]":
    """A connection beside the pool: it lives as long as the lock."""
    parameters = connection.get_connection_params()
    wanted = ("host", "port", "user", "password", "dbname", "sslmode")
    return psycopg.connect(
        **{name: parameters[name] for name in wanted if parameters.get(name)}, autocommit=True
    )
