"""What staff change of purchases by hand: the five lifecycle fields, and removal (4.3).

Neither moves money, opens accounts nor touches a challenge's course; refund and retry do.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from polysim.kernel.errors import NotFound
from prop.errors import InvalidParams, PurchaseLinked, StateConflict
from prop.models import ActivationStatus, PaymentStatus, Purchase, PurchaseStatus
from prop.services.activation import LABELLED
from prop.services.deletion import delete_purchases
from prop.services.reading import Fields
from tenants.office.services import Actor, write_firm_audit

LIFECYCLE_FIELDS = (
    "status",
    "payment_status",
    "activation_status",
    "failure_reason",
    "comment",
)
FAILURE_REASON = re.compile(r"[A-Z0-9_]{0,64}")
DELETABLE_WITH_CHALLENGE = (PurchaseStatus.FAILED, PurchaseStatus.REFUNDED)


class NoSuchPurchase(NotFound):
    """No purchase of this firm has this id."""

    def __init__(self, purchase_id: int) -> None:
        super().__init__(f"Purchase {purchase_id} does not exist")


@transaction.atomic
def update_purchase_record(
    *, purchase_id: int, data: Mapping[str, Any], actor: Actor, now: datetime
) -> Purchase:
    """Write lifecycle fields as labels, nothing else.

    Raises NoSuchPurchase, InvalidParams (none or other fields), InvalidData, and StateConflict
    for leaving refunded and for active without a challenge.
    """
    others = {name: "cannot be changed" for name in data if name not in LIFECYCLE_FIELDS}
    if others:
        raise InvalidParams(f"Cannot be changed: {', '.join(sorted(others))}", fields=others)
    if not data:
        raise InvalidParams(f"Send at least one of {', '.join(LIFECYCLE_FIELDS)}")
    purchase = _lock(purchase_id)
    before = _describe(purchase)
    values = _read(data, purchase)
    _check_status(purchase, values["status"])
    for name, value in values.items():
        setattr(purchase, name, value)
    purchase.updated_at = now
    purchase.save(update_fields=[*values, "updated_at"])
    write_firm_audit(
        actor=actor,
        action=LABELLED,
        object_type="purchase",
        object_id=purchase.pk,
        now=now,
        before=before,
        after=_describe(purchase),
    )
    return purchase


@transaction.atomic
def delete_purchase(*, purchase_id: int, actor: Actor, now: datetime) -> dict[str, int]:
    """Remove a purchase; its challenges go too when it failed or was refunded.

    Their accounts become read-only, payouts stay. Answers how many rows of each kind went.
    Raises NoSuchPurchase, PurchaseLinked.
    """
    purchase = _lock(purchase_id)
    is_deletable = purchase.status in DELETABLE_WITH_CHALLENGE
    if not is_deletable and purchase.challenges.exists():
        raise PurchaseLinked()
    before = _describe(purchase)
    counts = delete_purchases(
        purchase_ids=[purchase_id], reason="The purchase of this challenge was removed", now=now
    )
    write_firm_audit(
        actor=actor,
        action="prop.purchase.deleted",
        object_type="purchase",
        object_id=purchase_id,
        now=now,
        before=before,
    )
    return counts


def _check_status(purchase: Purchase, status: int) -> None:
    if status == purchase.status:
        return
    if purchase.status == PurchaseStatus.REFUNDED:
        raise StateConflict("A refunded purchase stays refunded")
    if status == PurchaseStatus.ACTIVE and not purchase.challenges.exists():
        raise StateConflict("A purchase without a challenge cannot be active")


def _read(data: Mapping[str, Any], purchase: Purchase) -> dict[str, Any]:
    fields = Fields(data)
    values = {
        "status": fields.take_whole(
            "status", most=PurchaseStatus.REFUNDED, default=purchase.status
        ),
        "payment_status": fields.take_choice(
            "payment_status", PaymentStatus.values, default=purchase.payment_status
        ),
        "activation_status": fields.take_choice(
            "activation_status", ActivationStatus.values, default=purchase.activation_status
        ),
        "failure_reason": fields.take_text(
            "failure_reason",
            most=64,
            pattern=FAILURE_REASON,
            rule="must be capital letters, digits and _",
            default=purchase.failure_reason,
        ),
        "comment": fields.take_text("comment", most=255, default=purchase.comment),
    }
    fields.check()
    return values


def _describe(purchase: Purchase) -> dict[str, Any]:
    return {name: getattr(purchase, name) for name in LIFECYCLE_FIELDS}


def _lock(purchase_id: int) -> Purchase:
    purchase: Purchase | None = Purchase.objects.select_for_update().filter(pk=purchase_id).first()
    if purchase is None:
        raise NoSuchPurchase(purchase_id)
    return purchase
