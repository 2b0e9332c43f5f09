"""Opaque cursors: urlsafe base64 of what the next page starts after."""

import base64
import binascii
from datetime import datetime

from polysim.kernel.errors import ValidationFailed

START_CURSORS = ("", "MA==")


def encode_cursor(*parts: object) -> str:
    """Text for `next_cursor`."""
    return base64.urlsafe_b64encode("|".join(map(str, parts)).encode()).decode()


def decode_time_cursor(cursor: str | None) -> tuple[datetime, int | None] | None:
    """(time, id or None) of a cursor, None for the first page.

    A raw ISO time is accepted too. Raises ValidationFailed for an unreadable one.
    """
    if cursor is None or cursor in START_CURSORS:
        return None
    moment, _, row_id = _text_of(cursor).partition("|")
    try:
        at = datetime.fromisoformat(moment)
        number = int(row_id) if row_id else None
    except ValueError:
        raise _unreadable() from None
    if at.tzinfo is None or (number is not None and not 0 <= number < 2**63):
        raise _unreadable()
    return at, number


def decode_id_cursor(cursor: str | None) -> int | None:
    """The id a page starts below, None for the first page; ValidationFailed when unreadable.

    The bare number is accepted too: base64 of digits always has letters in it.
    """
    if cursor is None or cursor in START_CURSORS:
        return None
    text = cursor if cursor.isascii() and cursor.isdigit() else _text_of(cursor)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _unreadable()
    return int(text)


def _text_of(cursor: str) -> str:
    if len(cursor) > 200:
        raise _unreadable()
    if "T" in cursor and "-" in cursor and ":" in cursor:
        return cursor.replace(" ", "+")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _unreadable() from None


def _unreadable() -> ValidationFailed:
    return ValidationFailed([("cursor", "is not a cursor of this list")])
