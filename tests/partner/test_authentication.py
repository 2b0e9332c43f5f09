"""Tenant keys: who is let in below `/v1/partner`, in the contract's order of checks."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from polysim.kernel.clock import utc_now
from polysim.kernel.ratelimits import raise_identity_version
from polysim.kernel.tenancy import enter_building
from tenants.lookups import clear_lookups
from tenants.models import Firm, IdentityAuditEntry, TenantKey
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tenants.services.tenant_keys import (
    TenantKeyNotFound,
    revoke_tenant_key,
    rotate_tenant_key,
    switch_tenant_key,
)
from tests.support.door import Bot, FirmServer

STAFF = system_actor("tests")
# An address that no endpoint has: who hears of it was let in.
NOWHERE = "/v1/partner/nowhere"


def ask(path: str = NOWHERE, **headers: str) -> Any:
    return Client(raise_request_exception=False).get(path, headers=headers)


def assert_refused(response: Any, status: int, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["error"]) == (status, code)
    assert response["X-Polysim-Code"] == code
    assert body["message"]
    assert body["request_id"] == response["X-Request-Id"]


def test_without_a_key_every_address_below_partner_asks_for_one(alpha: Firm) -> None:
    for path in ("/v1/partner", "/v1/partner/", NOWHERE, "/v1/partner/users"):
        assert_refused(ask(path), 401, "MISSING_API_KEY")


def test_the_key_is_sent_in_x_api_key_or_as_bearer(server: FirmServer) -> None:
    assert_refused(ask(**{"X-API-Key": server.raw_key}), 404, "NOT_FOUND")
    assert_refused(ask(Authorization=f"Bearer {server.raw_key}"), 404, "NOT_FOUND")


def test_x_api_key_wins_even_when_it_is_the_wrong_one(server: FirmServer) -> None:
    answer = ask(**{"X-API-Key": "pst_live_wrong", "Authorization": f"Bearer {server.raw_key}"})
    assert_refused(answer, 401, "INVALID_KEY")
    answer = ask(**{"X-API-Key": server.raw_key, "Authorization": "Bearer pst_live_wrong"})
    assert_refused(answer, 404, "NOT_FOUND")


@pytest.mark.parametrize("host", ["localhost", "alpha.localhost", "beta.localhost"])
def test_the_key_chooses_the_firm_on_every_host(server: FirmServer, host: str) -> None:
    assert_refused(ask(Host=host, **{"X-API-Key": server.raw_key}), 404, "NOT_FOUND")


def test_a_key_of_a_user_never_works_here(alpha: Firm, retail: Firm) -> None:
    assert_refused(ask(**Bot().headers), 401, "INVALID_KEY")


@pytest.mark.parametrize("path", ["orders", "account/balance", "markets", "status"])
@pytest.mark.parametrize("host", ["localhost", "alpha.localhost"])
def test_a_tenant_key_never_works_elsewhere(
    server: FirmServer, retail: Firm, path: str, host: str
) -> None:
    for headers in (
        {"X-API-Key": server.raw_key},
        {"Authorization": f"Bearer {server.raw_key}"},
    ):
        answer = ask(f"/v1/{path}", Host=host, **headers)
        assert_refused(answer, 401, "INVALID_KEY")


def test_an_expired_key_says_so_from_its_last_moment_on(server: FirmServer) -> None:
    key = {"X-API-Key": server.raw_key}
    TenantKey.objects.filter(pk=server.key_row.pk).update(expires_at=utc_now())
    assert_refused(ask(**key), 401, "KEY_EXPIRED")


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_switched_off_says_so_and_works_when_on_again(server: FirmServer) -> None:
    key = {"X-API-Key": server.raw_key}
    named = {"firm": server.firm, "key_id": server.key_row.pk, "actor": STAFF, "now": utc_now()}
    assert_refused(ask(**key), 404, "NOT_FOUND")
    with enter_building("alpha"):
        switch_tenant_key(is_active=False, **named)
    assert_refused(ask(**key), 401, "KEY_DEACTIVATED")
    with enter_building("alpha"):
        switch_tenant_key(is_active=True, **named)
    assert_refused(ask(**key), 404, "NOT_FOUND")


@pytest.mark.parametrize("field", ["is_active", "is_partner_enabled"])
def test_a_firm_that_is_suspended_or_not_enabled_hears_404_everywhere(
    server: FirmServer, field: str
) -> None:
    Firm.objects.filter(pk=server.firm.pk).update(**{field: False})
    for path in ("users", "users/1", "accounts", "nowhere"):
        answer = server.get(path)
        assert_refused(answer, 404, "NOT_FOUND")
        assert "X-RateLimit-Limit" not in answer


def test_every_authenticated_answer_carries_the_limits(server: FirmServer) -> None:
    answer = server.get("nowhere")
    assert answer["x-ratelimit-tier"] == "enterprise"
    assert answer["x-ratelimit-limit"] == "6000"
    assert answer["x-ratelimit-limit-per-second"] == "100"
    assert answer["x-ratelimit-remaining"] == "5999"
    assert answer["x-ratelimit-remaining-per-second"] == "99"
    assert int(answer["x-ratelimit-reset"]) > utc_now().timestamp()


def test_a_sandbox_key_is_a_test_key_with_ten_requests_a_second(alpha: Firm) -> None:
    alpha.is_sandbox = True
    alpha.save(update_fields=["is_sandbox"])
    server = FirmServer(alpha)
    assert server.raw_key.startswith("pst_test_")
    answers = [server.get("nowhere") for _ in range(40)]
    assert answers[0]["x-ratelimit-tier"] == "sandbox"
    assert answers[0]["x-ratelimit-limit"] == "600"
    assert answers[0]["x-ratelimit-limit-per-second"] == "10"
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert_refused(refused[0], 429, "RATE_LIMIT_EXCEEDED")
    assert refused[0]["Retry-After"] == "1"


def test_the_limit_comes_before_the_permission_and_without_valkey_requests_pass(
    server: FirmServer, monkeypatch: Any
) -> None:
    def gone(*args: Any, **named: Any) -> Any:
        raise OSError("gone")

    monkeypatch.setattr("polysim.kernel.ratelimits.get_redis", gone)
    assert_refused(server.get("nowhere"), 404, "NOT_FOUND")


def test_only_a_hash_and_a_prefix_of_the_key_are_kept(server: FirmServer) -> None:
    row = TenantKey.objects.get(pk=server.key_row.pk)
    assert len(server.raw_key) == len("pst_live_") + 64
    assert row.key_prefix == server.raw_key[:12]
    assert server.raw_key not in str(list(TenantKey.objects.values()))
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.get(action="key.created")
        assert server.raw_key[12:] not in str([entry.before, entry.after])
    assert server.raw_key[12:] not in str(list(IdentityAuditEntry.objects.values()))


def test_the_last_use_is_written_at_most_once_a_minute(server: FirmServer) -> None:
    server.get("nowhere")
    first = TenantKey.objects.get(pk=server.key_row.pk).last_used_at
    assert first is not None
    server.get("nowhere")
    assert TenantKey.objects.get(pk=server.key_row.pk).last_used_at == first


def test_rotation_lets_both_keys_in_until_the_overlap_is_over(server: FirmServer) -> None:
    now = utc_now()
    with enter_building("alpha"):
        row, raw_key = rotate_tenant_key(
            firm=server.firm,
            key_id=server.key_row.pk,
            actor=STAFF,
            now=now,
            overlap=timedelta(hours=1),
        )
    assert row.permissions == server.key_row.permissions
    assert row.rotated_from_id == server.key_row.pk
    assert TenantKey.objects.get(pk=server.key_row.pk).expires_at == now + timedelta(hours=1)
    assert_refused(server.get("nowhere"), 404, "NOT_FOUND")
    assert_refused(ask(**{"X-API-Key": raw_key}), 404, "NOT_FOUND")
    TenantKey.objects.filter(pk=server.key_row.pk).update(expires_at=now)
    clear_lookups()
    assert_refused(server.get("nowhere"), 401, "KEY_EXPIRED")
    assert_refused(ask(**{"X-API-Key": raw_key}), 404, "NOT_FOUND")


@pytest.mark.django_db(transaction=True)
def test_a_revoked_key_is_unknown_with_its_next_request(server: FirmServer) -> None:
    assert_refused(server.get("nowhere"), 404, "NOT_FOUND")
    with enter_building("alpha"):
        revoke_tenant_key(firm=server.firm, key_id=server.key_row.pk, actor=STAFF, now=utc_now())
        entry = FirmAuditEntry.objects.get(action="key.revoked")
    assert_refused(server.get("nowhere"), 401, "INVALID_KEY")
    assert entry.before == {"prefix": server.key_row.key_prefix, "revoked_at": None}


def test_another_process_hears_of_a_change_by_the_identity_version(server: FirmServer) -> None:
    """This process remembers the key; the other one wrote to the database and raised the count."""
    assert_refused(server.get("nowhere"), 404, "NOT_FOUND")
    TenantKey.objects.filter(pk=server.key_row.pk).update(revoked_at=utc_now())
    assert_refused(server.get("nowhere"), 404, "NOT_FOUND")
    raise_identity_version()
    assert_refused(server.get("nowhere"), 401, "INVALID_KEY")


def test_the_keys_of_another_firm_cannot_be_changed(server: FirmServer, beta: Firm) -> None:
    named = {"firm": beta, "key_id": server.key_row.pk, "actor": STAFF, "now": utc_now()}
    with enter_building("beta"):
        for change in (revoke_tenant_key, rotate_tenant_key):
            with pytest.raises(TenantKeyNotFound):
                change(**named)
        with pytest.raises(TenantKeyNotFound):
            switch_tenant_key(is_active=False, **named)


def test_the_description_of_the_door_is_for_everybody(alpha: Firm, retail: Firm) -> None:
    for path in ("/v1/partner/schema", "/v1/partner/schema/"):
        answer = ask(path)
        assert answer.status_code == 200
        document = answer.json()
        assert set(document["components"]["securitySchemes"]) == {"TenantKey", "TenantKeyBearer"}
        assert all(name.startswith("/v1/partner/") for name in document["paths"])
