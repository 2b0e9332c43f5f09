"""Scales, rounding and text of money, prices and shares (trading-api 0)."""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polysim.kernel.money import (
    NotExact,
    cents,
    divide_half_up,
    divide_up,
    four_places_text,
    from_scaled,
    money_text,
    parse_decimal,
    price_text,
    product_to_cents_half_up,
    product_to_cents_up,
    shares_text,
    six_places,
    to_scaled,
)


@given(st.integers(-(10**20), 10**20))
def test_scaled_integers_and_decimals_name_the_same_number(scaled: int) -> None:
    assert to_scaled(from_scaled(scaled)) == scaled


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_division_rounds_half_away_from_zero(numerator: int, denominator: int) -> None:
    doubled = 2 * abs(numerator)
    expected = (doubled + denominator) // (2 * denominator)

    assert divide_half_up(numerator, denominator) == (expected if numerator >= 0 else -expected)
    assert divide_up(numerator, denominator) >= numerator / Decimal(denominator) - 1


@given(st.integers(0, 10**20))
def test_products_become_whole_cents(product: int) -> None:
    exact = Decimal(product).scaleb(-12)
    half_up = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    up = exact.quantize(Decimal("0.01"), ROUND_CEILING)

    assert product_to_cents_half_up(product) == to_scaled(half_up)
    assert product_to_cents_up(product) == to_scaled(up)


@pytest.mark.parametrize(
    "number",
    [
        "0.0000001",
        "1.00000000000000000000000000000000000001",
        "NaN",
        "Infinity",
        "1e400000",
        "1e-400000",
    ],
)
def test_numbers_that_a_scaled_integer_cannot_hold_are_refused(number: str) -> None:
    with pytest.raises(NotExact):
        to_scaled(Decimal(number))


def test_trailing_zeros_and_integers_scale_exactly() -> None:
    assert to_scaled(Decimal("0.650000000000")) == 650_000
    assert to_scaled(Decimal("-6.54")) == -6_540_000
    assert to_scaled(5) == 5_000_000


@pytest.mark.parametrize(
    "value", [0.65, True, None, "", "abc", "nan", "1e", "1_0", "\u0661\u0660", [1], "inf"]
)
def test_only_finite_decimals_are_parsed(value: object) -> None:
    with pytest.raises(NotExact):
        parse_decimal(value)


def test_decimal_text_integers_and_decimals_are_parsed() -> None:
    assert parse_decimal("0.650") == Decimal("0.65")
    assert parse_decimal(5) == Decimal(5)
    assert parse_decimal(Decimal("6.54")) == Decimal("6.54")


def test_rounding_is_half_up_and_away_from_zero() -> None:
    assert cents(Decimal("0.005")) == Decimal("0.01")
    assert cents(Decimal("-0.005")) == Decimal("-0.01")
    assert six_places(Decimal("0.0000005")) == Decimal("0.000001")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("9993.3", "9993.30"), ("0.005", "0.01"), ("-0.004", "0.00"), ("-41.05", "-41.05")],
)
def test_money_has_two_decimals_and_no_minus_zero(amount: str, text: str) -> None:
    assert money_text(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("price", "text"),
    [("0.62", "0.62"), ("0.6", "0.60"), ("0.65625", "0.6563"), ("1", "1.00"), ("0.0025", "0.0025")],
)
def test_prices_have_two_to_four_decimals(price: str, text: str) -> None:
    assert price_text(Decimal(price)) == text


@pytest.mark.parametrize(
    ("quantity", "text"), [("120", "120.0"), ("0.2525", "0.2525"), ("1.50", "1.5"), ("0", "0.0")]
)
def test_shares_have_one_to_four_decimals(quantity: str, text: str) -> None:
    assert shares_text(Decimal(quantity)) == text


def test_order_answers_have_four_decimals_and_unknown_stays_unknown() -> None:
    assert four_places_text(Decimal("0.65625")) == "0.6563"
    assert four_places_text(Decimal(10)) == "10.0000"
    texts = (money_text, four_places_text, price_text, shares_text)
    assert [text(None) for text in texts] == [None] * 4
