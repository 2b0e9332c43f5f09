"""Buying a challenge and trying again (prop-client 3 and 4). All run in the firm's building."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from django.db import IntegrityError, OperationalError, connection, transaction

from polysim.kernel.api.refusals import IdempotencyKeyReuse
from polysim.kernel.errors import NotFound, PolysimError
from polysim.kernel.money import cents
from prop.lifecycle import lifecycle_of
from prop.models import Challenge, Program, Purchase, PurchaseStatus
from prop.services.activation import (
    COMMENT_PREFIX,
    advance_purchase,
    is_booked,
    label_purchase,
    last_finished,
    lock_purchase,
    refund_reference,
)
from prop.services.checks import (
    ProgramNotFound,
    PurchaseRefused,
    check_account,
    check_program,
    check_terms,
    find_first_group,
    find_payer,
)
from prop.services.terms import copy_terms
from tenants.models import User
from tenants.office.services import Actor, write_firm_audit

# How long the second of two requests with one key waits for the first to be written.
SAME_KEY_WAIT_MS = 10_000


class RequestInProgress(PolysimError):
    """A request with the same idempotency_key is being written and does not come to an end."""

    code = "REQUEST_IN_PROGRESS"
    status = 409
    message = "The first request with this idempotency_key is still running."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class RetryNotAllowed(PolysimError):
    """The purchase did not fail in a way that can be tried again."""

    code = "RETRY_NOT_ALLOWED"
    status = 409
    message = "This purchase cannot be tried again."


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase as it is now and its newest challenge; `is_replay`: an earlier request's."""

    purchase: Purchase
    challenge: Challenge | None
    is_replay: bool


def buy_challenge(
    *,
    customer: User,
    program_id: int,
    payer_login: int,
    idempotency_key: str,
    now: datetime,
) -> Bought:
    """Buy and activate (checks 2 to 13). A refused request writes nothing.

    Once the purchase is written the answer is the purchase, whatever becomes of it. Raises
    ProgramNotFound, PurchaseRefused, IdempotencyKeyReuse, RequestInProgress.
    """
    replay = _find_replay(customer, program_id, payer_login, idempotency_key)
    if replay is not None:
        return replay
    try:
        program = find_program(program_id)
        terms = copy_terms(program)
        price = price_of(terms)
        refuse_first(
            check_program(program),
            _check_payer(customer, payer_login, price, program.price_currency),
            check_terms(terms, find_first_group(terms)),
        )
        purchase = _create(customer, program, payer_login, idempotency_key, terms, now)
    except (PurchaseRefused, ProgramNotFound, IntegrityError) as error:
        # The other of two at once may have been written, and paid, after the first look.
        replay = _find_replay(customer, program_id, payer_login, idempotency_key)
        if replay is not None:
            return replay
        if isinstance(error, IntegrityError):
            # The program was deleted after it was read.
            raise ProgramNotFound() from error
        raise
    return _answer(advance_purchase(purchase_id=purchase.pk, now=now), is_replay=False)


def retry_purchase(
    *, purchase_id: int, now: datetime, customer: User | None = None, actor: Actor | None = None
) -> Bought:
    """Try a failed purchase again from its last finished step, for the amount it was bought at.

    `customer` limits it to their own; staff give an `actor` instead, who is audited. Raises
    NotFound, RetryNotAllowed, PurchaseRefused (of the checks that the missing steps need).
    """
    known = find_purchase(purchase_id, customer)
    with transaction.atomic():
        purchase = lock_purchase(purchase_id=known.pk, customer_id=known.customer_id)
        lifecycle = lifecycle_of(
            status=purchase.status,
            payment_status=purchase.payment_status,
            failure_reason=purchase.failure_reason,
        )
        if not lifecycle.can_retry or is_booked(refund_reference(purchase.pk)):
            raise RetryNotAllowed()
        before = {"status": purchase.status, "failure_reason": purchase.failure_reason}
        finished = last_finished(purchase)
        _check_again(purchase, finished)
        label_purchase(purchase, finished, now)
        if actor is not None:
            write_firm_audit(
                actor=actor,
                action="prop.purchase.retried",
                object_type="purchase",
                object_id=purchase.pk,
                now=now,
                before=before,
                after={"status": int(finished)},
            )
    return _answer(advance_purchase(purchase_id=known.pk, now=now), is_replay=False)


def find_program(program_id: int) -> Program:
    """A program by id (check 3). Raises ProgramNotFound."""
    program = Program.objects.filter(pk=program_id).first()
    if program is None:
        raise ProgramNotFound()
    return program


def find_purchase(purchase_id: int, customer: User | None = None) -> Purchase:
    """A purchase by id, only the customer's own when one is given. Raises NotFound."""
    chosen = Purchase.objects.filter(pk=purchase_id)
    if customer is not None:
        chosen = chosen.filter(customer=customer)
    purchase = chosen.first()
    if purchase is None:
        raise NotFound("There is no such purchase.")
    return purchase


def price_of(terms: dict[str, Any]) -> Decimal:
    """What a program costs, in whole cents."""
    return cents(Decimal(terms["program"]["price"]))


def refuse_first(*reasons: str | None) -> None:
    """Raises PurchaseRefused for the first reason that is one."""
    for reason in reasons:
        if reason is not None:
            raise PurchaseRefused(reason)


def _check_payer(customer: User, login: int, price: Decimal, currency: str) -> str | None:
    payer = find_payer(customer=customer, login=login)
    return check_account(payer, price=price, currency=currency)


def _check_again(purchase: Purchase, finished: PurchaseStatus) -> None:
    """Checks 4 to 13 before payment, 11 to 13 after it; an opened account needs no group."""
    if finished == PurchaseStatus.PENDING:
        refuse_first(
            check_program(purchase.program),
            _check_payer(
                purchase.customer, purchase.payer_login, purchase.amount, purchase.currency
            ),
        )
    if finished != PurchaseStatus.ACCOUNT_CREATED:
        refuse_first(check_terms(purchase.terms, find_first_group(purchase.terms)))


def _find_replay(
    customer: User, program_id: int, payer_login: int, idempotency_key: str
) -> Bought | None:
    if not idempotency_key:
        return None
    former = Purchase.objects.filter(customer=customer, idempotency_key=idempotency_key).first()
    if former is None:
        return None
    if (former.program_id, former.payer_login) != (program_id, payer_login):
        raise IdempotencyKeyReuse("This idempotency_key already bought something else.")
    return _answer(former, is_replay=True)


def _create(
    customer: User,
    program: Program,
    payer_login: int,
    idempotency_key: str,
    terms: dict[str, Any],
    now: datetime,
) -> Purchase:
    """Write the purchase; waits for another request with the same key. Raises IntegrityError."""
    price = price_of(terms)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('lock_timeout', %s, true)", [str(SAME_KEY_WAIT_MS)]
                )
            return Purchase.objects.create(
                program=program,
                customer=customer,
                payer_login=payer_login,
                amount=price,
                currency=program.price_currency,
                amount_account_currency=price,
                comment=f"{COMMENT_PREFIX}PENDING",
                idempotency_key=idempotency_key or None,
                terms=terms,
                created_at=now,
                updated_at=now,
            )
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise RequestInProgress() from error
        raise


def _answer(purchase: Purchase, *, is_replay: bool) -> Bought:
    challenge = Challenge.objects.filter(purchase=purchase).order_by("-attempt").first()
    return Bought(purchase, challenge, is_replay)
