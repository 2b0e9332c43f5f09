"""The idempotency key of buy: replays, two at once, money for one of two (prop-client 3.2, 3.3)."""

import threading
import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from polysim.kernel.tenancy import enter_building
from prop.models import Challenge, Program, Purchase
from prop.services import purchases as purchases_module
from prop.services.purchases import Bought, RequestInProgress, buy_challenge
from prop.services.terms import copy_terms
from tenants.models import User
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import PropDoor, balance_of, make_customer, make_payer
from wallets.models import LedgerTransaction
from wallets.selectors import check_conservation

pytestmark = pytest.mark.django_db


class Shop:
    def __init__(self, cash: str = "250") -> None:
        self.customer: User = make_customer()
        self.program: Program = make_program()
        self.login: int = make_payer(self.customer, cash).pk
        self.door = PropDoor(self.customer)

    def buy(self, key: str = "", program_id: int | None = None) -> Bought:
        return buy_challenge(
            customer=self.customer,
            program_id=program_id or self.program.pk,
            payer_login=self.login,
            idempotency_key=key,
            now=NOW,
        )


@pytest.fixture
def shop(in_alpha: Any) -> Shop:
    return Shop()


def test_the_same_key_answers_the_same_purchase_and_charges_once(shop: Shop) -> None:
    first = shop.door.buy(shop.program.pk, shop.login, "k-1").json()
    second = shop.door.buy(shop.program.pk, shop.login, "k-1").json()

    assert second == {**first, "idempotent": True}
    assert balance_of(shop.login) == Decimal("151")
    assert Purchase.objects.count() == Challenge.objects.count() == 1


def test_the_header_is_taken_when_the_body_has_no_key(shop: Shop) -> None:
    body = {"program_id": shop.program.pk, "payer_login": shop.login}
    headers = {"Idempotency-Key": "from-header"}

    first = shop.door.post("challenge/buy", body, **headers).json()
    second = shop.door.post("challenge/buy", {**body, "idempotency_key": "own"}, **headers).json()

    assert first["purchase"]["idempotency_key"] == "from-header"
    assert second["purchase"]["idempotency_key"] == "own"
    assert second["idempotent"] is False


@pytest.mark.parametrize("key", ["", None])
def test_without_a_key_every_request_buys(shop: Shop, key: str | None) -> None:
    answers = [shop.door.buy(shop.program.pk, shop.login, key).json() for _ in range(2)]

    assert [answer["idempotent"] for answer in answers] == [False, False]
    assert [answer["purchase"]["idempotency_key"] for answer in answers] == ["", ""]
    assert balance_of(shop.login) == Decimal("52")


def test_a_key_has_at_most_128_characters(shop: Shop) -> None:
    assert shop.door.buy(shop.program.pk, shop.login, "k" * 128).status_code == 200
    refused = shop.door.buy(shop.program.pk, shop.login, "k" * 129)
    assert refused.status_code == 400
    assert set(refused.json()["fields"]) == {"idempotency_key"}


@pytest.mark.parametrize("key", [5, ["k"], {"k": 1}, False])
def test_a_key_is_text(shop: Shop, key: Any) -> None:
    assert shop.door.buy(shop.program.pk, shop.login, key).json()["error"] == "INVALID_DATA"


def test_a_key_used_for_something_else_is_refused(shop: Shop) -> None:
    other_program, other_payer = make_program(), make_payer(shop.customer, "250")
    shop.door.buy(shop.program.pk, shop.login, "k-1")

    answers = [
        shop.door.buy(other_program.pk, shop.login, "k-1"),
        shop.door.buy(shop.program.pk, other_payer.pk, "k-1"),
        # Before the check whether the program exists.
        shop.door.buy(other_program.pk + 1000, shop.login, "k-1"),
    ]

    assert [answer.status_code for answer in answers] == [409] * 3
    assert {answer.json()["error"] for answer in answers} == {"IDEMPOTENCY_KEY_REUSE"}


def test_a_replay_works_after_the_program_was_disabled(shop: Shop) -> None:
    shop.door.buy(shop.program.pk, shop.login, "k-1")
    Program.objects.update(status=1)

    answer = shop.door.buy(shop.program.pk, shop.login, "k-1")

    assert answer.status_code == 200
    assert answer.json()["idempotent"] is True


def test_a_refused_request_does_not_use_the_key(shop: Shop) -> None:
    Program.objects.update(status=1)
    assert shop.door.buy(shop.program.pk, shop.login, "k-1").status_code == 400
    Program.objects.update(status=0)

    answer = shop.door.buy(shop.program.pk, shop.login, "k-1")

    assert answer.json()["idempotent"] is False
    assert answer.json()["purchase"]["status"] == 3


def test_a_key_belongs_to_one_customer(shop: Shop) -> None:
    other = Shop()
    shop.door.buy(shop.program.pk, shop.login, "k-1")

    answer = other.door.buy(other.program.pk, other.login, "k-1").json()

    assert answer["idempotent"] is False
    assert answer["purchase"]["customer_id"] == other.customer.pk


