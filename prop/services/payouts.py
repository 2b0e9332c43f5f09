"""Payouts of funded phases: worked out once, decided, booked once (prop-backoffice 6.6).

The amount is the trader's part of the profit, rounded down to cents; the firm keeps the rest.
Booking writes three ledger transactions in one database transaction, keyed by the payout.
"""

from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from django.db import transaction

from polysim.kernel.errors import NotFound, PolysimError
from prop.errors import StateConflict
from prop.models import (
    ChallengePhase,
    ChallengeStatus,
    Job,
    JobKind,
    Payout,
    PayoutMode,
    PayoutStatus,
    PropSettings,
)
from prop.services.events import tell
from prop.services.following import (
    PAYOUT_PAID_EVENT,
    PAYOUT_REJECTED_EVENT,
    PAYOUTS_TASK,
    event_key,
    make_job,
    start_jobs_on_commit,
)
from prop.services.payers import ensure_payer_account
from prop.services.waiting import JobWaits
from tenants.office.services import Actor, write_firm_audit
from trading.models import Position
from trading.services.firm_accounts import liquidate_positions
from wallets.models import LedgerEntry, LedgerTransaction, Wallet
from wallets.services import lock_user, post_firm_share, transfer_money

CENT = Decimal("0.01")
ZERO = Decimal(0)
NO_PROFIT = "NO_PROFIT"
MIN_TRADING_DAYS = "MIN_TRADING_DAYS"
CLOSE_AGAIN_S = 30
HOUSE = LedgerEntry.Account.PAYOUTS


class SecondApprovalNeeded(PolysimError):
    """A payout above the firm's limit was approved by this person already."""

    code = "STATE_CONFLICT"
    status = 409
    message = "A second person has to approve a payout of this size."


class NoPayerAccount(PolysimError):
    """The trader has no account to pay to, and the firm names no group to open one in."""

    code = "PAYER_ACCOUNT_MISSING"
    status = 409
    message = "The trader has no payer account, and the firm has no payer group to open one in."


def payout_reference(payout_id: int, part: str) -> str:
    """The ledger reference of one part of a payout: `withdrawal`, `payout`, `firm_share`."""
    return f"payout:{payout_id}:{part}"


def close_funded_positions(*, phase: ChallengePhase, now: datetime) -> None:
    """Sell what the ended funded account holds; raises JobWaits while something has no price."""
    if Payout.objects.filter(phase=phase).exists():
        return
    left = liquidate_positions(wallet_id=phase.account_login, now=now).left
    if left:
        raise JobWaits(f"{left} positions have no usable price", seconds=CLOSE_AGAIN_S)


@transaction.atomic
def work_out_payout(*, phase_id: int, now: datetime) -> Payout:
    """The payout of a funded phase that passed: one row a phase, a repeat answers it.

    Raises JobWaits while the account still holds shares.
    """
    phase = ChallengePhase.objects.select_related("challenge__purchase").get(pk=phase_id)
    challenge = phase.challenge
    lock_user(user_id=challenge.customer_id)
    existing = Payout.objects.filter(phase=phase).first()
    if existing is not None:
        return existing
    wallet = Wallet.objects.select_for_update().get(pk=phase.account_login)
    open_positions = Position.objects.filter(wallet=wallet, status=Position.Status.OPEN)
    if open_positions.exists():
        raise JobWaits("Positions are still open", seconds=CLOSE_AGAIN_S)
    if phase.status != ChallengeStatus.PASSED:
        raise StateConflict("Only a funded phase that passed is paid.")
    profit = wallet.balance + wallet.reserved - phase.initial_balance
    split = Decimal(phase.terms["profit_split"])
    payout = Payout(
        challenge=challenge,
        phase=phase,
        program_id=challenge.program_id,
        customer_id=challenge.customer_id,
        payer_login=challenge.purchase.payer_login,
        funded_login=phase.account_login,
        profit=profit,
        profit_split=split,
        currency=phase.terms["currency"],
        created_at=now,
        updated_at=now,
    )
    payout.status, payout.reason = _first_status(phase, profit)
    if payout.status != PayoutStatus.SKIPPED:
        payout.amount = (profit * split).quantize(CENT, rounding=ROUND_DOWN)
        payout.firm_amount = profit - payout.amount
    payout.save(force_insert=True)
    if payout.status == PayoutStatus.APPROVED:
        _queue_booking(payout, now)
    return payout


def _first_status(phase: ChallengePhase, profit: Decimal) -> tuple[PayoutStatus, str]:
    if profit <= ZERO:
        return PayoutStatus.SKIPPED, NO_PROFIT
    if phase.trading_days < int(phase.terms["min_trading_days"]):
        return PayoutStatus.SKIPPED, MIN_TRADING_DAYS
    if phase.terms["payout_mode"] == PayoutMode.APPROVAL:
        return PayoutStatus.PENDING, ""
    return PayoutStatus.APPROVED, ""


def _queue_booking(payout: Payout, now: datetime) -> None:
    job = make_job(
        kind=JobKind.PAY,
        key=f"pay:{payout.pk}",
        challenge=payout.challenge,
        now=now,
        payload={"payout": payout.pk},
    )
    Job.objects.bulk_create([job], ignore_conflicts=True)
    start_jobs_on_commit(PAYOUTS_TASK)


