"""The envelope: the contract's worked example to the cent, and its formulas (partner-api 5)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm
from tests.partner.accounts import provision, read, register, trader_of
from tests.support.door import FirmServer
from tests.support.exchange import NOW, Trader, make_firm_trader, make_market, set_book
from trading.markets.models import Market, MarketResolution, MarketStats
from trading.selectors.envelopes import get_envelope
from trading.services.measures import measure_accounts
from trading.services.settlement import settle_resolved_positions
from wallets.services import transfer_money

pytestmark = pytest.mark.django_db


def envelope(trader: Trader, *, now: datetime = NOW) -> dict[str, Any]:
    with enter_building("alpha"):
        return get_envelope(wallet_id=trader.wallet.pk, now=now)


def mark(market: Market, bid: str, ask: str, now: datetime = NOW) -> None:
    set_book(market, bids=[(bid, 100_000)], asks=[(ask, 100_000)], now=now)


def check_formulas(body: dict[str, Any]) -> None:
    """Section 5, with the printed numbers alone."""
    figure = {
        name: Decimal(value)
        for name, value in body.items()
        if isinstance(value, str) and value.replace(".", "").replace("-", "").isdigit()
        if name not in ("day", "external_id", "account_id")
    }
    positions = body["positions"]
    worth = [Decimal(one["market_value"] or one["cost_basis"]) for one in positions]
    unrealized = sum((Decimal(one["unrealized_pnl"] or 0) for one in positions), Decimal(0))
    assert figure["available_balance"] == figure["balance"] - figure["reserved"]
    assert figure["positions_value"] == sum(worth, Decimal(0))
    assert figure["equity"] == figure["balance"] + figure["positions_value"]
    total = figure["equity"] - figure["starting_balance"] - figure["net_transfers"]
    assert figure["total_pnl"] == total == figure["realized_pnl"] + figure["unrealized_pnl"]
    assert figure["unrealized_pnl"] == unrealized
    for one in positions:
        if one["market_value"] is not None:
            pnl = Decimal(one["market_value"]) - Decimal(one["cost_basis"])
            assert Decimal(one["unrealized_pnl"]) == pnl
    assert figure["drawdown"] == figure["peak_equity"] - figure["equity"] >= 0
    assert figure["max_drawdown"] >= figure["drawdown"]
    assert figure["max_drawdown_pct"] >= figure["drawdown_pct"]
    assert figure["day_pnl"] == figure["equity"] - figure["day_start_equity"]
    assert body["stale_prices"] == any(one["stale"] for one in positions)


def test_the_worked_example_of_section_5_to_the_cent(server: FirmServer) -> None:
    account = provision(server, register(server.firm), rules={"profit_target_pct": 8})
    trader = trader_of(server, account)
    market = make_market(fee_rate="0.04", tick_size="0.001")
    other = make_market(fee_rate="0.04")
    now = utc_now()
    set_book(market, bids=[("0.41", 5000)], asks=[("0.42", 5000)], now=now)
    set_book(other, bids=[("0.40", 5000)], asks=[("0.42", 5000)], now=now)
    trader.place(market, "BUY", quantity="1000", price="0.42", now=now)
    trader.place(other, "BUY", order_type="limit", quantity="500", price="0.30", now=now)
    # The equity was 25,180.26 once (0.61 a share), then 24,969.76 (0.3995 a share).
    for bid, ask in (("0.600", "0.620"), ("0.399", "0.400"), ("0.460", "0.470")):
        set_book(market, bids=[(bid, 5000)], asks=[(ask, 5000)], now=utc_now())
        body = read(server, account)
    expected = {
        "starting_balance": "25000.00",
        "net_transfers": "0.00",
        "balance": "24570.26",
        "reserved": "150.00",
        "available_balance": "24420.26",
        "positions_value": "465.00",
        "equity": "25035.26",
        "realized_pnl": "-9.74",
        "unrealized_pnl": "45.00",
        "total_pnl": "35.26",
        "total_pnl_pct": "0.1410",
        "fees_paid": "9.74",
        "peak_equity": "25180.26",
        "drawdown": "145.00",
        "drawdown_pct": "0.5758",
        "max_drawdown": "210.50",
        "max_drawdown_pct": "0.8360",
        "day_start_equity": "25000.00",
        "day_pnl": "35.26",
        "trades_count": 1,
        "trading_days": 1,
        "open_orders": 1,
        "stale_prices": False,
    }
    assert {name: body[name] for name in expected} == expected
    position = body["positions"][0]
    assert position["market_id"] == market.condition_id
    assert (position["quantity"], position["avg_entry_price"]) == ("1000.0000", "0.4200")
    assert (position["cost_basis"], position["current_price"]) == ("420.00", "0.4650")
    assert (position["market_value"], position["unrealized_pnl"]) == ("465.00", "45.00")
    assert position["stale"] is False
    check_formulas(body)


def test_the_mark_is_the_displayed_price_the_payout_or_the_last_sweep() -> None:
    trader = make_firm_trader()
    wide, resolved, swept, unknown = (make_market(fee_rate="0") for _ in range(4))
    for market in (wide, resolved, swept, unknown):
        mark(market, "0.60", "0.62")
        trader.place(market, "BUY", quantity="10", price="0.62")
    # A spread over 0.10 shows the last trade.
    set_book(wide, bids=[("0.20", 10)], asks=[("0.90", 10)], last_trade="0.55")
    MarketResolution.objects.create(
        market=resolved, version=1, payouts=["0.5", "0.5"], source="test", resolved_at=NOW
    )
    for market in (swept, unknown):
        set_book(market, asks=[("0.90", 10)])
    MarketStats.objects.create(
        market=swept, price=Decimal("0.70"), updated_at=NOW - timedelta(seconds=61)
    )
    body = envelope(trader)
    shown = [(one["current_price"], one["market_value"], one["stale"]) for one in body["positions"]]
    assert shown == [
        ("0.5500", "5.50", False),
        ("0.5000", "5.00", False),
        ("0.7000", "7.00", True),
        (None, None, True),
    ]
    last = body["positions"][3]
    assert (last["price_age_ms"], last["unrealized_pnl"], last["cost_basis"]) == (
        None,
        None,
        "6.20",
    )
    assert body["positions_value"] == "23.70"
    check_formulas(body)


@pytest.mark.parametrize(("age_s", "is_stale"), [(59, False), (60, False), (61, True)])
def test_a_mark_older_than_a_minute_is_stale(age_s: int, is_stale: bool) -> None:
    trader = make_firm_trader()
    market = make_market()
    mark(market, "0.60", "0.62")
    trader.place(market, "BUY", quantity="10", price="0.62")
    body = envelope(trader, now=NOW + timedelta(seconds=age_s))
    assert (body["positions"][0]["stale"], body["stale_prices"]) == (is_stale, is_stale)
    assert body["positions"][0]["price_age_ms"] == age_s * 1000


def test_the_day_is_the_firms_day(alpha: Firm) -> None:
    Firm.objects.filter(pk=alpha.pk).update(time_zone="Asia/Tokyo")
    trader = make_firm_trader()
    # 10:00 UTC is 19:00 in Tokyo; its next day begins at 15:00 UTC.
    assert envelope(trader)["day"] == "2027-01-05"
    assert envelope(trader, now=NOW.replace(hour=14, minute=59))["day"] == "2027-01-05"
    assert envelope(trader, now=NOW.replace(hour=15, minute=0))["day"] == "2027-01-06"


def test_transfers_are_no_profit() -> None:
    trader = make_firm_trader(cash="1000.00")
    for number, amount in enumerate(("500.00", "-200.00")):
        with enter_building("alpha"):
            transfer_money(
                wallet_id=trader.wallet.pk,
                type="ADJUSTMENT",
                amount=Decimal(amount),
                reference=f"test:{number}",
                now=NOW,
            )
    body = envelope(trader)
    assert (body["net_transfers"], body["balance"], body["total_pnl"]) == (
        "300.00",
        "1300.00",
        "0.00",
    )
    assert (body["peak_equity"], body["drawdown"]) == ("1300.00", "0.00")
    check_formulas(body)


def test_twenty_positions_take_at_most_three_queries(
    server: FirmServer, django_assert_max_num_queries: Any
) -> None:
    account = provision(server, register(server.firm))
    trader = trader_of(server, account)
    now = utc_now()
    for _ in range(20):
        market = make_market()
        mark(market, "0.60", "0.62", now=now)
        trader.place(market, "BUY", quantity="10", price="0.62", now=now)
    read(server, account)
    with django_assert_max_num_queries(3):
        body = read(server, account)
    assert len(body["positions"]) == 20


_PRICES = st.integers(min_value=1, max_value=999).map(lambda price: Decimal(price) / 1000)
_STEP = st.tuples(
    st.sampled_from(["buy", "sell", "rest", "mark", "transfer", "settle"]),
    st.integers(min_value=0, max_value=2),
    _PRICES,
    st.integers(min_value=50_000, max_value=3_000_000).map(lambda size: Decimal(size) / 10_000),
)


@given(steps=st.lists(_STEP, min_size=1, max_size=14))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_flow_of_trades_satisfies_the_formulas(steps: list[Any]) -> None:
    trader = make_firm_trader(cash="5000.00")
    markets = [make_market(fee_rate="0.07", tick_size="0.001") for _ in range(3)]
    done: set[int] = set()
    peak = Decimal(0)
    for number, (action, index, price, size) in enumerate(steps):
        market = markets[index]
        if index in done:
            continue
        _act(trader, market, action, price, size, number)
        if action == "settle":
            done.add(index)
        body = envelope(trader)
        check_formulas(body)
        shift = Decimal(body["net_transfers"])
        assert Decimal(body["peak_equity"]) - shift >= peak
        peak = Decimal(body["peak_equity"]) - shift
    before = envelope(trader)
    with enter_building("alpha"):
        measure_accounts(now=NOW)
    assert envelope(trader) == before


def _act(
    trader: Trader, market: Market, action: str, price: Decimal, size: Decimal, number: int
) -> None:
    from polysim.kernel.errors import PolysimError

    bid = max(price - Decimal("0.001"), Decimal("0.001"))
    ask = max(price, Decimal("0.002"))
    mark(market, str(bid), str(ask))
    try:
        if action == "buy":
            trader.place(market, "BUY", quantity=str(size), price=str(ask))
        elif action == "sell":
            trader.place(market, "SELL", quantity=str(size), price=str(bid))
        elif action == "rest":
            trader.place(
                market, "BUY", order_type="limit", quantity=str(size), price=str(bid / 2)[:5]
            )
        elif action == "transfer":
            with enter_building("alpha"):
                transfer_money(
                    wallet_id=trader.wallet.pk,
                    type="ADJUSTMENT",
                    amount=Decimal(number - 5),
                    reference=f"flow:{trader.wallet.pk}:{number}",
                    now=NOW,
                )
        elif action == "settle":
            MarketResolution.objects.create(
                market=market, version=1, payouts=["1", "0"], source="test", resolved_at=NOW
            )
            if number % 2:
                with enter_building("alpha"):
                    settle_resolved_positions(now=NOW)
    except PolysimError:
        pass
