"""Who may call what, and what the others are told (accounts-api 2.1)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory

from polysim.kernel.api.identity import Access
from polysim.kernel.api.refusals import MissingApiKey, MissingAuth
from tenants.api.authentication import identify
from tenants.models import ApiKey, User
from tenants.services import change_plan, deactivate_user, revoke_api_key
from tests.api.conftest import PASSWORD

pytestmark = pytest.mark.django_db

WS_TOKEN = "/v1/keys/ws-token"
BATCH = "/v1/prices/batch"
JSON: dict[str, Any] = {"content_type": "application/json"}


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.headers.get("X-Polysim-Code", "")


def get_token(client: Client, **changes: str) -> Any:
    body = {"email": "mira@people.example", "password": PASSWORD, **changes}
    return client.post("/v1/auth/token", body, **JSON)


@pytest.mark.parametrize("header", ["X-API-Key", "Poly-API-Key"])
def test_a_key_is_taken_under_its_names(anyone: Client, raw_key: str, header: str) -> None:
    assert anyone.post(WS_TOKEN, headers={header: raw_key}).status_code == 200


def test_a_key_is_taken_as_bearer(anyone: Client, raw_key: str) -> None:
    sent = {"Authorization": f"Bearer {raw_key}"}
    assert anyone.post(WS_TOKEN, headers=sent).status_code == 200


def test_polymarkets_name_of_the_header_is_taken(anyone: Client, raw_key: str) -> None:
    assert anyone.post(WS_TOKEN, HTTP_POLY_API_KEY=raw_key).status_code == 200


def test_x_api_key_wins_over_the_other_names(anyone: Client, raw_key: str) -> None:
    wrong = "ps_live_" + "0" * 64
    sent = {"X-API-Key": wrong, "Poly-API-Key": raw_key, "Authorization": f"Bearer {raw_key}"}
    assert code_of(anyone.post(WS_TOKEN, headers=sent)) == (401, "INVALID_KEY")


def test_nothing_sent_is_told_what_was_missing(anyone: Client, retail: Any) -> None:
    assert code_of(anyone.post(WS_TOKEN)) == (401, "MISSING_AUTH")
    assert code_of(anyone.post(BATCH, {}, **JSON)) == (401, "MISSING_API_KEY")


@pytest.mark.parametrize("key", ["ps_live_" + "0" * 64, "nonsense", "ps_live_", "é"])
def test_an_unknown_key_is_refused_on_public_paths_too(
    anyone: Client, retail: Any, key: str
) -> None:
    for path in ("/v1/markets", "/v1/time"):
        assert code_of(anyone.get(path, headers={"X-API-Key": key})) == (401, "INVALID_KEY")


def test_an_expired_key_is_an_invalid_one(anyone: Client, make_key: Callable[..., str]) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    sent = {"X-API-Key": make_key(expires_at=past)}
    assert code_of(anyone.post(WS_TOKEN, headers=sent)) == (401, "INVALID_KEY")


def test_a_revoked_key_is_dead_with_the_next_request(
    bot: Client, user: User, django_capture_on_commit_callbacks: Any
) -> None:
    assert bot.post(WS_TOKEN).status_code == 200
    key_id = ApiKey.objects.get().pk
    with django_capture_on_commit_callbacks(execute=True):
        revoke_api_key(user=user, key_id=key_id, actor=user, now=datetime.now(UTC))
    assert code_of(bot.post(WS_TOKEN)) == (401, "INVALID_KEY")


def test_a_key_revoked_by_another_process_is_dead_with_the_next_request(
    bot: Client, redis_client: Any
) -> None:
    from polysim.kernel.ratelimits import identity_version_key

    assert bot.post(WS_TOKEN).status_code == 200
    ApiKey.objects.update(is_active=False)
    redis_client.incr(identity_version_key())
    assert code_of(bot.post(WS_TOKEN)) == (401, "INVALID_KEY")


def test_a_key_without_the_scope_is_told_which(
    anyone: Client, make_key: Callable[..., str]
) -> None:
    from polysim.kernel.api.identity import Credential, Identity
    from polysim.kernel.api.refusals import InsufficientPermission
    from polysim.kernel.api.views import check_scope

    reader = Identity(Credential.KEY, object(), 1, "pro", frozenset({"read"}))
    check_scope(reader, "read")
    with pytest.raises(InsufficientPermission) as refusal:
        check_scope(reader, "trade")
    assert refusal.value.message == "API key missing required permission: trade"


def test_a_closed_account_is_gone(bot: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert code_of(bot.post(WS_TOKEN)) == (401, "USER_NOT_FOUND")


def test_an_account_not_admitted_is_kept_out_of_the_api(
    bot: Client, browser: Client, user: User
) -> None:
    User.objects.filter(pk=user.pk).update(is_api_admitted=False)
    assert code_of(bot.post(WS_TOKEN)) == (403, "ACCESS_RESTRICTED")


def test_a_key_acts_at_the_lower_of_its_tier_and_the_plan(
    anyone: Client,
    make_key: Callable[..., str],
    user: User,
    django_capture_on_commit_callbacks: Any,
) -> None:
    sent = {"X-API-Key": make_key(tier="enterprise")}
    assert anyone.post(WS_TOKEN, headers=sent)["X-RateLimit-Tier"] == "pro"
    with django_capture_on_commit_callbacks(execute=True):
        change_plan(user=user, plan="free", actor=None, now=datetime.now(UTC))
    assert anyone.post(WS_TOKEN, headers=sent)["X-RateLimit-Tier"] == "free"


def test_an_access_token_is_given_for_the_right_pair(anyone: Client, user: User) -> None:
    body = get_token(anyone, email="MIRA@people.example").json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
    sent = {"Authorization": f"Bearer {body['access_token']}"}
    assert anyone.post(WS_TOKEN, headers=sent).status_code == 200


@pytest.mark.parametrize(
    "changes", [{"password": "wrong"}, {"email": "nobody@people.example"}, {"email": "é"}]
)
def test_a_wrong_pair_is_refused_without_saying_which_half(
    anyone: Client, user: User, changes: dict[str, str]
) -> None:
    assert code_of(get_token(anyone, **changes)) == (401, "INVALID_CREDENTIALS")


def test_the_sixth_try_in_a_minute_has_to_wait(anyone: Client, user: User) -> None:
    for _ in range(5):
        assert get_token(anyone, password="wrong").status_code == 401
    refused = get_token(anyone)
    assert code_of(refused) == (429, "RATE_LIMIT_EXCEEDED")
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_a_token_is_void_after_the_password_changed(anyone: Client, user: User) -> None:
    token = get_token(anyone).json()["access_token"]
    user.set_password("another one entirely")
    user.save()
    sent = {"Authorization": f"Bearer {token}"}
    assert code_of(anyone.post(WS_TOKEN, headers=sent)) == (401, "INVALID_TOKEN")


def test_a_token_of_retail_counts_nowhere_else(anyone: Client, user: User, alpha: Any) -> None:
    token = get_token(anyone).json()["access_token"]
    sent = {"Authorization": f"Bearer {token}"}
    elsewhere = anyone.post(WS_TOKEN, headers={**sent, "host": "alpha.localhost"})
    assert code_of(elsewhere) == (401, "INVALID_TOKEN")


def test_a_firms_host_gives_tokens_to_its_staff_only(
    anyone: Client, user: User, alpha: Any
) -> None:
    from tenants.services import grant_role

    there = {"host": "alpha.localhost"}
    body = {"email": user.email, "password": PASSWORD}
    refused = anyone.post("/v1/auth/token", body, headers=there, **JSON)
    assert code_of(refused) == (403, "ACCESS_RESTRICTED")
    grant_role(user=user, firm=alpha, role="dealer", actor=None, now=datetime.now(UTC))
    assert anyone.post("/v1/auth/token", body, headers=there, **JSON).status_code == 200


@pytest.mark.parametrize("token", ["x", "ey.ey.ey", "Bearer", "a b"])
def test_garbage_is_no_token(anyone: Client, retail: Any, token: str) -> None:
    sent = {"Authorization": f"Bearer {token}"}
    assert code_of(anyone.post(WS_TOKEN, headers=sent)) == (401, "INVALID_TOKEN")


def test_a_token_ends_after_an_hour(user: User) -> None:
    from polysim.kernel.api.refusals import InvalidToken
    from tenants.credentials import AccessClaims, read_access_token, sign_access_token

    now = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
    token = sign_access_token(AccessClaims(user.pk, "retail", "mark"), now=now)
    assert read_access_token(token, now=now + timedelta(seconds=3599)).user_id == user.pk
    with pytest.raises(InvalidToken):
        read_access_token(token, now=now + timedelta(seconds=3600))


def test_an_access_token_opens_no_key_only_endpoint(anyone: Client, user: User) -> None:
    sent = {"Authorization": f"Bearer {get_token(anyone).json()['access_token']}"}
    assert code_of(anyone.post(BATCH, {}, headers=sent, **JSON)) == (401, "MISSING_API_KEY")


def test_a_session_needs_its_csrf_token_for_changes(browser: Client) -> None:
    assert code_of(browser.post(WS_TOKEN)) == (403, "CSRF_FAILED")
    browser.cookies["csrftoken"] = "c" * 32
    assert browser.post(WS_TOKEN, headers={"X-CSRFToken": "c" * 32}).status_code == 200


def test_a_key_beside_a_session_needs_no_csrf_token(browser: Client, raw_key: str) -> None:
    assert browser.post(WS_TOKEN, headers={"X-API-Key": raw_key}).status_code == 200


def test_a_closed_accounts_session_opens_nothing(browser: Client, user: User) -> None:
    deactivate_user(user=user, actor=None, now=datetime.now(UTC))
    assert code_of(browser.post(WS_TOKEN)) == (401, "MISSING_AUTH")


def test_endpoints_of_the_dashboard_do_not_look_at_keys(raw_key: str) -> None:
    from django.contrib.auth.models import AnonymousUser

    request = RequestFactory().get("/v1/billing/subscription", HTTP_X_API_KEY=raw_key)
    request.user = AnonymousUser()
    with pytest.raises(MissingAuth):
        identify(request, Access.USER)
    request = RequestFactory().get("/v1/account/positions")
    request.user = AnonymousUser()
    with pytest.raises(MissingApiKey):
        identify(request, Access.KEY)


def test_a_keys_last_use_is_written_once_a_minute(bot: Client, raw_key: str) -> None:
    from tenants.lookups import clear_lookups

    bot.post(WS_TOKEN)
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    clear_lookups()
    bot.post(WS_TOKEN)
    assert ApiKey.objects.get().last_used_at == first


def test_a_socket_token_names_user_key_and_tier(bot: Client, user: User) -> None:
    from polysim.kernel.api.refusals import InvalidToken
    from tenants.services import read_ws_token

    body = bot.post(WS_TOKEN).json()
    assert body["expires_in"] == 60
    identity = read_ws_token(body["token"])
    key = ApiKey.objects.get()
    assert (identity.user_id, identity.key_id, identity.tier) == (user.pk, key.pk, "pro")
    with pytest.raises(InvalidToken):
        read_ws_token(body["token"], now=datetime.now(UTC) + timedelta(seconds=61))
    ApiKey.objects.update(is_active=False)
    with pytest.raises(InvalidToken):
        read_ws_token(body["token"])


def test_an_access_token_does_not_open_sockets(anyone: Client, user: User) -> None:
    from polysim.kernel.api.refusals import InvalidToken
    from tenants.services import read_ws_token

    with pytest.raises(InvalidToken):
        read_ws_token(get_token(anyone).json()["access_token"])
