"""Staff end and restart challenges (prop-backoffice 4.5, 5): cancel, reset, close a funded phase.

Each asks for a reason where the contract has one, tests the state under the lock, and is audited.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from polysim.kernel.errors import NotFound
from polysim.kernel.tenancy import require_building
from prop.errors import StateConflict
from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    Job,
    MetricSnapshot,
    PhaseType,
    Purchase,
    PurchaseStatus,
)
from prop.rules import ENDED, Verdict
from prop.services.beginning import begin_challenge, initial_balance_of
from prop.services.caching import cache_after_commit
from prop.services.following import jobs_of_cancellation, start_jobs_on_commit
from prop.services.phase_accounts import deposit_phase_account, open_phase_account
from prop.services.readings import read_evidence
from prop.services.terms import phase_terms
from prop.services.verdicts import (
    Decision,
    end_phase,
    lock_active_phases,
    metric_row,
    update_days_of,
    write_verdicts,
)
from tenants.office.services import Actor, write_firm_audit
from trading.events import tell_evaluator
from wallets.services import lock_user

RUNNING = (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE)
OVER = (ChallengeStatus.FAILED, ChallengeStatus.CANCELLED)
FIRST_PHASE = 1
CLOSED_BY_STAFF = "staff"


@transaction.atomic
def cancel_challenge(*, challenge_id: int, reason: str, actor: Actor, now: datetime) -> Challenge:
    """MngCancelPropChallenge: pending or active -> cancelled; its accounts become read-only.

    Also the part of a refund that ends the challenge. Raises NotFound, StateConflict.
    """
    challenge = _lock(challenge_id)
    if challenge.status not in RUNNING:
        raise StateConflict(f"The challenge is {challenge.get_status_display()}.")
    before = challenge.get_status_display()
    phases = list(challenge.phases.filter(status__in=RUNNING).order_by("pk").select_for_update())
    metrics = [row for phase in phases if (row := _cancel_phase(challenge, phase, now))]
    challenge.status = ChallengeStatus.CANCELLED
    challenge.cancel_reason = reason
    challenge.end_at = challenge.updated_at = now
    challenge.save(update_fields=["status", "cancel_reason", "end_at", "updated_at"])
    Job.objects.bulk_create(jobs_of_cancellation(challenge=challenge, phases=phases, now=now))
    _audit("prop.challenge.cancelled", challenge, actor, now, before=before, reason=reason)
    cache_after_commit(metrics=metrics)
    start_jobs_on_commit()
    _tell_evaluator_on_commit([phase.account_login for phase in phases])
    return challenge


def _cancel_phase(
    challenge: Challenge, phase: ChallengePhase, now: datetime
) -> MetricSnapshot | None:
    """End a running phase; an active one leaves its last metric."""
    phase.challenge = challenge
    if phase.status != ChallengeStatus.ACTIVE:
        phase.status = ChallengeStatus.CANCELLED
        phase.end_at = phase.updated_at = now
        phase.save()
        return None
    evidence = read_evidence(phase=phase, now=now)
    end_phase(phase=phase, status=ChallengeStatus.CANCELLED, measures=evidence.measures, now=now)
    phase.save()
    update_days_of([(phase, evidence.measures)], now)
    row = metric_row(
        phase=phase,
        terms=evidence.terms,
        measures=evidence.measures,
        event=MetricSnapshot.Event.CANCELLED,
        now=now,
    )
    row.save()
    return row


@transaction.atomic
def reset_challenge(*, challenge_id: int, reason: str, actor: Actor, now: datetime) -> Challenge:
    """MngResetPropChallenge: a failed or cancelled challenge begins anew on its old terms.

    A new challenge of the same purchase with the next attempt, phase 1 and a fresh account.
    Raises NotFound; StateConflict when it is neither failed nor cancelled, the purchase was
    refunded, or it has a running challenge.
    """
    known = _find(challenge_id)
    lock_user(user_id=known.customer_id)
    purchase = Purchase.objects.select_for_update().get(pk=known.purchase_id)
    challenge = _lock(challenge_id)
    if challenge.status not in OVER:
        raise StateConflict(f"The challenge is {challenge.get_status_display()}.")
    if purchase.status == PurchaseStatus.REFUNDED:
        raise StateConflict("The purchase was refunded.")
    if purchase.challenges.filter(status__in=RUNNING).exists():
        raise StateConflict("The purchase has a running challenge.")
    attempt = purchase.challenges.order_by("-attempt").values_list("attempt", flat=True)[0] + 1
    # The terms of the attempt before, whatever became of the program since.
    purchase.terms = challenge.terms
    login = _open_first_account(challenge, attempt, now)
    fresh = begin_challenge(purchase=purchase, attempt=attempt, account_login=login, now=now)
    _audit(
        "prop.challenge.reset",
        challenge,
        actor,
        now,
        before=challenge.get_status_display(),
        reason=reason,
        new_challenge=fresh.pk,
        attempt=attempt,
    )
    _tell_evaluator_on_commit([login])
    return fresh


def _open_first_account(challenge: Challenge, attempt: int, now: datetime) -> int:
    terms = phase_terms(challenge.terms, FIRST_PHASE)
    account = open_phase_account(
        customer=challenge.customer,
        purchase_id=challenge.purchase_id,
        attempt=attempt,
        phase_index=FIRST_PHASE,
        phase_type=terms["phase_type"],
        account_group=terms["account_group"],
        time_zone=terms["timezone"],
        now=now,
    )
    deposit_phase_account(
        login=account.pk,
        purchase_id=challenge.purchase_id,
        attempt=attempt,
        phase_index=FIRST_PHASE,
        amount=initial_balance_of(terms),
        now=now,
    )
    return int(account.pk)


@transaction.atomic
def close_funded_phase(
    *, challenge_id: int, actor: Actor, now: datetime, reason: str = ""
) -> Challenge:
    """MngClosePropFundedPhase: an active funded phase ends now, as passed, and is paid (6.3).

    Raises NotFound, and StateConflict without an active funded phase.
    """
    challenge = _find(challenge_id)
    ids = list(
        challenge.phases.filter(
            status=ChallengeStatus.ACTIVE, phase_type=PhaseType.FUNDED
        ).values_list("pk", flat=True)
    )
    locked = lock_active_phases(ids)
    if not locked:
        raise StateConflict("The challenge has no active funded phase.")
    phase = locked[0]
    evidence = read_evidence(phase=phase, now=now)
    closing = replace(evidence, ended_by=CLOSED_BY_STAFF)
    decision = Decision(phase_id=phase.pk, verdict=Verdict(ENDED), evidence=closing)
    write_verdicts(decisions=[decision], now=now)
    _audit("prop.challenge.funded_closed", challenge, actor, now, before="active", reason=reason)
    _tell_evaluator_on_commit([phase.account_login])
    return _find(challenge_id)


def _find(challenge_id: int) -> Challenge:
    challenge: Challenge | None = Challenge.objects.filter(pk=challenge_id).first()
    if challenge is None:
        raise NotFound(f"Challenge {challenge_id} does not exist")
    return challenge


def _lock(challenge_id: int) -> Challenge:
    rows = Challenge.objects.select_for_update(of=("self",)).select_related("customer")
    challenge: Challenge | None = rows.filter(pk=challenge_id).first()
    if challenge is None:
        raise NotFound(f"Challenge {challenge_id} does not exist")
    return challenge


def _tell_evaluator_on_commit(logins: list[int]) -> None:
    schema = require_building()
    wanted = [login for login in logins if login]

    def tell() -> None:
        for login in wanted:
            tell_evaluator(schema=schema, wallet_id=login)

    transaction.on_commit(tell)


def _audit(
    action: str,
    challenge: Challenge,
    actor: Actor,
    now: datetime,
    *,
    before: str,
    **after: object,
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="challenge",
        object_id=challenge.pk,
        now=now,
        before={"status": before},
        after={"status": challenge.get_status_display(), **after},
    )
