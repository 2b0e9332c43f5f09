"""From a validated purchase to an active challenge, one keyed step after the other (5).

Each step is a transaction of its own: it takes the customer's lock and the purchase's row, tests
the status, writes one record that exists once (`purchase:{id}:fee`, `:account`, `:deposit`), and
moves the status on. A process may die anywhere: `resume_purchases` goes on where it stopped.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import CharField, Exists, OuterRef, Q
from django.db.models.functions import Cast

from prop.models import (
    ActivationStatus,
    Challenge,
    PaymentStatus,
    PropAccount,
    Purchase,
    PurchaseStatus,
)
from prop.services.beginning import FIRST_PHASE, begin_challenge, initial_balance_of
from prop.services.checks import check_account, find_payer
from prop.services.phase_accounts import (
    deposit_phase_account,
    open_phase_account,
    phase_account_key,
)
from prop.services.terms import phase_terms
from tenants.office.models import FirmAuditEntry
from wallets.models import LedgerTransaction
from wallets.services import NotEnoughFunds, TradeInProgress, lock_user, transfer_money

logger = logging.getLogger(__name__)

FIRST_ATTEMPT = 1
RESUME_AFTER = timedelta(seconds=60)
RESUMED_AT_ONCE_MAX = 500
COMMENT_PREFIX = "PROP_CHALLENGE_PURCHASE_"
COMMENT_GRANTED = "PROP_CHALLENGE_GRANTED"
# The audit's word for lifecycle fields that staff wrote.
LABELLED = "prop.purchase.updated"
# The house account that fees go to: the firm's own.
FEE_HOUSE = "FIRM"
# Nothing is wrong with the purchase: somebody else holds the lock, the database restarts.
PASSING_TROUBLE = (TradeInProgress, OperationalError, InterfaceError)

_LABELS = {
    PurchaseStatus.PENDING: (PaymentStatus.PENDING, ActivationStatus.PENDING),
    PurchaseStatus.PAID: (PaymentStatus.PAID, ActivationStatus.PENDING),
    PurchaseStatus.ACCOUNT_CREATED: (PaymentStatus.PAID, ActivationStatus.ACCOUNT_CREATED),
    PurchaseStatus.ACTIVE: (PaymentStatus.PAID, ActivationStatus.ACTIVE),
}


class StepFailed(Exception):
    """A step of the activation cannot be done; `reason` is the purchase's failure_reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def fee_reference(purchase_id: int) -> str:
    """The ledger reference of a purchase's fee."""
    return f"purchase:{purchase_id}:fee"


def refund_reference(purchase_id: int) -> str:
    """The ledger reference of a purchase's refund."""
    return f"purchase:{purchase_id}:refund"


def is_booked(reference: str) -> bool:
    """Whether the ledger has this movement."""
    return LedgerTransaction.objects.filter(reference=reference).exists()


def lock_purchase(*, purchase_id: int, customer_id: int) -> Purchase:
    """The purchase under its customer's lock and its own; inside a transaction."""
    lock_user(user_id=customer_id)
    purchase: Purchase = Purchase.objects.select_for_update().get(pk=purchase_id)
    return purchase


def label_purchase(purchase: Purchase, status: PurchaseStatus, now: datetime) -> None:
    """Move a purchase to a step of the activation with the fields that go with it."""
    payment, activation = _LABELS[status]
    purchase.status = status
    purchase.payment_status = payment
    purchase.activation_status = activation
    purchase.failure_reason = ""
    save_lifecycle(purchase, status.name, now)


def save_lifecycle(purchase: Purchase, word: str, now: datetime) -> None:
    """Save the lifecycle fields with the server's comment; a grant keeps its own."""
    if purchase.comment != COMMENT_GRANTED:
        purchase.comment = f"{COMMENT_PREFIX}{word}"
    purchase.updated_at = now
    purchase.save()


def advance_purchase(*, purchase_id: int, now: datetime) -> Purchase:
    """Do the missing steps of a purchase and answer it as it is then.

    A step that cannot be done makes it failed with its reason. Passing trouble leaves it where it
    is, for `resume_purchases`. Safe to repeat and to run at the same time elsewhere.
    """
    while True:
        purchase: Purchase = Purchase.objects.get(pk=purchase_id)
        if purchase.status not in _STEPS:
            return purchase
        step, reason = _STEPS[purchase.status]
        try:
            step(purchase, now)
        except PASSING_TROUBLE as error:
            logger.warning("Purchase %s waits: %s", purchase_id, error)
            return purchase
        except StepFailed as failure:
            logger.info("Purchase %s failed: %s", purchase_id, failure.reason)
            _fail(purchase, failure.reason, now)
        except Exception:
            # Whatever it is, the trader sees a failed purchase that can be tried again.
            logger.exception("Purchase %s failed: %s", purchase_id, reason)
            _fail(purchase, reason, now)


def resume_purchases(*, now: datetime) -> int:
    """Go on with the building's purchases that have not moved for 60 s; answers how many.

    Only those whose status the activation itself wrote, as its comment shows and no later entry
    of staff's denies: a status given as a label opens and charges nothing (prop-backoffice 4.3).
    """
    stuck = Purchase.objects.filter(
        _is_under_way(), ~_is_label(), updated_at__lt=now - RESUME_AFTER
    )
    ids = list(stuck.order_by("updated_at").values_list("pk", flat=True)[:RESUMED_AT_ONCE_MAX])
    for purchase_id in ids:
        try:
            advance_purchase(purchase_id=purchase_id, now=now)
        except Purchase.DoesNotExist:
            continue
    return len(ids)


