"""Purchases that fail, are tried again, cancelled, refunded, granted (prop-client 4)."""

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
    PropAccount,
    Purchase,
    PurchaseStatus,
)
from prop.services import purchases as purchases_module
from prop.services.activation import advance_purchase, resume_purchases
from prop.services.checks import ProgramNotFound, PurchaseRefused
from prop.services.grants import grant_challenge
from prop.services.purchases import RetryNotAllowed, retry_purchase
from prop.services.refunds import refund_purchase
from prop.services.terms import copy_terms
from prop.tasks import resume_purchases as resume_all
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import PropDoor, balance_of, give, make_customer, make_payer
from tests.support.exchange import make_user
from wallets.models import FirmAccount, LedgerTransaction, Wallet
from wallets.selectors import check_conservation
from wallets.services import set_trading_enabled

pytestmark = pytest.mark.django_db
STAFF = system_actor("tests")


class Shop:
    """Alpha with a program of 99 dollars and a customer with 250; purchases made step by step."""

    def __init__(self) -> None:
        self.customer = make_customer()
        self.program = make_program()
        self.login = make_payer(self.customer, "250").pk
        self.door = PropDoor(self.customer)

    def write(self) -> Purchase:
        """A purchase that was written and not paid yet."""
        return purchases_module._create(
            self.customer, self.program, self.login, "", copy_terms(self.program), NOW
        )

    def pay(self) -> Purchase:
        """A paid purchase whose account could not be opened, as the group was switched off."""
        purchase = self.write()
        AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)
        advanced = advance_purchase(purchase_id=purchase.pk, now=NOW)
        AccountGroup.objects.filter(group="EVAL_USD").update(enable=True)
        assert advanced.failure_reason == "ACCOUNT_CREATE_FAILED"
        return advanced

    def shown(self, purchase: Purchase) -> dict[str, Any]:
        """The purchase as its owner reads it."""
        answer = self.door.get(f"purchases/{purchase.pk}")
        assert answer.status_code == 200, answer.content
        body: dict[str, Any] = answer.json()["purchase"]
        return body

    def drain(self) -> None:
        """Leave 50 dollars on the payer account."""
        give(self.login, "-200")


@pytest.fixture
def shop(in_alpha: Any) -> Shop:
    return Shop()


def fields_of(shown: dict[str, Any]) -> tuple[Any, ...]:
    names = ("status", "payment_status", "activation_status", "failure_reason")
    return tuple(shown[name] for name in (*names, "next_action", "can_retry", "can_cancel"))


def test_every_step_shows_its_fields(shop: Shop) -> None:
    purchase = shop.write()
    assert fields_of(shop.shown(purchase)) == (
        *(0, "pending", "pending", ""),
        *("WAIT_PAYMENT", False, True),
    )
    for status, activation in ((1, "pending"), (2, "account_created")):
        Purchase.objects.update(status=status, payment_status="paid", activation_status=activation)
        assert fields_of(shop.shown(purchase)) == (
            *(status, "paid", activation, ""),
            *("WAIT_ACTIVATION", False, False),
        )


def test_an_account_that_was_emptied_meanwhile_fails_the_payment(shop: Shop) -> None:
    purchase = shop.write()
    shop.drain()

    advance_purchase(purchase_id=purchase.pk, now=NOW)

    assert fields_of(shop.shown(purchase)) == (
        *(4, "failed", "pending", "NOT_ENOUGH_FUNDS"),
        *("RETRY_PAYMENT", True, False),
    )
    assert shop.shown(purchase)["comment"] == "PROP_CHALLENGE_PURCHASE_FAILED"
    assert balance_of(shop.login) == Decimal("50")


def test_an_account_that_was_switched_off_meanwhile_fails_the_payment(shop: Shop) -> None:
    purchase = shop.write()
    set_trading_enabled(wallet_id=shop.login, is_enabled=False, now=NOW)

    advance_purchase(purchase_id=purchase.pk, now=NOW)

    assert fields_of(shop.shown(purchase))[:4] == (4, "failed", "pending", "PAYMENT_FAILED")


