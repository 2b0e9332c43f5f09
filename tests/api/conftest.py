"""A user on plan pro, keys, and clients for the tests of the API."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tenants.models import User
from tenants.services import create_api_key, register_user

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _empty_valkey(redis_client: Any) -> None:
    """Counters of one test are not seen by the next."""


@pytest.fixture
def user(retail: Any) -> User:
    """Mira, on plan pro."""
    return register_user(
        email="mira@people.example",
        password=PASSWORD,
        now=NOW,
        plan="pro",
        is_email_verified=True,
    )


@pytest.fixture
def make_key(user: User) -> Callable[..., str]:
    """Make a key of Mira's: `make_key("read", tier="pro")` answers its raw text."""

    def make(*permissions: str, tier: str = "pro", **options: Any) -> str:
        _, raw_key = create_api_key(
            user=user,
            tier=tier,
            permissions=permissions or ("read", "trade"),
            now=NOW,
            actor=user,
            **options,
        )
        return raw_key

    return make


@pytest.fixture
def raw_key(make_key: Callable[..., str]) -> str:
    """A key of Mira's that may read and trade."""
    return make_key()


@pytest.fixture
def anyone() -> Client:
    """A caller that shows nothing."""
    return Client(headers={"host": "localhost"}, raise_request_exception=False)


@pytest.fixture
def bot(raw_key: str) -> Client:
    """A caller with Mira's key."""
    return Client(headers={"X-API-Key": raw_key}, raise_request_exception=False)


@pytest.fixture
def browser(user: User) -> Client:
    """Mira's browser: a session, and CSRF is enforced."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
