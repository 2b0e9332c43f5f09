"""Strict fields and the security headers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers

from polysim.kernel.api.fields import Flag, Moment, Number, Text, WholeNumber
from polysim.kernel.security import policy_for


def read(field: serializers.Field, value: Any) -> Any:
    return field.run_validation(value)


@pytest.mark.parametrize(("sent", "meant"), [(5, 5), ("5", 5), (" 7 ", 7), ("-3", -3), (0, 0)])
def test_whole_numbers(sent: Any, meant: int) -> None:
    assert read(WholeNumber(), sent) == meant


@pytest.mark.parametrize("sent", ["5.0", "1_0", "１", "", "x", True, None, 1.5, [], "9" * 20])
def test_what_is_no_whole_number(sent: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        read(WholeNumber(), sent)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [("0.1", "0.1"), (10, "10"), (Decimal("0.25"), "0.25"), ("1e-3", "0.001"), (".5", "0.5")],
)
def test_decimals_are_exact(sent: Any, meant: str) -> None:
    assert read(Number(), sent) == Decimal(meant)


@pytest.mark.parametrize(
    "sent", ["NaN", "Infinity", "1_0", "1e999", "1e-99", "0x1", "", "1,5", True, {}, "٣"]
)
def test_what_is_no_decimal(sent: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        read(Number(), sent)


@pytest.mark.parametrize(
    ("sent", "meant"), [("true", True), ("1", True), ("FALSE", False), (0, False), (True, True)]
)
def test_flags(sent: Any, meant: bool) -> None:
    assert read(Flag(), sent) is meant


@pytest.mark.parametrize("sent", ["yes", "on", "t", "2", "", None])
def test_what_is_no_flag(sent: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        read(Flag(), sent)


def test_a_date_is_the_start_or_the_end_of_its_day() -> None:
    assert read(Moment(), "2027-01-05") == datetime(2027, 1, 5, tzinfo=UTC)
    end = read(Moment(is_upper_bound=True), "2027-01-05")
    assert end == datetime(2027, 1, 5, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    [
        "2027-01-05T10:00:00Z",
        "2027-01-05T12:00:00+02:00",
        "2027-01-05T12:00:00 02:00",
        "2027-01-05T10:00:00",
        "1799143200",
    ],
)
def test_times_in_all_forms_are_utc(sent: str) -> None:
    assert read(Moment(), sent) == datetime(2027, 1, 5, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize("sent", ["yesterday", "2027-13-01", "", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time(sent: str) -> None:
    with pytest.raises(serializers.ValidationError):
        read(Moment(), sent)


@pytest.mark.parametrize("sent", [5, True, 1.5, [], {}])
def test_a_text_is_a_text(sent: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        read(Text(), sent)


def test_scripts_run_by_nonce_only_outside_the_admin() -> None:
    page = policy_for("/markets/", "abc")
    assert "script-src 'self' 'nonce-abc'" in page
    assert "unsafe-eval" not in page
    assert "frame-ancestors 'none'" in page
    assert "unsafe-eval" in policy_for("/admin/", "abc")
    assert policy_for("/v1/markets", "abc").startswith("default-src 'none'")


@pytest.mark.django_db
def test_every_page_carries_a_fresh_policy(retail: Any, redis_client: Any) -> None:
    client = Client(headers={"host": "localhost"})
    first, second = client.get("/login/"), client.get("/login/")
    assert first["Content-Security-Policy"] != second["Content-Security-Policy"]
    assert first["X-Frame-Options"] == "DENY"
    assert first["X-Content-Type-Options"] == "nosniff"