def test_a_group_that_is_gone_fails_the_account(shop: Shop) -> None:
    purchase = shop.pay()

    assert fields_of(shop.shown(purchase)) == (
        *(4, "paid", "failed", "ACCOUNT_CREATE_FAILED"),
        *("RETRY_ACTIVATION", True, True),
    )
    assert balance_of(shop.login) == Decimal("151")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"initial_balance": "0"}, "INITIAL_BALANCE_FAILED"),
        ({"drawdown_mode": "static", "timezone": "Mars/Base"}, "ACTIVATION_FAILED"),
    ],
)
def test_a_failed_last_step_books_nothing_and_can_be_tried_again(
    shop: Shop, broken: dict[str, Any], reason: str
) -> None:
    purchase = shop.write()
    good = purchase.terms
    bad = {
        "program": {**good["program"], "timezone": broken.pop("timezone", "UTC")},
        "steps": [{**good["steps"][0], **broken}, *good["steps"][1:]],
    }
    Purchase.objects.update(terms=bad)

    advance_purchase(purchase_id=purchase.pk, now=NOW)

    assert fields_of(shop.shown(purchase)) == (
        *(4, "paid", "failed", reason),
        *("RETRY_ACTIVATION", True, True),
    )
    account = PropAccount.objects.get(purpose="phase")
    assert balance_of(account.pk) == 0
    assert not Challenge.objects.exists()

    Purchase.objects.update(terms=good)
    answer = shop.door.post(f"purchases/{purchase.pk}/retry")
    assert answer.json()["purchase"]["status"] == 3
    assert answer.json()["purchase"]["account_login"] == account.pk
    assert balance_of(account.pk) == Decimal("10000")
    assert balance_of(shop.login) == Decimal("151")


# --- Retry --------------------------------------------------------------------------------------


def test_a_retry_after_payment_takes_no_second_fee(shop: Shop) -> None:
    purchase = shop.pay()
    give(shop.login, "-151")

    answer = shop.door.post(f"purchases/{purchase.pk}/retry")

    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["accepted"] is True
    assert body["idempotent"] is False
    assert body["purchase"]["status"] == 3
    assert body["purchase"]["failure_reason"] == ""
    assert body["challenge"]["status"] == 1
    assert LedgerTransaction.objects.filter(type="PROP_FEE").count() == 1
    assert check_conservation().is_sound


def test_a_retry_of_the_payment_takes_the_amount_of_the_purchase(shop: Shop) -> None:
    purchase = shop.write()
    shop.drain()
    advance_purchase(purchase_id=purchase.pk, now=NOW)
    Program.objects.update(price=Decimal("500"))
    give(shop.login, "49")

    answer = shop.door.post(f"purchases/{purchase.pk}/retry")

    assert answer.json()["purchase"]["status"] == 3
    assert answer.json()["purchase"]["amount"] == 99.0
    assert balance_of(shop.login) == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda shop: Program.objects.update(status=1), "PROGRAM_DISABLED"),
        (
            lambda shop: set_trading_enabled(wallet_id=shop.login, is_enabled=False, now=NOW),
            "PAYER_ACCOUNT_DISABLED",
        ),
        (lambda shop: None, "NOT_ENOUGH_FUNDS"),
        (
            lambda shop: (
                give(shop.login, "100"),
                AccountGroup.objects.filter(group="EVAL_USD").update(enable=False),
            ),
            "ACCOUNT_GROUP_NOT_FOUND",
        ),
    ],
)
def test_a_retry_of_the_payment_makes_all_checks(shop: Shop, change: Any, code: str) -> None:
    purchase = shop.write()
    shop.drain()
    advance_purchase(purchase_id=purchase.pk, now=NOW)
    change(shop)

    answer = shop.door.post(f"purchases/{purchase.pk}/retry")

    assert answer.json()["error"] == code
    assert shop.shown(purchase)["status"] == 4
    assert shop.shown(purchase)["failure_reason"] == "NOT_ENOUGH_FUNDS"


def test_a_retry_after_payment_asks_neither_program_nor_payer(shop: Shop) -> None:
    purchase = shop.pay()
    Program.objects.update(status=2)
    Wallet.objects.filter(pk=shop.login).update(status="FROZEN")

    assert shop.door.post(f"purchases/{purchase.pk}/retry").json()["purchase"]["status"] == 3


def test_a_retry_after_payment_asks_for_the_first_group(shop: Shop) -> None:
    purchase = shop.pay()
    AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)

    answer = shop.door.post(f"purchases/{purchase.pk}/retry")

    assert answer.json()["error"] == "ACCOUNT_GROUP_NOT_FOUND"


@pytest.mark.parametrize("status", [0, 1, 2, 3, 5])
def test_only_failed_purchases_are_tried_again(shop: Shop, status: int) -> None:
    purchase = shop.pay()
    Purchase.objects.update(status=status)

    answer = shop.door.post(f"purchases/{purchase.pk}/retry")

    assert answer.status_code == 409
    assert answer.json()["error"] == "RETRY_NOT_ALLOWED"


