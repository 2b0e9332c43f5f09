"""A process that buys is killed (SIGKILL) at any moment: exactly one of everything in the end.

A child process counts its statements and kills itself before the n-th one, for every n. A statement
after a commit is a kill between two steps, one inside a transaction a kill within a step.
"""

import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.tenancy import enter_building
from prop.models import (
    AccountGroup,
    Challenge,
    ChallengePhase,
    DailySnapshot,
    PropAccount,
    Purchase,
)
from prop.services import purchases
from prop.services.activation import advance_purchase, resume_purchases
from prop.services.purchases import buy_challenge, retry_purchase
from prop.services.refunds import refund_purchase
from prop.services.terms import copy_terms
from tenants.models import User
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import balance_of, make_customer, make_payer
from wallets.models import FirmAccount, LedgerTransaction
from wallets.selectors import check_conservation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
STATEMENTS_MAX = 200


class DyingAt:
    """Counts the database's statements and kills the process before number `last`."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)


def was_killed(work: Callable[[], object], *, at: int) -> bool:
    """Run `work` in alpha's building in a child that dies before its statement number `at`."""
    connection.close()
    connection.close_pool()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with enter_building("alpha"), connection.execute_wrapper(DyingAt(at)):
                work()
            status = 0
        finally:
            os._exit(status)
    _, outcome = os.waitpid(child, 0)
    if os.WIFSIGNALED(outcome):
        assert os.WTERMSIG(outcome) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(outcome) == 0, "the child failed by itself"
    return False


class Shop:
    """Alpha with a program and a customer who has money for one challenge."""

    def __init__(self) -> None:
        with enter_building("alpha"):
            self.customer: User = make_customer()
            self.program = make_program()
            self.login = make_payer(self.customer, "99").pk

    def buy(self) -> None:
        buy_challenge(
            customer=self.customer,
            program_id=self.program.pk,
            payer_login=self.login,
            idempotency_key="k-1",
            now=NOW,
        )


def assert_exactly_one_of_everything(shop: Shop) -> None:
    """One purchase of this customer is active, with one fee, account, deposit, challenge, phase."""
    purchase = Purchase.objects.get(customer=shop.customer)
    assert purchase.status == 3
    assert purchase.payment_status == "paid"
    challenge = Challenge.objects.get(purchase=purchase)
    phase = ChallengePhase.objects.get(challenge=challenge)
    account = PropAccount.objects.get(customer=shop.customer, purpose="phase")
    assert account.pk == purchase.account_login == challenge.account_login == phase.account_login
    assert DailySnapshot.objects.filter(phase=phase).count() == 1
    references = LedgerTransaction.objects.filter(reference__startswith=f"purchase:{purchase.pk}:")
    assert sorted(references.values_list("reference", flat=True)) == [
        f"purchase:{purchase.pk}:deposit",
        f"purchase:{purchase.pk}:fee",
    ]
    assert FirmAccount.objects.filter(wallet__user=shop.customer).count() == 2
    assert balance_of(shop.login) == 0
    assert balance_of(account.pk) == Decimal("10000")
    assert check_conservation().is_sound


def test_a_purchase_survives_kills_at_every_statement(alpha: Any) -> None:
    kills = 0
    for at in range(1, STATEMENTS_MAX):
        shop = Shop()
        if not was_killed(shop.buy, at=at):
            break
        kills += 1
        with enter_building("alpha"):
            assert check_conservation().is_sound
            resume_purchases(now=NOW + timedelta(seconds=61))
            # The trader's program repeats its request with the same key.
            shop.buy()
            assert_exactly_one_of_everything(shop)
    else:
        pytest.fail("the purchase never came to its end")
    with enter_building("alpha"):
        assert_exactly_one_of_everything(shop)
    assert kills > 30


def test_a_resume_that_is_killed_too_is_resumed(alpha: Any) -> None:
    shop = Shop()
    assert was_killed(shop.buy, at=40)
    later = NOW
    for at in range(2, STATEMENTS_MAX, 3):
        # A step that was done before the kill counts as movement for another minute.
        later += timedelta(seconds=61)

        def resume(now: datetime = later) -> None:
            resume_purchases(now=now)

        if not was_killed(resume, at=at):
            break
    with enter_building("alpha"):
        shop.buy()
        assert_exactly_one_of_everything(shop)


def test_a_refund_that_is_killed_gives_the_money_back_once(alpha: Any) -> None:
    kills = 0
    for at in range(1, STATEMENTS_MAX, 4):
        shop = Shop()
        with enter_building("alpha"):
            shop.buy()
            purchase_id = Purchase.objects.get(customer=shop.customer).pk

        def refund(purchase_id: int = purchase_id) -> None:
            refund_purchase(purchase_id=purchase_id, actor=system_actor("tests"), now=NOW)

        finished = not was_killed(refund, at=at)
        with enter_building("alpha"):
            if Purchase.objects.get(pk=purchase_id).status != 5:
                refund()
            assert Purchase.objects.get(pk=purchase_id).status == 5
            assert Challenge.objects.get(purchase_id=purchase_id).status == 4
            assert balance_of(shop.login) == Decimal("99")
            assert check_conservation().is_sound
        if finished:
            break
        kills += 1
    assert kills > 3


def failed_activation(shop: Shop) -> int:
    """A purchase that was paid and whose account was not opened, as its group was off."""
    purchase = purchases._create(
        shop.customer, shop.program, shop.login, "k-1", copy_terms(shop.program), NOW
    )
    AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)
    failed = advance_purchase(purchase_id=purchase.pk, now=NOW)
    AccountGroup.objects.filter(group="EVAL_USD").update(enable=True)
    assert failed.failure_reason == "ACCOUNT_CREATE_FAILED"
    return int(purchase.pk)


def test_a_retry_that_is_killed_takes_no_second_fee(alpha: Any) -> None:
    for at in range(3, STATEMENTS_MAX, 5):
        shop = Shop()
        with enter_building("alpha"):
            purchase_id = failed_activation(shop)

        def retry(purchase_id: int = purchase_id) -> None:
            retry_purchase(purchase_id=purchase_id, now=NOW)

        finished = not was_killed(retry, at=at)
        with enter_building("alpha"):
            resume_purchases(now=NOW + timedelta(seconds=61))
            if Purchase.objects.get(pk=purchase_id).status == 4:
                retry()
            assert_exactly_one_of_everything(shop)
        if finished:
            break
