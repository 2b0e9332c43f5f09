"""Challenges that staff give away (prop-backoffice 4.5)."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from polysim.kernel.errors import NotFound
from prop.models import ActivationStatus, PaymentStatus, Purchase, PurchaseStatus
from prop.selectors.customers import is_customer
from prop.services.activation import COMMENT_GRANTED, advance_purchase
from prop.services.checks import check_terms, find_first_group
from prop.services.purchases import find_program, refuse_first
from prop.services.terms import copy_terms
from tenants.models import User
from tenants.office.services import Actor, write_firm_audit


def grant_challenge(
    *, customer_id: int, program_id: int, comment: str, actor: Actor, now: datetime
) -> Purchase:
    """A purchase that costs nothing and has no payer, activated at once.

    Any program may be given, disabled ones too. `comment` goes into the audit. Raises NotFound
    for who is no customer of the firm, ProgramNotFound, PurchaseRefused (checks 11 to 13).
    """
    customer = User.objects.filter(pk=customer_id).first()
    if customer is None or not is_customer(user=customer):
        raise NotFound("There is no such customer.")
    program = find_program(program_id)
    terms = copy_terms(program)
    refuse_first(check_terms(terms, find_first_group(terms)))
    with transaction.atomic():
        purchase = Purchase.objects.create(
            program=program,
            customer=customer,
            status=PurchaseStatus.PAID,
            amount=Decimal(0),
            currency=program.price_currency,
            amount_account_currency=Decimal(0),
            comment=COMMENT_GRANTED,
            payment_status=PaymentStatus.PAID,
            activation_status=ActivationStatus.PENDING,
            terms=terms,
            created_at=now,
            updated_at=now,
        )
        write_firm_audit(
            actor=actor,
            action="prop.challenge.granted",
            object_type="purchase",
            object_id=purchase.pk,
            now=now,
            after={"customer_id": customer_id, "program_id": program_id, "comment": comment},
        )
    return advance_purchase(purchase_id=purchase.pk, now=now)
