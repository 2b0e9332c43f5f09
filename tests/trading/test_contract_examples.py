"""The worked examples A to H of trading-api 7.2, through the service, database and books."""

from decimal import Decimal

import pytest

from tests.support.exchange import Trader, make_market, make_trader, set_book
from trading.markets.models import Market
from trading.services.refusals import FokNotFilled, InsufficientLiquidity

D = Decimal


def test_a_market_buy_walks_two_levels(market: Market, trader: Trader) -> None:
    answer = trader.place(market, "BUY", quantity="10", price="0.68", client_order_id="bot-1")
    assert answer["status"] == "FILLED"
    assert answer["price"] == "0.6540"
    assert answer["notional"] == "6.54"
    assert answer["fee"] == "0.16"
    assert answer["book_walk_levels"] == 2
    assert answer["impact_bps"] == 62
    assert answer["account_balance"] == "9993.30"
    assert answer["position"] == {
        "market_id": market.condition_id,
        "outcome": "Yes",
        "quantity": "10.0000",
        "avg_entry_price": "0.6540",
        "status": "OPEN",
    }
    assert answer["client_order_id"] == "bot-1"
    assert answer["liquidity"] == "taker"
    assert answer["fee_rate_bps"] == 700
    assert (answer["making_amount"], answer["taking_amount"]) == ("6.54", "10.0000")
    assert trader.balance == D("9993.30")


def test_b_fok_beyond_the_depth_within_price_is_refused(market: Market, trader: Trader) -> None:
    with pytest.raises(FokNotFilled):
        trader.place(market, "BUY", quantity="10", price="0.65")
    assert trader.balance == D("10000.00")


def test_b2_fak_fills_what_is_there(market: Market, trader: Trader) -> None:
    answer = trader.place(market, "BUY", quantity="10", price="0.65", time_in_force="FAK")
    assert answer["status"] == "FILLED"
    assert answer["time_in_force"] == "IOC"
    assert answer["quantity"] == "6.0000"
    assert answer["requested_quantity"] == "10.0000"
    assert answer["fee"] == "0.10"
    assert answer["account_balance"] == "9996.00"
    assert answer["warnings"] == ["partial_fill:filled=6.0000,requested=10.0000"]


def test_c_fok_absorbs_half_a_share(market: Market, trader: Trader) -> None:
    answer = trader.place(market, "BUY", quantity="16.5", price="0.68")
    assert answer["quantity"] == "16.5000"
    assert answer["notional"] == "10.83"
    assert answer["price"] == "0.6563"
    assert answer["fee"] == "0.26"
    assert trader.balance == D("9988.91")


def test_c2_fok_is_killed_when_more_than_a_share_is_missing(market: Market, trader: Trader) -> None:
    with pytest.raises(FokNotFilled):
        trader.place(market, "BUY", quantity="17.5", price="0.68")
    with pytest.raises(InsufficientLiquidity):
        trader.place(market, "BUY", quantity="70", price="0.99")


def test_d_amount_is_spent_along_the_walk(market: Market, trader: Trader) -> None:
    answer = trader.place(market, "BUY", amount="10", price="0.68")
    assert answer["quantity"] == "15.2424"
    assert answer["notional"] == "10.00"
    assert answer["price"] == "0.6561"
    assert answer["fee"] == "0.24"
    assert answer["account_balance"] == "9989.76"
    assert answer["amount_interpreted_as"] == "usd_notional"


def test_e_the_complement_adds_depth(trader: Trader) -> None:
    market = make_market()
    set_book(
        market,
        asks=[("0.65", 6), ("0.66", 10), ("0.70", 50)],
        complement_bids=[("0.36", 20), ("0.35", 4)],
        last_trade="0.65",
    )
    answer = trader.place(market, "BUY", quantity="22", price="0.68")
    assert answer["notional"] == "14.10"
    assert answer["price"] == "0.6409"
    assert answer["fee"] == "0.35"


def test_g_a_limit_order_fills_its_crossing_part_and_rests(market: Market, trader: Trader) -> None:
    answer = trader.place(market, "BUY", quantity="20", price="0.66", order_type="limit")
    assert answer["status"] == "PENDING"
    assert answer["filled_quantity"] == "16.0000"
    assert answer["quantity"] == "20.0000"
    assert answer["notional"] == "10.50"
    assert answer["fee"] == "0.25"
    assert answer["account_balance"] == "9986.61"
    assert trader.reserved == D("2.64")
    assert trader.position(market).average_price == D("0.65625")


def test_h_a_market_sell_walks_the_bids(db: None) -> None:
    market = make_market(fee_rate="0.03")
    seller = make_trader()
    set_book(market, bids=[("0.40", 100)], asks=[("0.42", 8)])
    seller.place(market, "BUY", quantity="8", price="0.42")
    before = seller.balance
    set_book(market, bids=[("0.60", 5), ("0.58", 10)], last_trade="0.60")
    answer = seller.place(market, "SELL", quantity="8", price="0.55")
    assert answer["price"] == "0.5925"
    assert answer["notional"] == "4.74"
    assert answer["impact_bps"] == 125
    assert answer["fee"] == "0.06"
    assert seller.balance - before == D("4.68")
    assert answer["position"]["status"] == "CLOSED"
    assert answer["position"]["quantity"] == "0.0000"
