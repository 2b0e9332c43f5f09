"""The rows of the trades feed, as the triggers write them with each fill (partner-api 6)."""

from decimal import Decimal

import pytest

from polysim.kernel.tenancy import enter_building
from tenants.office.models import WebhookEvent
from tests.support.exchange import make_firm_trader, make_market, set_book
from trading.models import Trade
from trading.services.refusals import PositionLimitReached
from wallets.models import FirmAccount

pytestmark = pytest.mark.django_db


def test_a_buy_and_a_sale_are_numbered_and_add_up_to_the_balance() -> None:
    trader = make_firm_trader()
    market = make_market()
    set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)])
    trader.place(market, "BUY", quantity="100", price="0.62")
    trader.place(market, "SELL", quantity="40", price="0.60")
    with enter_building("alpha"):
        rows = list(Trade.objects.filter(wallet=trader.wallet).order_by("seq"))
        account = FirmAccount.objects.get(pk=trader.wallet.pk)
        types = list(WebhookEvent.objects.order_by("id").values_list("type", flat=True))
    assert [row.seq for row in rows] == [1, 2]
    assert [row.side for row in rows] == ["BUY", "SELL"]
    assert rows[0].notional == Decimal("62.00")
    assert rows[0].realized_pnl == -rows[0].fee
    assert rows[0].cash_delta == -rows[0].notional - rows[0].fee
    total = Decimal(10000) + sum(row.cash_delta for row in rows)
    assert total == rows[1].balance_after == trader.balance
    assert (account.last_seq, account.trades_count, account.trading_days) == (2, 2, 1)
    assert account.fees_paid == rows[0].fee + rows[1].fee
    assert types == ["trade.filled", "trade.filled"]


def test_a_retail_fill_leaves_no_row() -> None:
    from tests.support.exchange import make_trader

    trader = make_trader()
    market = make_market()
    set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)])
    trader.place(market, "BUY", quantity="10", price="0.62")
    with enter_building("retail"):
        assert not Trade.objects.exists()
        assert not WebhookEvent.objects.exists()


def test_an_account_at_its_limit_of_positions_may_add_to_them_but_open_no_other() -> None:
    trader = make_firm_trader(positions_max=1)
    first, second = make_market(), make_market()
    for market in (first, second):
        set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)])
    trader.place(first, "BUY", quantity="10", price="0.62")
    trader.place(first, "BUY", quantity="10", price="0.62")
    with pytest.raises(PositionLimitReached):
        trader.place(second, "BUY", quantity="10", price="0.62")
