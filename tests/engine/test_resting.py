"""Resting orders: priority, own limit, taker window, printed trades (trading-api 7.3, 8)."""

from fractions import Fraction

import pytest

from tests.engine.build import book, levels, scaled
from trading.engine.resting import (
    RestingFill,
    RestingOrder,
    TakerTerms,
    by_priority,
    match_print,
    match_resting,
)

TERMS = TakerTerms(window_ms=3000, fee_rate=scaled("0.07"))
LATER_MS = 60_000


def resting(
    number: int,
    price: str,
    quantity: str,
    *,
    side: str = "BUY",
    created_ms: int = 0,
    outcome_index: int = 0,
) -> RestingOrder:
    return RestingOrder.of(
        order_id=number,
        outcome_index=outcome_index,
        side=side,
        price=scaled(price),
        remaining=scaled(quantity),
        created_ms=created_ms,
    )


def own_price(fill: RestingFill) -> Fraction:
    return Fraction(fill.notional_product, fill.quantity) / 1_000_000


def test_best_limit_comes_first_then_the_oldest_then_the_lowest_id() -> None:
    buys = [
        resting(4, "0.60", "1", created_ms=20),
        resting(3, "0.60", "1", created_ms=10),
        resting(2, "0.60", "1", created_ms=10),
        resting(9, "0.61", "1", created_ms=90),
    ]
    sells = [resting(1, "0.60", "1", side="SELL"), resting(2, "0.59", "1", side="SELL")]

    assert [order.order_id for order in by_priority(buys)] == [9, 2, 3, 4]
    assert [order.order_id for order in by_priority(sells)] == [2, 1]


def test_orders_share_the_crossing_depth_by_priority() -> None:
    asks = book(asks="0.59x30 0.60x20 0.61x99")
    fills = match_resting(
        [resting(1, "0.60", "45"), resting(2, "0.60", "45"), resting(3, "0.58", "5")],
        asks,
        now_ms=LATER_MS,
        terms=TERMS,
    )

    assert [(fill.order_id, fill.quantity) for fill in fills] == [(1, scaled(45)), (2, scaled(5))]
    assert fills[0].takes == levels("0.59x30 0.60x15")
    assert fills[1].takes == levels("0.60x5")
    assert [own_price(fill) for fill in fills] == [Fraction("0.60")] * 2


def test_a_resting_sell_fills_at_its_own_limit_when_the_bid_reaches_it() -> None:
    [fill] = match_resting(
        [resting(1, "0.60", "8", side="SELL")],
        book(bids="0.62x5 0.60x1"),
        now_ms=LATER_MS,
        terms=TERMS,
    )

    assert fill.quantity == scaled(6)
    assert fill.notional == scaled("3.60")


def test_orders_of_both_outcomes_compete_for_the_same_depth() -> None:
    # Selling the second outcome at 0.38 is buying the first at 0.62.
    orders = [
        resting(1, "0.60", "10"),
        resting(2, "0.38", "10", side="SELL", outcome_index=1),
    ]
    fills = match_resting(orders, book(asks="0.60x15"), now_ms=LATER_MS, terms=TERMS)

    assert [(fill.order_id, fill.quantity) for fill in fills] == [(2, scaled(10)), (1, scaled(5))]
    assert own_price(fills[0]) == Fraction("0.38")
    assert fills[0].notional == scaled("3.80")


@pytest.mark.parametrize(("age_ms", "is_taker"), [(2_999, True), (3_000, False), (3_001, False)])
def test_a_young_order_is_filled_and_charged_like_a_taker(age_ms: int, is_taker: bool) -> None:
    [fill] = match_resting(
        [resting(1, "0.60", "10", created_ms=LATER_MS - age_ms)],
        book(asks="0.50x10"),
        now_ms=LATER_MS,
        terms=TERMS,
    )

    assert fill.is_taker is is_taker
    assert own_price(fill) == (Fraction("0.50") if is_taker else Fraction("0.60"))
    # 10 x 0.07 x 0.5 x 0.5 = 0.175
    assert fill.fee == (scaled("0.18") if is_taker else 0)


def test_a_young_order_of_the_second_outcome_gets_the_walked_price_of_its_own_side() -> None:
    [fill] = match_resting(
        [resting(1, "0.38", "10", side="SELL", outcome_index=1, created_ms=LATER_MS)],
        book(asks="0.60x10"),
        now_ms=LATER_MS,
        terms=TERMS,
    )

    assert own_price(fill) == Fraction("0.40")
    assert fill.notional == scaled("4.00")


def test_resting_fills_are_kept_to_the_share_quantum() -> None:
    [fill] = match_resting(
        [resting(1, "0.60", "10")], book(asks="0.59x1.00009"), now_ms=LATER_MS, terms=TERMS
    )

    assert fill.quantity == scaled("1.0000")
    assert (
        match_resting(
            [resting(1, "0.60", "10")], book(asks="0.59x0.00009"), now_ms=LATER_MS, terms=TERMS
        )
        == []
    )


def test_a_printed_trade_fills_orders_at_or_through_it_up_to_its_size() -> None:
    orders = [resting(1, "0.60", "10"), resting(2, "0.61", "10"), resting(3, "0.59", "10")]
    fills = match_print(orders, price=scaled("0.60"), size=scaled(15), now_ms=LATER_MS, terms=TERMS)

    assert [(fill.order_id, fill.quantity) for fill in fills] == [(2, scaled(10)), (1, scaled(5))]
    assert [own_price(fill) for fill in fills] == [Fraction("0.61"), Fraction("0.60")]
    assert all(fill.fee == 0 for fill in fills)


def test_a_printed_trade_beyond_the_limit_fills_nothing() -> None:
    orders = [resting(1, "0.60", "10", side="SELL")]

    assert (
        match_print(orders, price=scaled("0.59"), size=scaled(15), now_ms=LATER_MS, terms=TERMS)
        == []
    )
    assert match_resting([], book(asks="0.5x1"), now_ms=LATER_MS, terms=TERMS) == []