def _is_under_way() -> Q:
    under_way = Q()
    for status in (PurchaseStatus.PENDING, PurchaseStatus.PAID, PurchaseStatus.ACCOUNT_CREATED):
        comments = [f"{COMMENT_PREFIX}{status.name}", COMMENT_GRANTED]
        under_way |= Q(status=status, comment__in=comments)
    return under_way


def _is_label() -> Exists:
    """Whether staff wrote the purchase last. They may write the server's own comments, too."""
    return Exists(
        FirmAuditEntry.objects.filter(
            action=LABELLED,
            object_type="purchase",
            object_id=Cast(OuterRef("pk"), CharField()),
            created_at=OuterRef("updated_at"),
        )
    )


def last_finished(purchase: Purchase) -> PurchaseStatus:
    """Where an activation goes on, by what the ledger and the accounts say, not by its labels."""
    if not _is_paid(purchase):
        return PurchaseStatus.PENDING
    key = phase_account_key(purchase_id=purchase.pk, attempt=FIRST_ATTEMPT, phase_index=FIRST_PHASE)
    if PropAccount.objects.filter(key=key).exists():
        return PurchaseStatus.ACCOUNT_CREATED
    return PurchaseStatus.PAID


def _is_paid(purchase: Purchase) -> bool:
    """Whether the ledger has the fee, or none is due."""
    is_granted = purchase.payer_login == 0 or purchase.amount == 0
    return is_booked(fee_reference(purchase.pk)) or (
        is_granted and purchase.payment_status == PaymentStatus.PAID
    )


@transaction.atomic
def _take_fee(known: Purchase, now: datetime) -> None:
    purchase = lock_purchase(purchase_id=known.pk, customer_id=known.customer_id)
    if purchase.status != PurchaseStatus.PENDING:
        return
    reference = fee_reference(purchase.pk)
    if purchase.amount and not is_booked(reference):
        payer = find_payer(customer=purchase.customer, login=purchase.payer_login)
        if check_account(payer, price=Decimal(0), currency=purchase.currency) is not None:
            raise StepFailed("PAYMENT_FAILED")
        try:
            transfer_money(
                wallet_id=purchase.payer_login,
                type=LedgerTransaction.Type.PROP_FEE,
                amount=-purchase.amount_account_currency,
                reference=reference,
                memo=f"Challenge {purchase.terms['program']['name']}"[:200],
                house=FEE_HOUSE,
                now=now,
            )
        except NotEnoughFunds as error:
            raise StepFailed("NOT_ENOUGH_FUNDS") from error
    label_purchase(purchase, PurchaseStatus.PAID, now)


@transaction.atomic
def _open_account(known: Purchase, now: datetime) -> None:
    purchase = lock_purchase(purchase_id=known.pk, customer_id=known.customer_id)
    if purchase.status != PurchaseStatus.PAID:
        return
    if not _is_paid(purchase):
        raise StepFailed("PAYMENT_FAILED")
    terms = phase_terms(purchase.terms, FIRST_PHASE)
    account = open_phase_account(
        customer=purchase.customer,
        purchase_id=purchase.pk,
        attempt=FIRST_ATTEMPT,
        phase_index=FIRST_PHASE,
        phase_type=terms["phase_type"],
        account_group=terms["account_group"],
        time_zone=terms["timezone"],
        now=now,
    )
    purchase.account_login = account.pk
    label_purchase(purchase, PurchaseStatus.ACCOUNT_CREATED, now)


@transaction.atomic
def _begin(known: Purchase, now: datetime) -> None:
    purchase = lock_purchase(purchase_id=known.pk, customer_id=known.customer_id)
    if purchase.status != PurchaseStatus.ACCOUNT_CREATED:
        return
    if not Challenge.objects.filter(purchase=purchase).exists():
        _deposit(purchase, now)
        begin_challenge(
            purchase=purchase,
            attempt=FIRST_ATTEMPT,
            account_login=purchase.account_login,
            now=now,
        )
    label_purchase(purchase, PurchaseStatus.ACTIVE, now)


def _deposit(purchase: Purchase, now: datetime) -> None:
    amount = initial_balance_of(phase_terms(purchase.terms, FIRST_PHASE))
    if amount <= 0:
        raise StepFailed("INITIAL_BALANCE_FAILED")
    try:
        deposit_phase_account(
            login=purchase.account_login,
            purchase_id=purchase.pk,
            attempt=FIRST_ATTEMPT,
            phase_index=FIRST_PHASE,
            amount=amount,
            now=now,
        )
    except PASSING_TROUBLE:
        raise
    except Exception as error:
        raise StepFailed("INITIAL_BALANCE_FAILED") from error


@transaction.atomic
def _fail(known: Purchase, reason: str, now: datetime) -> None:
    """Mark a purchase failed unless it has moved on meanwhile."""
    purchase = Purchase.objects.select_for_update().get(pk=known.pk)
    if purchase.status != known.status:
        return
    if purchase.status == PurchaseStatus.PENDING:
        purchase.payment_status = PaymentStatus.FAILED
    else:
        purchase.activation_status = ActivationStatus.FAILED
    purchase.status = PurchaseStatus.FAILED
    purchase.failure_reason = reason
    save_lifecycle(purchase, "FAILED", now)


Step = Callable[[Purchase, datetime], None]
# By status: the next step, and the failure_reason of a trouble that it does not name itself.
_STEPS: dict[int, tuple[Step, str]] = {
    PurchaseStatus.PENDING: (_take_fee, "PAYMENT_FAILED"),
    PurchaseStatus.PAID: (_open_account, "ACCOUNT_CREATE_FAILED"),
    PurchaseStatus.ACCOUNT_CREATED: (_begin, "ACTIVATION_FAILED"),
}
