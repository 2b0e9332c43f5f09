"""Which building a request enters: by key, by host, or not at all (architecture, Schemas)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tenants.lookups import clear_lookups
from tenants.middleware import BuildingMiddleware, choose_firm
from tenants.models import Domain, Firm
from tenants.services import create_api_key, register_user

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)


def enter(path: str = "/v1/me", **environment: Any) -> tuple[str, Any]:
    """The schema and urls that the request's view would see."""
    seen: list[Any] = []

    def view(request: Any) -> HttpResponse:
        seen.extend([connection.schema_name, getattr(request, "urlconf", None)])
        return HttpResponse()

    request = RequestFactory().get(path, **environment)
    request.api_headers, request.request_id = {}, "test"  # type: ignore[attr-defined]
    response = BuildingMiddleware(view)(request)
    return (seen[0], seen[1]) if seen else (str(response.status_code), None)


@pytest.mark.parametrize(
    ("host", "schema", "urls"),
    [
        ("localhost", "retail", None),
        ("localhost:8000", "retail", None),
        ("127.0.0.1", "retail", None),
        ("LOCALHOST", "retail", None),
        ("alpha.localhost:8000", "alpha", "polysim.urls_firm"),
        ("Beta.Localhost", "beta", "polysim.urls_firm"),
    ],
)
def test_the_host_leads_to_its_building(
    retail: Any, alpha: Any, beta: Any, host: str, schema: str, urls: str | None
) -> None:
    assert enter(HTTP_HOST=host) == (schema, urls)


@pytest.mark.parametrize(
    "host", ["gamma.localhost", "nobody.example", "alpha.localhost.evil.example"]
)
def test_a_host_of_nobody_is_not_found(retail: Any, host: str) -> None:
    for path in ("/v1/me", "/markets/"):
        assert Client().get(path, HTTP_HOST=host).status_code == 404


def test_a_closed_firm_is_not_found(alpha: Any) -> None:
    Firm.objects.filter(pk=alpha.pk).update(is_active=False)
    assert enter(HTTP_HOST="alpha.localhost") == ("404", None)


def test_a_retail_key_leads_to_retail_from_any_host(retail: Any, alpha: Any) -> None:
    user = register_user(email="mira@people.example", password=None, now=NOW)
    _, raw_key = create_api_key(user=user, tier="free", permissions=["read"], now=NOW, actor=user)
    for header in ("HTTP_X_API_KEY", "HTTP_POLY_API_KEY"):
        assert enter(HTTP_HOST="alpha.localhost", **{header: raw_key})[0] == "retail"
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {raw_key}"}
    assert enter(HTTP_HOST="alpha.localhost", **bearer)[0] == "retail"


def test_a_key_on_a_page_changes_nothing(retail: Any, alpha: Any) -> None:
    sent = {"HTTP_X_API_KEY": "ps_live_" + "0" * 64}
    assert enter("/markets/", HTTP_HOST="alpha.localhost", **sent)[0] == "alpha"


def test_an_access_token_leaves_the_choice_to_the_host(retail: Any, alpha: Any) -> None:
    request = RequestFactory().get(
        "/v1/me", HTTP_HOST="alpha.localhost", HTTP_AUTHORIZATION="Bearer ey.not.ours"
    )
    assert choose_firm(request).schema_name == "alpha"


def test_after_the_request_the_thread_stands_where_it_stood(retail: Any, alpha: Any) -> None:
    assert enter(HTTP_HOST="alpha.localhost")[0] == "alpha"
    assert connection.schema_name == "public"
    connection.set_tenant(retail)
    assert enter(HTTP_HOST="alpha.localhost")[0] == "alpha"
    assert connection.schema_name == "retail"


def test_a_view_that_fails_leaves_no_building_behind(alpha: Any) -> None:
    def view(request: Any) -> HttpResponse:
        raise RuntimeError

    request = RequestFactory().get("/v1/me", HTTP_HOST="alpha.localhost")
    with pytest.raises(RuntimeError):
        BuildingMiddleware(view)(request)
    assert connection.schema_name == "public"


def test_the_host_is_looked_up_once_in_five_seconds(
    alpha: Any, django_assert_num_queries: Any
) -> None:
    enter(HTTP_HOST="alpha.localhost")
    with django_assert_num_queries(0):
        assert enter(HTTP_HOST="alpha.localhost")[0] == "alpha"
    clear_lookups()
    Domain.objects.filter(domain="alpha.localhost").delete()
    assert enter(HTTP_HOST="alpha.localhost") == ("404", None)
