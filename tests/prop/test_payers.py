"""Payer accounts: opened at the first look, money added by staff (prop-backoffice 4.5)."""

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.api.refusals import IdempotencyKeyReuse
from polysim.kernel.errors import NotFound
from polysim.kernel.tenancy import enter_building
from prop.models import AccountMode, PropAccount
from prop.services.payers import (
    AmountRefused,
    BalanceChange,
    PropAccountLocked,
    add_balance,
    ensure_payer_account,
)
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import (
    PropDoor,
    balance_of,
    make_customer,
    make_payer,
    make_payer_group,
    set_payer_group,
)
from tests.support.exchange import make_firm_trader
from wallets.models import FirmAccount, LedgerEntry, LedgerTransaction
from wallets.selectors import check_conservation
from wallets.services import NotEnoughFunds

pytestmark = pytest.mark.django_db


def add(login: int, amount: str, key: str = "k1", comment: str = "bank transfer") -> BalanceChange:
    return add_balance(
        login=login,
        amount=Decimal(amount),
        comment=comment,
        idempotency_key=key,
        actor=system_actor("tests"),
        now=NOW,
    )


def test_the_first_look_opens_the_payer_account(in_alpha: Any) -> None:
    set_payer_group(make_payer_group(deposit="25"))
    customer, program = make_customer(), make_program()
    door = PropDoor(customer)

    first = door.get(f"programs/{program.pk}/payer-accounts").json()["rows"]
    second = door.get(f"programs/{program.pk}/payer-accounts").json()["rows"]

    assert len(first) == 1
    assert first == second
    assert first[0]["balance"] == 25.0
    assert first[0]["block_reason"] == "NOT_ENOUGH_FUNDS"
    account = FirmAccount.objects.get(pk=first[0]["login"])
    assert account.external_id == f"polysim:payer:{customer.pk}"
    assert account.is_managed


@pytest.mark.parametrize(
    "fields", [{"public_opening": False}, {"enable": False}, {"mode": AccountMode.DEMO}]
)
def test_a_group_that_is_not_open_opens_none(in_alpha: Any, fields: dict[str, Any]) -> None:
    set_payer_group(make_payer_group(**fields))
    program = make_program()

    answer = PropDoor(make_customer()).get(f"programs/{program.pk}/payer-accounts")

    assert answer.json() == {"rows": []}


def test_without_a_payer_group_none_is_opened(in_alpha: Any) -> None:
    assert ensure_payer_account(customer=make_customer(), now=NOW) is None


@pytest.mark.django_db(transaction=True)
def test_two_first_looks_at_once_open_one_account(alpha: Any) -> None:
    with enter_building("alpha"):
        set_payer_group(make_payer_group(deposit="25"))
        customer = make_customer()
    gate = threading.Barrier(4)
    found: list[int] = []

    def look() -> None:
        gate.wait()
        with enter_building("alpha"):
            account = ensure_payer_account(customer=customer, now=NOW)
            assert account is not None
            found.append(account.pk)
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1
    assert balance_of(found[0]) == Decimal("25")
    with enter_building("alpha"):
        assert PropAccount.objects.count() == 1


def test_staff_add_money(in_alpha: Any) -> None:
    payer = make_payer(make_customer(), "0")

    change = add(payer.pk, "120.50")

    assert change.login == payer.pk
    assert change.balance == Decimal("120.50")
    entry = LedgerEntry.objects.get(pk=change.entry_id)
    assert entry.amount == Decimal("120.50")
    assert entry.transaction.type == LedgerTransaction.Type.ADJUSTMENT
    assert entry.transaction.memo == "bank transfer"
    assert FirmAccount.objects.get(pk=payer.pk).net_transfers == Decimal("120.50")
    audit = FirmAuditEntry.objects.get(action="prop.balance.added")
    assert audit.after["amount"] == "120.50"
    assert check_conservation().is_sound


def test_a_repeat_books_nothing(in_alpha: Any) -> None:
    payer = make_payer(make_customer(), "0")

    first, second = add(payer.pk, "10"), add(payer.pk, "10")

    assert first == second
    assert balance_of(payer.pk) == Decimal("10")
    assert FirmAuditEntry.objects.filter(action="prop.balance.added").count() == 1


def test_a_used_key_books_nothing_else(in_alpha: Any) -> None:
    customer = make_customer()
    payer, other = make_payer(customer, "0"), make_payer(customer, "0")
    add(payer.pk, "10")

    with pytest.raises(IdempotencyKeyReuse):
        add(payer.pk, "11")
    with pytest.raises(IdempotencyKeyReuse):
        add(other.pk, "10")


def test_a_long_key_is_kept_whole(in_alpha: Any) -> None:
    payer = make_payer(make_customer(), "0")

    add(payer.pk, "1", key="k" * 127 + "a")
    add(payer.pk, "1", key="k" * 127 + "b")

    assert balance_of(payer.pk) == Decimal("2")


@pytest.mark.parametrize(("amount", "left"), [("-99.99", "0.01"), ("-100", "0"), ("-100.01", None)])
def test_money_is_taken_down_to_zero(in_alpha: Any, amount: str, left: str | None) -> None:
    payer = make_payer(make_customer(), "100")

    if left is None:
        with pytest.raises(NotEnoughFunds):
            add(payer.pk, amount)
        assert balance_of(payer.pk) == Decimal("100")
    else:
        assert add(payer.pk, amount).balance == Decimal(left)


@pytest.mark.parametrize("amount", ["0", "0.001", "NaN", "Infinity"])
def test_amounts_are_whole_cents_other_than_zero(in_alpha: Any, amount: str) -> None:
    payer = make_payer(make_customer(), "100")

    with pytest.raises(AmountRefused):
        add(payer.pk, amount)


def test_a_phase_account_is_locked(in_alpha: Any) -> None:
    customer, program = make_customer(), make_program()
    payer = make_payer(customer, "250")
    bought = PropDoor(customer).buy(program.pk, payer.pk).json()

    with pytest.raises(PropAccountLocked):
        add(bought["purchase"]["account_login"], "10")


def test_other_accounts_are_unknown(in_alpha: Any, in_building: Any) -> None:
    with pytest.raises(NotFound):
        add(make_firm_trader().wallet.pk, "10")
    with in_building("beta"):
        payer = make_payer(make_customer("beta"), "1")
    with pytest.raises(NotFound):
        add(payer.pk, "10")
