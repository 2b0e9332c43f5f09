"""The platform's admin: who gets in, what is shown, what cannot be changed."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from polysim.kernel.tenancy import enter_building
from tenants.admin_site import platform_admin
from tenants.models import Firm, IdentityAuditEntry, StaffMembership, User, WalletKind
from tenants.services import create_api_key, register_user
from wallets.billing.models import PlanTerms
from wallets.services import open_wallet, register_retail_user

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _empty_valkey(redis_client: Any) -> None:
    """Counters of one test are not seen by the next."""


@pytest.fixture
def admin(retail: Any) -> User:
    return register_user(
        email="admin@people.example", password=PASSWORD, now=NOW, is_platform_admin=True
    )


@pytest.fixture
def mira(retail: Any) -> User:
    """A retail user with MAIN $1,000.00."""
    return register_retail_user(email="mira@people.example", password=PASSWORD, now=NOW)


@pytest.fixture
def office(admin: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    return client


def all_lists() -> list[str]:
    return [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in platform_admin._registry
    ]


@pytest.mark.django_db
def test_only_administrators_on_the_platform_host_get_in(
    admin: User, mira: User, alpha: Any
) -> None:
    client = Client(headers={"host": "localhost"})
    assert client.get("/admin/").status_code == 302
    client.force_login(mira, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/").status_code == 302
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/", headers={"host": "alpha.localhost"}).status_code == 404


@pytest.mark.django_db
def test_signing_in_at_the_door_and_waiting_after_five_tries(admin: User) -> None:
    client = Client(headers={"host": "localhost"})
    form = {"username": "admin@people.example", "password": PASSWORD}
    assert client.post("/admin/login/?next=/admin/", form).status_code == 302
    client = Client(headers={"host": "localhost"})
    for _ in range(4):
        client.post("/admin/login/", form | {"password": "wrong"})
    late = client.post("/admin/login/", form)
    assert late.status_code == 200
    assert b"Too many tries" in late.content


@pytest.mark.django_db
def test_every_list_opens_without_counting(
    office: Client, mira: User, django_assert_max_num_queries: Any
) -> None:
    lists = all_lists()
    assert len(lists) >= 17
    for path in lists:
        with django_assert_max_num_queries(14) as asked:
            assert office.get(path).status_code == 200, path
        assert not [one["sql"] for one in asked.captured_queries if "COUNT(" in one["sql"]], path


@pytest.mark.django_db
def test_a_longer_list_asks_no_more_queries(office: Client, retail: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            office.get(path)
        return len(asked)

    def add(number: int) -> None:
        user = register_retail_user(email=f"user{number}@people.example", password=None, now=NOW)
        create_api_key(user=user, tier="free", permissions=["read"], now=NOW, actor=user)

    add(0)
    paths = [path for path in all_lists() if "/wallets/" in path or "/tenants/" in path]
    for path in paths:
        queries(path)
    few = {path: queries(path) for path in paths}
    for number in range(1, 6):
        add(number)
    assert {path: queries(path) for path in paths} == few


@pytest.mark.django_db
def test_wallets_are_shown_for_the_chosen_building(
    office: Client, mira: User, alpha: Any, beta: Any
) -> None:
    with enter_building("alpha"):
        account = open_wallet(
            user=mira, kind=WalletKind.PROP_FIRM, baseline=Decimal("50000.00"), now=NOW
        )
    path = "/admin/wallets/wallet/"
    assert b"MAIN" in office.get(path).content
    assert b"50000" not in office.get(path).content
    chosen = office.post("/admin/building/", {"building": "alpha", "next": path})
    assert (chosen.status_code, chosen["Location"]) == (302, path)
    assert b"50000" in office.get(path).content
    assert office.get(f"{path}{account.pk}/change/").status_code == 200
    assert office.get(f"{path}{account.pk}/history/").status_code == 200
    office.post("/admin/building/", {"building": "beta", "next": path})
    assert b"50000" not in office.get(path).content
    assert office.post("/admin/building/", {"building": "public; drop"}).status_code == 404
    elsewhere = office.post(
        "/admin/building/", {"building": "beta", "next": "https://evil.example/"}
    )
    assert elsewhere["Location"] == "/admin/"


@pytest.mark.django_db
def test_what_the_laws_call_append_only_has_no_form(office: Client, mira: User) -> None:
    with enter_building("retail"):
        from wallets.models import LedgerTransaction

        deposit = LedgerTransaction.objects.get()
    path = f"/admin/wallets/ledgertransaction/{deposit.pk}/"
    assert office.get(f"{path}change/").status_code == 200
    assert office.post(f"{path}change/", {"memo": "edited"}).status_code == 403
    assert office.post(f"{path}delete/", {"post": "yes"}).status_code == 403
    assert office.get("/admin/wallets/ledgertransaction/add/").status_code == 403
    assert office.post(f"/admin/tenants/user/{mira.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.django_db
def test_a_key_is_shown_without_its_hash(office: Client, mira: User) -> None:
    row, raw_key = create_api_key(user=mira, tier="free", permissions=["read"], now=NOW, actor=mira)
    for path in (
        "/admin/tenants/apikey/",
        f"/admin/tenants/apikey/{row.pk}/change/",
        f"/admin/tenants/user/{mira.pk}/change/",
    ):
        page = office.get(path).content.decode()
        assert row.key_prefix in page
        assert row.key_hash not in page
        assert raw_key not in page


@pytest.mark.django_db
def test_a_changed_plan_and_an_ended_key_are_in_the_audit(
    office: Client, admin: User, mira: User
) -> None:
    row, _ = create_api_key(user=mira, tier="free", permissions=["read"], now=NOW, actor=mira)
    office.post(
        f"/admin/tenants/user/{mira.pk}/change/",
        {
            "display_name": "Mira",
            "plan": "pro_plus",
            "is_api_admitted": "on",
            "api_keys-TOTAL_FORMS": "0",
            "api_keys-INITIAL_FORMS": "0",
        },
    )
    mira.refresh_from_db()
    assert (mira.plan, mira.display_name) == ("pro_plus", "Mira")
    office.post("/admin/tenants/apikey/", {"action": "revoke", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert not row.is_active
    by_admin = IdentityAuditEntry.objects.filter(actor=admin).values_list("action", flat=True)
    assert {"user.plan_changed", "user.changed", "key.revoked"} <= set(by_admin)


@pytest.mark.django_db
def test_the_table_of_plans_can_be_edited(office: Client, admin: User) -> None:
    from django.forms.models import model_to_dict

    values = {
        name: "on" if value is True else value
        for name, value in model_to_dict(PlanTerms.objects.get(plan="pro")).items()
        if value not in (None, False)
    }
    office.post("/admin/billing/planterms/pro/change/", values | {"max_keys": 9})
    assert PlanTerms.objects.get(plan="pro").max_keys == 9
    entry = IdentityAuditEntry.objects.get(action="plan.changed")
    assert (entry.before, entry.after) == ({"max_keys": "5"}, {"max_keys": "9"})


@pytest.mark.django_db(transaction=True)
def test_a_firm_is_created_with_schema_host_and_first_member_of_staff() -> None:
    admin = register_user(
        email="admin@people.example", password=PASSWORD, now=NOW, is_platform_admin=True
    )
    office = Client(headers={"host": "localhost"})
    office.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    form = {
        "slug": "gamma",
        "name": "Gamma Prop",
        "host": "gamma.localhost",
        "first_staff_email": "owner@gamma.example",
    }
    assert office.get("/admin/tenants/firm/add/").status_code == 200
    refused = office.post("/admin/tenants/firm/add/", form | {"slug": "Not A Slug"})
    assert b"Lower case letters" in refused.content
    created = office.post("/admin/tenants/firm/add/", form)
    firm = Firm.objects.get(slug="gamma")
    assert created["Location"] == f"/admin/tenants/firm/{firm.pk}/change/"
    assert office.get(created["Location"]).status_code == 200
    assert StaffMembership.objects.get(firm=firm).user.email == "owner@gamma.example"
    assert [message.to for message in mail.outbox] == [["owner@gamma.example"]]
    assert Client(headers={"host": "gamma.localhost"}).get("/login/").status_code == 200


@pytest.mark.django_db
def test_what_polysim_switches_for_a_firm_is_switched_here(office: Client, alpha: Firm) -> None:
    path = f"/admin/tenants/firm/{alpha.pk}/change/"
    hidden = dict(re.findall(r'name="(\w+-\w+_FORMS)" value="(\d+)"', text_of(office.get(path))))
    form = {"name": alpha.name, "time_zone": alpha.time_zone, "is_active": "on", **hidden}
    switched = {"is_partner_enabled": "on", "has_rule_engine": "on"}
    assert office.post(path, form | switched).status_code == 302
    alpha.refresh_from_db()
    assert (alpha.is_partner_enabled, alpha.has_rule_engine) == (True, True)
    assert (alpha.is_sandbox, alpha.has_server_orders) == (False, False)
    entry = IdentityAuditEntry.objects.get(action="firm.changed")
    assert entry.after["has_rule_engine"] in (True, "True")


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.django_db
def test_the_first_page_leads_to_every_list(office: Client) -> None:
    page = office.get("/admin/").content.decode()
    for path in all_lists():
        assert f'href="{path}"' in page, path


@pytest.mark.django_db
def test_signing_in_leads_back_to_the_admin(admin: User) -> None:
    client = Client(headers={"host": "localhost"})
    door = client.get("/admin/login/")
    assert door["Location"] == "/admin/login/?next=/admin/"
    form = {"username": "admin@people.example", "password": PASSWORD}
    assert client.post(door["Location"], form)["Location"] == "/admin/"
