"""The laws of the ledger: pure postings, and what the database refuses."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from polysim.kernel.tenancy import enter_building
from tests.support.exchange import NOW, make_trader
from wallets.ledger import Posting, deposit, is_balanced, legs_of, reset_to
from wallets.models import LedgerEntry, LedgerTransaction, Wallet
from wallets.selectors import check_conservation, list_ledger
from wallets.services import post

CENTS = st.integers(min_value=-(10**9), max_value=10**9).map(lambda n: Decimal(n) / 100)


@given(cash=CENTS, reserved=CENTS)
def test_the_legs_of_every_posting_sum_to_zero(cash: Decimal, reserved: Decimal) -> None:
    legs = legs_of(Posting("BUY", "fill:1", cash, reserved, "TRADING"))
    assert is_balanced(legs)
    assert all(leg.amount != 0 for leg in legs)


def test_a_deposit_credits_cash_against_funding() -> None:
    legs = legs_of(deposit(wallet_id=7, amount=Decimal("1000.00")))
    assert [(leg.account, leg.amount) for leg in legs] == [
        ("CASH", Decimal("1000.00")),
        ("FUNDING", Decimal("-1000.00")),
    ]


def test_a_reset_carries_the_difference() -> None:
    posting = reset_to(
        wallet_id=7, generation=2, balance=Decimal("1042.10"), target=Decimal("1000.00")
    )
    assert (posting.reference, posting.cash) == ("wallet:7:reset:2", Decimal("-42.10"))


def test_a_fraction_of_a_cent_is_no_posting() -> None:
    with pytest.raises(ValueError, match="whole cents"):
        Posting("DEPOSIT", "x", Decimal("0.001"))


@pytest.fixture
def wallet(transactional_db: None) -> Iterator[Wallet]:
    made = make_trader(cash="100.00").wallet
    with enter_building("retail"):
        yield made


def write_entries(wallet: Wallet, *legs: tuple[str, str, str | None]) -> None:
    """Entries as a defect might write them: past the function that posts."""
    with transaction.atomic():
        row = LedgerTransaction.objects.create(
            wallet=wallet, type="DEPOSIT", reference=f"test:{legs}", created_at=NOW
        )
        for account, amount, after in legs:
            LedgerEntry.objects.create(
                transaction=row,
                wallet=wallet,
                account=account,
                amount=Decimal(amount),
                balance_after=None if after is None else Decimal(after),
            )


def test_a_transaction_that_does_not_sum_to_zero_is_refused_at_commit(wallet: Wallet) -> None:
    with pytest.raises(IntegrityError, match="sums to"):
        write_entries(wallet, ("FUNDING", "-5.00", None), ("FEES", "4.99", None))
    assert check_conservation().is_sound


def test_entries_that_the_wallet_does_not_show_are_refused(wallet: Wallet) -> None:
    with pytest.raises(IntegrityError, match="entry"):
        write_entries(wallet, ("CASH", "5.00", "105.00"), ("FUNDING", "-5.00", None))


def test_an_entry_that_does_not_continue_the_balance_is_refused(wallet: Wallet) -> None:
    with pytest.raises(IntegrityError, match="entry"):
        write_entries(wallet, ("CASH", "5.00", "100.00"), ("FUNDING", "-5.00", None))


def test_a_wallet_cannot_be_changed_without_entries(wallet: Wallet) -> None:
    with pytest.raises(IntegrityError, match="its ledger says"):
        Wallet.objects.filter(pk=wallet.pk).update(balance=Decimal("1000000.00"))
    with pytest.raises(IntegrityError, match="its ledger says"):
        Wallet.objects.filter(pk=wallet.pk).update(reserved=Decimal("1.00"))


@pytest.mark.parametrize("model", [LedgerTransaction, LedgerEntry])
def test_ledger_rows_are_never_changed_or_deleted(
    wallet: Wallet, model: type[LedgerEntry] | type[LedgerTransaction]
) -> None:
    row = model.objects.order_by("pk").first()
    assert row is not None
    with pytest.raises(IntegrityError, match="append-only"):
        model.objects.filter(pk=row.pk).update(wallet=wallet)
    table = model._meta.db_table
    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [row.pk])


def test_cash_never_goes_below_zero(wallet: Wallet) -> None:
    with pytest.raises(IntegrityError, match="wallet_balance_is_not_negative"):
        post(wallet=wallet, posting=Posting("FEE", "f", Decimal("-100.01"), house="FEES"), now=NOW)
    assert Wallet.objects.get(pk=wallet.pk).balance == Decimal("100.00")


def test_a_reference_moves_money_once(wallet: Wallet) -> None:
    posting = Posting("TOPUP", "topup:1", Decimal("5.00"))
    post(wallet=wallet, posting=posting, now=NOW)
    with pytest.raises(IntegrityError, match="ledger_reference_exists_once"):
        post(wallet=wallet, posting=posting, now=NOW)
    assert Wallet.objects.get(pk=wallet.pk).balance == Decimal("105.00")


def test_the_deferred_check_stands_in_its_own_building(transactional_db: None) -> None:
    """The check runs at commit, when the session may have left the building."""
    trader = make_trader(cash="50.00", schema="alpha")

    @transaction.atomic
    def make_money_and_leave() -> None:
        with enter_building("alpha"):
            Wallet.objects.filter(pk=trader.wallet.pk).update(balance=Decimal("51.00"))
        connection.set_schema_to_public()

    with pytest.raises(IntegrityError, match="its ledger says"):
        make_money_and_leave()


def test_the_running_balance_reads_newest_first(wallet: Wallet) -> None:
    post(wallet=wallet, posting=Posting("TOPUP", "topup:1", Decimal("5.00")), now=NOW)
    hold = Posting("RESERVE", "order:1", Decimal("-30.00"), Decimal("30.00"), "TRADING")
    post(wallet=wallet, posting=hold, now=NOW)
    rows = list_ledger(wallet_id=wallet.pk)
    assert [(row.type, row.amount, row.reserved_amount, row.balance_after) for row in rows] == [
        ("RESERVE", Decimal(-30), Decimal(30), Decimal(75)),
        ("TOPUP", Decimal(5), Decimal(0), Decimal(105)),
        ("DEPOSIT", Decimal(100), Decimal(0), Decimal(100)),
    ]
    older = list_ledger(wallet_id=wallet.pk, before_id=rows[1].transaction_id)
    assert [row.type for row in older] == ["DEPOSIT"]
    assert [row.type for row in list_ledger(wallet_id=wallet.pk, types=["TOPUP"])] == ["TOPUP"]
