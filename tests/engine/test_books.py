"""Merging with the complement, displayed price and the depletion overlay (trading-api 7.1, 7.3)."""

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.build import ASKS_OF_M, book, levels, scaled
from trading.engine.book import depletion_key, depletion_of, executable_book
from trading.markets.pricing import (
    SCALE,
    Book,
    Levels,
    displayed_price,
    merge_complement,
    midpoint,
    spread,
)


def _side(*, is_descending: bool) -> st.SearchStrategy[Levels]:
    sizes = st.integers(1, 10**9)
    prices = st.integers(1, 99).map(lambda cents: cents * 10_000)
    return st.dictionaries(prices, sizes, max_size=12).map(
        lambda found: tuple(sorted(found.items(), reverse=is_descending))
    )


BOOKS = st.builds(Book, bids=_side(is_descending=True), asks=_side(is_descending=False))


def _mirrored(original: Book) -> Book:
    return Book(
        bids=tuple((SCALE - price, size) for price, size in original.asks),
        asks=tuple((SCALE - price, size) for price, size in original.bids),
    )


@given(BOOKS, BOOKS)
def test_both_outcomes_see_the_same_merged_book_mirrored(own: Book, complement: Book) -> None:
    assert merge_complement(own, complement) == _mirrored(merge_complement(complement, own))


@given(BOOKS)
def test_a_book_merged_with_its_own_mirror_is_unchanged(own: Book) -> None:
    assert merge_complement(own, _mirrored(own)) == own


@given(BOOKS, st.integers(0, 1), st.integers(0, 2**31))
def test_what_an_order_took_is_gone_for_both_outcomes(
    merged: Book, outcome_index: int, seed: int
) -> None:
    takes = tuple((price, min(size, seed % size + 1)) for price, size in merged.asks)
    taken = depletion_of(outcome_index, "BUY", takes)
    left = executable_book(merged, taken, outcome_index)
    other = executable_book(_mirrored(merged), taken, 1 - outcome_index)

    amounts = dict(takes)
    remaining = [(price, size - amounts[price]) for price, size in merged.asks]
    assert left.asks == tuple(level for level in remaining if level[1])
    assert left.bids == merged.bids
    assert other == _mirrored(left)


def test_depletion_is_kept_in_the_first_outcomes_coordinates() -> None:
    assert depletion_key(0, "a", scaled("0.65")) == "a:650000"
    assert depletion_key(1, "b", scaled("0.35")) == "a:650000"
    assert depletion_key(1, "a", scaled("0.35")) == "b:650000"
    assert depletion_of(1, "SELL", levels("0.35x4")) == {"a:650000": scaled(4)}


def test_a_level_taken_beyond_its_size_offers_nothing() -> None:
    shown = book(asks=ASKS_OF_M)

    assert executable_book(shown, {"a:650000": scaled(7)}, 0).asks == levels("0.66x10 0.70x50")
    assert executable_book(shown, {}, 0) is shown


def test_the_displayed_price_is_the_midpoint_up_to_a_spread_of_ten_cents() -> None:
    narrow = book(bids="0.55x5", asks="0.65x5")
    wide = book(bids="0.55x5", asks="0.66x5")

    assert displayed_price(narrow, scaled("0.40")) == scaled("0.60")
    assert displayed_price(wide, scaled("0.40")) == scaled("0.40")
    assert displayed_price(wide, None) == scaled("0.605")
    assert displayed_price(book(asks="0.65x5"), scaled("0.40")) == scaled("0.40")
    assert displayed_price(book(asks="0.65x5"), None) is None
    assert displayed_price(narrow, scaled("0.40"), settlement=SCALE) == SCALE


def test_midpoint_and_spread_need_both_sides() -> None:
    both = book(bids="0.60x5 0.58x9", asks="0.65x6")

    assert (midpoint(both), spread(both)) == (scaled("0.625"), scaled("0.05"))
    assert midpoint(book(asks="0.65x6")) is None
    assert spread(book(bids="0.60x5")) is None
