"""What each kind of job does. Every handler may be repeated: it looks at the state first (6.6).

Lock order: the trader's lock, challenge, phase, then wallets.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from polysim.kernel.tenancy import require_building
from prop.models import Challenge, ChallengePhase, ChallengeStatus, Job, JobKind
from prop.services.beginning import initial_balance_of, new_phase, start_phase
from prop.services.events import announce
from prop.services.following import (
    PHASE_CHANGED_EVENT,
    event_key,
    make_job,
    read_only_key,
    start_jobs_on_commit,
)
from prop.services.payouts import book_payout, close_funded_positions, work_out_payout
from prop.services.phase_accounts import deposit_phase_account, open_phase_account
from prop.services.waiting import JobWaits
from trading.events import tell_evaluator
from trading.services.firm_accounts import (
    liquidate_positions,
    make_accounts_read_only,
    make_read_only,
)
from wallets.services import lock_user

LIQUIDATE_AGAIN_S = 60


@dataclass(frozen=True, slots=True)
class Handler:
    """`before` runs outside of a transaction, `work` in the one that ends the job.

    Where `work_many` is given, many jobs are worked off and ended in one transaction by statements
    for all of them. It answers the ids of those that it left, to be run by themselves.
    """

    work: Callable[[Job, datetime], None]
    before: Callable[[Job, datetime], None] | None = None
    work_many: Callable[[Sequence[Job], datetime], Collection[int]] | None = None


def _phase_of(job: Job) -> ChallengePhase:
    phase: ChallengePhase = ChallengePhase.objects.select_related("challenge").get(
        pk=job.payload["phase"]
    )
    return phase


def _make_read_only(job: Job, now: datetime) -> None:
    phase = _phase_of(job)
    if phase.account_login:
        make_read_only(wallet_id=phase.account_login, reason=job.payload["reason"], now=now)


def _make_many_read_only(jobs: Sequence[Job], now: datetime) -> set[int]:
    """All accounts at once but those whose trader is acting at this moment."""
    logins = dict(
        ChallengePhase.objects.filter(pk__in=[job.payload["phase"] for job in jobs]).values_list(
            "pk", "account_login"
        )
    )
    unknown = {job.pk for job in jobs if job.payload["phase"] not in logins}
    by_login = {login: job for job in jobs if (login := logins.get(job.payload["phase"], 0)) != 0}
    reasons = {login: job.payload["reason"] for login, job in by_login.items()}
    busy = make_accounts_read_only(reasons=reasons, now=now)
    return unknown | {by_login[login].pk for login in busy}


def _liquidate(job: Job, now: datetime) -> None:
    """Sell what has a price; the rest is tried again until it is sold or settled."""
    phase = _phase_of(job)
    left = liquidate_positions(wallet_id=phase.account_login, now=now).left
    if left:
        raise JobWaits(f"{left} positions have no usable price", seconds=LIQUIDATE_AGAIN_S)


def _open_next_phase(job: Job, now: datetime) -> None:
    """The next phase's row and its account; a challenge that ended meanwhile gets neither."""
    index = job.payload["phase_index"]
    challenge = _lock_challenge(job)
    if challenge.status != ChallengeStatus.ACTIVE:
        return
    phase = ChallengePhase.objects.filter(challenge=challenge, phase_index=index).first()
    if phase is None:
        phase = new_phase(challenge=challenge, phase_index=index, now=now)
    if not phase.account_login:
        account = open_phase_account(
            customer=challenge.customer,
            purchase_id=challenge.purchase_id,
            attempt=challenge.attempt,
            phase_index=index,
            phase_type=phase.phase_type,
            account_group=phase.account_group,
            time_zone=phase.terms["timezone"],
            now=now,
        )
        phase.account_login = account.pk
        phase.save()
    deposit = make_job(
        kind=JobKind.DEPOSIT,
        key=f"deposit:{phase.pk}",
        challenge=challenge,
        now=now,
        payload={"phase": phase.pk, "from_phase": job.payload["from_phase"]},
    )
    Job.objects.bulk_create([deposit], ignore_conflicts=True)
    start_jobs_on_commit()


def _deposit(job: Job, now: datetime) -> None:
    """The initial balance; then the phase is active and the challenge stands in it."""
    challenge = _lock_challenge(job)
    phase = ChallengePhase.objects.select_for_update().get(pk=job.payload["phase"])
    if challenge.status != ChallengeStatus.ACTIVE or phase.status != ChallengeStatus.PENDING:
        return
    former = ChallengePhase.objects.get(pk=job.payload["from_phase"])
    deposit_phase_account(
        login=phase.account_login,
        purchase_id=challenge.purchase_id,
        attempt=challenge.attempt,
        phase_index=phase.phase_index,
        amount=initial_balance_of(phase.terms),
        now=now,
    )
    # One metric a minute and challenge: the former phase's last one counts.
    phase.last_metric_at = former.last_metric_at
    start_phase(challenge=challenge, phase=phase, account_login=phase.account_login, now=now)
    challenge.current_phase_index = phase.phase_index
    challenge.account_login = phase.account_login
    challenge.updated_at = now
    challenge.save(update_fields=["current_phase_index", "account_login", "updated_at"])
    event = make_job(
        kind=JobKind.EVENT,
        key=event_key(PHASE_CHANGED_EVENT, phase.pk),
        challenge=challenge,
        now=now,
        payload={"event": PHASE_CHANGED_EVENT, "phase": phase.pk, "from_phase": former.pk},
        after=[read_only_key(former.pk)],
    )
    Job.objects.bulk_create([event], ignore_conflicts=True)
    start_jobs_on_commit()
    schema, login = require_building(), phase.account_login
    transaction.on_commit(lambda: tell_evaluator(schema=schema, wallet_id=login))


def _lock_challenge(job: Job) -> Challenge:
    assert job.challenge_id is not None
    owner = Challenge.objects.values_list("customer_id", flat=True).get(pk=job.challenge_id)
    lock_user(user_id=owner)
    rows = Challenge.objects.select_for_update(of=("self",)).select_related("customer")
    challenge: Challenge = rows.get(pk=job.challenge_id)
    return challenge


def _close_positions(job: Job, now: datetime) -> None:
    close_funded_positions(phase=_phase_of(job), now=now)


def _work_out_payout(job: Job, now: datetime) -> None:
    work_out_payout(phase_id=job.payload["phase"], now=now)


def _book_payout(job: Job, now: datetime) -> None:
    book_payout(payout_id=job.payload["payout"], now=now)


def _tell(job: Job, now: datetime) -> None:
    announce(jobs=[job], now=now)


def _tell_many(jobs: Sequence[Job], now: datetime) -> set[int]:
    announce(jobs=jobs, now=now)
    return set()


def _nothing(job: Job, now: datetime) -> None:
    """The work was done before."""


HANDLERS: Mapping[JobKind, Handler] = {
    JobKind.READ_ONLY: Handler(_make_read_only, work_many=_make_many_read_only),
    JobKind.LIQUIDATE: Handler(_nothing, before=_liquidate),
    JobKind.NEXT_PHASE: Handler(_open_next_phase),
    JobKind.DEPOSIT: Handler(_deposit),
    JobKind.PAYOUT: Handler(_work_out_payout, before=_close_positions),
    JobKind.PAY: Handler(_book_payout),
    JobKind.EVENT: Handler(_tell, work_many=_tell_many),
}

__all__ = ["HANDLERS", "Handler", "JobWaits"]
