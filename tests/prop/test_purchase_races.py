"""Several processes act on one purchase at once: real threads, one outcome (prop-client 4)."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from prop.errors import StateConflict
from prop.models import AccountGroup, Challenge, PropAccount, Purchase
from prop.services import purchases as purchases_module
from prop.services.activation import advance_purchase
from prop.services.purchases import Bought, RetryNotAllowed, buy_challenge, retry_purchase
from prop.services.refunds import CancelNotAllowed, cancel_purchase, refund_purchase
from prop.services.terms import copy_terms
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import balance_of, give, make_customer, make_payer
from wallets.models import LedgerTransaction
from wallets.selectors import check_conservation

pytestmark = pytest.mark.django_db(transaction=True)


class Shop:
    def __init__(self) -> None:
        with enter_building("alpha"):
            self.customer = make_customer()
            self.program = make_program()
            self.login = make_payer(self.customer, "250").pk

    def write(self) -> int:
        """A purchase that was written and not paid yet."""
        with enter_building("alpha"):
            terms = copy_terms(self.program)
            purchase = purchases_module._create(
                self.customer, self.program, self.login, "", terms, NOW
            )
            return int(purchase.pk)

    def fail_activation(self) -> int:
        """A paid purchase whose account was not opened."""
        purchase_id = self.write()
        with enter_building("alpha"):
            AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)
            advance_purchase(purchase_id=purchase_id, now=NOW)
            AccountGroup.objects.filter(group="EVAL_USD").update(enable=True)
        return purchase_id

    def fees(self) -> int:
        return LedgerTransaction.objects.filter(type="PROP_FEE").count()


@pytest.fixture
def shop(alpha: Any) -> Shop:
    return Shop()


def run_at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all in threads that start together; answers what each returned or raised."""
    gate = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(index: int, work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            with enter_building("alpha"):
                results[index] = work()
        except PolysimError as error:
            results[index] = error
        connection.close()

    threads = [threading.Thread(target=run, args=(index, work)) for index, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_four_who_advance_one_purchase_do_each_step_once(shop: Shop) -> None:
    purchase_id = shop.write()

    run_at_once(*[lambda: advance_purchase(purchase_id=purchase_id, now=NOW)] * 4)

    with enter_building("alpha"):
        assert Purchase.objects.get().status == 3
        assert Challenge.objects.count() == 1
        assert PropAccount.objects.filter(purpose="phase").count() == 1
        assert shop.fees() == 1
        assert check_conservation().is_sound


def test_of_four_retries_one_is_taken(shop: Shop) -> None:
    purchase_id = shop.fail_activation()

    results = run_at_once(
        *[
            lambda: retry_purchase(purchase_id=purchase_id, customer=shop.customer, now=NOW),
        ]
        * 4
    )

    taken = [one for one in results if isinstance(one, Bought)]
    assert len(taken) == 1, results
    assert sum(isinstance(one, RetryNotAllowed) for one in results) == 3
    with enter_building("alpha"):
        assert Purchase.objects.get().status == 3
        assert shop.fees() == 1
        assert check_conservation().is_sound


def test_a_cancel_and_an_activation_at_once_have_one_outcome(shop: Shop) -> None:
    for _ in range(3):
        purchase_id = shop.write()
        with enter_building("alpha"):
            before = balance_of(shop.login)

        cancelled, _advanced = run_at_once(
            lambda: cancel_purchase(customer=shop.customer, purchase_id=purchase_id, now=NOW),  # noqa: B023
            lambda: advance_purchase(purchase_id=purchase_id, now=NOW),  # noqa: B023
        )

        with enter_building("alpha"):
            purchase = Purchase.objects.get(pk=purchase_id)
            if isinstance(cancelled, CancelNotAllowed):
                assert purchase.status == 3
                assert balance_of(shop.login) == before - 99
                give(shop.login, "99")
            else:
                assert purchase.failure_reason == "CANCELLED_BY_CUSTOMER"
                assert purchase.challenges.count() == 0
                assert balance_of(shop.login) == before
            assert check_conservation().is_sound


def test_of_three_refunds_one_pays(shop: Shop) -> None:
    with enter_building("alpha"):
        bought = buy_challenge(
            customer=shop.customer,
            program_id=shop.program.pk,
            payer_login=shop.login,
            idempotency_key="",
            now=NOW,
        )
    actor = system_actor("tests")

    results = run_at_once(
        *[
            lambda: refund_purchase(purchase_id=bought.purchase.pk, actor=actor, now=NOW),
        ]
        * 3
    )

    assert sum(isinstance(one, StateConflict) for one in results) == 2, results
    with enter_building("alpha"):
        assert balance_of(shop.login) == Decimal("250")
        assert LedgerTransaction.objects.filter(type="PROP_FEE_REFUND").count() == 1
        assert Challenge.objects.get().status == 4
        assert check_conservation().is_sound


def test_a_cancel_and_a_retry_at_once_have_one_outcome(shop: Shop) -> None:
    purchase_id = shop.fail_activation()

    cancelled, retried = run_at_once(
        lambda: cancel_purchase(customer=shop.customer, purchase_id=purchase_id, now=NOW),
        lambda: retry_purchase(purchase_id=purchase_id, customer=shop.customer, now=NOW),
    )

    with enter_building("alpha"):
        purchase = Purchase.objects.get()
        if isinstance(retried, RetryNotAllowed):
            assert isinstance(cancelled, Purchase)
            assert purchase.status == 5
            assert balance_of(shop.login) == Decimal("250")
        else:
            assert isinstance(cancelled, CancelNotAllowed)
            assert purchase.status == 3
            assert balance_of(shop.login) == Decimal("151")
        assert check_conservation().is_sound
