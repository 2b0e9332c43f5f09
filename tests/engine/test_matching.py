"""Immediate matching at its boundaries: one step before, at, after (trading-api 4.2, 7.2, 7.4)."""

import pytest

from tests.engine.build import ASKS_OF_M, book, levels, order, scaled
from trading.engine.book import executable_book
from trading.engine.matching import FILLED, KILLED, REJECTED, RESTING, match_order
from trading.markets.pricing import Book


@pytest.mark.parametrize(
    ("quantity", "status"), [("16.9999", FILLED), ("17", FILLED), ("17.0001", REJECTED)]
)
def test_a_fok_absorbs_a_shortfall_of_exactly_one_share(quantity: str, status: str) -> None:
    assert match_order(order(quantity=quantity)).status == status


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("66.9999", "FOK_ORDER_NOT_FILLED_ERROR"),
        ("67", "FOK_ORDER_NOT_FILLED_ERROR"),
        ("67.0001", "INSUFFICIENT_LIQUIDITY"),
    ],
)
def test_a_fok_is_bigger_than_the_book_from_one_share_on(quantity: str, code: str) -> None:
    assert match_order(order(quantity=quantity)).reject_code == code


def test_depth_taken_by_others_counts_as_displayed_but_cannot_fill() -> None:
    shown = book(asks=ASKS_OF_M)
    left = executable_book(shown, {"a:700000": scaled(50)}, 0)
    result = match_order(order(quantity="60", price="0.99", book=left, displayed_book=shown))

    assert result.reject_code == "FOK_ORDER_NOT_FILLED_ERROR"


@pytest.mark.parametrize("time_in_force", ["FOK", "FAK"])
def test_a_market_order_without_any_depth_finds_no_executable_depth(time_in_force: str) -> None:
    result = match_order(order(quantity="10", book=Book(), time_in_force=time_in_force))

    assert (result.status, result.reject_code) == (REJECTED, "NO_EXECUTABLE_DEPTH")


def test_a_market_fak_with_nothing_inside_its_price_is_refused() -> None:
    result = match_order(order(quantity="10", price="0.64", time_in_force="FAK"))

    assert result.reject_code == "FOK_ORDER_NOT_FILLED_ERROR"


def test_a_limit_fak_with_nothing_inside_its_price_is_killed() -> None:
    result = match_order(order(kind="limit", quantity="10", price="0.64", time_in_force="IOC"))

    assert (result.status, result.reject_code) == (KILLED, None)


def test_the_walk_takes_the_level_at_the_order_price_and_none_beyond() -> None:
    result = match_order(order(quantity="12", price="0.66", time_in_force="FAK"))
    cheaper = match_order(order(quantity="12", price="0.659999", time_in_force="FAK"))

    assert result.takes == levels("0.65x6 0.66x6")
    assert cheaper.takes == levels("0.65x6")


def test_fills_are_kept_to_the_share_quantum_though_levels_are_finer() -> None:
    crumbs = book(asks="0.65x1.00007 0.66x2.00008")
    part = match_order(order(quantity="10", price="0.70", book=crumbs, time_in_force="FAK"))
    dust = match_order(order(quantity="10", book=book(asks="0.65x0.00009"), time_in_force="FAK"))

    assert part.filled_quantity == scaled("3.0001")
    assert part.takes == levels("0.65x1.00007 0.66x2.00003")
    assert dust.reject_code == "FOK_ORDER_NOT_FILLED_ERROR"


# -- amount ----------------------------------------------------------------------------------


def test_an_amount_fok_keeps_the_bought_part_when_less_than_a_share_stays_unspent() -> None:
    # Within 0.66 the book takes 10.50; one share at 0.66 may stay unspent.
    at_edge = match_order(order(amount="11.16", price="0.66"))
    beyond = match_order(order(amount="11.17", price="0.66"))

    assert at_edge.filled_quantity == at_edge.requested_quantity == scaled(16)
    assert at_edge.notional == scaled("10.50")
    assert at_edge.warnings == ()
    assert beyond.reject_code == "FOK_ORDER_NOT_FILLED_ERROR"


def test_an_amount_bigger_than_the_whole_book_finds_insufficient_liquidity() -> None:
    # The whole book is worth 45.50, its last share 0.70.
    assert match_order(order(amount="46.20", price="0.68")).reject_code == (
        "FOK_ORDER_NOT_FILLED_ERROR"
    )
    assert match_order(order(amount="46.21", price="0.68")).reject_code == (
        "INSUFFICIENT_LIQUIDITY"
    )


def test_an_amount_fak_spends_what_it_can_and_says_what_is_missing() -> None:
    result = match_order(order(amount="12", price="0.66", time_in_force="FAK"))

    assert result.notional == scaled("10.50")
    # 1.50 more would have bought 2.2727 at 0.66.
    assert result.warnings == ("partial_fill:filled=16.0000,requested=18.2727",)


def test_an_amount_too_small_for_a_ten_thousandth_of_a_share_is_an_invalid_quantity() -> None:
    assert match_order(order(amount="0")).reject_code == "INVALID_QUANTITY"
    assert match_order(order(amount="0.01")).filled_quantity == scaled("0.0153")


# -- orders that may rest --------------------------------------------------------------------