@transaction.atomic
def book_payout(*, payout_id: int, now: datetime) -> Payout:
    """Pay an approved payout; one that is paid stays as it is.

    Raises StateConflict for every other state, NoPayerAccount, NotEnoughFunds.
    """
    customer_id = Payout.objects.values_list("customer_id", flat=True).get(pk=payout_id)
    lock_user(user_id=customer_id)
    payout: Payout = Payout.objects.select_for_update().get(pk=payout_id)
    if payout.status == PayoutStatus.PAID:
        return payout
    if payout.status != PayoutStatus.APPROVED:
        raise StateConflict("Only an approved payout is paid.")
    payout.payer_login = _payer_login(payout, now)
    list(
        Wallet.objects.filter(pk__in=[payout.payer_login, payout.funded_login])
        .order_by("pk")
        .select_for_update()
    )
    _move_money(payout, now)
    payout.status = PayoutStatus.PAID
    payout.paid_at = payout.updated_at = now
    payout.save()
    event = make_job(
        kind=JobKind.EVENT,
        key=event_key(PAYOUT_PAID_EVENT, payout.pk),
        challenge=payout.challenge,
        now=now,
        payload={"event": PAYOUT_PAID_EVENT, "payout": payout.pk},
    )
    Job.objects.bulk_create([event], ignore_conflicts=True)
    start_jobs_on_commit()
    return payout


def _payer_login(payout: Payout, now: datetime) -> int:
    """The account that paid the fee; for a granted challenge the trader's own payer account."""
    if payout.payer_login:
        return payout.payer_login
    account = ensure_payer_account(customer=payout.customer, now=now)
    if account is None:
        raise NoPayerAccount()
    return int(account.pk)


def _move_money(payout: Payout, now: datetime) -> None:
    transfer_money(
        wallet_id=payout.funded_login,
        type=LedgerTransaction.Type.PROP_PROFIT_WITHDRAWAL,
        amount=-payout.profit,
        reference=payout_reference(payout.pk, "withdrawal"),
        memo="Profit withdrawn for payout",
        house=HOUSE,
        now=now,
    )
    if payout.amount:
        transfer_money(
            wallet_id=payout.payer_login,
            type=LedgerTransaction.Type.PROP_PROFIT_PAYOUT,
            amount=payout.amount,
            reference=payout_reference(payout.pk, "payout"),
            memo="Profit of a funded challenge",
            house=HOUSE,
            now=now,
        )
    post_firm_share(
        wallet_id=payout.funded_login,
        amount=payout.firm_amount,
        reference=payout_reference(payout.pk, "firm_share"),
        memo="Firm's share of a profit",
        now=now,
    )


@transaction.atomic
def approve_payout(*, payout_id: int, actor: Actor, now: datetime) -> Payout:
    """MngApprovePropPayout: pending -> approved, and the booking is queued.

    Above the firm's `four_eyes_above` the first approval only notes who gave it; another person
    has to give the second. Raises NotFound, StateConflict, SecondApprovalNeeded.
    """
    payout = _lock_pending(payout_id)
    if _needs_two(payout) and payout.first_approval_by_id is None:
        payout.first_approval_by = actor.user
        payout.first_approval_at = payout.updated_at = now
        _audit(payout, "prop.payout.first_approval", actor, now)
        payout.save()
        return payout
    if payout.first_approval_by_id is not None and _is_same_person(payout, actor):
        raise SecondApprovalNeeded()
    payout.status = PayoutStatus.APPROVED
    payout.decided_by = actor.user
    payout.decided_at = payout.updated_at = now
    payout.save()
    _audit(payout, "prop.payout.approved", actor, now)
    _queue_booking(payout, now)
    return payout


@transaction.atomic
def reject_payout(*, payout_id: int, reason: str, actor: Actor, now: datetime) -> Payout:
    """MngRejectPropPayout: pending -> rejected; the money stays in the funded account."""
    payout = _lock_pending(payout_id)
    payout.status = PayoutStatus.REJECTED
    payout.reason = reason
    payout.decided_by = actor.user
    payout.decided_at = payout.updated_at = now
    payout.save()
    _audit(payout, "prop.payout.rejected", actor, now)
    if payout.challenge is not None:
        tell(
            key=f"{PAYOUT_REJECTED_EVENT}:{payout.pk}",
            event=PAYOUT_REJECTED_EVENT,
            challenge=payout.challenge,
            data={"challenge_id": payout.challenge_id, "payout_id": payout.pk, "reason": reason},
            now=now,
        )
    return payout


def _lock_pending(payout_id: int) -> Payout:
    payout: Payout | None = Payout.objects.filter(pk=payout_id).select_for_update().first()
    if payout is None:
        raise NotFound(f"Payout {payout_id} does not exist")
    if payout.status != PayoutStatus.PENDING:
        raise StateConflict(f"The payout is {payout.get_status_display()}, not pending.")
    return payout


def _needs_two(payout: Payout) -> bool:
    chosen = PropSettings.objects.order_by("pk").first()
    limit = chosen.four_eyes_above if chosen is not None else None
    return limit is not None and payout.amount > limit


def _is_same_person(payout: Payout, actor: Actor) -> bool:
    return actor.user is None or payout.first_approval_by_id == actor.user.pk


def _audit(payout: Payout, action: str, actor: Actor, now: datetime) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="payout",
        object_id=payout.pk,
        now=now,
        before={"status": PayoutStatus.PENDING.label},
        after={
            "status": payout.get_status_display(),
            "amount": str(payout.amount),
            "reason": payout.reason,
        },
    )
