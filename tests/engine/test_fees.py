"""Taker fees: exact price, five places, then cents (trading-api 8, contracts/README 12)."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.build import scaled
from trading.engine.fees import rate_in_basis_points, taker_fee


def fee(quantity: str, price: str, rate: str, exponent: int = 1) -> int:
    return taker_fee(
        quantity=scaled(quantity),
        notional_product=scaled(quantity) * scaled(price),
        rate=scaled(rate),
        exponent=exponent,
    )


@given(
    quantity=st.integers(100, 10**12),
    price=st.integers(1, 999_999),
    rate=st.integers(0, 1_000_000),
    exponent=st.sampled_from([1, 2]),
)
def test_the_fee_is_the_decimal_formula_rounded_twice(
    quantity: int, price: int, rate: int, exponent: int
) -> None:
    with localcontext(prec=80):
        shares, at, share = (Decimal(number).scaleb(-6) for number in (quantity, price, rate))
        five = (shares * share * (at * (1 - at)) ** exponent).quantize(
            Decimal("0.00001"), ROUND_HALF_UP
        )
        cents = five.quantize(Decimal("0.01"), ROUND_HALF_UP)

    assert taker_fee(
        quantity=quantity, notional_product=quantity * price, rate=rate, exponent=exponent
    ) == int(cents * 1_000_000)


def test_a_fee_is_rounded_to_five_places_before_it_is_rounded_to_cents() -> None:
    # 0.0049952 becomes 0.00500 and only then 0.01.
    assert fee("0.7136", "0.5", "0.028") == scaled("0.01")
    # 0.0049896 becomes 0.00499 and then nothing.
    assert fee("0.7128", "0.5", "0.028") == 0


def test_an_older_schedule_squares_the_spread_of_the_price() -> None:
    # 100 x 0.25 x (0.5 x 0.5)^2 = 1.5625
    assert fee("100", "0.50", "0.25", exponent=2) == scaled("1.56")


@pytest.mark.parametrize(("quantity", "price", "rate"), [("0", "0.5", "0.07"), ("5", "1", "0.07")])
def test_nothing_filled_and_certain_prices_cost_no_fee(
    quantity: str, price: str, rate: str
) -> None:
    assert fee(quantity, price, rate) == 0


@pytest.mark.parametrize(("rate", "bps"), [("0.07", 700), ("0.0175", 175), ("0.00005", 1)])
def test_rates_are_shown_in_basis_points(rate: str, bps: int) -> None:
    assert rate_in_basis_points(scaled(rate)) == bps
