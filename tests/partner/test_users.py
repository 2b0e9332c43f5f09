"""Registering traders: idempotent by external_id, and silent about who was here before."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm, Participant, User
from tenants.office.models import FirmAuditEntry, WebhookEvent
from tenants.services import register_user
from tests.support.door import FirmServer
from tests.support.exchange import make_firm_trader, make_user
from wallets.models import FirmAccount

INES = {"external_id": "nw-0093", "email": "ines@example.org", "metadata": {"cohort": "spring"}}
MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_a_new_trader_is_created_with_the_contracts_answer(server: FirmServer) -> None:
    answer = server.post("users", INES)
    body = answer.json()
    assert answer.status_code == 201
    assert list(body) == [
        "user_id",
        "tenant_user_id",
        "external_id",
        "email",
        "created",
        "metadata",
    ]
    assert isinstance(body["user_id"], int)
    assert body["created"] is True
    assert {name: body[name] for name in INES} == INES
    user = User.objects.get(pk=body["user_id"])
    assert not user.has_usable_password()
    assert not EmailAddress.objects.get(user=user).verified
    assert mail.outbox == []


def test_a_replay_answers_the_stored_values_and_changes_nothing(server: FirmServer) -> None:
    first = server.post("users", INES).json()
    again = server.post("users", {**INES, "email": " INES@Example.ORG ", "metadata": {"x": 1}})
    assert again.status_code == 200
    assert again.json() == {**first, "created": False}
    with enter_building("alpha"):
        assert FirmAuditEntry.objects.filter(action="trader.registered").count() == 1
        assert WebhookEvent.objects.filter(type="user.registered").count() == 1


def test_another_email_for_a_known_external_id_is_a_conflict(server: FirmServer) -> None:
    server.post("users", INES)
    answer = server.post("users", {**INES, "email": "other@example.org"})
    assert (answer.status_code, answer.json()["error"]) == (409, "EXTERNAL_ID_CONFLICT")
    assert not User.objects.filter(email="other@example.org").exists()


def test_a_mapped_email_under_another_external_id_is_a_conflict(server: FirmServer) -> None:
    server.post("users", INES)
    answer = server.post("users", {**INES, "external_id": "nw-0094"})
    assert (answer.status_code, answer.json()["error"]) == (409, "EMAIL_ALREADY_MAPPED")


def test_external_ids_are_case_sensitive_and_not_trimmed(server: FirmServer) -> None:
    ids = ["nw-1", "NW-1", " nw-1", "nw-1 "]
    for number, external_id in enumerate(ids):
        sent = {"external_id": external_id, "email": f"t{number}@example.org"}
        answer = server.post("users", sent)
        assert (answer.status_code, answer.json()["external_id"]) == (201, external_id)


def test_both_firms_map_the_same_person_each_under_its_own_id(
    server: FirmServer, beta_server: FirmServer
) -> None:
    ours = server.post("users", INES).json()
    theirs = beta_server.post("users", {**INES, "metadata": {}})
    assert theirs.status_code == 201
    assert theirs.json()["created"] is True
    assert theirs.json()["tenant_user_id"] != ours["tenant_user_id"]


def test_known_and_new_addresses_take_the_same_statements_and_answer_alike(
    server: FirmServer, retail: Firm
) -> None:
    known = register_user(
        email="known@example.org",
        password="a long pass phrase",
        now=utc_now(),
        is_email_verified=True,
    )
    server.post("users", {"external_id": "warm", "email": "warm@example.org"})
    seen = []
    for external_id, email in [("a-1", known.email), ("a-2", "newer@example.org")]:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = server.post("users", {"external_id": external_id, "email": email})
        statements = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries]
        seen.append((answer, [text.split("(")[0][:60] for text in statements]))
    (first, first_statements), (second, second_statements) = seen
    assert first_statements == second_statements
    assert first.status_code == second.status_code == 201
    assert list(first.json()) == list(second.json())
    assert first.json()["created"] is second.json()["created"] is True
    assert first.json()["user_id"] == known.pk
    assert len(str(first.json()["user_id"])) >= 9
    assert mail.outbox == []
    known.refresh_from_db()
    assert known.has_usable_password()
    assert set(first.headers) == set(second.headers)


def test_user_ids_do_not_tell_who_was_here_first(server: FirmServer) -> None:
    ids = [
        server.post("users", {"external_id": f"e{n}", "email": f"e{n}@example.org"}).json()[
            "user_id"
        ]
        for n in range(12)
    ]
    assert ids != sorted(ids)
    assert all(100_000_000 <= user_id < 2**31 for user_id in ids)


def test_a_proven_further_address_leads_to_its_owner(server: FirmServer, retail: Firm) -> None:
    owner = make_user()
    EmailAddress.objects.create(user=owner, email="second@example.org", verified=True)
    body = server.post("users", {"external_id": "s", "email": "second@example.org"}).json()
    assert body["user_id"] == owner.pk
    assert body["email"] == "second@example.org"


def test_a_later_change_of_the_native_address_leaves_the_mapping(server: FirmServer) -> None:
    body = server.post("users", INES).json()
    User.objects.filter(pk=body["user_id"]).update(email="moved@example.org")
    again = server.post("users", INES)
    assert (again.status_code, again.json()["user_id"]) == (200, body["user_id"])
    assert server.get(f"users/{body['user_id']}").json()["email"] == "ines@example.org"


def test_a_registration_is_audited_with_the_keys_prefix_and_the_request(
    server: FirmServer,
) -> None:
    answer = server.post("users", INES, **{"X-Request-Id": "req-42"})
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.get(action="trader.registered")
        event = WebhookEvent.objects.get(type="user.registered")
    assert (entry.actor_kind, entry.actor_name) == ("key", server.key_row.key_prefix)
    assert entry.request_id == "req-42"
    assert entry.after["external_id"] == "nw-0093"
    assert event.data == {
        "user_id": answer.json()["user_id"],
        "tenant_user_id": answer.json()["tenant_user_id"],
        "external_id": "nw-0093",
    }


def test_one_trader_with_the_count_of_accounts(server: FirmServer, alpha: Firm) -> None:
    body = server.post("users", INES).json()
    user = User.objects.get(pk=body["user_id"])
    traders = [make_firm_trader(user=user) for _ in range(3)]
    with enter_building("alpha"):
        FirmAccount.objects.filter(pk=traders[0].wallet.pk).update(
            status="closed", closed_at=utc_now()
        )
    answer = server.get(f"users/{body['user_id']}")
    row = answer.json()
    assert answer.status_code == 200
    assert row["accounts"] == {"active": 2, "closed": 1}
    assert MICROSECONDS.fullmatch(row["created_at"])
    assert row["metadata"] == {"cohort": "spring"}
    assert list(row) == [
        "user_id",
        "tenant_user_id",
        "external_id",
        "email",
        "metadata",
        "created_at",
        "accounts",
    ]


MALFORMED = ["0", "-1", "1.0", "abc", "%00", "9" * 19, "9" * 40, "٣", "1e3", " 1", "0x10", "01"]


@pytest.mark.parametrize("user_id", ["424242", *MALFORMED])
def test_an_unknown_or_malformed_id_is_404(server: FirmServer, user_id: str) -> None:
    answer = server.get(f"users/{user_id}")
    expected = "NOT_FOUND" if user_id == "%00" else "USER_NOT_FOUND"
    assert (answer.status_code, answer.json()["error"]) == (404, expected)


def test_a_trader_of_another_firm_and_a_retail_user_answer_as_an_unknown_one(
    server: FirmServer, beta_server: FirmServer, retail: Firm
) -> None:
    theirs = beta_server.post("users", INES).json()["user_id"]
    stranger = make_user().pk
    unknown = strip(server.get("users/424242"))
    for user_id in (theirs, stranger):
        assert strip(server.get(f"users/{user_id}")) == unknown
        assert strip(server.post(f"users/{user_id}/login-link")) == strip(
            server.post("users/424242/login-link")
        )


def strip(answer: Any) -> tuple[Any, ...]:
    """An answer without what differs between any two of them."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    moving = ("X-Request-Id", "X-RateLimit", "X-Polysim-RateLimit")
    headers = {name: value for name, value in answer.headers.items() if not name.startswith(moving)}
    return answer.status_code, body, headers


