"""Read-only, selling out, and the measures that only rise (partner-api 5)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from polysim.kernel.tenancy import enter_building
from tests.support.exchange import NOW, Trader, make_firm_trader, make_market, set_book
from trading.markets.models import Market
from trading.models import Order, Position
from trading.services.firm_accounts import liquidate_positions, make_read_only
from trading.services.measures import measure_accounts
from trading.services.refusals import AccountReadOnly
from wallets.models import FirmAccount, Wallet
from wallets.selectors import check_conservation
from wallets.services import transfer_money

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    made = make_market(fee_rate="0")
    set_book(made, bids=[("0.60", 500)], asks=[("0.62", 500)])
    return made


@pytest.fixture
def trader() -> Trader:
    return make_firm_trader()


def account_of(trader: Trader) -> FirmAccount:
    with enter_building("alpha"):
        return FirmAccount.objects.get(pk=trader.wallet.pk)


def measure(trader: Trader, seconds: int = 0) -> None:
    with enter_building("alpha"):
        measure_accounts(now=NOW + timedelta(seconds=seconds), wallet_ids=[trader.wallet.pk])


def test_a_read_only_account_has_no_open_orders_and_takes_none(
    trader: Trader, market: Market
) -> None:
    trader.place(market, "BUY", order_type="limit", quantity="100", price="0.50")
    with enter_building("alpha"):
        first = make_read_only(wallet_id=trader.wallet.pk, reason="Daily loss", now=NOW)
        again = make_read_only(wallet_id=trader.wallet.pk, reason="Daily loss", now=NOW)
        order = Order.objects.get()
        wallet = Wallet.objects.get(pk=trader.wallet.pk)
    assert (first.orders_cancelled, again.orders_cancelled) == (1, 0)
    assert (order.status, order.cancelled_reason) == ("CANCELLED", "account_read_only")
    assert (wallet.trading_state, wallet.reserved, wallet.balance) == ("READ_ONLY", 0, 10000)
    assert account_of(trader).read_only_reason == "Daily loss"
    with pytest.raises(AccountReadOnly):
        trader.place(market, "BUY", quantity="10", price="0.62")


def test_a_read_only_account_is_sold_out_as_far_as_prices_allow(trader: Trader) -> None:
    deep, thin, dead = (make_market(fee_rate="0") for _ in range(3))
    for market in (deep, thin, dead):
        set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)])
        trader.place(market, "BUY", quantity="10", price="0.62")
    trader.place(deep, "SELL", order_type="limit", quantity="6", price="0.70")
    set_book(thin, bids=[("0.60", 4)], asks=[("0.62", 500)])
    set_book(dead, asks=[("0.62", 500)])
    with enter_building("alpha"):
        make_read_only(wallet_id=trader.wallet.pk, reason="Failed", now=NOW)
        done = liquidate_positions(wallet_id=trader.wallet.pk, now=NOW)
        rows = Position.objects.filter(status="OPEN").order_by("pk")
        left = {row.market_id: row.quantity for row in rows}
        placed_by = set(Order.objects.filter(side="SELL", type="market").values_list("placed_by"))
        assert check_conservation().is_sound
    assert (done.closed, done.left) == (1, 2)
    assert left == {thin.pk: 6, dead.pk: 10}
    assert placed_by == {("system",)}


def test_shares_below_the_markets_minimum_are_sold_out_too(trader: Trader, market: Market) -> None:
    trader.place(market, "BUY", quantity="10", price="0.62")
    trader.place(market, "SELL", quantity="7", price="0.60")
    with enter_building("alpha"):
        done = liquidate_positions(wallet_id=trader.wallet.pk, now=NOW)
    assert (done.closed, done.left) == (1, 0)
    assert trader.position(market) is None


def test_peak_and_drawdown_follow_the_mark_and_only_rise(trader: Trader, market: Market) -> None:
    trader.place(market, "BUY", quantity="500", price="0.62")
    set_book(market, bids=[("0.70", 500)], asks=[("0.72", 500)])
    measure(trader)
    set_book(market, bids=[("0.50", 500)], asks=[("0.52", 500)])
    measure(trader)
    set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)])
    measure(trader)
    account = account_of(trader)
    # 500 shares bought at 0.62, marked at 0.71, then 0.51.
    assert account.peak_equity == Decimal("10045.00")
    assert account.max_drawdown == Decimal("100.00")
    assert account.max_drawdown_pct == Decimal("0.9955")


@pytest.mark.django_db(transaction=True)
def test_the_peak_is_taken_at_each_fill(trader: Trader, market: Market) -> None:
    trader.place(market, "BUY", quantity="100", price="0.62")
    set_book(market, bids=[("0.80", 500)], asks=[("0.82", 500)])
    trader.place(market, "BUY", quantity="10", price="0.82")
    set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)])
    # 110 shares at 0.81, 70.20 dollars spent on them.
    assert account_of(trader).peak_equity == Decimal("10018.90")


def test_the_day_starts_with_the_equity_of_its_first_measure(
    trader: Trader, market: Market
) -> None:
    trader.place(market, "BUY", quantity="500", price="0.62")
    measure(trader)
    first = account_of(trader)
    set_book(market, bids=[("0.70", 500)], asks=[("0.72", 500)])
    measure(trader, seconds=24 * 3600)
    measure(trader, seconds=24 * 3600 + 30)
    second = account_of(trader)
    assert (str(first.day), first.day_start_equity) == ("2027-01-05", Decimal("10000.00"))
    assert (str(second.day), second.day_start_equity) == ("2027-01-06", Decimal("10045.00"))


def test_a_transfer_shifts_the_peak_and_the_start_of_the_day(
    trader: Trader, market: Market
) -> None:
    measure(trader)
    with enter_building("alpha"):
        transfer_money(
            wallet_id=trader.wallet.pk,
            type="ADJUSTMENT",
            amount=Decimal("500.00"),
            reference="transfer:1",
            now=NOW,
        )
    measure(trader)
    account = account_of(trader)
    assert account.peak_equity == account.day_start_equity == Decimal("10500.00")
    assert account.max_drawdown == 0


def test_all_accounts_of_a_building_are_measured_with_two_statements(
    market: Market, django_assert_num_queries: object
) -> None:
    traders = [make_firm_trader() for _ in range(5)]
    for trader in traders:
        trader.place(market, "BUY", quantity="50", price="0.62")
    with enter_building("alpha"):
        # The first statement in a building is preceded by its search path.
        assert FirmAccount.objects.count() == 5
        with django_assert_num_queries(2):  # type: ignore[operator]
            assert measure_accounts(now=NOW) == 5
