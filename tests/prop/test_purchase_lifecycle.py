"""Purchases that fail, are tried again, cancelled (prop-client 4)."""

from decimal import Decimal
from typing import Any

import pytest

from prop.models import (
    AccountGroup,
    Challenge,
    Program,
    PropAccount,
    Purchase,
    PurchaseStatus,
)
from prop.services.activation import advance_purchase
from prop.services.purchases import RetryNotAllowed, retry_purchase
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW
from tests.prop.shop import Shop, fields_of
from tests.prop.trader import balance_of, give
from wallets.models import LedgerTransaction, Wallet
from wallets.selectors import check_conservation
from wallets.services import set_trading_enabled

pytestmark = pytest.mark.django_db
STAFF = system_actor("tests")


@pytest.fixture
def shop(in_alpha: Any) -> Shop:
    return Shop()


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
