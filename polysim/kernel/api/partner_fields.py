"""Fields of the partner door: exact money, prices, external ids, JSON objects, times.

Contract: partner-api, Conventions. Wrong values are refused with the field's name (422).
"""

import json
import math
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from rest_framework import serializers

from polysim.kernel.api.fields import BIGINT_MAX, Text
from polysim.kernel.clock import iso_micro_text
from polysim.kernel.money import four_places_text, money_text

JSON_OBJECT_BYTES_MAX = 16 * 1024
JSON_OBJECT_DEPTH_MAX = 8
EMAIL_LENGTH_MAX = 320
USER_ID_TEXT = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
UNSTORABLE_CATEGORIES = frozenset({"Cc", "Cs"})


class ExactDecimal(serializers.Field):  # type: ignore[type-arg]
    """A decimal as text or whole number, never a float, with at most `places` decimals."""

    places = 4
    default_error_messages = {
        "invalid": 'must be decimal text such as "12.50", or a whole number',
        "places": "may have at most {places} decimals",
        "range": "must be between {min_value} and {max_value}",
    }
    TEXT = re.compile(r"-?[0-9]{1,15}(?:\.([0-9]{1,30}))?", re.ASCII)

    def __init__(
        self,
        *,
        min_value: Decimal = -(Decimal(10) ** 15),
        max_value: Decimal = Decimal(10) ** 15,
        **options: Any,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("invalid")
        match = self.TEXT.fullmatch(str(data))
        if match is None:
            self.fail("invalid")
        if len(match.group(1) or "") > self.places:
            self.fail("places", places=self.places)
        number = Decimal(str(data))
        if not self.min_value <= number <= self.max_value:
            self.fail("range", min_value=self.min_value, max_value=self.max_value)
        return number

    def to_representation(self, value: Any) -> str:
        return four_places_text(value) or ""


class Money(ExactDecimal):
    """Dollars with two places: `"25000.00"`; input may be text or a whole number."""

    places = 2

    def to_representation(self, value: Any) -> str:
        return money_text(value) or ""


class Price(ExactDecimal):
    """A price, quantity or percentage with up to four places; answers show all four."""


class PlainText(Text):
    """A text that is neither trimmed nor may hold control characters."""

    default_error_messages = {"control": "may not hold control characters"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if any(unicodedata.category(sign) in UNSTORABLE_CATEGORIES for sign in text):
            self.fail("control")
        return text


class ExternalId(PlainText):
    """The firm's own id: 1 to 255 characters, case-sensitive, kept as sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_length": 1, "max_length": 255, **options})


class EmailText(PlainText):
    """An e-mail address of 3 to 320 characters, trimmed and lower-cased."""

    default_error_messages = {"address": "must look like an e-mail address"}

    def __init__(self, **options: Any) -> None:
        options.setdefault("trim_whitespace", True)
        super().__init__(**{"min_length": 3, "max_length": EMAIL_LENGTH_MAX, **options})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data).lower()
        try:
            EmailValidator()(text)
        except ValidationError:
            self.fail("address")
        return text


class UserId(serializers.Field):  # type: ignore[type-arg]
    """The integer `user_id` in a body: a JSON number, no text."""

    default_error_messages = {"invalid": "must be a whole number"}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int) or not 1 <= data <= BIGINT_MAX:
            self.fail("invalid")
        return int(data)

    def to_representation(self, value: Any) -> int:
        return int(value)


class JsonObject(serializers.Field):  # type: ignore[type-arg]
    """A JSON object kept as it is: at most 16 KB serialised and 8 levels deep.

    Numbers outside binary floating point, null characters and lone surrogates are refused.
    `null` is refused unless `allow_null`; what it means is the caller's.
    """

    default_error_messages = {
        "invalid": "must be a JSON object",
        "depth": f"may be at most {JSON_OBJECT_DEPTH_MAX} levels deep",
        "size": f"may have at most {JSON_OBJECT_BYTES_MAX} bytes when serialised",
        "number": "holds a number that is too large",
        "text": "holds a null character or a broken character",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        value: dict[str, Any] = self._checked(data, 1)
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) > JSON_OBJECT_BYTES_MAX:
            self.fail("size")
        return value

    def to_representation(self, value: Any) -> Any:
        return value

    def _checked(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict | list) and depth > JSON_OBJECT_DEPTH_MAX:
            self.fail("depth")
        if isinstance(value, dict):
            return {
                self._checked(name, depth): self._checked(inner, depth + 1)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self._checked(inner, depth + 1) for inner in value]
        if isinstance(value, str) and any(
            sign == "\x00" or "\ud800" <= sign <= "\udfff" for sign in value
        ):
            self.fail("text")
        if isinstance(value, Decimal):
            # No money: JSON has binary numbers only, and so has everybody who reads this again.
            number = float(value)
            if not math.isfinite(number):
                self.fail("number")
            return number
        return value


class PartnerMoment(serializers.Field):  # type: ignore[type-arg]
    """An ISO-8601 time; without a zone it is UTC. Answers have `Z` and microseconds."""

    default_error_messages = {"invalid": "must be an ISO 8601 time such as 2026-09-21T10:00:00Z"}
    TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{5,15}([Zz]|[+-][0-9:]{4,6})?", re.A)

    def to_internal_value(self, data: Any) -> datetime:
        # A plus sign of the zone arrives as a space in a query string.
        text = re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", data.strip()) if type(data) is str else ""
        if not self.TEXT.fullmatch(text):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(text.upper())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")

    def to_representation(self, value: Any) -> str:
        return iso_micro_text(value) or ""


def parse_user_id(text: str) -> int | None:
    """The `user_id` of a path; None for what cannot be one (a 404, not a field error)."""
    number = int(text) if USER_ID_TEXT.fullmatch(text) else 0
    return number if 0 < number <= BIGINT_MAX else None
