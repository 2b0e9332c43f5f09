"""Numbers and times as people read them (ui.md, "Numbers and words")."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trading import formats
from trading.templatetags.polysim import points, profit, relative_words

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("price", "text"),
    [("0.63", "63¢"), ("0.634", "63.4¢"), ("0.6345", "63.5¢"), ("0.0005", "0.05¢"), ("1", "100¢")],
)
def test_prices_are_cents(price: str, text: str) -> None:
    assert formats.price_cents_text(Decimal(price)) == text


def test_a_ladder_shows_as_many_decimals_as_its_tick() -> None:
    assert formats.price_cents_text(Decimal("0.63"), Decimal("0.001")) == "63.0¢"
    assert formats.price_cents_text(Decimal("0.63"), Decimal("0.01")) == "63¢"


@pytest.mark.parametrize(
    ("price", "text"),
    [
        ("0.62", "62%"),
        ("0.625", "63%"),
        ("0.004", "<1%"),
        ("0.996", ">99%"),
        ("0", "0%"),
        ("1", "100%"),
    ],
)
def test_chances_are_whole_percent(price: str, text: str) -> None:
    assert formats.chance_text(Decimal(price)) == text


def test_money_has_cents_and_a_true_minus() -> None:
    assert formats.money_text(Decimal("1234.5")) == "$1,234.50"
    assert formats.money_text(Decimal(-12)) == "−$12.00"
    assert formats.money_text(Decimal(0)) == "$0.00"


def test_large_figures_are_short() -> None:
    amounts = ["940", "412300", "1840000", "25400000", "2100000000"]
    texts = [formats.compact_text(Decimal(amount)) for amount in amounts]
    assert texts == ["$940", "$412k", "$1.84m", "$25.4m", "$2.1bn"]


def test_shares_have_two_decimals_at_most() -> None:
    assert formats.shares_text(Decimal("1400.000000")) == "1,400"
    assert formats.shares_text(Decimal("15.242400")) == "15.24"
    assert formats.shares_text(Decimal("0.000500")) == "0.0005"


def test_large_levels_leave_out_what_nobody_reads() -> None:
    texts = [formats.depth_text(Decimal(size)) for size in ("390.25", "20479.14", "1167627.66")]
    assert texts == ["390.25", "20,479", "1.17m"]


def test_profit_is_signed_and_has_an_arrow() -> None:
    gain = profit(Decimal(42), Decimal("0.127"))
    assert 'class="gain"' in gain
    assert "▲" in gain
    assert "+$42.00" in gain
    assert "+12.7%" in gain
    loss = profit(Decimal("-10.56"))
    assert 'class="loss"' in loss
    assert "−$10.56" in loss
    assert "▼" not in profit(Decimal(0))


def test_changes_of_a_chance_are_points_without_the_colours_of_profit() -> None:
    assert "−4 pts" in points(Decimal("-0.04"))
    assert "+1 pt<" in points(Decimal("0.01"))
    assert points(Decimal("0.001")) == "0 pts"
    assert "loss" not in points(Decimal("-0.04"))


def test_unknown_is_a_dash_with_its_reason() -> None:
    assert "no price a day ago" in points(None)
    assert "no price yet" in profit(None)


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (timedelta(seconds=-8), "8 s ago"),
        (timedelta(minutes=-3), "3 min ago"),
        (timedelta(hours=9, minutes=5), "in 9 h"),
        (timedelta(days=3), "8 Jan"),
        (timedelta(days=400), "9 Feb 2028"),
        (timedelta(0), "just now"),
    ],
)
def test_times_are_relative_within_a_day(distance: timedelta, text: str) -> None:
    assert relative_words(NOW + distance, NOW) == text
