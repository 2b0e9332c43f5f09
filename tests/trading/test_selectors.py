"""Lists of orders, positions, history and settlements: right, bounded, few queries."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from polysim.kernel.errors import ValidationFailed
from polysim.kernel.redis import get_redis
from polysim.kernel.tenancy import enter_building
from tests.support.exchange import NOW, Trader, make_market, make_trader, set_book
from trading.markets.books.keys import feed_key
from trading.models import Position, Settlement
from trading.selectors import (
    OrderNotFound,
    get_order,
    get_portfolio,
    get_trade_stats,
    list_fills,
    list_history,
    list_orders,
    list_positions,
    list_settlements,
)
from trading.services import record_building_equity
from wallets.selectors import list_equity


@pytest.fixture
def book(db: None) -> Any:
    market = make_market()
    set_book(market, bids=[("0.60", 1000)], asks=[("0.62", 1000)])
    return market


def ids(trader: Trader) -> list[int]:
    return [trader.wallet.pk]


def test_orders_come_newest_first_and_page_by_cursor(book: Any, trader: Trader) -> None:
    made = [
        trader.place(
            book,
            "BUY",
            quantity="10",
            price="0.50",
            order_type="limit",
            now=NOW + timedelta(seconds=number // 2),
        )["order_id"]
        for number in range(7)
    ]
    seen: list[int] = []
    cursor = None
    with enter_building("retail"):
        for _ in range(4):
            page = list_orders(wallet_ids=ids(trader), limit=2, cursor=cursor, with_total=True)
            assert page.total_hint == 7
            seen += [row.order_id for row in page.rows]
            cursor = page.next_cursor
        assert (page.has_more, page.next_cursor) == (False, None)
    assert seen == sorted(made, reverse=True)


def test_orders_are_filtered(book: Any, trader: Trader) -> None:
    trader.place(book, "BUY", quantity="10", price="0.62")
    resting = trader.place(book, "SELL", quantity="5", price="0.90", order_type="limit")
    with enter_building("retail"):
        wallets = ids(trader)
        for status in ("PENDING", "OPEN"):
            rows = list_orders(wallet_ids=wallets, status=status).rows
            assert [row.order_id for row in rows] == [resting["order_id"]]
        assert [row.side for row in list_orders(wallet_ids=wallets, side="BUY").rows] == ["BUY"]
        assert list_orders(wallet_ids=wallets, condition_id="0x0").rows == []
        row = get_order(wallet_ids=wallets, order_id=resting["order_id"])
        assert (row.limit_price, row.remaining_quantity) == (Decimal("0.9"), Decimal(5))
        filled = list_orders(wallet_ids=wallets, status="FILLED").rows[0]
        assert (filled.limit_price, filled.average_price) == (None, Decimal("0.62"))
        with pytest.raises(OrderNotFound):
            get_order(wallet_ids=[0], order_id=resting["order_id"])


@pytest.mark.parametrize("cursor", ["%%%", "bm90IGEgdGltZQ==", "2027-13-01T00:00:00Z", "é"])
def test_an_unreadable_cursor_is_refused(book: Any, trader: Trader, cursor: str) -> None:
    with enter_building("retail"), pytest.raises(ValidationFailed):
        list_orders(wallet_ids=ids(trader), cursor=cursor)


def test_a_raw_time_is_a_cursor_too(book: Any, trader: Trader) -> None:
    trader.place(book, "BUY", quantity="10", price="0.62")
    with enter_building("retail"):
        later = list_orders(wallet_ids=ids(trader), cursor="2027-01-05T10:00:03Z")
        assert len(later.rows) == 1
        assert list_orders(wallet_ids=ids(trader), cursor="2027-01-05T10:00:02Z").rows == []
        assert len(list_orders(wallet_ids=ids(trader), cursor="MA==").rows) == 1


def test_a_halt_shows_on_resting_orders(book: Any, trader: Trader) -> None:
    trader.place(book, "BUY", quantity="10", price="0.50", order_type="limit")
    with enter_building("retail"):
        assert list_orders(wallet_ids=ids(trader)).rows[0].hold_reason is None
        get_redis().hset(feed_key(), "halted", "1")
        assert list_orders(wallet_ids=ids(trader)).rows[0].hold_reason == "venue_outage"


def test_positions_carry_their_mark(book: Any, trader: Trader) -> None:
    trader.place(book, "BUY", quantity="10", price="0.62")
    with enter_building("retail"):
        row = list_positions(wallet_ids=ids(trader), now=NOW)[0]
    assert (row.outcome, row.quantity, row.current_price) == ("Yes", 10, Decimal("0.61"))
    assert (row.market_value, row.unrealized_pnl) == (Decimal("6.10"), Decimal("-0.10"))
    assert (row.mark_age_ms, row.is_mark_stale) == (0, False)
    with enter_building("retail"):
        old = list_positions(wallet_ids=ids(trader), now=NOW + timedelta(seconds=61))[0]
    assert old.is_mark_stale


def test_without_a_price_a_position_counts_at_its_cost(book: Any, trader: Trader) -> None:
    trader.place(book, "BUY", quantity="10", price="0.62")
    get_redis().flushall()
    with enter_building("retail"):
        portfolio = get_portfolio(wallet_ids=ids(trader), now=NOW)
    assert portfolio.positions[0].current_price is None
    assert portfolio.position_value == Decimal("6.20")


def test_equity_is_cash_reserved_cash_and_marks(book: Any, trader: Trader) -> None:
    trader.place(book, "BUY", quantity="10", price="0.62")
    trader.place(book, "BUY", quantity="10", price="0.50", order_type="limit")
    with enter_building("retail"):
        portfolio = get_portfolio(wallet_ids=ids(trader), now=NOW)
        # 6.20 and a fee of 0.16 went out, 5.00 lies behind the resting order.
        assert (portfolio.cash, portfolio.reserved) == (Decimal("9988.64"), Decimal("5.00"))
        assert portfolio.equity == Decimal("9999.74")
        assert portfolio.pnl == Decimal("-0.26")
        assert record_building_equity(now=NOW) >= 1
        point = list_equity(wallet_id=trader.wallet.pk)[-1]
        assert (point.total_value, point.pnl) == (Decimal("9999.74"), Decimal("-0.26"))
        assert point.timestamp == NOW.replace(minute=0, second=0)


def test_history_lists_filled_orders_and_fills_their_levels(book: Any, trader: Trader) -> None:
    buy = trader.place(book, "BUY", quantity="10", price="0.62")
    sell = trader.place(book, "SELL", quantity="10", price="0.60", now=NOW + timedelta(seconds=1))
    trader.place(book, "BUY", quantity="10", price="0.50", order_type="limit")
    with enter_building("retail"):
        rows = list_history(wallet_ids=ids(trader))
        assert [row.order_id for row in rows] == [sell["order_id"], buy["order_id"]]
        assert (rows[0].price, rows[0].notional) == (Decimal("0.6"), Decimal("6.00"))
        assert (rows[0].price_source, rows[0].price_age_ms) == ("book_walk", 1000)
        fills = list_fills(wallet_ids=ids(trader))
        assert fills[1].levels == ((Decimal("0.62"), Decimal(10)),)
        assert fills[0].realized_pnl == Decimal("-0.2")
        stats = get_trade_stats(wallet_ids=ids(trader))
        assert (stats.total_trades, stats.win_rate) == (2, Decimal(0))


def test_a_corrected_settlement_shows_its_newest_version(book: Any, trader: Trader) -> None:
    trader.place(book, "BUY", quantity="10", price="0.62")
    with enter_building("retail"):
        position = Position.objects.get()
        for version, payout in ((1, "0"), (2, "10")):
            Settlement.objects.create(
                position=position,
                wallet_id=trader.wallet.pk,
                market=book,
                version=version,
                quantity=10,
                average_price="0.62",
                cost="6.20",
                payout_per_share=Decimal(payout) / 10,
                payout=payout,
                realized_pnl=Decimal(payout) - Decimal("6.20"),
                result="won" if version == 2 else "lost",
                settled_at=NOW,
            )
        rows, cursor = list_settlements(wallet_ids=ids(trader))
        assert [(row.version, row.result) for row in rows] == [(2, "won")]
        assert cursor == ""
        assert list_settlements(wallet_ids=ids(trader), cursor="MQ==")[0] == []


def test_lists_take_no_query_per_row(trader: Trader) -> None:
    def count(act: Any) -> int:
        with enter_building("retail"), CaptureQueriesContext(connection) as captured:
            act()
        return len([q for q in captured.captured_queries if "search_path" not in q["sql"]])

    def trade(markets: int) -> None:
        for _ in range(markets):
            market = make_market()
            set_book(market, bids=[("0.60", 1000)], asks=[("0.62", 1000)])
            trader.place(market, "BUY", quantity="10", price="0.62")
            trader.place(market, "BUY", quantity="10", price="0.50", order_type="limit")

    acts = [
        lambda: list_orders(wallet_ids=ids(trader), with_total=True),
        lambda: list_history(wallet_ids=ids(trader)),
        lambda: list_fills(wallet_ids=ids(trader)),
        lambda: get_portfolio(wallet_ids=ids(trader), now=NOW),
        lambda: list_positions(wallet_ids=ids(trader), now=NOW, status=None),
    ]
    trade(1)
    few = [count(act) for act in acts]
    trade(6)
    assert [count(act) for act in acts] == few
    assert few == [2, 1, 1, 2, 1]


def test_two_buildings_never_see_each_other(book: Any, trader: Trader) -> None:
    firm_trader = make_trader(schema="alpha")
    firm_trader.place(book, "BUY", quantity="10", price="0.62")
    trader.place(book, "BUY", quantity="20", price="0.62")
    both = [trader.wallet.pk, firm_trader.wallet.pk]
    with enter_building("alpha"):
        assert [row.quantity for row in list_positions(wallet_ids=both, now=NOW)] == [10]
    with enter_building("retail"):
        assert [row.quantity for row in list_positions(wallet_ids=both, now=NOW)] == [20]
    with enter_building("beta"):
        assert list_orders(wallet_ids=both).rows == []
