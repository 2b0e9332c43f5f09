"""The preview uses the engine that fills, and moves nothing (law 7)."""

from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.redis import get_redis
from polysim.kernel.tenancy import enter_building
from tests.support.exchange import NOW, Trader, make_market, make_trader, set_book
from trading.markets.models import Market
from trading.models import Order
from trading.services import Caller, Preview, parse_order, preview_order


def preview(trader: Trader, market: Market, side: str, **body: Any) -> Preview:
    is_key = body.pop("is_key", False)
    full = {
        "market_id": market.condition_id,
        "side": side,
        "outcome": "Yes",
        "wallet_id": trader.wallet.pk,
        **body,
    }
    with enter_building("retail"):
        command = parse_order(full, is_key=is_key)
        caller = Caller(user_id=trader.user.pk, is_key=is_key)
        return preview_order(command=command, caller=caller, now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        {"quantity": "10", "price": "0.68"},
        {"amount": "10", "price": "0.68"},
        {"quantity": "16.5", "price": "0.68"},
        {"quantity": "10", "price": "0.65", "time_in_force": "FAK"},
        {"quantity": "20", "price": "0.66", "order_type": "limit"},
        {"quantity": "20", "price": "0.50", "order_type": "limit"},
    ],
)
def test_what_is_previewed_is_what_is_placed(
    market: Market, trader: Trader, body: dict[str, Any]
) -> None:
    seen = preview(trader, market, "BUY", **body)
    assert seen.refusal is None
    assert seen.answer is not None
    assert trader.balance == Decimal("10000.00")
    assert get_redis().hgetall(f"polysim:taken:{market.condition_id}") == {}
    with enter_building("retail"):
        assert not Order.objects.exists()
    placed = trader.place(market, "BUY", **body)
    # Only what rows decide differs: ids, and the position that the fill makes.
    own = {"order_id", "trade_ids", "position"}
    assert {k: v for k, v in seen.answer.items() if k not in own} == {
        k: v for k, v in placed.items() if k not in own
    }
    assert seen.balance_after == trader.balance


def test_the_ticket_shows_costs_and_what_a_right_answer_pays(
    market: Market, trader: Trader
) -> None:
    seen = preview(trader, market, "BUY", quantity="10", price="0.68")
    assert seen.levels == ((Decimal("0.65"), Decimal(6)), (Decimal("0.66"), Decimal(4)))
    assert (seen.average_price, seen.best_price) == (Decimal("0.654"), Decimal("0.65"))
    assert (seen.notional, seen.fee, seen.total) == (
        Decimal("6.54"),
        Decimal("0.16"),
        Decimal("6.70"),
    )
    assert (seen.payout_if_right, seen.profit_if_right) == (Decimal(10), Decimal("3.30"))
    assert seen.profit_percent == Decimal("49.253731")
    assert seen.balance_after == Decimal("9993.30")
    assert seen.quantity_available == Decimal(16)
    assert seen.slippage == "none"


@pytest.mark.parametrize(
    ("asks", "slippage"),
    [
        ([("0.50", 10), ("0.51", 10)], "none"),
        ([("0.50", 10), ("0.52", 10)], "amber"),
        ([("0.50", 10), ("0.55", 10)], "red"),
    ],
)
def test_slippage_is_amber_from_two_and_red_from_five_percent(
    trader: Trader, asks: list[tuple[str, int]], slippage: str
) -> None:
    market = make_market()
    set_book(market, asks=asks, last_trade="0.50")
    assert preview(trader, market, "BUY", quantity="20", price="0.60").slippage == slippage


def test_a_book_that_is_too_thin_says_how_many_shares_there_are(
    market: Market, trader: Trader
) -> None:
    seen = preview(trader, market, "BUY", quantity="60", price="0.66")
    assert seen.refusal is not None
    assert seen.refusal.code == "FOK_ORDER_NOT_FILLED_ERROR"
    assert (seen.filled_quantity, seen.quantity_available) == (Decimal(16), Decimal(16))


def test_an_order_that_cannot_be_paid_still_shows_its_cost(market: Market) -> None:
    poor = make_trader(cash="5.00")
    seen = preview(poor, market, "BUY", quantity="10", price="0.68")
    assert seen.refusal is not None
    assert seen.refusal.code == "INSUFFICIENT_BALANCE"
    assert seen.total == Decimal("6.70")


def test_a_sale_shows_what_it_brings(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", quantity="10", price="0.68")
    set_book(market, bids=[("0.60", 5), ("0.59", 20)], last_trade="0.60")
    seen = preview(trader, market, "SELL", quantity="10", price="0.55")
    assert seen.refusal is None
    assert (seen.notional, seen.fee, seen.total) == (
        Decimal("5.95"),
        Decimal("0.17"),
        Decimal("5.78"),
    )
    assert seen.balance_after == trader.balance + Decimal("5.78")
    assert seen.payout_if_right is None
    short = preview(trader, market, "SELL", quantity="11", price="0.55")
    assert short.refusal is not None
    assert short.refusal.code == "INSUFFICIENT_POSITION"


def test_a_limit_price_that_crosses_says_so(market: Market, trader: Trader) -> None:
    crossing = preview(trader, market, "BUY", quantity="20", price="0.66", order_type="limit")
    assert (crossing.crosses_now, crossing.hold) == (True, Decimal("2.64"))
    assert crossing.resting_quantity == Decimal(4)
    resting = preview(trader, market, "BUY", quantity="20", price="0.60", order_type="limit")
    assert (resting.crosses_now, resting.total) == (False, Decimal("12.00"))


def test_the_wallet_speaks_first_in_a_preview_too(market: Market, trader: Trader) -> None:
    stranger = make_trader()
    seen = preview(trader, market, "BUY", quantity="10", wallet_id=stranger.wallet.pk)
    assert seen.refusal is not None
    assert seen.refusal.code == "WALLET_NOT_FOUND"
    seen = preview(trader, market, "BUY", quantity="10")
    assert seen.refusal is not None
    assert seen.refusal.code == "PRICE_REQUIRED"
