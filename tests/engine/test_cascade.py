"""Fills without book depth, where the setting allows them (trading-api 7.4)."""

import pytest

from tests.engine.build import book, levels, order, scaled
from trading.engine.cascade import Tier, match_by_cascade, touch_tiers
from trading.engine.matching import FILLED
from trading.markets.pricing import Book

FAR = book(asks="0.90x100")


def tier(label: str, price: str) -> Tier:
    return Tier(label, scaled(price))


def test_an_order_with_depth_is_filled_by_the_walk() -> None:
    result, source = match_by_cascade(order(quantity="10"), [tier("best_ask", "0.66")])

    assert (result.status, source) == (FILLED, "book_walk")
    assert result.takes == levels("0.65x6 0.66x4")


def test_outside_the_band_the_first_tier_inside_it_fills_the_whole_order() -> None:
    tiers = [tier("best_ask", "0.90"), tier("clob_midpoint_cached", "0.66")]
    result, source = match_by_cascade(order(quantity="10", price="0.95", book=FAR), tiers)

    assert (result.status, source) == (FILLED, "clob_midpoint_cached")
    assert result.notional == scaled("6.60")
    assert result.takes == ()
    assert (result.levels_taken, result.impact_bps) == (0, None)


def test_an_amount_is_spent_at_the_tiers_price() -> None:
    result, source = match_by_cascade(
        order(amount="10", book=Book()), [tier("last_trade_only", "0.66")]
    )

    assert (result.filled_quantity, source) == (scaled("15.1515"), "last_trade_only")
    assert result.notional == scaled("10.00")


@pytest.mark.parametrize("tiers", [[], [tier("best_ask", "0.90")]])
def test_no_tier_inside_the_band_means_no_price(tiers: list[Tier]) -> None:
    result, source = match_by_cascade(order(quantity="10", price="0.95", book=FAR), tiers)

    assert (result.reject_code, source) == ("PRICE_UNAVAILABLE", None)


def test_a_tier_worse_than_the_order_price_does_not_fill_it() -> None:
    result, source = match_by_cascade(
        order(quantity="10", price="0.65", book=Book()), [tier("best_ask", "0.66")]
    )

    assert (result.reject_code, source) == ("FOK_ORDER_NOT_FILLED_ERROR", None)


def test_a_refusal_for_another_reason_stands() -> None:
    result, source = match_by_cascade(order(quantity="70"), [tier("best_ask", "0.65")])

    assert (result.reject_code, source) == ("INSUFFICIENT_LIQUIDITY", None)


def test_the_touch_is_tried_without_the_complement_first() -> None:
    own = book(bids="0.60x5", asks="0.66x5")
    merged = book(bids="0.62x5", asks="0.64x5")

    assert touch_tiers("BUY", own, merged) == [tier("best_ask", "0.66"), tier("best_ask", "0.64")]
    assert touch_tiers("SELL", own, merged) == [tier("best_bid", "0.60"), tier("best_bid", "0.62")]
    assert touch_tiers("SELL", Book(), Book()) == []
