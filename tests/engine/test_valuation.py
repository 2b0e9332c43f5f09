"""Cost, realised profit, marks, equity and settlement of positions (trading-api 9)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.build import scaled
from trading.engine.valuation import (
    Holding,
    apply_buy,
    apply_sell,
    average_price,
    cost_of_part,
    equity,
    is_on_tick,
    market_value,
    payout,
    settlement_result,
)

SHARES = st.integers(1, 10**8).map(lambda quanta: quanta * 100)
PRICES = st.integers(1, 999_999)


@given(st.lists(st.tuples(SHARES, PRICES), min_size=1, max_size=12), st.data())
def test_money_in_and_out_of_a_position_is_accounted_for_to_the_millionth(
    buys: list[tuple[int, int]], data: st.DataObject
) -> None:
    holding = Holding()
    spent = received = realized = 0
    for quantity, price in buys:
        before = holding.cost
        holding = apply_buy(holding, quantity=quantity, notional_product=quantity * price)
        spent += holding.cost - before
        sold = data.draw(st.integers(0, holding.quantity))
        if sold:
            sale = apply_sell(holding, quantity=sold, notional_product=sold * price)
            received += sale.realized + (holding.cost - sale.holding.cost)
            realized += sale.realized
            holding = sale.holding
        assert holding.cost >= 0
    if holding.quantity:
        last = apply_sell(holding, quantity=holding.quantity, notional_product=0)
        realized += last.realized
        holding = last.holding

    assert holding == Holding(0, 0)
    assert realized == received - spent


@given(SHARES, PRICES, st.integers(1, 9))
def test_a_sale_leaves_the_average_price_where_it_was(
    quantity: int, price: int, tenths: int
) -> None:
    holding = apply_buy(Holding(), quantity=quantity, notional_product=quantity * price)
    sold = quantity * tenths // 10
    sale = apply_sell(holding, quantity=sold, notional_product=sold * price)

    drift = Fraction(*average_price(sale.holding)) - Fraction(*average_price(holding))
    # Half a millionth of a dollar, spread over the shares that are left.
    assert abs(drift) <= Fraction(1, 2 * sale.holding.quantity)


def test_buys_of_thirds_of_a_cent_keep_six_places_of_cost() -> None:
    holding = apply_buy(Holding(), quantity=scaled(3), notional_product=10**12 + 1)

    assert holding.cost == scaled(1)
    assert cost_of_part(holding, scaled(1)) == 333_333
    assert cost_of_part(holding, scaled(3)) == scaled(1)


def test_selling_more_than_is_held_is_an_error() -> None:
    with pytest.raises(ValueError, match="More shares sold"):
        apply_sell(Holding(scaled(1), 0), quantity=scaled("1.0001"), notional_product=0)


def test_an_empty_holding_has_no_average() -> None:
    assert average_price(Holding()) == (0, 1)


def test_positions_are_worth_their_mark_and_without_one_their_cost() -> None:
    positions = [
        (scaled(120), scaled("0.61"), scaled("69.60")),
        (scaled(10), None, scaled("4.20")),
    ]

    assert market_value(scaled(120), scaled("0.61")) == scaled("73.20")
    assert equity(scaled(100), scaled("2.64"), positions) == scaled("180.04")


@pytest.mark.parametrize(
    ("quantity", "share", "paid"),
    [("16.5", "1", "16.50"), ("0.0099", "0.5", "0.00"), ("0.01", "0.5", "0.01"), ("5", "0", "0")],
)
def test_payouts_are_rounded_half_up_to_cents(quantity: str, share: str, paid: str) -> None:
    assert payout(scaled(quantity), scaled(share)) == scaled(paid)


@pytest.mark.parametrize(
    ("share", "vector", "result"),
    [
        ("1", ("1", "0"), "won"),
        ("0", ("1", "0"), "lost"),
        ("0.5", ("0.5", "0.5"), "split"),
        ("0.3", ("0.3", "0.7"), "partial"),
    ],
)
def test_settlements_are_named(share: str, vector: tuple[str, ...], result: str) -> None:
    assert settlement_result(scaled(share), [scaled(part) for part in vector]) == result


@pytest.mark.parametrize(
    ("price", "tick", "is_valid"),
    [
        ("0.01", "0.01", True),
        ("0.99", "0.01", True),
        ("0.009", "0.01", False),
        ("0.655", "0.01", False),
        ("0.991", "0.001", True),
        ("0.9995", "0.001", False),
        ("1", "0.01", False),
        ("0", "0.01", False),
        ("0.6525", "0.0025", True),
        ("-0.01", "0.01", False),
    ],
)
def test_limit_prices_lie_on_the_grid_between_one_tick_and_one_less_a_tick(
    price: str, tick: str, is_valid: bool
) -> None:
    assert is_on_tick(scaled(price), scaled(tick)) is is_valid
