"""Readers of single fields of the venue's messages.

Pure. Numbers arrive as text or as JSON numbers; both become scaled integers (SCALE = 10**6) or
Decimal straight from their text, never by way of float. A reader answers None for what is absent
or unusable; it never raises.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

SCALE = 10**6
SCALE_DIGITS = 6
ONE = SCALE

#: Whole digits that a size, price or amount may have; more is garbage. 10**13 fits numeric(20,6).
_MAX_WHOLE_DIGITS = 13
_MAX_TEXT_LENGTH = 64
_CONDITION_ID = re.compile(r"0x[0-9a-fA-F]{64}\Z")
_DECIMAL_TEXT = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?"
    r"\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?\Z",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})\Z", re.ASCII)
_EARLIEST_MS = 1_500_000_000_000
_LATEST_MS = 4_102_444_800_000
_MAX_JSON_DEPTH_ERROR = (ValueError, RecursionError)


def loads(text: str | bytes) -> Any:
    """Decode JSON keeping the decimal text of every number; NaN and Infinity become None.

    Raises ValueError for anything that is not JSON (also for nesting too deep to read).
    """
    try:
        return json.loads(text, parse_float=_decimal, parse_constant=_no_number)
    except _MAX_JSON_DEPTH_ERROR as error:
        raise ValueError(f"not JSON: {error}") from None


def _decimal(text: str) -> Decimal | None:
    """A JSON number with a fraction or exponent; an absurd exponent is no number."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if -400 < value.adjusted() < 400 else None


def _no_number(_name: str) -> None:
    return None


def decimal(value: object) -> Decimal | None:
    """A finite Decimal from text or a JSON number, None for everything else ("" is absent)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal):
        return value if value.is_finite() and abs(value.adjusted()) <= 40 else None
    if isinstance(value, int):
        return Decimal(value) if -(10**40) < value < 10**40 else None
    if isinstance(value, str):
        text = value.strip()
        if not text or len(text) > _MAX_TEXT_LENGTH or _DECIMAL_TEXT.match(text) is None:
            return None
        parsed = Decimal(text)
        return parsed if abs(parsed.adjusted()) <= 40 else None
    return None


def scaled(value: object) -> int | None:
    """A non-negative number as an integer scaled by 10**6; digits beyond the sixth are cut off.

    Cutting (never rounding up) means that no depth is shown that the venue does not have.
    """
    if type(value) is str:
        return _scaled_text(value)
    number = decimal(value)
    return None if number is None else _scaled_decimal(number)


@lru_cache(maxsize=8_192)
def _scaled_text(text: str) -> int | None:
    """`scaled` of plain decimal text; cached, because books repeat the same few prices."""
    whole, _, fraction = text.partition(".")
    if not text.isascii() or not (whole + fraction).isdigit():
        number = decimal(text)
        return None if number is None else _scaled_decimal(number)
    if len(whole) > _MAX_WHOLE_DIGITS or len(fraction) > _MAX_TEXT_LENGTH:
        return None
    return int(whole or "0") * SCALE + int((fraction + "000000")[:SCALE_DIGITS])


def _scaled_decimal(number: Decimal) -> int | None:
    if number < 0 or number.adjusted() >= _MAX_WHOLE_DIGITS:
        return None
    return int(number.scaleb(SCALE_DIGITS))


def unscaled(number: int) -> Decimal:
    """The exact Decimal of an integer scaled by 10**6, for the database and other edges."""
    return Decimal(number).scaleb(-SCALE_DIGITS)


def price(value: object) -> int | None:
    """A price strictly between 0 and 1, scaled by 10**6; None when outside or not exact."""
    number = scaled(value)
    if number is None or not 0 < number < ONE:
        return None
    exact = decimal(value)
    # A book price finer than six decimals exists on no tick: it is garbage, not a price to cut.
    if exact is None or exact.scaleb(SCALE_DIGITS) != number:
        return None
    return number


@lru_cache(maxsize=65_536)
def _price_text(text: str) -> int | None:
    return price(text)


def book_price(value: object) -> int | None:
    """`price` for the hot path of book levels (cached by text)."""
    return _price_text(value) if type(value) is str else price(value)


def edge_price(value: object) -> int | None:
    """A top-of-book price scaled by 10**6; None for "no side" ("0", "1", "") and for garbage."""
    return book_price(value)


def text(value: object, *, limit: int = 20_000) -> str:
    """Text without NUL bytes, cut to `limit` characters; "" for everything that is not text."""
    if not isinstance(value, str):
        return ""
    cut = value[:limit].replace("\x00", "")
    # Half a surrogate pair is legal in JSON but can neither be hashed nor stored.
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")


def flag(value: object) -> bool | None:
    """A JSON boolean (also "true"/"false" as text); None when unknown."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def condition_id(value: object) -> str | None:
    """A condition id: 0x and 64 hex digits, in lower case."""
    if isinstance(value, str) and _CONDITION_ID.match(value):
        return value.lower()
    return None


def token_id(value: object) -> str | None:
    """A token id: a decimal string of up to 78 digits (it never fits in 64 bits)."""
    if isinstance(value, str) and 0 < len(value) <= 78 and value.isascii() and value.isdigit():
        return value
    return None


def side(value: object) -> str | None:
    """`BUY` or `SELL`."""
    if isinstance(value, str):
        upper = value.upper()
        if upper in ("BUY", "SELL"):
            return upper
    return None


def timestamp_ms(value: object) -> int | None:
    """Unix milliseconds from text or number of milliseconds or seconds, or from an ISO time."""
    if isinstance(value, str) and not value.strip().isdigit():
        moment = instant(value)
        return (
            None if moment is None else int(moment.timestamp()) * 1000 + moment.microsecond // 1000
        )
    number = decimal(value)
    if number is None or number < 0:
        return None
    milliseconds = int(number)
    if milliseconds < _EARLIEST_MS:
        milliseconds = int(number * 1000)
    return milliseconds if _EARLIEST_MS <= milliseconds < _LATEST_MS else None


def instant(value: object) -> datetime | None:
    """An aware UTC datetime from any of the venue's shapes.

    `2026-07-24T00:00:16Z`, `2026-07-24 00:00:16+00`, `2026-07-24`, 0 to 6 decimals (more are cut).
    """
    if not isinstance(value, str):
        return None
    stripped = value.strip()
    found = _TIMESTAMP.match(stripped)
    try:
        if found is None:
            day = _DATE.match(stripped)
            if day is None:
                return None
            return datetime(int(day[1]), int(day[2]), int(day[3]), tzinfo=UTC)
        micros = int((found[7] or "0").ljust(6, "0")[:6])
        parts = [int(found[index]) for index in range(1, 7)]
        zone = _zone(found[8])
        local = datetime(*parts, micros, tzinfo=zone)  # type: ignore[arg-type, misc]
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str | None) -> timezone:
    """The zone of an offset; none at all means UTC, as everywhere at the venue."""
    if offset is None or offset in ("Z", "z"):
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if offset[0] == "-" else span)


def json_list(value: object) -> list[Any] | None:
    """A real array, or an array inside a JSON string (Gamma's `outcomes` and kin)."""
    if isinstance(value, list):
        return value
    if isinstance(value, str) and value.strip():
        try:
            inner = loads(value)
        except ValueError:
            return None
        return inner if isinstance(inner, list) else None
    return None


def mapping(value: object) -> dict[str, Any] | None:
    """The value when it is a JSON object."""
    return value if isinstance(value, dict) else None
