"""The worker queue: jobs are rows, claimed one batch at a time and run once (prop-backoffice 6.6).

A claim is a conditional UPDATE with a time by which its worker counts as dead, so that a job of a
killed worker is run again. Each handler's work and the job's end are one transaction, except sales
at the market, which may be repeated at any time.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


def run_due_jobs(
    *, now: datetime, kinds: Sequence[str] = tuple(JobKind.values), limit: int = BATCH
) -> JobsReport:
    """Claim up to `limit` due jobs of the current building and run them, oldest first.

    A job that fails is tried again by its schedule; a failure never stops the others.
    """
    report = JobsReport()
    for job in _claim(now, kinds, limit):
        outcome = _run(job, now)
        report = replace(report, **{outcome: getattr(report, outcome) + 1})
    return report


def _claim(now: datetime, kinds: Sequence[str], limit: int) -> list[Job]:
    until = now + timedelta(seconds=CLAIM_S)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [until, now, now, now, list(kinds), limit])
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    return list(Job.objects.filter(pk__in=ids).order_by("run_after", "pk"))


def _run(job: Job, now: datetime) -> str:
    handler = HANDLERS[JobKind(job.kind)]
    try:
        if handler.before is not None:
            handler.before(job, now)
        with transaction.atomic():
            # A job that another worker took over meanwhile is that worker's: it waits here for
            # this one's transaction and then finds the work done.
            if not _is_mine(job):
                return "waiting"
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
        return "waiting"
    except Exception as error:
        logger.exception("Job %s failed at attempt %s.", job.key, job.attempts)
        _note_failure(job, error, now)
        return "failed"
    return "done"


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
