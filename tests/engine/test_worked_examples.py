"""The worked examples of trading-api 7.2, 7.3, 8 and 9, each to the cent."""

from fractions import Fraction

import pytest

from tests.engine.build import ASKS_OF_M, CASH_OF_M, book, levels, order, scaled
from trading.engine.book import depletion_of, executable_book
from trading.engine.fees import taker_fee
from trading.engine.matching import FILLED, KILLED, REJECTED, RESTING, MatchResult, match_order
from trading.engine.resting import RestingOrder, TakerTerms, match_resting
from trading.engine.valuation import Holding, apply_buy, apply_sell, average_price, payout
from trading.markets.pricing import merge_complement

TERMS = TakerTerms(window_ms=3000, fee_rate=scaled("0.07"))


def vwap(result: MatchResult) -> Fraction:
    return Fraction(*result.average_price)


def cash_after_buy(result: MatchResult) -> int:
    return CASH_OF_M - result.notional - result.fee - result.hold


def test_case_a_a_market_buy_walks_two_levels() -> None:
    result = match_order(order(quantity="10"))

    assert result.status == FILLED
    assert result.takes == levels("0.65x6 0.66x4")
    assert result.notional == scaled("6.54")
    assert vwap(result) == Fraction("0.6540")
    assert result.levels_taken == 2
    assert result.impact_bps == 62
    assert result.slippage_bps == 62
    assert result.fee == scaled("0.16")
    assert result.warnings == ()
    assert cash_after_buy(result) == scaled("9993.30")


def test_case_b_a_fok_beyond_the_depth_within_its_price_is_refused() -> None:
    result = match_order(order(quantity="10", price="0.65"))

    assert (result.status, result.reject_code) == (REJECTED, "FOK_ORDER_NOT_FILLED_ERROR")
    assert cash_after_buy(result) == CASH_OF_M
    assert result.takes == ()


@pytest.mark.parametrize("time_in_force", ["FAK", "IOC"])
def test_case_b2_a_fak_fills_the_part_within_its_price(time_in_force: str) -> None:
    result = match_order(order(quantity="10", price="0.65", time_in_force=time_in_force))

    assert result.status == FILLED
    assert result.filled_quantity == scaled(6)
    assert result.remaining_quantity == 0
    assert result.notional == scaled("3.90")
    assert result.fee == scaled("0.10")
    assert cash_after_buy(result) == scaled("9996.00")
    assert result.warnings == ("partial_fill:filled=6.0000,requested=10.0000",)


def test_case_c_a_fok_absorbs_half_a_share_of_shortfall_at_the_walked_average() -> None:
    result = match_order(order(quantity="16.5"))

    assert result.status == FILLED
    assert result.filled_quantity == scaled("16.5")
    assert result.takes == levels("0.65x6 0.66x10")
    assert vwap(result) == Fraction("0.65625")
    assert result.notional_product == 10_828_125 * 10**6
    assert result.notional == scaled("10.83")
    assert result.fee == scaled("0.26")
    assert result.warnings == ()


def test_case_c2_a_fok_short_of_one_and_a_half_shares_is_refused() -> None:
    result = match_order(order(quantity="17.5"))

    assert (result.status, result.reject_code) == (REJECTED, "FOK_ORDER_NOT_FILLED_ERROR")


def test_case_c2_a_fok_bigger_than_the_whole_book_finds_insufficient_liquidity() -> None:
    result = match_order(order(quantity="70", price="0.99"))

    assert (result.status, result.reject_code) == (REJECTED, "INSUFFICIENT_LIQUIDITY")


def test_case_d_an_amount_is_spent_along_the_walk() -> None:
    result = match_order(order(amount="10"))

    assert result.status == FILLED
    assert result.takes == levels("0.65x6 0.66x9.2424")
    assert result.filled_quantity == scaled("15.2424")
    assert result.requested_quantity == scaled("15.2424")
    assert result.notional_product == 9_999_984 * 10**6
    assert result.notional == scaled("10.00")
    assert round(vwap(result), 4) == Fraction("0.6561")
    assert result.fee == scaled("0.24")
    assert cash_after_buy(result) == scaled("9989.76")


def test_case_e_the_complement_adds_a_better_level_and_sizes_are_not_summed() -> None:
    merged = merge_complement(book(asks=ASKS_OF_M), book(bids="0.36x20 0.35x4"))
    result = match_order(order(quantity="22", book=merged))

    assert merged.asks == levels("0.64x20 0.65x6 0.66x10 0.70x50")
    assert result.takes == levels("0.64x20 0.65x2")
    assert result.notional == scaled("14.10")
    assert round(vwap(result), 4) == Fraction("0.6409")
    assert result.fee == scaled("0.35")


