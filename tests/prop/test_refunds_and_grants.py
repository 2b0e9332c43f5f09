"""Refunds, grants, and the sweep that resumes purchases (prop-backoffice 4.5, 5)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound
from prop.errors import StateConflict
from prop.models import (
    AccountGroup,
    Challenge,
    ChallengePhase,
    Program,
    Purchase,
    PurchaseStatus,
)
from prop.services import purchases as purchases_module
from prop.services.activation import advance_purchase, resume_purchases
from prop.services.checks import ProgramNotFound, PurchaseRefused
from prop.services.grants import grant_challenge
from prop.services.purchase_records import update_purchase_record
from prop.services.refunds import refund_purchase
from prop.services.terms import copy_terms
from prop.tasks import resume_purchases as resume_all
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_program
from tests.prop.shop import Shop, fields_of
from tests.prop.trader import balance_of, give, make_customer, make_payer
from tests.support.exchange import make_user
from wallets.models import FirmAccount, LedgerTransaction
from wallets.selectors import check_conservation

pytestmark = pytest.mark.django_db
STAFF = system_actor("tests")


@pytest.fixture
def shop(in_alpha: Any) -> Shop:
    return Shop()


def test_staff_refund_an_active_purchase_and_its_challenge_is_cancelled(shop: Shop) -> None:
    bought = shop.door.buy(shop.program.pk, shop.login).json()
    purchase_id = bought["purchase"]["id"]

    refunded = refund_purchase(purchase_id=purchase_id, actor=STAFF, now=NOW)

    assert refunded.status == PurchaseStatus.REFUNDED
    assert refunded.payment_status == "refunded"
    assert refunded.activation_status == "cancelled"
    assert balance_of(shop.login) == Decimal("250")
    challenge = Challenge.objects.get()
    assert challenge.status == 4
    assert ChallengePhase.objects.get().status == 4
    assert FirmAuditEntry.objects.filter(action="prop.purchase.refunded").count() == 1
    assert check_conservation().is_sound
    with pytest.raises(StateConflict):
        refund_purchase(purchase_id=purchase_id, actor=STAFF, now=NOW)
    assert balance_of(shop.login) == Decimal("250")


def test_staff_refund_a_failed_activation(shop: Shop) -> None:
    purchase = shop.pay()

    refund_purchase(purchase_id=purchase.pk, actor=STAFF, now=NOW)

    assert balance_of(shop.login) == Decimal("250")
    assert shop.shown(purchase)["failure_reason"] == "ACCOUNT_CREATE_FAILED"


def test_nothing_is_refunded_that_was_not_paid(shop: Shop) -> None:
    pending = shop.write()
    with pytest.raises(StateConflict):
        refund_purchase(purchase_id=pending.pk, actor=STAFF, now=NOW)
    shop.drain()
    advance_purchase(purchase_id=pending.pk, now=NOW)
    with pytest.raises(StateConflict):
        refund_purchase(purchase_id=pending.pk, actor=STAFF, now=NOW)
    with pytest.raises(NotFound):
        refund_purchase(purchase_id=pending.pk + 1000, actor=STAFF, now=NOW)
    assert balance_of(shop.login) == Decimal("50")


def grant(shop: Shop, **changes: Any) -> Purchase:
    values = {"customer_id": shop.customer.pk, "program_id": shop.program.pk, "comment": "winner"}
    return grant_challenge(**{**values, **changes}, actor=STAFF, now=NOW)


def test_staff_grant_a_challenge(shop: Shop) -> None:
    purchase = grant(shop)

    shown = shop.shown(purchase)
    assert fields_of(shown) == (*(3, "paid", "active", ""), *("OPEN_CHALLENGE", False, False))
    assert shown["payer_login"] == 0
    assert shown["amount"] == 0
    assert shown["comment"] == "PROP_CHALLENGE_GRANTED"
    assert Challenge.objects.get().status == 1
    assert balance_of(shown["account_login"]) == Decimal("10000")
    assert balance_of(shop.login) == Decimal("250")
    audit = FirmAuditEntry.objects.get(action="prop.challenge.granted")
    assert audit.after["comment"] == "winner"


def test_a_disabled_program_may_be_granted(shop: Shop) -> None:
    Program.objects.update(status=1)

    assert grant(shop).status == PurchaseStatus.ACTIVE


def test_a_grant_needs_a_customer_a_program_and_its_group(shop: Shop) -> None:
    with pytest.raises(NotFound):
        grant(shop, customer_id=make_user().pk)
    with pytest.raises(ProgramNotFound):
        grant(shop, program_id=shop.program.pk + 1000)
    AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)
    with pytest.raises(PurchaseRefused):
        grant(shop)
    assert not Purchase.objects.exists()


def test_a_granted_challenge_is_taken_back_without_money(shop: Shop) -> None:
    purchase = grant(shop)

    refund_purchase(purchase_id=purchase.pk, actor=STAFF, now=NOW)

    assert shop.shown(purchase)["status"] == 5
    assert not LedgerTransaction.objects.filter(type="PROP_FEE_REFUND").exists()


# --- The sweep ----------------------------------------------------------------------------------


def test_purchases_stuck_for_more_than_a_minute_are_resumed(shop: Shop) -> None:
    purchase = shop.write()

    assert resume_purchases(now=NOW + timedelta(seconds=60)) == 0
    assert shop.shown(purchase)["status"] == 0
    assert resume_purchases(now=NOW + timedelta(seconds=61)) == 1
    assert shop.shown(purchase)["status"] == 3
    assert resume_purchases(now=NOW + timedelta(seconds=200)) == 0


@pytest.mark.parametrize("label", [0, 1, 2])
def test_a_status_that_staff_wrote_opens_and_charges_nothing(shop: Shop, label: int) -> None:
    purchase = shop.write()
    shop.drain()
    advance_purchase(purchase_id=purchase.pk, now=NOW)
    give(shop.login, "200")

    update_purchase_record(purchase_id=purchase.pk, data={"status": label}, actor=STAFF, now=NOW)

    assert resume_purchases(now=NOW + timedelta(seconds=61)) == 0
    assert shop.shown(purchase)["status"] == label
    assert balance_of(shop.login) == Decimal("250")
    assert not Challenge.objects.exists()


@pytest.mark.parametrize(("label", "word"), [(0, "PENDING"), (1, "PAID"), (2, "ACCOUNT_CREATED")])
def test_the_servers_comment_in_staffs_hand_opens_and_charges_nothing_either(
    shop: Shop, label: int, word: str
) -> None:
    purchase = shop.write()
    shop.drain()
    advance_purchase(purchase_id=purchase.pk, now=NOW)
    give(shop.login, "200")
    labels = {"status": label, "payment_status": "paid"}
    update_purchase_record(purchase_id=purchase.pk, data=labels, actor=STAFF, now=NOW)
    comment = {"comment": f"PROP_CHALLENGE_PURCHASE_{word}"}
    later = NOW + timedelta(seconds=5)
    update_purchase_record(purchase_id=purchase.pk, data=comment, actor=STAFF, now=later)

    assert resume_purchases(now=NOW + timedelta(seconds=90)) == 0
    assert shop.shown(purchase)["status"] == label
    assert balance_of(shop.login) == Decimal("250")
    assert not Challenge.objects.exists()


def test_no_account_is_opened_for_a_fee_that_the_ledger_does_not_have(shop: Shop) -> None:
    purchase = shop.write()
    Purchase.objects.filter(pk=purchase.pk).update(status=1, payment_status="paid")

    advance_purchase(purchase_id=purchase.pk, now=NOW)

    assert shop.shown(purchase)["failure_reason"] == "PAYMENT_FAILED"
    assert not Challenge.objects.exists()


def test_the_task_resumes_in_every_building(shop: Shop, in_building: Any) -> None:
    shop.write()
    with in_building("beta"):
        customer, program = make_customer("beta"), make_program()
        login = make_payer(customer, "250").pk
        purchases_module._create(customer, program, login, "", copy_terms(program), NOW)
    for schema in ("alpha", "beta"):
        with in_building(schema):
            Purchase.objects.update(updated_at=utc_now() - timedelta(seconds=61))

    resume_all()

    for schema in ("alpha", "beta"):
        with in_building(schema):
            assert Purchase.objects.get().status == 3


def test_the_terms_are_those_of_the_purchase(shop: Shop) -> None:
    purchase = shop.write()
    shop.program.steps.filter(phase_index=1).update(max_total_loss_pct=3)
    Program.objects.update(name="Renamed", timezone="Asia/Tokyo")
    AccountGroup.objects.filter(group="EVAL_USD").update(default_deposit=5)

    advance_purchase(purchase_id=purchase.pk, now=NOW)

    phase = ChallengePhase.objects.get()
    assert phase.terms["max_total_loss_pct"] == "10"
    assert phase.initial_balance == Decimal("10000")
    assert FirmAccount.objects.get(pk=phase.account_login).time_zone == "UTC"
    shown = shop.door.get(f"purchases/{purchase.pk}").json()
    assert shown["program"]["name"].startswith("Starter 10K")
    assert [one["id"] for one in shown["challenges"]] == [phase.challenge_id]
