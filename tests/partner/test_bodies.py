"""Bad input of the partner door: the contract's errors with the field's name, never a 500."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from rest_framework.exceptions import ValidationError

from polysim.kernel.api.partner_fields import JsonObject, Money, PartnerMoment, Price
from tests.support.door import FirmServer

GOOD = {"external_id": "nw-1", "email": "ines@example.org"}


def post_raw(server: FirmServer, raw: bytes, content_type: str = "application/json") -> Any:
    return server.client.post(
        "/v1/partner/users", data=raw, content_type=content_type, headers=server.headers
    )


def fields_of(answer: Any) -> list[str]:
    body = answer.json()
    assert (answer.status_code, body["error"]) == (422, "VALIDATION_FAILED")
    return [field["field"] for field in body["details"]["fields"]]


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"text"', b"null", b"true", b"{", b"", b" "])
def test_a_body_that_is_no_object_is_a_bad_request_or_lacks_its_fields(
    server: FirmServer, raw: bytes
) -> None:
    answer = post_raw(server, raw)
    if raw == b"":
        assert fields_of(answer) == ["external_id", "email"]
    else:
        assert (answer.status_code, answer.json()["error"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff\xfe", b"[" * 60_000])
def test_what_is_not_plain_json_is_a_bad_request(server: FirmServer, raw: bytes) -> None:
    answer = post_raw(server, raw)
    assert (answer.status_code, answer.json()["error"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(server: FirmServer, content_type: str) -> None:
    answer = post_raw(server, json.dumps(GOOD).encode(), content_type)
    assert (answer.status_code, answer.json()["error"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(("size", "status"), [(65_536, 422), (65_537, 413)])
def test_a_body_may_have_64_kilobytes(server: FirmServer, size: int, status: int) -> None:
    head = b'{"pad":"'
    raw = head + b"x" * (size - len(head) - 2) + b'"}'
    assert len(raw) == size
    answer = post_raw(server, raw)
    code = {422: "VALIDATION_FAILED", 413: "PAYLOAD_TOO_LARGE"}[status]
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_unknown_fields_are_named(server: FirmServer) -> None:
    answer = server.post("users", {**GOOD, "is_admin": True, "plan": "pro"})
    assert fields_of(answer) == ["is_admin", "plan"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("external_id", None),
        ("external_id", 5),
        ("external_id", True),
        ("external_id", []),
        ("external_id", ""),
        ("external_id", "x" * 256),
        ("external_id", "a\u0000b"),
        ("external_id", "a\nb"),
        ("external_id", "a\u0085b"),
        ("external_id", "\ud800"),
        ("email", "no address"),
        ("email", "a@"),
        ("email", "a@b"),
        ("email", "x@" + "d" * 320 + ".org"),
        ("email", "a\u0000@example.org"),
        ("email", "a@example.org\nBcc: b@example.org"),
        ("email", {"a": 1}),
        ("email", "x@alpha.sandbox.invalid"),
        ("metadata", None),
        ("metadata", []),
        ("metadata", "text"),
        ("metadata", {"a": "\u0000"}),
        ("metadata", {"\u0000": 1}),
        ("metadata", {"a": "\udfff"}),
        ("metadata", {"pad": "x" * 16_384}),
    ],
)
def test_a_wrong_value_is_refused_by_name(server: FirmServer, field: str, value: Any) -> None:
    answer = server.post("users", {**GOOD, field: value})
    assert fields_of(answer) == [field]


def test_a_number_too_large_for_everybody_is_refused(server: FirmServer) -> None:
    raw = b'{"external_id":"a","email":"a@example.org","metadata":{"n":1e999}}'
    assert fields_of(post_raw(server, raw)) == ["metadata"]


@pytest.mark.parametrize("text", ["x", "x" * 255, "ünïcode 日本 🙂", "a/b?c#d", "'; drop table--"])
def test_odd_but_legal_external_ids_are_kept(server: FirmServer, text: str) -> None:
    answer = server.post("users", {**GOOD, "external_id": text})
    assert (answer.status_code, answer.json()["external_id"]) == (201, text)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_metadata_is_eight_levels_deep_at_most(server: FirmServer) -> None:
    assert server.post("users", {**GOOD, "metadata": nested(8)}).status_code == 201
    sent = {"external_id": "b", "email": "b@example.org", "metadata": nested(9)}
    assert fields_of(server.post("users", sent)) == ["metadata"]


def test_metadata_has_16_kilobytes_at_most_and_comes_back_as_sent(server: FirmServer) -> None:
    metadata = {"n": 1, "f": 1.5, "t": "é", "list": [None, True, {"x": []}]}
    answer = server.post("users", {**GOOD, "metadata": metadata})
    assert answer.json()["metadata"] == metadata
    room = 16_384 - len('{"pad":""}')
    for size, status in [(room, 201), (room + 1, 422)]:
        sent = {
            "external_id": f"s{size}",
            "email": f"s{size}@example.org",
            "metadata": {"pad": "x" * size},
        }
        assert server.post("users", sent).status_code == status


def test_an_address_may_have_320_characters(server: FirmServer) -> None:
    label = "d" * 60
    host = ".".join([label] * 4) + ".org"
    for size, status in [(320, 201), (321, 422)]:
        email = "a" * (size - len(host) - 1) + "@" + host
        assert len(email) == size
        answer = server.post("users", {"external_id": str(size), "email": email})
        assert answer.status_code == status


def test_verbose_answers_carry_details_too(server: FirmServer) -> None:
    answer = server.get("users/1", **{"X-Polysim-Verbose": "true"})
    assert set(answer.json()) == {"error", "message", "request_id", "details"}
    assert set(server.get("users/1").json()) == {"error", "message", "request_id"}


@pytest.mark.parametrize(("method", "path"), [("PUT", "users"), ("DELETE", "users/1")])
def test_a_method_that_the_address_lacks_is_405(server: FirmServer, method: str, path: str) -> None:
    answer = server.send(method, path, {})
    assert (answer.status_code, answer.json()["error"]) == (405, "METHOD_NOT_ALLOWED")


def test_a_request_without_a_key_hears_nothing_of_its_body(alpha: Any) -> None:
    answer = Client().post("/v1/partner/users", data=b"{", content_type="application/json")
    assert answer.status_code == 401


@pytest.mark.parametrize("value", ["0.01", "25000.00", "25000", 25000, "0.5", "-3"])
def test_money_is_text_or_a_whole_number(value: Any) -> None:
    assert Money().run_validation(value) == Decimal(str(value))


@pytest.mark.parametrize(
    "value", [Decimal("25000.5"), 1.5, True, None, "1.234", "1e3", "NaN", "١", "+1", " 1", "", []]
)
def test_money_is_never_a_float(value: Any) -> None:
    with pytest.raises(ValidationError):
        Money().run_validation(value)


def test_prices_have_four_places_and_money_two() -> None:
    assert Price().run_validation("0.1234") == Decimal("0.1234")
    assert Price().to_representation(Decimal("0.42")) == "0.4200"
    assert Money().to_representation(Decimal("24570.255")) == "24570.26"
    with pytest.raises(ValidationError):
        Price().run_validation("0.12345")


def test_money_within_bounds() -> None:
    field = Money(min_value=Decimal("0.01"), max_value=Decimal("10000000.00"))
    for good in ("0.01", "10000000.00"):
        assert field.run_validation(good) == Decimal(good)
    for bad in ("0.00", "10000000.01"):
        with pytest.raises(ValidationError):
            field.run_validation(bad)


@pytest.mark.parametrize("text", ["2026-09-21T10:00:00Z", "2026-09-21T12:00:00+02:00"])
def test_times_are_utc_with_microseconds(text: str) -> None:
    field = PartnerMoment()
    moment = field.run_validation(text)
    assert field.to_representation(moment) == "2026-09-21T10:00:00.000000Z"


@pytest.mark.parametrize("text", ["2026-09-21", "soon", "1790000000", 5, "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: Any) -> None:
    with pytest.raises(ValidationError):
        PartnerMoment().run_validation(text)


def test_json_objects_refuse_null_unless_the_caller_allows_it() -> None:
    with pytest.raises(ValidationError):
        JsonObject().run_validation(None)
    assert JsonObject(allow_null=True).run_validation(None) is None
