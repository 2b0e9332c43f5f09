"""A repeated request with the same Idempotency-Key runs once (accounts-api 2.6)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.identity import Access
from polysim.kernel.api.views import ApiView
from polysim.kernel.errors import PolysimError
from polysim.kernel.idempotency import hash_body
from tenants.api.idempotency import idempotent
from tenants.models import IdempotencyRecord, User
from tenants.services.idempotency import claim_request
from tenants.tasks import sweep_identities

pytestmark = pytest.mark.django_db


class CooledDown(PolysimError):
    code, status, message = "RESET_COOLDOWN", 429, "Later."


class Raced(PolysimError):
    code, status, message = "WALLET_LIMIT_REACHED", 409, "Full."


class CounterView(ApiView):
    """Counts how often it really ran, and writes a user's name."""

    access = Access.KEY
    ran = 0
    raises: Exception | None = None

    @idempotent(secrets=("raw_key",))
    def post(self, request: Request) -> Response:
        type(self).ran += 1
        User.objects.update(display_name=f"run {self.ran}")
        if self.raises is not None:
            raise self.raises
        return Response({"run": self.ran, "raw_key": "ps_live_secret"}, status=201)


@pytest.fixture(autouse=True)
def _fresh_counter() -> None:
    CounterView.ran, CounterView.raises = 0, None


@pytest.fixture
def send(user: User, raw_key: str) -> Any:
    """Send a body with an Idempotency-Key to the counting endpoint."""

    def post(body: Any = None, *, key: str | None = "first", **headers: str) -> Any:
        if key is not None:
            headers["HTTP_IDEMPOTENCY_KEY"] = key
        request = RequestFactory().post(
            "/v1/counter", body or {}, "application/json", HTTP_X_API_KEY=raw_key, **headers
        )
        request.api_headers, request.request_id = {}, "test"  # type: ignore[attr-defined]
        return CounterView.as_view()(request)

    return post


def test_a_repeat_gets_the_first_answer_and_no_secret(send: Any) -> None:
    first, again = send({"a": 1}), send({"a": 1})
    assert (first.status_code, first.data["raw_key"]) == (201, "ps_live_secret")
    assert (again.status_code, again.data) == (201, {"run": 1, "raw_key": None})
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert CounterView.ran == 1


def test_the_order_of_members_makes_no_other_body(send: Any) -> None:
    assert hash_body({"a": 1, "b": Decimal("2.50")}) == hash_body({"b": Decimal("2.5"), "a": 1})
    assert hash_body({"a": 1}) != hash_body({"a": "1"})


def test_another_body_with_the_same_key_is_refused(send: Any) -> None:
    send({"a": 1})
    refused = send({"a": 2})
    assert (refused.status_code, refused.data["error"]) == (409, "IDEMPOTENCY_KEY_REUSE")


def test_another_key_runs_again_and_so_does_none(send: Any) -> None:
    for key in ("first", "second", None, None):
        send(key=key)
    assert CounterView.ran == 4


def test_while_the_first_runs_a_repeat_waits(send: Any, user: User) -> None:
    claim_request(
        user=user,
        path="POST /v1/counter",
        key="first",
        body_hash=hash_body({}),
        now=datetime.now(UTC),
    )
    refused = send()
    assert (refused.status_code, refused.data["error"]) == (409, "IDEMPOTENCY_CONFLICT_PENDING")
    assert refused["Retry-After"] == "1"


def test_a_request_that_died_with_its_process_runs_again(send: Any, user: User) -> None:
    claim_request(
        user=user,
        path="POST /v1/counter",
        key="first",
        body_hash=hash_body({}),
        now=datetime.now(UTC) - timedelta(seconds=61),
    )
    assert send().status_code == 201


def test_a_refusal_is_kept_and_its_changes_are_not(send: Any) -> None:
    CounterView.raises = CooledDown()
    assert send().status_code == 429
    CounterView.raises = None
    again = send()
    assert (again.status_code, again.data["error"]) == (429, "RESET_COOLDOWN")
    assert again["X-Polysim-Code"] == "RESET_COOLDOWN"
    assert CounterView.ran == 1
    assert not User.objects.filter(display_name__startswith="run").exists()


def test_a_conflict_is_not_kept(send: Any) -> None:
    CounterView.raises = Raced()
    assert send().status_code == 409
    CounterView.raises = None
    assert send().status_code == 201


def test_a_defect_is_not_kept(send: Any) -> None:
    CounterView.raises = RuntimeError("broken")
    with pytest.raises(RuntimeError):
        send()
    CounterView.raises = None
    assert send().status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 129, "a\tb", "é"])
def test_an_unusable_key_is_refused(send: Any, key: str) -> None:
    refused = send(key=key)
    assert (refused.status_code, refused.data["error"]) == (422, "VALIDATION_FAILED")


def test_answers_are_forgotten_after_a_day(send: Any) -> None:
    send()
    IdempotencyRecord.objects.update(started_at=datetime.now(UTC) - timedelta(hours=25))
    assert send().data["run"] == 2
    IdempotencyRecord.objects.update(started_at=datetime.now(UTC) - timedelta(hours=25))
    assert sweep_identities() == 1