@pytest.mark.parametrize("time_in_force", ["GTC", "GTD"])
def test_a_limit_order_that_does_not_cross_rests_whole(time_in_force: str) -> None:
    result = match_order(
        order(kind="limit", quantity="10.5", price="0.333", time_in_force=time_in_force)
    )

    assert (result.status, result.filled_quantity) == (RESTING, 0)
    # 0.333 x 10.5 = 3.4965, rounded up.
    assert result.hold == scaled("3.50")
    assert result.fee == 0


def test_a_resting_sell_holds_shares_and_no_cash() -> None:
    result = match_order(
        order("SELL", kind="limit", quantity="10", price="0.70", time_in_force="GTC")
    )

    assert (result.status, result.remaining_quantity, result.hold) == (RESTING, scaled(10), 0)


def test_a_crossing_limit_order_that_fills_whole_is_filled() -> None:
    result = match_order(order(kind="limit", quantity="16", price="0.66", time_in_force="GTC"))

    assert (result.status, result.remaining_quantity, result.hold) == (FILLED, 0, 0)


@pytest.mark.parametrize(
    ("price", "status"), [("0.64", RESTING), ("0.65", REJECTED), ("0.66", REJECTED)]
)
def test_post_only_is_refused_as_soon_as_it_would_cross(price: str, status: str) -> None:
    result = match_order(
        order(kind="limit", time_in_force="GTC", quantity="10", price=price, is_post_only=True)
    )

    assert result.status == status
    assert result.reject_code == ("INVALID_POST_ONLY_ORDER" if status == REJECTED else None)


def test_post_only_looks_at_the_displayed_book_even_where_its_depth_is_taken() -> None:
    result = match_order(
        order(
            kind="limit",
            time_in_force="GTC",
            quantity="10",
            price="0.65",
            is_post_only=True,
            book=Book(),
            displayed_book=book(asks=ASKS_OF_M),
        )
    )

    assert result.reject_code == "INVALID_POST_ONLY_ORDER"


# -- the guard of 7.4 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "code"),
    [("0.575", None), ("0.575001", "NO_EXECUTABLE_DEPTH"), ("0.58", "NO_EXECUTABLE_DEPTH")],
)
def test_the_band_is_relative_to_the_displayed_price(ask: str, code: str | None) -> None:
    result = match_order(
        order(quantity="10", price="0.99", displayed_price="0.50", book=book(asks=f"{ask}x100"))
    )

    assert result.reject_code == code


@pytest.mark.parametrize(("bid", "code"), [("0.425", None), ("0.424999", "NO_EXECUTABLE_DEPTH")])
def test_the_band_is_symmetric(bid: str, code: str | None) -> None:
    result = match_order(
        order(
            "SELL",
            quantity="10",
            price="0.01",
            displayed_price="0.50",
            book=book(bids=f"{bid}x100"),
        )
    )

    assert result.reject_code == code


def test_the_guard_judges_the_average_of_the_walk_and_not_its_first_level() -> None:
    deep = book(asks="0.50x10 0.95x1000")
    result = match_order(order(quantity="500", price="0.99", displayed_price="0.50", book=deep))
    few = match_order(order(quantity="10", price="0.99", displayed_price="0.50", book=deep))

    assert result.reject_code == "NO_EXECUTABLE_DEPTH"
    assert few.status == FILLED


@pytest.mark.parametrize("displayed", [None, "0"])
def test_the_guard_is_skipped_without_a_displayed_price(displayed: str | None) -> None:
    result = match_order(order(quantity="5", displayed_price=displayed))

    assert result.status == FILLED
    assert result.slippage_bps is None


def test_prices_within_two_cents_of_the_displayed_one_always_pass() -> None:
    cheap = order(quantity="10", price="0.10", displayed_price="0.02", book=book(asks="0.04x50"))
    dearer = order(quantity="10", price="0.10", displayed_price="0.02", book=book(asks="0.041x50"))

    assert match_order(cheap).status == FILLED
    assert match_order(dearer).reject_code == "NO_EXECUTABLE_DEPTH"


def test_a_limit_order_outside_the_band_is_killed_or_crosses_if_it_may_rest() -> None:
    far = book(asks="0.80x100")
    killed = match_order(
        order(kind="limit", quantity="10", price="0.90", displayed_price="0.50", book=far)
    )
    crossed = match_order(
        order(
            kind="limit",
            time_in_force="GTC",
            quantity="10",
            price="0.90",
            displayed_price="0.50",
            book=far,
        )
    )

    assert killed.status == KILLED
    assert (crossed.status, crossed.notional) == (FILLED, scaled("8.00"))


# -- figures ---------------------------------------------------------------------------------


def test_the_spread_is_that_of_the_displayed_book() -> None:
    result = match_order(
        order(quantity="5", displayed_book=book(bids="0.60x5", asks="0.65x6 0.66x10"))
    )

    # 0.05 / 0.625
    assert result.spread_bps == 800
    assert match_order(order(quantity="5")).spread_bps is None


@pytest.mark.parametrize(("displayed", "warned"), [("0.6184", True), ("0.6191", False)])
def test_high_slippage_is_warned_about_from_five_per_cent_on(displayed: str, warned: bool) -> None:
    result = match_order(order(quantity="5", displayed_price=displayed))

    assert result.slippage_bps is not None
    assert (result.slippage_bps >= 500) is warned
    assert result.warnings == ((f"high_slippage_bps_{result.slippage_bps}",) if warned else ())
