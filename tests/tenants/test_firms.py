"""Creating firms: schema, host, first member of staff."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from polysim.kernel.errors import ValidationFailed
from polysim.kernel.tenancy import enter_building
from tenants.models import Domain, Firm, IdentityAuditEntry, StaffMembership
from tenants.services import FirmExists, HostTaken, create_firm, register_user
from wallets.models import Wallet

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)


def make(**changes: Any) -> Firm:
    asked: dict[str, Any] = {
        "slug": "gamma",
        "name": "Gamma Prop",
        "host": "gamma.localhost",
        "first_staff_email": "owner@gamma.example",
        "actor": None,
        "now": NOW,
    }
    return create_firm(**(asked | changes))


@pytest.mark.django_db(transaction=True)
def test_a_new_firm_has_a_schema_a_host_and_an_owner_invited_by_mail(settings: Any) -> None:
    settings.BASE_URL = "http://localhost:8000"
    firm = make()
    with enter_building("gamma"):
        assert Wallet.objects.count() == 0
    assert Domain.objects.get(tenant=firm).domain == "gamma.localhost"
    membership = StaffMembership.objects.get(firm=firm)
    assert (membership.user.email, membership.role) == ("owner@gamma.example", "admin")
    actions = IdentityAuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["firm.begun", "user.registered", "staff.granted", "firm.opened"]
    (invitation,) = mail.outbox
    assert invitation.to == ["owner@gamma.example"]
    assert "Gamma Prop" in invitation.subject
    path = invitation.body.split("http://gamma.localhost:8000")[1].split()[0]
    page = Client(headers={"host": "gamma.localhost"}).get(path, follow=True)
    assert page.status_code == 200
    assert connection.schema_name == "public"


@pytest.mark.django_db(transaction=True)
def test_a_creation_that_was_cut_short_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the process died")

    monkeypatch.setattr("tenants.services.firms.grant_role", die)
    with pytest.raises(RuntimeError):
        make()
    assert not Firm.objects.get(slug="gamma").is_active
    assert not Domain.objects.filter(domain="gamma.localhost").exists()
    monkeypatch.undo()
    assert make().is_active
    with pytest.raises(FirmExists):
        make(host="gamma2.localhost")


@pytest.mark.django_db(transaction=True)
def test_the_command_creates_a_firm_for_a_known_person() -> None:
    register_user(email="owner@delta.example", password="a long password", now=NOW)
    arguments = ["--name", "Delta", "--host", "delta.localhost", "--staff-email"]
    call_command("create_firm", "delta", *arguments, "owner@delta.example")
    assert "/login/" in mail.outbox[0].body
    assert "/password/" not in mail.outbox[0].body
    with pytest.raises(CommandError, match="already"):
        call_command("create_firm", "delta", *arguments, "owner@delta.example")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "Gamma"},
        {"slug": "g-amma"},
        {"slug": "g"},
        {"slug": "public"},
        {"slug": "retail"},
        {"slug": "pg_gamma"},
        {"slug": 'gamma"; drop schema public'},
        {"host": "gamma localhost"},
        {"host": "gamma.localhost:8000"},
        {"host": "https://gamma.localhost"},
        {"host": ""},
    ],
)
def test_unusable_names_are_refused_before_anything_is_made(
    retail: Any, wrong: dict[str, str]
) -> None:
    with pytest.raises(ValidationFailed):
        make(**wrong)
    assert not Firm.objects.exclude(slug__in=["retail", "alpha", "beta"]).exists()


@pytest.mark.django_db
def test_a_host_leads_to_one_firm_only(alpha: Any) -> None:
    with pytest.raises(HostTaken):
        make(host="alpha.localhost")


@pytest.mark.django_db
def test_a_firms_slug_is_used_once(alpha: Any) -> None:
    with pytest.raises(FirmExists):
        make(slug="alpha", host="other.localhost")


@pytest.mark.django_db
def test_nobody_signs_up_at_a_firms_host(alpha: Any) -> None:
    response = Client(headers={"host": "alpha.localhost"}).get("/signup/")
    assert (response.status_code, response["Location"]) == (302, "/login/")


@pytest.mark.django_db
def test_a_firms_host_has_its_own_door_for_staff(alpha: Any, redis_client: Any) -> None:
    from tenants.services import grant_role

    user = register_user(
        email="dealer@alpha.example", password="a long password", now=NOW, is_email_verified=True
    )
    client = Client(headers={"host": "alpha.localhost"})
    for path in ("/", "/login/", "/login/code/", "/password/reset/", "/status/"):
        assert client.get(path).status_code == 200, path
    assert b"Log in as staff" in client.get("/").content
    form = {"login": "dealer@alpha.example", "password": "a long password"}
    assert client.post("/login/", form)["Location"] == "/"
    assert b"has no role" in client.get("/").content
    grant_role(user=user, firm=alpha, role="dealer", actor=None, now=NOW)
    assert b"Your role here is Dealer" in client.get("/").content
    assert client.get("/markets/")["Location"].endswith("/markets/?tenant=alpha")
    assert client.get("/portfolio/1/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_retail_opens_at_its_hosts_and_only_once() -> None:
    for _ in range(2):
        call_command("open_retail", "polysim.example", "www.polysim.example")
    retail = Firm.objects.get(slug="retail")
    assert set(retail.domains.values_list("domain", flat=True)) >= {
        "polysim.example",
        "www.polysim.example",
    }
    assert Firm.objects.filter(kind="retail").count() == 1