@pytest.mark.parametrize("reason", ["CANCELLED_BY_CUSTOMER", "MANUAL_REVIEW_FAILED", ""])
def test_some_failures_are_final(shop: Shop, reason: str) -> None:
    purchase = shop.pay()
    Purchase.objects.update(failure_reason=reason)

    assert shop.door.post(f"purchases/{purchase.pk}/retry").json()["error"] == "RETRY_NOT_ALLOWED"
    assert shop.shown(purchase)["next_action"] == (
        "NONE" if reason == "CANCELLED_BY_CUSTOMER" else "CONTACT_SUPPORT"
    )


def test_staff_retry_is_audited(shop: Shop) -> None:
    purchase = shop.pay()

    bought = retry_purchase(purchase_id=purchase.pk, actor=STAFF, now=NOW)

    assert bought.purchase.status == 3
    assert FirmAuditEntry.objects.filter(action="prop.purchase.retried").count() == 1
    with pytest.raises(RetryNotAllowed):
        retry_purchase(purchase_id=purchase.pk, actor=STAFF, now=NOW)


def test_a_label_of_staff_opens_no_second_challenge(shop: Shop) -> None:
    bought = shop.door.buy(shop.program.pk, shop.login).json()
    Purchase.objects.update(status=4, failure_reason="ACTIVATION_FAILED")

    answer = shop.door.post(f"purchases/{bought['purchase']['id']}/retry").json()

    assert answer["purchase"]["status"] == 3
    assert answer["challenge"]["id"] == bought["challenge"]["id"]
    assert Challenge.objects.count() == 1
    assert balance_of(shop.login) == Decimal("151")


# --- Cancel -------------------------------------------------------------------------------------


def test_an_unpaid_purchase_is_cancelled(shop: Shop) -> None:
    purchase = shop.write()

    answer = shop.door.post(f"purchases/{purchase.pk}/cancel")

    assert answer.status_code == 200
    assert fields_of(answer.json()["purchase"]) == (
        *(4, "failed", "cancelled", "CANCELLED_BY_CUSTOMER"),
        *("NONE", False, False),
    )
    assert answer.json()["purchase"]["comment"] == "PROP_CHALLENGE_PURCHASE_CANCELLED"
    assert advance_purchase(purchase_id=purchase.pk, now=NOW).status == PurchaseStatus.FAILED
    assert balance_of(shop.login) == Decimal("250")


def test_a_paid_failed_activation_is_refunded(shop: Shop) -> None:
    purchase = shop.pay()

    answer = shop.door.post(f"purchases/{purchase.pk}/cancel")

    assert fields_of(answer.json()["purchase"]) == (
        *(5, "refunded", "cancelled", "ACCOUNT_CREATE_FAILED"),
        *("NONE", False, False),
    )
    assert balance_of(shop.login) == Decimal("250")
    refund = LedgerTransaction.objects.get(type="PROP_FEE_REFUND")
    assert refund.reference == f"purchase:{purchase.pk}:refund"
    assert check_conservation().is_sound


def test_the_opened_account_of_a_cancelled_purchase_is_read_only(shop: Shop) -> None:
    purchase = shop.write()
    terms = purchase.terms
    steps = [{**terms["steps"][0], "initial_balance": "0"}, *terms["steps"][1:]]
    Purchase.objects.update(terms={**terms, "steps": steps})
    advance_purchase(purchase_id=purchase.pk, now=NOW)

    shop.door.post(f"purchases/{purchase.pk}/cancel")

    account = Wallet.objects.get(pk=PropAccount.objects.get(purpose="phase").pk)
    assert account.trading_state == Wallet.TradingState.READ_ONLY


def test_a_done_cancel_cannot_be_repeated(shop: Shop) -> None:
    for purchase in (shop.write(), shop.pay()):
        shop.door.post(f"purchases/{purchase.pk}/cancel")
        again = shop.door.post(f"purchases/{purchase.pk}/cancel")
        assert again.status_code == 409
        assert again.json()["error"] == "CANCEL_NOT_ALLOWED"
    assert balance_of(shop.login) == Decimal("250")


@pytest.mark.parametrize("status", [1, 2, 3, 5])
def test_only_unpaid_and_failed_purchases_are_cancelled(shop: Shop, status: int) -> None:
    purchase = shop.pay()
    Purchase.objects.update(status=status, failure_reason="")

    assert shop.door.post(f"purchases/{purchase.pk}/cancel").json()["error"] == "CANCEL_NOT_ALLOWED"


def test_a_failed_payment_cannot_be_cancelled(shop: Shop) -> None:
    purchase = shop.write()
    shop.drain()
    advance_purchase(purchase_id=purchase.pk, now=NOW)

    assert shop.door.post(f"purchases/{purchase.pk}/cancel").json()["error"] == "CANCEL_NOT_ALLOWED"


# --- Refund and grant ---------------------------------------------------------------------------


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
