"""The worker queue: claims, retries, waiting, order of jobs, repeats by staff."""

from datetime import timedelta

import pytest

from polysim.kernel.errors import NotFound
from prop.errors import StateConflict
from prop.models import Challenge, ChallengePhase, Job, JobKind, PropEvent
from prop.services import job_handlers
from prop.services.following import make_job
from prop.services.jobs import retry_job, run_due_jobs
from tenants.office.models import FirmAuditEntry
from tests.evaluator import build
from tests.evaluator.build import NOW
from wallets.models import LedgerTransaction, Wallet

pytestmark = pytest.mark.usefixtures("in_alpha")


def broken_job(challenge=None, **fields) -> Job:
    """A job whose phase does not exist."""
    job = make_job(
        kind=JobKind.READ_ONLY,
        key="read_only:0",
        challenge=challenge,
        now=NOW,
        payload={"phase": 0, "reason": ""},
    )
    for name, value in fields.items():
        setattr(job, name, value)
    job.save()
    return job


def test_a_failing_job_is_tried_ten_times_by_the_schedule():
    job = broken_job()
    now, waits = NOW, []
    for _ in range(10):
        assert run_due_jobs(now=now).failed == 1
        job.refresh_from_db()
        waits.append(int((job.run_after - now).total_seconds()))
        # Not a second before its time.
        early = job.run_after - timedelta(seconds=1)
        assert run_due_jobs(now=early).claimed == 0
        now = job.run_after
    assert waits == [5, 30, 120, 600, 3600, 3600, 3600, 3600, 3600, 3600]
    assert (job.status, job.attempts) == ("failed", 10)
    assert "DoesNotExist" in job.last_error
    assert run_due_jobs(now=now + timedelta(days=30)).claimed == 0


def test_a_failing_job_does_not_hold_up_the_others():
    broken_job()
    challenge = build.start()
    build.fail(challenge)
    report = run_due_jobs(now=NOW)
    assert report.failed == 1
    build.run_jobs()
    assert PropEvent.objects.get().event == "prop.challenge.failed"


def test_staff_try_a_failed_job_again_and_only_a_failed_one():
    job = broken_job(status="failed", attempts=10)
    again = retry_job(job_id=job.pk, actor=build.staff(), now=NOW)
    assert (again.status, again.attempts, again.run_after) == ("queued", 0, NOW)
    entry = FirmAuditEntry.objects.get(action="prop.job.retried")
    assert (entry.actor_name, entry.object_id) == ("staff1@example.org", str(job.pk))
    for status in ("queued", "running", "done"):
        Job.objects.filter(pk=job.pk).update(status=status)
        with pytest.raises(StateConflict):
            retry_job(job_id=job.pk, actor=build.staff(), now=NOW)
    with pytest.raises(NotFound):
        retry_job(job_id=job.pk + 1, actor=build.staff(), now=NOW)


def test_a_job_of_a_worker_that_died_is_taken_over():
    challenge = build.start()
    phase = build.fail(challenge)
    # Claimed by a worker of which nothing was heard since.
    Job.objects.filter(kind="read_only").update(
        status="running", attempts=1, locked_until=NOW + timedelta(seconds=120)
    )
    assert run_due_jobs(now=NOW + timedelta(seconds=119)).claimed == 0
    assert run_due_jobs(now=NOW + timedelta(seconds=120)).done == 1
    assert Wallet.objects.get(pk=phase.account_login).trading_state == "READ_ONLY"


def test_a_worker_that_comes_back_late_writes_nothing(monkeypatch):
    """Its job was taken over while it was away: attempts differ, and the work is not done twice."""
    challenge = build.start()
    build.fail(challenge)
    worked = []
    handler = job_handlers.HANDLERS[JobKind.READ_ONLY]

    def taken_over_meanwhile(job, now):
        Job.objects.filter(pk=job.pk).update(attempts=job.attempts + 1)

    def work(job, now):
        worked.append(job.key)

    slow = job_handlers.Handler(work, before=taken_over_meanwhile)
    monkeypatch.setitem(job_handlers.HANDLERS, JobKind.READ_ONLY, slow)
    assert run_due_jobs(now=NOW).waiting == 1
    assert worked == []
    job = Job.objects.get(kind="read_only")
    assert (job.status, job.attempts) == ("running", 2)
    monkeypatch.setitem(job_handlers.HANDLERS, JobKind.READ_ONLY, handler)


def test_the_event_waits_for_the_jobs_before_it():
    challenge = build.start()
    build.fail(challenge)
    Job.objects.filter(kind="read_only").update(run_after=NOW + timedelta(minutes=5))
    assert build.run_jobs().claimed == 0
    assert not PropEvent.objects.exists()
    build.run_jobs(NOW + timedelta(minutes=5))
    assert PropEvent.objects.count() == 1


def test_a_repeated_job_of_each_kind_changes_nothing():
    challenge = build.start(build.program(build.EXAMPLE, build.EXAMPLE))
    build.pass_phase(challenge)
    build.run_jobs()
    before = LedgerTransaction.objects.count(), ChallengePhase.objects.count()

    Job.objects.update(status="queued", attempts=0)
    report = build.run_jobs()

    assert report.failed == 0
    assert (LedgerTransaction.objects.count(), ChallengePhase.objects.count()) == before
    assert PropEvent.objects.count() == 1
    assert build.challenge_now(challenge).current_phase_index == 2


def test_nothing_opens_for_a_challenge_that_was_cancelled_meanwhile():
    challenge = build.start(build.program(build.EXAMPLE, build.EXAMPLE))
    build.pass_phase(challenge)
    Challenge.objects.filter(pk=challenge.pk).update(status=4)
    build.run_jobs()
    assert ChallengePhase.objects.count() == 1


def test_the_next_phase_is_not_held_up_by_what_cannot_be_sold():
    from tests.evaluator.test_worked_examples import hold

    challenge = build.start(build.program({**build.EXAMPLE, "min_trading_days": 0}, build.EXAMPLE))
    hold(challenge, 1)
    phase = build.phase_of(challenge)
    build.set_cash(phase.account_login, "10900")
    from prop.services.verdicts import write_verdicts

    write_verdicts(decisions=[build.decision_of(phase)], now=NOW)
    # An hour later nothing has a usable price.
    later = NOW + timedelta(hours=1)
    build.run_jobs(later)

    liquidate = Job.objects.get(kind="liquidate")
    assert (liquidate.status, liquidate.attempts) == ("queued", 0)
    assert "no usable price" in liquidate.last_error
    assert build.phase_of(challenge, 2).status == 1
    assert PropEvent.objects.get().event == "prop.challenge.phase_changed"