def test_case_f_a_resting_buy_fills_at_its_own_limit_and_once_per_snapshot() -> None:
    placed = match_order(
        order(
            kind="limit",
            time_in_force="GTC",
            price="0.60",
            quantity="100",
            book=book(asks="0.62x40"),
        )
    )
    later = book(asks="0.59x30 0.60x20")
    resting = RestingOrder(1, "BUY", scaled("0.60"), scaled(100), created_ms=0)
    [fill] = match_resting([resting], later, now_ms=60_000, terms=TERMS)

    assert (placed.status, placed.hold) == (RESTING, scaled("60.00"))
    assert placed.filled_quantity == 0
    assert fill.quantity == scaled(50)
    assert fill.notional == scaled("30.00")
    assert Fraction(fill.notional_product, fill.quantity) == scaled("0.60")
    assert fill.fee == 0

    taken = depletion_of(0, "BUY", fill.takes)
    depleted = executable_book(later, taken, 0)
    rest = RestingOrder(1, "BUY", scaled("0.60"), scaled(50), created_ms=0)
    assert match_resting([rest], depleted, now_ms=61_000, terms=TERMS) == []


def test_case_g_the_crossing_part_of_a_limit_buy_fills_as_taker_and_the_rest_rests() -> None:
    result = match_order(order(kind="limit", time_in_force="GTC", price="0.66", quantity="20"))

    assert result.status == RESTING
    assert result.filled_quantity == scaled(16)
    assert result.notional == scaled("10.50")
    assert result.fee == scaled("0.25")
    assert result.remaining_quantity == scaled(4)
    assert result.hold == scaled("2.64")
    assert result.warnings == ()
    assert cash_after_buy(result) == scaled("9986.61")


def test_case_h_a_market_sell_walks_the_bids_and_pays_the_sports_fee() -> None:
    bids = book(bids="0.60x5 0.58x10")
    result = match_order(
        order(
            "SELL",
            quantity="8",
            price="0.55",
            book=bids,
            displayed_price="0.60",
            fee_rate="0.03",
        )
    )

    assert result.takes == levels("0.60x5 0.58x3")
    assert result.notional == scaled("4.74")
    assert vwap(result) == Fraction("0.5925")
    assert result.impact_bps == 125
    assert result.fee == scaled("0.06")
    assert result.notional - result.fee == scaled("4.68")


def test_a_limit_fok_without_fill_is_killed_and_not_refused() -> None:
    result = match_order(order(kind="limit", quantity="10", price="0.65"))

    assert (result.status, result.reject_code) == (KILLED, None)
    assert result.remaining_quantity == scaled(10)


FEE_TABLE = [
    ("0.07", "0.50", "1.75"),
    ("0.07", "0.65", "1.59"),
    ("0.07", "0.90", "0.63"),
    ("0.07", "0.99", "0.07"),
    ("0.05", "0.50", "1.25"),
    ("0.05", "0.65", "1.14"),
    ("0.05", "0.90", "0.45"),
    ("0.05", "0.99", "0.05"),
    ("0.04", "0.50", "1.00"),
    ("0.04", "0.65", "0.91"),
    ("0.04", "0.90", "0.36"),
    ("0.04", "0.99", "0.04"),
    ("0.03", "0.50", "0.75"),
    ("0.03", "0.65", "0.68"),
    ("0.03", "0.90", "0.27"),
    ("0.03", "0.99", "0.03"),
    ("0", "0.50", "0.00"),
    ("0", "0.99", "0.00"),
]


@pytest.mark.parametrize(("rate", "price", "fee"), FEE_TABLE)
def test_the_fee_for_a_hundred_shares_is_the_tables(rate: str, price: str, fee: str) -> None:
    product = scaled(100) * scaled(price)

    assert taker_fee(quantity=scaled(100), notional_product=product, rate=scaled(rate)) == scaled(
        fee
    )


@pytest.mark.parametrize(
    ("quantity", "price", "rate", "fee"),
    [("10", "0.65", "0.07", "0.16"), ("5", "0.99", "0.04", "0.00")],
)
def test_small_fees_round_to_cents(quantity: str, price: str, rate: str, fee: str) -> None:
    product = scaled(quantity) * scaled(price)

    assert taker_fee(
        quantity=scaled(quantity), notional_product=product, rate=scaled(rate)
    ) == scaled(fee)


@pytest.mark.parametrize(
    ("payout_per_share", "paid", "realized"),
    [("1", "16.00", "5.50"), ("0", "0.00", "-10.50"), ("0.5", "8.00", "-2.50")],
)
def test_sixteen_shares_at_0_65625_are_settled(
    payout_per_share: str, paid: str, realized: str
) -> None:
    holding = apply_buy(
        Holding(), quantity=scaled(16), notional_product=scaled("10.50") * 1_000_000
    )
    amount = payout(holding.quantity, scaled(payout_per_share))

    assert Fraction(*average_price(holding)) == Fraction("0.65625")
    assert amount == scaled(paid)
    assert amount - holding.cost == scaled(realized)


def test_a_buy_averages_the_cost_and_a_sale_realises_against_the_average() -> None:
    bought = match_order(order(quantity="10"))
    first = apply_buy(
        Holding(), quantity=bought.filled_quantity, notional_product=bought.notional_product
    )
    more = apply_buy(first, quantity=scaled(10), notional_product=scaled(10) * scaled("0.70"))
    sale = apply_sell(more, quantity=scaled(5), notional_product=scaled(5) * scaled("0.80"))

    assert Fraction(*average_price(first)) == Fraction("0.654")
    assert Fraction(*average_price(more)) == Fraction("0.677")
    assert sale.realized == scaled("0.615")
    assert sale.holding == Holding(scaled(15), scaled("10.155"))
    assert Fraction(*average_price(sale.holding)) == Fraction("0.677")
