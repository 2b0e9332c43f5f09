"""What follows from a verdict or a cancellation: the job rows, and starting them on commit (6.6).

A job may name others that have to be done before it (`after`, by key).
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError as KombuError

from polysim.kernel.tenancy import require_building
from prop.models import Challenge, ChallengePhase, Job, JobKind, OnFail, PhaseType
from prop.rules import RULES_BY_NAME
from prop.rules.days import local_date
from prop.services.terms import last_phase_index

logger = logging.getLogger(__name__)

FAILED_EVENT = "prop.challenge.failed"
PHASE_CHANGED_EVENT = "prop.challenge.phase_changed"
PASSED_EVENT = "prop.challenge.passed"
CANCELLED_EVENT = "prop.challenge.cancelled"
PAYOUT_PAID_EVENT = "prop.payout.paid"
PAYOUT_REJECTED_EVENT = "prop.payout.rejected"

JOBS_TASK = "prop.tasks.run_jobs"
PAYOUTS_TASK = "prop.tasks.run_payouts"
JOBS_PER_MESSAGE = 20
# Whoever comes first works these off many at once, so that one message is enough for all.
_MANY_AT_ONCE = (JobKind.READ_ONLY, JobKind.EVENT)
MESSAGES_MAX = 4


def read_only_key(phase_id: int) -> str:
    """Key of the job that takes a phase's account out of trading."""
    return f"read_only:{phase_id}"


def payout_key(phase_id: int) -> str:
    """Key of the job that works out a funded phase's payout."""
    return f"payout:{phase_id}"


def event_key(event: str, subject_id: int) -> str:
    """Key of the job, and of the stored event, that tells of one transition."""
    return f"event:{event}:{subject_id}"


def make_job(
    *,
    kind: JobKind,
    key: str,
    challenge: Challenge | None,
    now: datetime,
    payload: Mapping[str, Any],
    after: Sequence[str] = (),
) -> Job:
    """A queued job, not saved yet."""
    return Job(
        kind=kind,
        key=key,
        challenge=challenge,
        payload={**payload, "after": list(after)},
        run_after=now,
        created_at=now,
        updated_at=now,
    )


def jobs_of_failure(*, phase: ChallengePhase, challenge: Challenge, now: datetime) -> list[Job]:
    """Read-only, closing positions where the program says so, and the event."""
    title = RULES_BY_NAME[challenge.fail_rule].title.lower() if challenge.fail_rule else ""
    jobs = [read_only_job(phase, challenge, now, f"Challenge failed on {{day}}: {title}")]
    if phase.terms.get("on_fail") == OnFail.LIQUIDATE:
        jobs.append(_liquidate(phase, challenge, now))
    jobs.append(
        make_job(
            kind=JobKind.EVENT,
            key=event_key(FAILED_EVENT, phase.pk),
            challenge=challenge,
            now=now,
            payload={"event": FAILED_EVENT, "phase": phase.pk},
            after=[read_only_key(phase.pk)],
        )
    )
    return jobs


def jobs_of_pass(*, phase: ChallengePhase, challenge: Challenge, now: datetime) -> list[Job]:
    """Read-only, then the next phase; after the last one the payout and the event."""
    jobs = [read_only_job(phase, challenge, now, f"Phase {phase.phase_index} passed on {{day}}")]
    if phase.phase_index < last_phase_index(challenge.terms):
        following = phase.phase_index + 1
        return [
            *jobs,
            _liquidate(phase, challenge, now),
            make_job(
                kind=JobKind.NEXT_PHASE,
                key=f"next_phase:{challenge.pk}:{following}",
                challenge=challenge,
                now=now,
                payload={"from_phase": phase.pk, "phase_index": following},
            ),
        ]
    waits_for = [read_only_key(phase.pk)]
    if phase.phase_type == PhaseType.FUNDED:
        jobs.append(
            make_job(
                kind=JobKind.PAYOUT,
                key=payout_key(phase.pk),
                challenge=challenge,
                now=now,
                payload={"phase": phase.pk},
                after=waits_for,
            )
        )
        waits_for = [*waits_for, payout_key(phase.pk)]
    jobs.append(
        make_job(
            kind=JobKind.EVENT,
            key=event_key(PASSED_EVENT, phase.pk),
            challenge=challenge,
            now=now,
            payload={"event": PASSED_EVENT, "phase": phase.pk},
            after=waits_for,
        )
    )
    return jobs


def jobs_of_cancellation(
    *, challenge: Challenge, phases: Sequence[ChallengePhase], now: datetime
) -> list[Job]:
    """Read-only for every account that the cancelled phases had, and the event."""
    jobs = [
        read_only_job(phase, challenge, now, "Challenge cancelled on {day}")
        for phase in phases
        if phase.account_login
    ]
    event = make_job(
        kind=JobKind.EVENT,
        key=event_key(CANCELLED_EVENT, challenge.pk),
        challenge=challenge,
        now=now,
        payload={"event": CANCELLED_EVENT, "challenge": challenge.pk},
        after=[job.key for job in jobs],
    )
    return [*jobs, event]


def read_only_job(phase: ChallengePhase, challenge: Challenge, now: datetime, reason: str) -> Job:
    """`reason` is what the trader reads; `{day}` in it is the local date."""
    day = local_date(int(now.timestamp()), ZoneInfo(phase.terms["timezone"]))
    return make_job(
        kind=JobKind.READ_ONLY,
        key=read_only_key(phase.pk),
        challenge=challenge,
        now=now,
        payload={"phase": phase.pk, "reason": reason.format(day=f"{day.day} {day:%B}")},
    )


def _liquidate(phase: ChallengePhase, challenge: Challenge, now: datetime) -> Job:
    return make_job(
        kind=JobKind.LIQUIDATE,
        key=f"liquidate:{phase.pk}",
        challenge=challenge,
        now=now,
        payload={"phase": phase.pk},
        after=[read_only_key(phase.pk)],
    )


def start_jobs_on_commit(task: str = JOBS_TASK, *, jobs: Sequence[Job] = ()) -> None:
    """Have workers look for due jobs of this building once the transaction is committed.

    Many slow `jobs` are shared by several workers. A message that gets lost costs seconds: the
    schedule sweeps all buildings.
    """
    schema = require_building()
    slow = sum(job.kind not in _MANY_AT_ONCE for job in jobs)
    messages = max(1, min(MESSAGES_MAX, -(-slow // JOBS_PER_MESSAGE)))
    transaction.on_commit(lambda: _send(task, schema, messages))


def _send(task: str, schema: str, messages: int) -> None:
    try:
        for _ in range(messages):
            current_app.send_task(task, [schema], expires=60)
    except (KombuError, OSError) as error:
        logger.warning("Jobs of %s wait for the sweep: %s", schema, error)
