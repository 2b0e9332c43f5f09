"""The test databases themselves: three buildings, nothing left between tests."""

from typing import Any

import pytest
from django.db import connection

from tenants.models import Firm, User


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace")
        return {row[0] for row in cursor.fetchall()}


@pytest.mark.django_db
def test_holds_the_retail_building_and_two_firms() -> None:
    assert schemas() >= {"public", "retail", "alpha", "beta"}
    assert list(Firm.objects.order_by("id").values_list("slug", flat=True)) == [
        "retail",
        "alpha",
        "beta",
    ]


def test_enters_a_building_and_returns_to_the_street(in_alpha: Any) -> None:
    assert connection.schema_name == "alpha"
    assert in_alpha.name == "Alpha Prop"


@pytest.mark.django_db(transaction=True)
def test_a_committed_row_is_seen_by_its_own_test_only_first() -> None:
    assert User.objects.count() == 0
    User.objects.create_user("first@example.com", handle="first")


@pytest.mark.django_db(transaction=True)
def test_a_committed_row_is_seen_by_its_own_test_only_second() -> None:
    assert User.objects.count() == 0
    User.objects.create_user("second@example.com", handle="second")
    assert Firm.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_new_firm_gets_a_schema() -> None:
    Firm(schema_name="gamma", slug="gamma", name="Gamma").save(verbosity=0)
    assert "gamma" in schemas()


@pytest.mark.django_db
def test_a_firm_of_another_test_is_gone() -> None:
    assert "gamma" not in schemas()
    assert Firm.objects.count() == 3


def test_valkey_is_empty_and_our_own(redis_client: Any) -> None:
    assert redis_client.dbsize() == 0
    redis_client.set("price", "650000")
    assert redis_client.get("price") == "650000"
