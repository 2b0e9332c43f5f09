"""The worker queue: jobs are rows, claimed one batch at a time and run once (prop-backoffice 6.6).

A claim is a conditional UPDATE with a time by which its worker counts as dead, so that a job of a
killed worker is run again. Each handler's work and the job's end are one transaction, except sales
at the market, which may be repeated at any time.

Kinds whose work is done for many at once (read-only, events) are claimed first and each kind is
one transaction. One that fails is halved until the bad job stands alone and fails by itself.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from polysim.kernel.errors import NotFound
from prop.errors import StateConflict
from prop.models import Job, JobKind, JobStatus
from prop.services.following import start_jobs_on_commit
from prop.services.job_handlers import HANDLERS, JobWaits
from tenants.office.services import Actor, write_firm_audit

logger = logging.getLogger(__name__)

RETRY_AFTER_S = (5, 30, 120, 600, 3600)
ATTEMPTS_MAX = 10
# A claimed job whose worker says nothing for so long may be taken by another one.
CLAIM_S = 120
BATCH = 20
# So many are worked off in one transaction, and its locks held: tens of milliseconds.
BATCH_TOGETHER = 200
ERROR_LENGTH_MAX = 2000
# Everything but booking payouts, which has a queue of its own.
ORDINARY_KINDS = tuple(kind for kind in JobKind.values if kind != JobKind.PAY)
PAYOUT_KINDS = (JobKind.PAY.value,)

_CLAIM = """
UPDATE prop_job SET status = 'running', attempts = attempts + 1, locked_until = %s, updated_at = %s
WHERE id IN (
  SELECT j.id FROM prop_job j
  WHERE (j.status = 'queued' AND j.run_after <= %s
      OR j.status = 'running' AND j.locked_until <= %s)
    AND j.kind = ANY (%s)
    AND NOT EXISTS (
      SELECT FROM jsonb_array_elements_text(COALESCE(j.payload->'after', '[]')) AS a (key)
      JOIN prop_job d ON d.key = a.key AND d.status <> 'done')
  ORDER BY j.run_after, j.id LIMIT %s FOR UPDATE OF j SKIP LOCKED)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class JobsReport:
    """How many jobs were run, how many of them failed or had to wait."""

    done: int = 0
    waiting: int = 0
    failed: int = 0

    @property
    def claimed(self) -> int:
        """All that were taken."""
        return self.done + self.waiting + self.failed

    def __add__(self, other: "JobsReport") -> "JobsReport":
        return JobsReport(
            self.done + other.done, self.waiting + other.waiting, self.failed + other.failed
        )


def run_due_jobs(
    *, now: datetime, kinds: Sequence[str] = tuple(JobKind.values), limit: int = BATCH
) -> JobsReport:
    """Claim due jobs of the current building and run them, oldest first.

    What is done for many at once goes first; only when nothing of it is due, up to `limit` others
    are run one after the other. A job that fails is tried again by its schedule; a failure never
    stops the others.
    """
    quick = list_kinds_done_together(kinds)
    jobs = _claim(now, quick, BATCH_TOGETHER) if quick else []
    report = JobsReport()
    for kind in dict.fromkeys(job.kind for job in jobs):
        report += _run_together([job for job in jobs if job.kind == kind], now)
    if not jobs:
        for job in _claim(now, [kind for kind in kinds if kind not in quick], limit):
            report += _run(job, now)
    return report


def list_kinds_done_together(kinds: Sequence[str] = tuple(JobKind.values)) -> list[str]:
    """Those of these kinds whose jobs are worked off many at once."""
    return [kind for kind in kinds if HANDLERS[JobKind(kind)].work_many is not None]


def _claim(now: datetime, kinds: Sequence[str], limit: int) -> list[Job]:
    until = now + timedelta(seconds=CLAIM_S)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [until, now, now, now, list(kinds), limit])
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    return list(Job.objects.filter(pk__in=ids).order_by("run_after", "pk"))


