"""Local days: all irregular ones of 2026 and 2027 in ten zones, midnights that a clock skips."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from prop.rules.days import (
    length_of_date,
    local_date,
    next_midnight,
    start_of_date,
    trading_dates,
)

# Seven zones that change their clocks, two of them at midnight and one by half an hour.
ZONES = [
    "America/New_York",
    "Europe/London",
    "Europe/Athens",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "America/Santiago",
    "Africa/Cairo",
    "UTC",
    "Asia/Tokyo",
    "Asia/Kolkata",
]
HOUR = 3_600
ALL_DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(730)]
IRREGULAR = [
    (name, day, length)
    for name in ZONES
    for day in ALL_DAYS
    if (length := length_of_date(day, ZoneInfo(name))) != 24 * HOUR
]


def test_ten_zones_have_28_irregular_days_in_2026_and_2027() -> None:
    lengths = Counter(length for _, _, length in IRREGULAR)

    assert len(IRREGULAR) == 28
    assert lengths == {23 * HOUR: 12, 25 * HOUR: 12, 84_600: 2, 88_200: 2}


@pytest.mark.parametrize(("name", "day", "length"), IRREGULAR)
def test_an_irregular_day_is_one_date_from_its_first_to_its_last_second(
    name: str, day: date, length: int
) -> None:
    zone = ZoneInfo(name)
    start = start_of_date(day, zone)
    moments = range(start, start + length, 60)

    assert {local_date(moment, zone) for moment in moments} == {day}
    assert local_date(start - 1, zone) == day - timedelta(days=1)
    assert local_date(start + length - 1, zone) == day
    assert local_date(start + length, zone) == day + timedelta(days=1)
    assert {next_midnight(moment, zone) for moment in moments} == {start + length}
    assert next_midnight(start - 1, zone) == start
    # The first reading at or after each midnight starts a day: one a date, none left out.
    assert len(trading_dates(range(start, start + length, 5), zone, since=start)) == 1


@pytest.mark.parametrize("name", ZONES)
def test_days_follow_each_other_without_gap_or_overlap(name: str) -> None:
    zone = ZoneInfo(name)
    moment = start_of_date(ALL_DAYS[0], zone)
    for day in ALL_DAYS:
        assert (moment, local_date(moment, zone)) == (start_of_date(day, zone), day)
        moment = next_midnight(moment, zone)


def test_a_midnight_that_the_clock_skips_is_the_moment_of_the_change() -> None:
    zone = ZoneInfo("Africa/Cairo")
    skipped = next(day for name, day, hours in IRREGULAR if "Cairo" in name and hours < 86_400)
    start = start_of_date(skipped, zone)

    assert datetime.fromtimestamp(start, zone).hour == 1
    assert local_date(start - 1, zone) == skipped - timedelta(days=1)


def test_a_utc_day_ends_at_midnight() -> None:
    noon = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())

    assert next_midnight(noon, UTC) == noon + 12 * HOUR
    assert next_midnight(noon + 12 * HOUR, UTC) == noon + 36 * HOUR


def test_fills_before_the_phase_count_for_nothing() -> None:
    noon = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())

    assert trading_dates([noon - 86_400, noon - 1, noon], UTC, since=noon) == {date(2026, 3, 2)}
    assert trading_dates([noon - 1], UTC, since=noon) == set()
