"""Opaque cursors of the partner door's lists, bound to the list and its filters (partner-api 6).

A cursor counts only together with what it was made for: another account's or other filters'
answers 400 `INVALID_CURSOR`. Cursors do not expire.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from polysim.kernel.api.fields import BIGINT_MAX
from polysim.kernel.errors import PolysimError

CURSOR_LENGTH_MAX = 256


class InvalidCursor(PolysimError):
    """The cursor is unreadable, or of another list or other filters."""

    code = "INVALID_CURSOR"
    status = 400
    message = "This cursor does not belong to this list with these filters."


def encode_list_cursor(position: int, *, scope: Mapping[str, Any]) -> str:
    """The text for `next_cursor`: continue behind `position` (an id or seq).

    `scope` names the list, whose it is, and its filters: `{"list": "trades", "account": …}`.
    """
    text = json.dumps({"p": position, "s": _mark(scope)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_list_cursor(cursor: str | None, *, scope: Mapping[str, Any]) -> int:
    """The position to continue behind, 0 at the start; raises InvalidCursor."""
    if not cursor:
        return 0
    if len(cursor) > CURSOR_LENGTH_MAX:
        raise InvalidCursor()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
        position, mark = parts["p"], parts["s"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        raise InvalidCursor() from None
    if type(position) is not int or not 0 <= position <= BIGINT_MAX or mark != _mark(scope):
        raise InvalidCursor()
    return position


def _mark(scope: Mapping[str, Any]) -> str:
    text = json.dumps(dict(scope), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
