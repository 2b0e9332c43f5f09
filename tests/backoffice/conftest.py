"""A firm's staff, one of each role, and browsers of theirs on the firm's host."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants.models import StaffRole, User
from tenants.services import grant_role, register_user
from tests.support.exchange import NOW

PASSWORD = "correct horse battery staple"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def staff(alpha: Any) -> dict[str, User]:
    """One person for each role at alpha, by role."""
    people = {}
    for role in StaffRole.values:
        person = register_user(email=f"{role}@alpha.example", password=None, now=NOW)
        grant_role(user=person, firm=alpha, role=role, actor=None, now=NOW)
        people[role] = person
    return people


def browse(person: User | None, host: str = "alpha.localhost") -> Client:
    """A browser on a firm's host, signed in as a person."""
    client = Client(headers={"host": host})
    if person is not None:
        client.force_login(person, backend=BACKEND)
    return client


@pytest.fixture
def office(staff: dict[str, User]) -> Callable[..., Client]:
    """`office("viewer")`: a browser of alpha's viewer on alpha's host."""

    def inner(role: str, host: str = "alpha.localhost") -> Client:
        return browse(staff[role], host)

    return inner


@pytest.fixture
def owner(office: Callable[..., Client]) -> Client:
    """The Owner's browser."""
    return office("admin")
