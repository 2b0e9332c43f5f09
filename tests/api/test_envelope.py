"""Every answer below /v1 is JSON with its code and request id (accounts-api 2.2, 2.6)."""

import re
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def assert_refused(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert response["X-Polysim-Code"] == code
    body: dict[str, Any] = response.json()
    assert body["error"] == code
    assert body["message"]
    assert body["request_id"] == response["X-Request-Id"]
    return body


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/nothing", "/v1/markets/", "/v1/health/", "/v1/me/", "/v1/%00", "/v1/é/ü"],
)
def test_an_unknown_address_is_json(anyone: Client, retail: Any, path: str) -> None:
    assert_refused(anyone.get(path), 404, "NOT_FOUND")


def test_a_wrong_method_is_json(anyone: Client, retail: Any) -> None:
    response = anyone.delete("/v1/markets")
    assert_refused(response, 405, "METHOD_NOT_ALLOWED")
    assert "GET" in response["Allow"]


def test_a_page_asked_for_as_html_is_json_all_the_same(anyone: Client, retail: Any) -> None:
    response = anyone.get("/v1/nothing", headers={"accept": "text/html"})
    assert_refused(response, 404, "NOT_FOUND")
    assert anyone.get("/v1/time", headers={"accept": "text/html"}).status_code == 200


def test_a_defect_is_json_and_says_nothing_of_itself(
    anyone: Client, retail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr("trading.markets.selectors.list_categories", fail)
    response = anyone.get("/v1/categories")
    assert_refused(response, 500, "INTERNAL_ERROR")
    assert b"secret reason" not in response.content


def test_a_silent_database_is_said_to_be_away(
    anyone: Client, retail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def fail() -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("trading.markets.selectors.list_categories", fail)
    response = anyone.get("/v1/categories")
    assert_refused(response, 503, "SERVICE_UNAVAILABLE")
    assert response["Retry-After"] == "1"


def test_the_request_id_is_a_fresh_uuid(anyone: Client, retail: Any) -> None:
    first, second = anyone.get("/v1/time"), anyone.get("/v1/time")
    assert UUID.fullmatch(first["X-Request-Id"])
    assert first["X-Request-Id"] != second["X-Request-Id"]


@pytest.mark.parametrize("own", ["a", "order-7.retry_2", "x" * 64])
def test_the_callers_own_request_id_is_echoed(anyone: Client, retail: Any, own: str) -> None:
    assert anyone.get("/v1/time", headers={"X-Request-Id": own})["X-Request-Id"] == own


@pytest.mark.parametrize("own", ["", "x" * 65, "a b", "a/b", "é"])
def test_an_unusable_request_id_is_replaced(anyone: Client, retail: Any, own: str) -> None:
    answered = anyone.get("/v1/time", headers={"X-Request-Id": own})["X-Request-Id"]
    assert UUID.fullmatch(answered)


def test_pages_carry_a_request_id_too(anyone: Client, retail: Any) -> None:
    assert UUID.fullmatch(anyone.get("/no-such-page/")["X-Request-Id"])


def test_verbose_answers_always_have_details(anyone: Client, retail: Any) -> None:
    assert "details" not in anyone.get("/v1/nothing").json()
    verbose = anyone.get("/v1/nothing", headers={"X-Polysim-Verbose": "true"})
    assert verbose.json()["details"] is None


def test_wrong_fields_are_listed(anyone: Client, retail: Any) -> None:
    body = assert_refused(anyone.get("/v1/markets?limit=201"), 422, "VALIDATION_FAILED")
    assert body["details"]["fields"] == [{"field": "limit", "message": "must be between 1 and 200"}]


def test_strangers_may_read_without_credentials(anyone: Client, retail: Any) -> None:
    response = anyone.get("/v1/time", headers={"origin": "https://bot.example"})
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response
    exposed = response["Access-Control-Expose-Headers"]
    for name in ("X-Polysim-Code", "Retry-After", "X-RateLimit-Reset", "Idempotent-Replayed"):
        assert name in exposed


def test_the_site_itself_may_send_its_session(anyone: Client, retail: Any, settings: Any) -> None:
    settings.BASE_URL = "https://polysim.example/"
    response = anyone.get("/v1/time", headers={"origin": "https://polysim.example"})
    assert response["Access-Control-Allow-Origin"] == "https://polysim.example"
    assert response["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in response["Vary"]


def test_a_preflight_is_answered_before_anything_else(anyone: Client, retail: Any) -> None:
    response = anyone.options(
        "/v1/keys/ws-token",
        headers={"origin": "https://bot.example", "Access-Control-Request-Method": "POST"},
    )
    assert response.status_code == 204
    assert response["Access-Control-Max-Age"] == "600"
    assert "X-API-Key" in response["Access-Control-Allow-Headers"]
    assert "Idempotency-Key" in response["Access-Control-Allow-Headers"]


def test_errors_can_be_read_by_strangers_as_well(anyone: Client, retail: Any) -> None:
    assert anyone.get("/v1/nothing")["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/v1/schema", "/v1/schema/"])
def test_the_openapi_document_answers_with_and_without_a_slash(
    anyone: Client, retail: Any, path: str
) -> None:
    document = anyone.get(path).json()
    assert document["openapi"].startswith("3.")
    assert "/v1/markets" in document["paths"]
