"""Fields of requests and answers: strict numbers in, decimal text out (accounts-api 2.4)."""

import re
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

INTEGER_TEXT = re.compile(r"-?[0-9]{1,19}")
DECIMAL_TEXT = re.compile(
    r"-?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
)
BIGINT_MAX = 2**63 - 1


class WholeNumber(serializers.Field):  # type: ignore[type-arg]
    """An integer as number or text; digits only, no `1_000`, no `5.0`."""

    default_error_messages = {
        "invalid": "must be a whole number",
        "range": "must be between {min_value} and {max_value}",
    }

    def __init__(
        self, *, min_value: int = -BIGINT_MAX, max_value: int = BIGINT_MAX, **options: Any
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("invalid")
        if isinstance(data, str) and not INTEGER_TEXT.fullmatch(data.strip()):
            self.fail("invalid")
        number = int(data)
        if not self.min_value <= number <= self.max_value:
            self.fail("range", min_value=self.min_value, max_value=self.max_value)
        return number

    def to_representation(self, value: Any) -> int:
        return int(value)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"},
            {"type": "number"},
        ]
    }
)
class Number(serializers.Field):  # type: ignore[type-arg]
    """A decimal in a request, as text or JSON number; answers an exact Decimal."""

    default_error_messages = {
        "invalid": "must be a decimal number",
        "range": "is out of range",
    }

    def __init__(self, *, magnitude_max: Decimal = Decimal(10) ** 15, **options: Any) -> None:
        self.magnitude_max = magnitude_max
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | str | Decimal):
            self.fail("invalid")
        text = str(data).strip()
        if not DECIMAL_TEXT.fullmatch(text):
            self.fail("invalid")
        number = Decimal(text)
        if (abs(number) > self.magnitude_max or number.adjusted() < -30) and number != 0:
            self.fail("range")
        return number

    def to_representation(self, value: Any) -> str:
        return str(value)


class Flag(serializers.Field):  # type: ignore[type-arg]
    """`true`, `false`, `1`, `0` in any case, or a JSON boolean."""

    default_error_messages = {"invalid": "must be true or false"}
    VALUES = {"true": True, "1": True, "false": False, "0": False}

    def to_internal_value(self, data: Any) -> bool:
        value = self.VALUES.get(str(data).strip().lower())
        if value is None:
            self.fail("invalid")
        return bool(value)

    def to_representation(self, value: Any) -> bool:
        return bool(value)


class Moment(serializers.Field):  # type: ignore[type-arg]
    """A time in a query: ISO-8601 (without zone: UTC), `YYYY-MM-DD`, or unix seconds.

    A bare date is 00:00:00Z as a lower bound and the end of that day with `is_upper_bound`.
    """

    default_error_messages = {"invalid": "must be an ISO-8601 time, a date or unix seconds"}
    DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
    UNIX = re.compile(r"[0-9]{1,10}")

    def __init__(self, *, is_upper_bound: bool = False, **options: Any) -> None:
        self.is_upper_bound = is_upper_bound
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> datetime:
        text = str(data).strip()
        try:
            if self.UNIX.fullmatch(text):
                return datetime.fromtimestamp(int(text), UTC)
            # A plus sign of the zone arrives as a space in a query string.
            moment = datetime.fromisoformat(re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", text))
            if self.DATE.fullmatch(text) and self.is_upper_bound:
                moment = datetime.combine(moment, time.max)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError, OSError):
            self.fail("invalid")

    def to_representation(self, value: Any) -> str:
        return str(value)


class Text(serializers.CharField):
    """A JSON text; numbers and booleans are not taken for one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)
