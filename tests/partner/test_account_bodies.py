"""Bodies that are none, on every address of accounts that takes one: an error, never a 500."""

from typing import Any

import pytest

from tests.partner.accounts import provision, register
from tests.support.door import FirmServer

pytestmark = pytest.mark.django_db

PATHS = (
    ("POST", "accounts"),
    ("PATCH", "accounts/{id}"),
    ("POST", "accounts/{id}/close"),
    ("POST", "accounts/{id}/reset"),
)
BODIES: tuple[tuple[str | bytes, int, str], ...] = (
    ("{", 400, "BAD_REQUEST"),
    ("[]", 400, "BAD_REQUEST"),
    ("null", 400, "BAD_REQUEST"),
    ('{"reason": NaN}', 400, "BAD_REQUEST"),
    (b'{"a": "\xff"}', 400, "BAD_REQUEST"),
    ('{"reason": 5, "rules": 5, "user_id": "x"}', 422, "VALIDATION_FAILED"),
    ('{"nothing\\u0000": 1}', 422, "VALIDATION_FAILED"),
    ('{"reason": "a\\u0000b", "metadata": {"k": "\\ud800"}}', 422, "VALIDATION_FAILED"),
    ('{"reason": "' + "x" * 256 + '", "stage": "demo"}', 422, "VALIDATION_FAILED"),
    ('{"reason": "' + "x" * 65_536 + '"}', 413, "PAYLOAD_TOO_LARGE"),
)


def test_broken_bodies_are_refused(server: FirmServer) -> None:
    account = provision(server, register(server.firm))
    for method, path in PATHS:
        address = path.format(id=account["account_id"])
        for body, status, code in BODIES:
            answer: Any = server.send(method, address, body)
            seen = (answer.status_code, answer.json()["error"])
            assert seen == (status, code), f"{method} {path} {body[:40]!r}"
        plain = server.client.generic(
            method,
            f"/v1/partner/{address}",
            data="{}",
            content_type="text/plain",
            headers=server.headers,
        )
        assert plain.json()["error"] == "UNSUPPORTED_MEDIA_TYPE"
        assert server.send("PUT", address, {}).json()["error"] == "METHOD_NOT_ALLOWED"


def test_close_and_reset_need_no_body_at_all(server: FirmServer) -> None:
    account = provision(server, register(server.firm))
    for name in ("reset", "close"):
        answer = server.client.generic(
            "POST", f"/v1/partner/accounts/{account['account_id']}/{name}", headers=server.headers
        )
        assert answer.status_code == 200, answer.content
