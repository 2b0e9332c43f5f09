"""Opening, naming, limiting, resetting and archiving wallets (accounts-api 6)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from polysim.kernel.api.refusals import UpgradeRequired
from polysim.kernel.errors import ValidationFailed
from polysim.kernel.tenancy import enter_building
from tenants.models import AccountDirectoryEntry, User, WalletKind
from tenants.services import EmailTaken
from tests.support.exchange import NOW, Trader, make_market, make_trader, make_user, set_book
from trading.models import Order, Position
from trading.services import (
    archive_wallet,
    reset_api_wallet,
    reset_main_wallet,
    reset_sandbox_wallet,
    reset_wallet,
)
from trading.services.market_terms import forget_market_terms
from wallets.models import EquityPoint, LedgerTransaction, Wallet, WalletReset
from wallets.selectors import check_conservation, list_wallets, resolve_read_scope
from wallets.services import (
    ResetCooldown,
    WalletAlreadyArchived,
    WalletLimitReached,
    WalletNotArchivable,
    WalletNotFound,
    create_sandbox_wallet,
    open_api_wallet,
    open_main_wallet,
    register_retail_user,
    rename_wallet,
)
from wallets.services.resetting import WalletNotResettable

pytestmark = pytest.mark.usefixtures("retail", "redis_client")


def trade_a_little(trader: Trader) -> None:
    """A position of 10 shares and a resting buy."""
    forget_market_terms()
    market = make_market()
    set_book(market, asks=[("0.65", 100)], last_trade="0.65")
    trader.place(market, "BUY", quantity="10", price="0.65")
    trader.place(market, "BUY", quantity="10", price="0.60", order_type="limit")


def main_of(user: User) -> Trader:
    with enter_building("retail"):
        return Trader(user, Wallet.objects.get(user=user, kind="MAIN"))


def test_a_new_person_has_main_with_a_thousand_dollars() -> None:
    user = register_retail_user(email="ada@example.org", password="lovelace-1843", now=NOW)
    with enter_building("retail"):
        wallet = Wallet.objects.get(user=user)
        assert (wallet.kind, wallet.balance, wallet.baseline) == ("MAIN", 1000, 1000)
        assert LedgerTransaction.objects.get(wallet=wallet).reference == f"wallet:{wallet.pk}:init"
        assert check_conservation().is_sound
    entry = AccountDirectoryEntry.objects.get(wallet_id=wallet.pk)
    assert (entry.user, entry.firm.slug, entry.account_id) == (user, "retail", wallet.account_id)


def test_person_and_wallet_exist_both_or_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("no wallet today")

    monkeypatch.setattr("wallets.services.opening.open_main_wallet", fail)
    with pytest.raises(RuntimeError), transaction.atomic():
        register_retail_user(email="ada@example.org", password=None, now=NOW)
    assert not User.objects.filter(email="ada@example.org").exists()


def test_an_address_is_registered_once_in_any_case() -> None:
    register_retail_user(email="ada@example.org", password=None, now=NOW)
    with pytest.raises(EmailTaken), transaction.atomic():
        register_retail_user(email="Ada@Example.org", password=None, now=NOW)


def test_main_exists_once() -> None:
    user = make_user()
    open_main_wallet(user=user, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        open_main_wallet(user=user, now=NOW)


def test_the_api_wallet_has_the_plans_baseline_and_exists_once() -> None:
    user = make_user(plan="pro_plus")
    first = open_api_wallet(user=user, now=NOW)
    assert first.balance == Decimal("25000.00")
    assert open_api_wallet(user=user, now=NOW).pk == first.pk


def test_sandboxes_are_limited_by_plan() -> None:
    user = make_user(plan="pro")
    for number in range(3):
        wallet = create_sandbox_wallet(user=user, label=f" grid {number} ", now=NOW)
        assert (wallet.balance, wallet.label) == (Decimal("10000.00"), f"grid {number}")
    with pytest.raises(UpgradeRequired) as caught:
        create_sandbox_wallet(user=user, label=None, now=NOW)
    assert caught.value.extra["feature_key"] == "wallets.max_sandbox"


def test_the_highest_plan_that_is_sold_reaches_a_limit() -> None:
    user = make_user(plan="enterprise")
    for _ in range(50):
        create_sandbox_wallet(user=user, label=None, now=NOW)
    with pytest.raises(WalletLimitReached):
        create_sandbox_wallet(user=user, label=None, now=NOW)


def test_labels_are_at_most_64_characters_and_blank_ones_are_none() -> None:
    trader = make_trader()
    with enter_building("retail"):
        kept = rename_wallet(user=trader.user, wallet_id=trader.wallet.pk, label="x" * 64, now=NOW)
        assert kept.label == "x" * 64
        with pytest.raises(ValidationFailed):
            rename_wallet(user=trader.user, wallet_id=trader.wallet.pk, label="x" * 65, now=NOW)
        blank = rename_wallet(user=trader.user, wallet_id=trader.wallet.pk, label="  ", now=NOW)
        assert blank.label is None
        with pytest.raises(WalletNotFound):
            rename_wallet(user=make_user(), wallet_id=trader.wallet.pk, label="mine", now=NOW)


def test_a_reset_closes_everything_and_brings_cash_to_the_baseline() -> None:
    user = make_user()
    open_main_wallet(user=user, now=NOW)
    trader = main_of(user)
    trade_a_little(trader)
    assert trader.reserved == Decimal("6.00")
    result = reset_wallet(user=user, wallet_id=trader.wallet.pk, now=NOW)
    assert (result.positions_closed, result.wallet.pk) == (1, trader.wallet.pk)
    with enter_building("retail"):
        wallet = Wallet.objects.get(pk=trader.wallet.pk)
        assert (wallet.balance, wallet.reserved, wallet.generation) == (1000, 0, 2)
        order = Order.objects.get(type="limit")
        assert (order.status, order.cancelled_reason) == ("CANCELLED", "wallet_reset")
        position = Position.objects.get()
        assert (position.status, position.quantity) == ("CLOSED_BY_RESET", 0)
        reset = WalletReset.objects.get()
        assert reset.generation == 1
        assert reset.snapshot["positions"][0]["quantity"] == "10.000000"
        point = EquityPoint.objects.get()
        assert (point.cash, point.is_reset) == (1000, True)
        assert check_conservation().is_sound


def test_an_untouched_main_is_not_reset_and_costs_nothing() -> None:
    user = make_user(plan="free")
    open_main_wallet(user=user, now=NOW)
    for _ in range(3):
        assert reset_main_wallet(user=user, now=NOW).was_untouched
    with enter_building("retail"):
        assert not WalletReset.objects.exists()


def test_free_resets_are_capped_for_thirty_days() -> None:
    user = make_user(plan="free")
    open_main_wallet(user=user, now=NOW)
    trader = main_of(user)
    trade_a_little(trader)
    reset_main_wallet(user=user, now=NOW)
    trade_a_little(trader)
    almost = NOW + timedelta(days=30) - timedelta(seconds=10)
    with pytest.raises(ResetCooldown) as caught:
        reset_main_wallet(user=user, now=almost)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "11")
    reset_main_wallet(user=user, now=almost, is_paid=True)
    trade_a_little(trader)
    reset_main_wallet(user=user, now=NOW + timedelta(days=30))
    with enter_building("retail"):
        assert Wallet.objects.get(pk=trader.wallet.pk).generation == 4


def test_a_sandbox_reset_opens_its_successor() -> None:
    trader = make_trader(cash="10420.10")
    with enter_building("retail"):
        rename_wallet(user=trader.user, wallet_id=trader.wallet.pk, label="grid", now=NOW)
    trade_a_little(trader)
    successor = reset_wallet(user=trader.user, wallet_id=trader.wallet.pk, now=NOW).wallet
    assert (successor.generation, successor.label) == (2, "grid")
    assert (successor.parent_id, successor.balance) == (trader.wallet.pk, Decimal("10000.00"))
    with enter_building("retail"):
        old = Wallet.objects.get(pk=trader.wallet.pk)
        assert (old.status, old.balance, old.reserved) == ("ARCHIVED", 0, 0)
        assert LedgerTransaction.objects.filter(reference=f"wallet:{old.pk}:reset").exists()
        assert check_conservation().is_sound
    with pytest.raises(WalletAlreadyArchived):
        reset_sandbox_wallet(user=trader.user, wallet_id=trader.wallet.pk, now=NOW)


def test_the_api_wallet_is_reset_in_place_where_the_plan_allows_it() -> None:
    free = make_trader(kind=WalletKind.API, cash="100.00", plan="free")
    with pytest.raises(UpgradeRequired) as caught:
        reset_api_wallet(user=free.user, now=NOW)
    assert caught.value.extra["feature_key"] == "wallets.api_reset"
    trader = make_trader(kind=WalletKind.API, cash="500.00", plan="pro")
    trade_a_little(trader)
    result = reset_api_wallet(user=trader.user, now=NOW)
    assert (result.wallet.pk, result.positions_closed) == (trader.wallet.pk, 1)
    assert trader.balance == Decimal("10000.00")
    with pytest.raises(WalletNotFound):
        reset_api_wallet(user=make_user(), now=NOW)


def test_the_api_reset_may_have_a_cooldown(settings: Any) -> None:
    settings.API_RESET_COOLDOWN_DAYS = 2
    trader = make_trader(kind=WalletKind.API, cash="500.00")
    reset_api_wallet(user=trader.user, now=NOW)
    with pytest.raises(ResetCooldown):
        reset_api_wallet(user=trader.user, now=NOW + timedelta(days=1, hours=23))
    reset_api_wallet(user=trader.user, now=NOW + timedelta(days=2))


@pytest.mark.parametrize("kind", [WalletKind.API, WalletKind.COMPETITION, WalletKind.PROP_FIRM])
def test_other_kinds_are_not_reset_here(kind: WalletKind) -> None:
    trader = make_trader(kind=kind)
    with pytest.raises(WalletNotResettable):
        reset_wallet(user=trader.user, wallet_id=trader.wallet.pk, now=NOW)


def test_archiving_closes_a_sandbox_for_good() -> None:
    trader = make_trader()
    trade_a_little(trader)
    archived = archive_wallet(user=trader.user, wallet_id=trader.wallet.pk, now=NOW)
    assert (archived.status, archived.archived_at, archived.reserved) == ("ARCHIVED", NOW, 0)
    with enter_building("retail"):
        assert Position.objects.get().status == "CLOSED_BY_RESET"
        assert check_conservation().is_sound
    with pytest.raises(WalletAlreadyArchived):
        archive_wallet(user=trader.user, wallet_id=trader.wallet.pk, now=NOW)


@pytest.mark.parametrize("kind", [WalletKind.MAIN, WalletKind.API, WalletKind.PROP_FIRM])
def test_only_sandboxes_are_archived(kind: WalletKind) -> None:
    trader = make_trader(kind=kind)
    with pytest.raises(WalletNotArchivable):
        archive_wallet(user=trader.user, wallet_id=trader.wallet.pk, now=NOW)


def test_a_stranger_resets_and_archives_nothing() -> None:
    trader, stranger = make_trader(), make_user()
    for act in (reset_wallet, archive_wallet):
        with pytest.raises(WalletNotFound):
            act(user=stranger, wallet_id=trader.wallet.pk, now=NOW)


def test_wallets_are_listed_main_first_and_a_deleted_one_never() -> None:
    user = make_user()
    api = make_trader(kind=WalletKind.API, user=user)
    sandbox = make_trader(user=user)
    main = make_trader(kind=WalletKind.MAIN, user=user)
    gone = make_trader(user=user)
    with enter_building("retail"):
        Wallet.objects.filter(pk=gone.wallet.pk).update(status="DELETED")
        listed = [wallet.pk for wallet in list_wallets(user_id=user.pk)]
        assert listed == [main.wallet.pk, sandbox.wallet.pk, api.wallet.pk]
        assert resolve_read_scope(user_id=user.pk, value="ALL").wallet_ids == tuple(
            sorted([main.wallet.pk, sandbox.wallet.pk, api.wallet.pk])
        )
        assert resolve_read_scope(user_id=user.pk, value=None).wallet_ids == (api.wallet.pk,)
        with pytest.raises(WalletNotFound):
            resolve_read_scope(user_id=user.pk, value=str(gone.wallet.pk))
        for nonsense in ("x", "0", "-1", "1.5"):
            with pytest.raises(ValidationFailed):
                resolve_read_scope(user_id=user.pk, value=nonsense)
