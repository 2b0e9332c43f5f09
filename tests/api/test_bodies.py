"""Reading bodies: exact numbers, nothing ambiguous, nothing too large (parsers)."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from polysim.kernel.api.parsers import read_json
from polysim.kernel.api.refusals import BadRequest


def test_numbers_stay_exact() -> None:
    assert read_json(b'{"p": 0.1, "q": 10, "r": 1e-7}') == {
        "p": Decimal("0.1"),
        "q": 10,
        "r": Decimal("1e-7"),
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": 01}',
        b"\xff\xfe",
        b'{"a": ' + b"9" * 200 + b"}",
        b"[" * 100_000,
        b"[" * 40 + b"]" * 40,
    ],
)
def test_what_is_not_plain_json_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        read_json(raw)


def test_characters_that_cannot_be_stored_are_replaced() -> None:
    raw = b'{"a": ["x\\u0000y", "\\ud800", "\\ud83d\\ude00"], "\\u0000": 1}'
    assert read_json(raw) == {"a": ["x\ufffdy", "\ufffd", "\U0001f600"], "\ufffd": 1}


def test_a_byte_order_mark_is_forgiven() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.django_db
def test_a_broken_body_answers_400(anyone: Client, retail: Any) -> None:
    response = anyone.post("/v1/auth/token", "{", content_type="application/json")
    assert (response.status_code, response["X-Polysim-Code"]) == (400, "BAD_REQUEST")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_another_content_type_answers_415(anyone: Client, retail: Any, kind: str) -> None:
    response = anyone.post("/v1/auth/token", "{}", content_type=kind)
    assert (response.status_code, response["X-Polysim-Code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.django_db
def test_a_huge_body_answers_413(anyone: Client, retail: Any) -> None:
    body = '{"email": "' + "x" * 300_000 + '"}'
    response = anyone.post("/v1/auth/token", body, content_type="application/json")
    assert (response.status_code, response["X-Polysim-Code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["[]", "3", '"text"', "null"])
def test_a_body_of_another_shape_answers_422(anyone: Client, retail: Any, body: str) -> None:
    response = anyone.post("/v1/auth/token", body, content_type="application/json")
    assert (response.status_code, response["X-Polysim-Code"]) == (422, "VALIDATION_FAILED")