def _run_together(jobs: Sequence[Job], now: datetime) -> JobsReport:
    """Work off jobs of one kind in one transaction; those it leaves, and a single one, alone."""
    work_many = HANDLERS[JobKind(jobs[0].kind)].work_many
    if work_many is None or len(jobs) == 1:
        return sum((_run(job, now) for job in jobs), JobsReport())
    try:
        with transaction.atomic():
            mine = _lock_mine(jobs)
            left = work_many(mine, now) if mine else ()
            _end_all([job.pk for job in mine if job.pk not in left], now)
    except Exception:
        logger.warning("%s jobs are tried in two halves.", len(jobs), exc_info=True)
        half = len(jobs) // 2
        return _run_together(jobs[:half], now) + _run_together(jobs[half:], now)
    others = [job for job in mine if job.pk in left]
    report = JobsReport(done=len(mine) - len(others), waiting=len(jobs) - len(mine))
    return sum((_run(job, now) for job in others), report)


def _lock_mine(jobs: Sequence[Job]) -> list[Job]:
    """Those that no other worker took over meanwhile, locked by ascending id."""
    rows = Job.objects.filter(pk__in=[job.pk for job in jobs], status=JobStatus.RUNNING).order_by(
        "pk"
    )
    held = dict(rows.select_for_update().values_list("pk", "attempts"))
    return [job for job in jobs if held.get(job.pk) == job.attempts]


def _end_all(job_ids: Sequence[int], now: datetime) -> None:
    """Jobs that this transaction locked are done."""
    Job.objects.filter(pk__in=job_ids).update(
        status=JobStatus.DONE, last_error="", locked_until=None, updated_at=now
    )


def _run(job: Job, now: datetime) -> JobsReport:
    handler = HANDLERS[JobKind(job.kind)]
    try:
        if handler.before is not None:
            handler.before(job, now)
        with transaction.atomic():
            # A job that another worker took over meanwhile is that worker's: it waits here for
            # this one's transaction and then finds the work done.
            if not _is_mine(job):
                return JobsReport(waiting=1)
            handler.work(job, now)
            _set(job, now, status=JobStatus.DONE, last_error="", locked_until=None)
    except JobWaits as wait:
        _set(
            job,
            now,
            status=JobStatus.QUEUED,
            attempts=max(0, job.attempts - 1),
            last_error=str(wait),
            run_after=now + timedelta(seconds=wait.seconds),
            locked_until=None,
        )
        return JobsReport(waiting=1)
    except Exception as error:
        logger.exception("Job %s failed at attempt %s.", job.key, job.attempts)
        _note_failure(job, error, now)
        return JobsReport(failed=1)
    return JobsReport(done=1)


def _is_mine(job: Job) -> bool:
    mine = Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING, attempts=job.attempts)
    return mine.select_for_update().exists()


def _note_failure(job: Job, error: Exception, now: datetime) -> None:
    is_over = job.attempts >= ATTEMPTS_MAX
    delay_s = RETRY_AFTER_S[min(job.attempts, len(RETRY_AFTER_S)) - 1]
    _set(
        job,
        now,
        status=JobStatus.FAILED if is_over else JobStatus.QUEUED,
        last_error=f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX],
        run_after=now + timedelta(seconds=delay_s),
        locked_until=None,
    )


def _set(job: Job, now: datetime, **values: object) -> None:
    """Change the job's row as far as it is still this worker's."""
    mine = Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING, attempts=job.attempts)
    mine.update(updated_at=now, **values)


@transaction.atomic
def retry_job(*, job_id: int, actor: Actor, now: datetime) -> Job:
    """MngRetryPropJob: a failed job is queued again with all its attempts.

    Raises NotFound, and StateConflict when it is not failed.
    """
    job: Job | None = Job.objects.filter(pk=job_id).select_for_update().first()
    if job is None:
        raise NotFound(f"Job {job_id} does not exist")
    if job.status != JobStatus.FAILED:
        raise StateConflict("Only a failed job can be tried again.")
    job.status = JobStatus.QUEUED
    job.attempts = 0
    job.run_after = job.updated_at = now
    job.save(update_fields=["status", "attempts", "run_after", "updated_at"])
    write_firm_audit(
        actor=actor,
        action="prop.job.retried",
        object_type="job",
        object_id=job.pk,
        now=now,
        before={"status": JobStatus.FAILED.value, "last_error": job.last_error},
        after={"status": job.status, "key": job.key},
    )
    start_jobs_on_commit()
    return job
