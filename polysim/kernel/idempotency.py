"""Idempotency-Key: reading the header and comparing bodies (accounts-api 2.6).

What was answered is kept by `tenants.services.idempotency`; orders keep their own.
"""

import hashlib
import json
from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from polysim.kernel.errors import ValidationFailed

LENGTH_MAX = 128


def read_idempotency_key(request: HttpRequest) -> str | None:
    """The header's text, None without one; raises ValidationFailed for an unusable one."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not 1 <= len(key) <= LENGTH_MAX or not (key.isascii() and key.isprintable()):
        raise ValidationFailed([("Idempotency-Key", "must be 1 to 128 printable characters")])
    return str(key)


def hash_body(body: Any) -> str:
    """SHA-256 of a parsed body: order of members and blanks do not matter, values do."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), default=_as_text)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    raise TypeError(f"{type(value)} does not come from JSON")