def test_a_key_belongs_to_one_firm(shop: Shop, in_building: Any) -> None:
    shop.door.buy(shop.program.pk, shop.login, "k-1")
    with in_building("beta"):
        make_customer("beta", shop.customer)
        program = make_program()
        payer = make_payer(shop.customer, "250")

    answer = PropDoor(shop.customer, "beta.localhost").buy(program.pk, payer.pk, "k-1").json()

    assert answer["idempotent"] is False
    assert answer["purchase"]["status"] == 3


def test_a_replay_of_a_failed_purchase_charges_nothing(shop: Shop) -> None:
    bought = shop.buy("k-1")
    Purchase.objects.filter(pk=bought.purchase.pk).update(status=4, failure_reason="PAYMENT_FAILED")

    replay = shop.door.buy(shop.program.pk, shop.login, "k-1").json()

    assert replay["idempotent"] is True
    assert replay["purchase"]["status"] == 4
    assert balance_of(shop.login) == Decimal("151")


def run_at_once(count: int, work: Any) -> list[Any]:
    """Run `work(index)` in threads that start together; answers what each returned or raised."""
    gate = threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(index: int) -> None:
        gate.wait()
        try:
            with enter_building("alpha"):
                results[index] = work(index)
        except Exception as error:  # noqa: BLE001 (told to the test)
            results[index] = error
        connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_many_at_once_with_one_key_buy_once(alpha: Any) -> None:
    with enter_building("alpha"):
        shop = Shop("99")

    results = run_at_once(6, lambda index: shop.buy("k-1"))

    assert [type(one) for one in results] == [Bought] * 6, results
    assert len({one.purchase.pk for one in results}) == 1
    assert [one.is_replay for one in results].count(False) == 1
    with enter_building("alpha"):
        purchase = Purchase.objects.get()
        assert purchase.status == 3
        assert Challenge.objects.count() == 1
        assert LedgerTransaction.objects.filter(type="PROP_FEE").count() == 1
        assert balance_of(shop.login) == 0
        assert check_conservation().is_sound


@pytest.mark.django_db(transaction=True)
def test_two_buys_with_money_for_one(alpha: Any) -> None:
    with enter_building("alpha"):
        shop = Shop("150")

    results = run_at_once(4, lambda index: shop.buy(f"key-{index}"))

    active = [one for one in results if isinstance(one, Bought) and one.purchase.status == 3]
    others = [one for one in results if one not in active]
    assert len(active) == 1, results
    for other in others:
        if isinstance(other, Bought):
            assert other.purchase.status == 4
            assert other.purchase.payment_status == "failed"
            assert other.purchase.failure_reason == "NOT_ENOUGH_FUNDS"
            assert other.challenge is None
        else:
            assert other.code == "NOT_ENOUGH_FUNDS", repr(other)
    assert balance_of(shop.login) == Decimal("51")
    with enter_building("alpha"):
        assert check_conservation().is_sound


class UnwrittenPurchase:
    """Another request with the key `k-1` that has written its purchase and not committed yet."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.is_written = threading.Event()
        self.may_end = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self.is_written.wait(10)

    def _run(self) -> None:
        with enter_building("alpha"), transaction.atomic():
            purchases_module._create(
                self.shop.customer,
                self.shop.program,
                self.shop.login,
                "k-1",
                copy_terms(self.shop.program),
                NOW,
            )
            self.is_written.set()
            self.may_end.wait(30)
        connection.close()

    def end(self) -> None:
        self.may_end.set()
        self.thread.join()


@pytest.mark.django_db(transaction=True)
def test_the_second_waits_for_the_first_to_be_written(alpha: Any) -> None:
    with enter_building("alpha"):
        shop = Shop()
    first = UnwrittenPurchase(shop)
    threading.Timer(0.5, first.end).start()
    began = time.monotonic()

    with enter_building("alpha"):
        second = shop.buy("k-1")

    assert time.monotonic() - began >= 0.4
    assert second.is_replay
    assert second.purchase.status == 0


@pytest.mark.django_db(transaction=True)
def test_the_wait_is_bounded(alpha: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert purchases_module.SAME_KEY_WAIT_MS == 10_000
    monkeypatch.setattr(purchases_module, "SAME_KEY_WAIT_MS", 300)
    with enter_building("alpha"):
        shop = Shop()
    first = UnwrittenPurchase(shop)
    try:
        with enter_building("alpha"), pytest.raises(RequestInProgress) as refused:
            shop.buy("k-1")
        answer = shop.door.buy(shop.program.pk, shop.login, "k-1")
    finally:
        first.end()

    assert refused.value.code == "REQUEST_IN_PROGRESS"
    assert answer.status_code == 409
    assert answer.json()["error"] == "REQUEST_IN_PROGRESS"
