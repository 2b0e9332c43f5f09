"""Ending purchases: the trader cancels, staff refund (prop-client 4, prop-backoffice 4.5, 5)."""

from datetime import datetime

from django.db import transaction

from polysim.kernel.errors import PolysimError
from prop.errors import StateConflict
from prop.lifecycle import CANCELLED_BY_CUSTOMER, lifecycle_of
from prop.models import (
    ActivationStatus,
    Challenge,
    ChallengeStatus,
    PaymentStatus,
    PropAccount,
    Purchase,
    PurchaseStatus,
)
from prop.services.activation import (
    FEE_HOUSE,
    FIRST_ATTEMPT,
    fee_reference,
    is_booked,
    lock_purchase,
    refund_reference,
    save_lifecycle,
)
from prop.services.beginning import FIRST_PHASE
from prop.services.challenge_control import cancel_challenge
from prop.services.phase_accounts import phase_account_key
from prop.services.purchases import find_purchase
from tenants.models import User
from tenants.office.services import Actor, write_firm_audit
from wallets.models import LedgerTransaction
from wallets.services import set_trading_enabled, transfer_money

REFUNDABLE = (
    PurchaseStatus.PAID,
    PurchaseStatus.ACCOUNT_CREATED,
    PurchaseStatus.ACTIVE,
    PurchaseStatus.FAILED,
)
REASON = "The purchase was refunded"


class CancelNotAllowed(PolysimError):
    """The purchase is neither unpaid nor a paid activation that failed."""

    code = "CANCEL_NOT_ALLOWED"
    status = 409
    message = "This purchase cannot be cancelled."


@transaction.atomic
def cancel_purchase(*, customer: User, purchase_id: int, now: datetime) -> Purchase:
    """The trader takes back an unpaid purchase, or a paid one whose activation failed.

    The first becomes failed with CANCELLED_BY_CUSTOMER, the second is refunded. Raises NotFound
    for a stranger's, CancelNotAllowed.
    """
    known = find_purchase(purchase_id, customer)
    purchase = lock_purchase(purchase_id=known.pk, customer_id=known.customer_id)
    lifecycle = lifecycle_of(
        status=purchase.status,
        payment_status=purchase.payment_status,
        failure_reason=purchase.failure_reason,
    )
    if not lifecycle.can_cancel or Challenge.objects.filter(purchase=purchase).exists():
        raise CancelNotAllowed()
    # What the ledger says decides, whatever staff wrote into the status.
    if is_booked(fee_reference(purchase.pk)) or purchase.payment_status == PaymentStatus.PAID:
        return _give_back(purchase, now)
    purchase.status = PurchaseStatus.FAILED
    purchase.payment_status = PaymentStatus.FAILED
    purchase.activation_status = ActivationStatus.CANCELLED
    purchase.failure_reason = CANCELLED_BY_CUSTOMER
    save_lifecycle(purchase, "CANCELLED", now)
    return purchase


@transaction.atomic
def refund_purchase(*, purchase_id: int, actor: Actor, now: datetime) -> Purchase:
    """MngRefundPropPurchase: credit what was paid to the payer once; status becomes refunded.

    A running challenge of the purchase is cancelled with it. Raises NotFound; StateConflict for
    a purchase that is pending or refunded, or whose fee was never taken.
    """
    known = find_purchase(purchase_id)
    purchase = lock_purchase(purchase_id=known.pk, customer_id=known.customer_id)
    before = purchase.get_status_display()
    if purchase.status not in REFUNDABLE:
        raise StateConflict(f"The purchase is {before}.")
    is_granted = purchase.amount == 0 and purchase.payment_status == PaymentStatus.PAID
    if not is_granted and not is_booked(fee_reference(purchase.pk)):
        raise StateConflict("Nothing was paid for this purchase.")
    running = purchase.challenges.filter(
        status__in=[ChallengeStatus.PENDING, ChallengeStatus.ACTIVE]
    )
    for challenge_id in list(running.values_list("pk", flat=True)):
        cancel_challenge(challenge_id=challenge_id, reason=REASON, actor=actor, now=now)
    _give_back(purchase, now)
    write_firm_audit(
        actor=actor,
        action="prop.purchase.refunded",
        object_type="purchase",
        object_id=purchase.pk,
        now=now,
        before={"status": before},
        after={"status": purchase.get_status_display(), "amount": str(purchase.amount)},
    )
    return purchase


def _give_back(purchase: Purchase, now: datetime) -> Purchase:
    """Credit the fee that was taken, once; the account opened for it takes no orders any more."""
    taken = is_booked(fee_reference(purchase.pk))
    if taken and not is_booked(refund_reference(purchase.pk)):
        transfer_money(
            wallet_id=purchase.payer_login,
            type=LedgerTransaction.Type.PROP_FEE_REFUND,
            amount=purchase.amount_account_currency,
            reference=refund_reference(purchase.pk),
            memo="Challenge fee given back",
            house=FEE_HOUSE,
            now=now,
        )
    # Accounts of challenges are the challenge's: cancelling it makes them read-only.
    key = phase_account_key(purchase_id=purchase.pk, attempt=FIRST_ATTEMPT, phase_index=FIRST_PHASE)
    opened = PropAccount.objects.filter(key=key).first()
    if opened is not None and not Challenge.objects.filter(purchase=purchase).exists():
        set_trading_enabled(wallet_id=opened.pk, is_enabled=False, now=now, reason=f"{REASON}.")
    purchase.status = PurchaseStatus.REFUNDED
    purchase.payment_status = PaymentStatus.REFUNDED
    purchase.activation_status = ActivationStatus.CANCELLED
    save_lifecycle(purchase, "REFUNDED", now)
    return purchase
