"""Reading single fields of the venue's messages."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.markets.polymarket import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.65", 650_000),
        (".48", 480_000),
        ("1.", 1_000_000),
        ("219.217767", 219_217_767),
        ("0.0000019", 1),
        ("1e-2", 10_000),
        (5, 5_000_000),
        (Decimal("0.001"), 1_000),
        ("9999999999999", 9_999_999_999_999_000_000),
        ("10000000000000", None),
        ("-1", None),
        ("", None),
        ("1,5", None),
        ("1.2.3", None),
        ("٣", None),
        ("+1", None),
        ("0x10", None),
        ("1_000", None),
        ("Infinity", None),
        (0.5, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_numbers_become_integers_scaled_by_a_million(text: Any, expected: int | None) -> None:
    assert values.scaled(text) == expected


@given(st.decimals(min_value=0, max_value=10**9, places=6))
def test_six_decimals_survive_exactly(number: Decimal) -> None:
    scaled = values.scaled(format(number, "f"))

    assert scaled is not None
    assert values.unscaled(scaled) == number


def test_json_numbers_keep_their_text() -> None:
    assert values.loads('{"p": 0.1, "n": 65193234666628291664907888364936366210}') == {
        "p": Decimal("0.1"),
        "n": 65193234666628291664907888364936366210,
    }
    assert values.loads("[NaN, Infinity, -Infinity, 1e5000]") == [None, None, None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-24T00:01:29.141988Z", datetime(2026, 7, 24, 0, 1, 29, 141988, tzinfo=UTC)),
        ("2026-07-24 00:00:16+00", datetime(2026, 7, 24, 0, 0, 16, tzinfo=UTC)),
        ("2026-07-24T02:00:16+02:00", datetime(2026, 7, 24, 0, 0, 16, tzinfo=UTC)),
        ("2026-07-24T00:00:16", datetime(2026, 7, 24, 0, 0, 16, tzinfo=UTC)),
        ("2026-07-24T00:00:16.5Z", datetime(2026, 7, 24, 0, 0, 16, 500_000, tzinfo=UTC)),
        ("2026-07-24", datetime(2026, 7, 24, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-02-30T00:00:00Z", None),
        ("24.07.2026", None),
        ("", None),
        (1_790_000_000, None),
    ],
)
def test_times_in_every_shape_of_the_venue(text: Any, expected: datetime | None) -> None:
    assert values.instant(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1770921402746", 1_770_921_402_746),
        (1_770_921_402, 1_770_921_402_000),
        ("2026-02-12T18:36:42.746Z", 1_770_921_402_746),
        ("0", None),
        ("99999999999999999999", None),
        (None, None),
    ],
)
def test_timestamps_in_milliseconds_seconds_or_words(value: Any, expected: int | None) -> None:
    assert values.timestamp_ms(value) == expected


def test_lists_come_as_arrays_or_as_text_holding_an_array() -> None:
    assert values.json_list('["Yes", "No"]') == ["Yes", "No"]
    assert values.json_list(["Yes", "No"]) == ["Yes", "No"]
    assert values.json_list('{"a": 1}') is None
    assert values.json_list("[") is None
    assert values.json_list("") is None