def test_the_list_shows_own_traders_oldest_first_in_pages(
    server: FirmServer, beta_server: FirmServer
) -> None:
    for number in range(5):
        server.post("users", {"external_id": f"u{number}", "email": f"u{number}@example.org"})
    beta_server.post("users", {"external_id": "theirs", "email": "theirs@example.org"})
    first = server.get("users?limit=2").json()
    assert [row["external_id"] for row in first["data"]] == ["u0", "u1"]
    assert first["has_more"] is True
    second = server.get(f"users?limit=2&cursor={first['next_cursor']}").json()
    third = server.get(f"users?limit=2&cursor={second['next_cursor']}").json()
    assert [row["external_id"] for row in third["data"]] == ["u4"]
    assert third["has_more"] is False
    empty = server.get(f"users?limit=2&cursor={third['next_cursor']}").json()
    assert empty == {"data": [], "next_cursor": third["next_cursor"], "has_more": False}


def test_the_list_is_filtered_exactly(server: FirmServer) -> None:
    for number in range(3):
        server.post("users", {"external_id": f"u{number}", "email": f"u{number}@example.org"})
    ids = [row["external_id"] for row in server.get("users?external_id=u1").json()["data"]]
    assert ids == ["u1"]
    rows = server.get("users?email=U2@Example.org").json()["data"]
    assert [row["external_id"] for row in rows] == ["u2"]
    assert server.get("users?external_id=U1").json()["data"] == []
    third = Participant.objects.get(external_id="u2").created_at
    since = third.isoformat().replace("+00:00", "Z")
    rows = server.get(f"users?created_since={since}").json()["data"]
    assert [row["external_id"] for row in rows] == ["u2"]
    later = (third + timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    assert server.get(f"users?created_since={later}").json()["data"] == []


@pytest.mark.parametrize("cursor", ["x", "e30", "a" * 256, "bnVsbA", "eyJwIjotMSwicyI6IiJ9", "%F0"])
def test_an_unreadable_cursor_is_refused(server: FirmServer, cursor: str) -> None:
    answer = server.get(f"users?cursor={cursor}")
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_CURSOR")


def test_a_cursor_counts_only_with_its_filters_and_its_firm(
    server: FirmServer, beta_server: FirmServer
) -> None:
    server.post("users", INES)
    cursor = server.get("users?email=ines@example.org").json()["next_cursor"]
    for other in (server.get(f"users?cursor={cursor}"), beta_server.get(f"users?cursor={cursor}")):
        assert (other.status_code, other.json()["error"]) == (400, "INVALID_CURSOR")
    again = server.get(f"users?email=ines@example.org&cursor={cursor}")
    assert again.json()["data"] == []


@pytest.mark.parametrize(
    ("permissions", "method", "path", "wanted"),
    [
        (["accounts:read"], "POST", "users", "users:write"),
        (["users:write"], "GET", "users", "accounts:read"),
        (["users:write"], "GET", "users/1", "accounts:read"),
        (["accounts:read"], "POST", "users/1/login-link", "users:write"),
        (["accounts:read"], "GET", "sandbox/mails", "users:write"),
    ],
)
def test_a_key_without_the_permission_is_told_which(
    alpha: Firm, permissions: list[str], method: str, path: str, wanted: str
) -> None:
    answer = FirmServer(alpha, permissions=permissions).send(method, path, "not json")
    body = answer.json()
    assert (answer.status_code, body["error"]) == (403, "INSUFFICIENT_PERMISSION")
    assert wanted in body["message"]


@pytest.mark.django_db(transaction=True)
def test_twenty_identical_calls_at_once_give_one_201_and_nineteen_200(
    server: FirmServer,
) -> None:
    start = threading.Barrier(20)

    def register() -> Any:
        start.wait()
        try:
            return server.post("users", INES)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        answers = [one.result() for one in [pool.submit(register) for _ in range(20)]]
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    created = next(answer.json() for answer in answers if answer.status_code == 201)
    assert created["created"] is True
    for answer in answers:
        assert answer.json() == {**created, "created": answer.status_code == 201}
    assert Participant.objects.filter(external_id="nw-0093").count() == 1
    assert User.objects.filter(email="ines@example.org").count() == 1
    with enter_building("alpha"):
        assert WebhookEvent.objects.filter(type="user.registered").count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_address_under_two_ids_at_once_is_mapped_once(server: FirmServer) -> None:
    start = threading.Barrier(8)

    def register(number: int) -> Any:
        start.wait()
        try:
            return server.post("users", {**INES, "external_id": f"n{number}"})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = [one.result() for one in [pool.submit(register, n) for n in range(8)]]
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    refused = {answer.json()["error"] for answer in answers if answer.status_code == 409}
    assert refused == {"EMAIL_ALREADY_MAPPED"}
