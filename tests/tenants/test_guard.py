"""A row never leaves its building, and nothing is read without one (architecture, law 8)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.errors import WrongBuilding
from polysim.kernel.tenancy import enter_building
from tenants.models import WalletKind
from tenants.services import register_user
from wallets.models import LedgerTransaction, Wallet
from wallets.services import open_wallet

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
Building = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def user(retail: Any, alpha: Any, beta: Any) -> Any:
    return register_user(email="mira@people.example", password=None, now=NOW)


@pytest.fixture
def alpha_wallet(user: Any) -> Wallet:
    """A wallet with 100.00 in alpha's building."""
    with enter_building("alpha"):
        return open_wallet(
            user=user, kind=WalletKind.PROP_FIRM, baseline=Decimal("100.00"), now=NOW
        )


@pytest.fixture
def twin(alpha_wallet: Wallet) -> Wallet:
    """A wallet of the same id in beta's building, as a stray write would make it."""
    with enter_building("beta"):
        row = Wallet(
            id=alpha_wallet.id,
            account_id=alpha_wallet.account_id,
            user_id=alpha_wallet.user_id,
            kind=WalletKind.PROP_FIRM,
            baseline=Decimal("7.00"),
            created_at=NOW,
        )
        row.save(force_insert=True)
        return row


def test_a_row_of_one_building_cannot_be_saved_in_another(
    alpha_wallet: Wallet, twin: Wallet
) -> None:
    with enter_building("alpha"):
        row = Wallet.objects.get(pk=alpha_wallet.pk)
    row.label = "taken over"
    with enter_building("beta"), pytest.raises(WrongBuilding):
        row.save()
    with enter_building("beta"):
        assert Wallet.objects.get(pk=twin.pk).label is None


def test_a_row_just_made_in_one_building_cannot_be_saved_in_another(alpha_wallet: Wallet) -> None:
    with enter_building("beta"), pytest.raises(WrongBuilding):
        alpha_wallet.save()


def test_a_row_of_one_building_cannot_be_deleted_in_another(
    alpha_wallet: Wallet, twin: Wallet
) -> None:
    with enter_building("beta"), pytest.raises(WrongBuilding):
        alpha_wallet.delete()


def test_many_rows_of_one_building_cannot_be_written_in_another(
    alpha_wallet: Wallet, twin: Wallet
) -> None:
    with enter_building("beta"):
        with pytest.raises(WrongBuilding):
            Wallet.objects.bulk_update([alpha_wallet], ["label"])
        with pytest.raises(WrongBuilding):
            Wallet.objects.bulk_create([alpha_wallet])


def test_refreshing_a_row_elsewhere_does_not_show_the_other_buildings_row(
    alpha_wallet: Wallet, twin: Wallet
) -> None:
    with enter_building("beta"), pytest.raises(WrongBuilding):
        alpha_wallet.refresh_from_db()


def test_a_relation_is_not_followed_into_another_building(
    alpha_wallet: Wallet, twin: Wallet
) -> None:
    with enter_building("alpha"):
        deposit = LedgerTransaction.objects.get(wallet_id=alpha_wallet.pk)
    with enter_building("beta"):
        with pytest.raises(WrongBuilding):
            _ = deposit.wallet
        with pytest.raises(WrongBuilding):
            list(alpha_wallet.transactions.all())
        with pytest.raises(WrongBuilding):
            alpha_wallet.transactions.count()


@pytest.mark.parametrize(
    "read",
    [
        lambda: list(Wallet.objects.all()),
        lambda: Wallet.objects.first(),
        lambda: Wallet.objects.count(),
        lambda: Wallet.objects.exists(),
        lambda: list(Wallet.objects.values("id")),
        lambda: list(Wallet.objects.values_list("id", flat=True)),
        lambda: list(Wallet.objects.iterator()),
        lambda: Wallet.objects.in_bulk([1]),
        lambda: Wallet.objects.update(label="x"),
        lambda: Wallet.objects.all().delete(),
        lambda: Wallet.objects.filter(pk=1).aggregate(),
        lambda: list(Wallet.objects.raw("SELECT * FROM wallets_wallet")),
        lambda: Wallet.objects.aiterator(),
        lambda: Wallet(id=1, kind="MAIN", baseline=Decimal(1)).save(),
    ],
)
def test_without_a_building_nothing_is_read_or_written(
    read: Callable[[], Any], retail: Any
) -> None:
    connection.set_schema_to_public()
    with pytest.raises(WrongBuilding):
        read()


def test_without_a_building_even_plain_sql_finds_no_table(retail: Any) -> None:
    connection.set_schema_to_public()
    with connection.cursor() as cursor, pytest.raises(Exception, match="does not exist"):
        cursor.execute("SELECT * FROM wallets_wallet")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Wallet.objects.all(),
        lambda: Wallet.objects.filter(balance__gt=0),
        lambda: Wallet.objects.values("balance"),
        lambda: Wallet.objects.raw("SELECT * FROM wallets_wallet"),
    ],
)
def test_a_lazy_query_is_not_evaluated_in_another_building(
    make: Callable[[], Any], alpha_wallet: Wallet, twin: Wallet
) -> None:
    with enter_building("alpha"):
        waiting = make()
    with enter_building("beta"), pytest.raises(WrongBuilding):
        list(waiting)


def test_an_iteration_does_not_go_on_in_another_building(alpha_wallet: Wallet) -> None:
    with enter_building("alpha"):
        rows = Wallet.objects.iterator()
    with enter_building("beta"), pytest.raises(WrongBuilding):
        next(rows)


def test_a_query_made_in_the_street_runs_in_the_building_entered_later(
    alpha_wallet: Wallet,
) -> None:
    connection.set_schema_to_public()
    waiting = Wallet.objects.filter(pk=alpha_wallet.pk)
    with enter_building("alpha"):
        assert [wallet.balance for wallet in waiting] == [Decimal("100.00")]


def test_inside_its_building_a_row_behaves_as_any_other(alpha_wallet: Wallet) -> None:
    with enter_building("alpha"):
        alpha_wallet.label = "evaluation"
        alpha_wallet.save(update_fields=["label"])
        alpha_wallet.refresh_from_db()
        assert alpha_wallet.label == "evaluation"
        assert [row.type for row in alpha_wallet.transactions.all()] == ["DEPOSIT"]
        assert alpha_wallet.transactions.get().wallet == alpha_wallet
