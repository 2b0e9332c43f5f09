"""Every screen with something in it: list, search, filters, CSV, the page of a row, 404."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from polysim.kernel.tenancy import enter_building
from tenants.models import Participant, TenantKey
from tenants.office.admin_site import backoffice
from tenants.office.models import FirmAuditEntry
from tests.support.exchange import Trader, make_firm_trader
from wallets.models import FirmAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader(alpha: Any) -> Trader:
    """A trader of alpha with an account of $10,000.00."""
    return make_firm_trader(external_id="acc-1")


@pytest.fixture
def stranger(beta: Any) -> Trader:
    """A trader of beta."""
    return make_firm_trader(schema="beta", external_id="acc-of-beta")


def page(client: Client, path: str) -> str:
    answer = client.get(f"/backoffice/{path}")
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_traders_as_the_firm_registered_them(owner: Client, trader: Trader) -> None:
    person = Participant.objects.get(user=trader.user)
    listed = page(owner, "traders/")
    assert person.external_id in listed
    assert person.email in listed
    shown = page(owner, f"traders/{person.pk}/")
    assert str(person.tenant_user_id) in shown
    assert str(trader.wallet.pk) in shown
    for hidden in ("last login", "date_joined", trader.user.handle):
        assert hidden not in shown.lower()


def test_search_finds_by_any_id_and_says_when_nothing_matches(
    owner: Client, trader: Trader
) -> None:
    person = Participant.objects.get(user=trader.user)
    for term in (person.external_id, person.email.upper(), person.tenant_user_id):
        assert person.external_id in page(owner, f"traders/?q={term}")
    for term in (trader.wallet.pk, trader.wallet.account_id, "acc-1", person.external_id):
        assert "acc-1" in page(owner, f"accounts/?q={term}")
        target = owner.get("/backoffice/find/", {"q": str(term)})
        assert target.status_code == 302
    empty = page(owner, "traders/?q=nobody-like-this")
    assert "Nothing matches" in empty
    assert "Clear search and filters" in empty
    assert "here" in page(owner, "find/?q=nobody-like-this")


def test_ids_of_another_firm_are_404(owner: Client, stranger: Trader) -> None:
    person = Participant.objects.get(user=stranger.user)
    for path in (
        f"traders/{person.pk}/",
        f"accounts/{stranger.wallet.pk}/",
        f"accounts/{stranger.wallet.pk}/support/",
        "accounts/not-a-number/",
        "accounts/99999999999999999999999/",
        "webhooks/not-a-uuid/",
        "audit/0/",
    ):
        assert owner.get(f"/backoffice/{path}").status_code == 404, path
    for term in (person.external_id, person.email, stranger.wallet.pk, "acc-of-beta"):
        assert "Nothing matches" in page(owner, f"accounts/?q={term}")
        assert owner.get("/backoffice/find/", {"q": str(term)}).status_code == 200


def test_csv_of_what_is_filtered(owner: Client, trader: Trader) -> None:
    make_firm_trader(external_id="=cmd()", stage="funded")
    everything = owner.get("/backoffice/accounts/csv/").content.decode()
    assert len(everything.splitlines()) == 3
    assert "'=cmd()" in everything
    funded = owner.get("/backoffice/accounts/csv/?stage=funded").content.decode()
    assert len(funded.splitlines()) == 2
    for screen in backoffice._registry.values():
        if screen.csv_columns:
            answer = owner.get(f"/backoffice/{screen.slug}/csv/")
            assert answer.status_code == 200
            assert answer["Content-Type"].startswith("text/csv")


def test_a_filter_that_cannot_be_read_is_dropped(owner: Client, trader: Trader) -> None:
    for query in ("?is_managed__exact=%00", "?no_such_field=1", "?p=abc", "?o=99.x"):
        assert owner.get(f"/backoffice/accounts/{query}").status_code in (200, 302)


def test_fifty_rows_a_page_and_the_same_queries_for_one_and_for_many(
    owner: Client, trader: Trader, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    owner.get("/backoffice/accounts/")
    for number in range(54):
        make_firm_trader(external_id=f"many-{number:03}", user=trader.user)
    for path in ("accounts/", "traders/", "audit/", "staff/", "keys/", "webhooks/", "deliveries/"):
        with django_assert_max_num_queries(7):
            page(owner, path)
    first = page(owner, "accounts/")
    assert first.count('data-l="Trader"') == 50
    assert "Next 50" in first
    second = page(owner, "accounts/?p=2")
    assert second.count('data-l="Trader"') == 5
    assert "Newer" in second
    assert "Next 50" not in second


def test_times_stand_in_the_firms_zone_with_utc_on_hover(
    owner: Client, trader: Trader, alpha: Any
) -> None:
    form = {"time_zone": "America/New_York", "contact_email": "", "accent_colour": ""}
    assert owner.post("/backoffice/settings/", form).status_code == 302
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.latest("id")
        assert (entry.action, entry.before, entry.after) == (
            "settings.changed",
            {"time_zone": "UTC"},
            {"time_zone": "America/New_York"},
        )
    from tenants.lookups import clear_lookups

    clear_lookups()
    listed = page(owner, "audit/")
    assert "UTC on hover" in listed
    assert f'title="{entry.created_at:%Y-%m-%d %H:%M:%S} UTC"' in listed


def test_the_support_view_shows_the_terminal_read_only_and_is_logged(
    office: Callable[..., Client], staff: Any, trader: Trader
) -> None:
    client = office("crm_manager")
    path = f"accounts/{trader.wallet.pk}/support/"
    shown = page(client, path)
    assert "Support view, read-only." in shown
    assert "$10,000.00" in shown
    assert "<form" not in shown.partition("<main")[2]
    for tab in ("positions", "orders", "history", "ledger"):
        page(client, f"{path}?tab={tab}")
    assert client.post(f"/backoffice/{path}").status_code == 405
    with enter_building("alpha"):
        entries = FirmAuditEntry.objects.filter(action="trader.support_viewed")
        assert entries.count() == 5
        entry = entries.order_by("id").first()
        assert entry is not None
        assert (entry.actor, entry.role, entry.object_id) == (
            staff["crm_manager"],
            "crm_manager",
            str(trader.wallet.account_id),
        )
    # Nobody's session was used or made: the viewer is still who they were.
    assert int(client.session["_auth_user_id"]) == staff["crm_manager"].pk


def test_retail_wallets_have_no_support_view(owner: Client, trader: Trader, retail: Any) -> None:
    from tests.support.exchange import make_trader

    own = make_trader(user=trader.user)
    assert owner.get(f"/backoffice/accounts/{own.wallet.pk}/support/").status_code == 404
    person = Participant.objects.get(user=trader.user)
    assert f"accounts/{own.wallet.pk}/" not in page(owner, f"traders/{person.pk}/")


def test_an_account_with_everything_on_one_page(owner: Client, trader: Trader) -> None:
    shown = page(owner, f"accounts/{trader.wallet.pk}/")
    for words in ("Equity", "Peak equity", "Positions", "Open orders", "Trades", "Ledger"):
        assert words in shown
    assert FirmAccount._meta.model_name not in shown


def test_keys_are_shown_once_rotated_switched_and_revoked(owner: Client, alpha: Any) -> None:
    form = {"name": "CRM", "permissions": ["accounts:read"], "days": ""}
    answer = owner.post("/backoffice/keys/new/", form)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    key = TenantKey.objects.get(firm=alpha, name="CRM")
    raw = answer.content.decode().partition('<code id="secret">')[2].partition("<")[0]
    assert raw.startswith("pst_live_")
    assert raw not in page(owner, f"keys/{key.pk}/")
    assert raw[12:] not in page(owner, "audit/")
    rotated = owner.post(f"/backoffice/keys/{key.pk}/do/rotate/", {"hours": "24"})
    assert b"pst_live_" in rotated.content
    assert owner.post(f"/backoffice/keys/{key.pk}/do/switch-off/").status_code == 302
    assert "switched off" in page(owner, f"keys/{key.pk}/")
    assert owner.post(f"/backoffice/keys/{key.pk}/do/revoke/").status_code == 302
    assert "revoked" in page(owner, f"keys/{key.pk}/")
    late = owner.post(f"/backoffice/keys/{key.pk}/do/rotate/", {"hours": "24"})
    assert b"The key was revoked." in late.content
    with enter_building("alpha"):
        actions = list(FirmAuditEntry.objects.order_by("id").values_list("action", flat=True))
    for action in ("key.created", "key.switched_off", "key.revoked"):
        assert action in actions


def test_the_last_owner_stays(
    owner: Client, staff: Any, alpha: Any, django_capture_on_commit_callbacks: Any
) -> None:
    from tenants.models import StaffMembership

    memberships = {row.role: row for row in StaffMembership.objects.filter(firm=alpha)}
    others = StaffMembership.objects.filter(firm=alpha, role="admin").exclude(user=staff["admin"])
    others.update(is_active=False)
    own = StaffMembership.objects.get(firm=alpha, user=staff["admin"])
    for path, form in ((f"{own.pk}/do/end/", {}), (f"{own.pk}/do/role/", {"role": "viewer"})):
        answer = owner.post(f"/backoffice/staff/{path}", form)
        assert b"last Owner" in answer.content
    viewer = memberships["viewer"]
    with django_capture_on_commit_callbacks(execute=True):
        made = owner.post(f"/backoffice/staff/{viewer.pk}/do/role/", {"role": "admin"})
    assert made.status_code == 302
    assert owner.post(f"/backoffice/staff/{own.pk}/do/end/").status_code == 302
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.filter(action="staff.role_changed").get()
        assert (entry.before["role"], entry.after["role"]) == ("viewer", "admin")


def test_people_are_invited_by_mail(
    owner: Client, alpha: Any, django_capture_on_commit_callbacks: Any
) -> None:
    from django.core import mail

    form = {"email": "New@Alpha.example", "role": "dealer"}
    with django_capture_on_commit_callbacks(execute=True):
        assert owner.post("/backoffice/staff/new/", form).status_code == 302
    assert [message.to for message in mail.outbox] == [["new@alpha.example"]]
    again = owner.post("/backoffice/staff/new/", form)
    assert b"member of the staff already" in again.content


def test_settings_refuse_a_faint_accent_and_what_is_no_picture(owner: Client, alpha: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    base = {"time_zone": "UTC", "contact_email": "", "accent_colour": ""}
    # 4.48 to 1 on white is refused, 4.54 is taken.
    faint = owner.post("/backoffice/settings/", base | {"accent_colour": "#777777"})
    assert b"4.48" in faint.content
    taken = owner.post("/backoffice/settings/", base | {"accent_colour": "#767676"})
    assert taken.status_code == 302
    script = SimpleUploadedFile("logo.png", b"<script>alert(1)</script>", "image/png")
    refused = owner.post("/backoffice/settings/", base | {"logo": script})
    assert b"Only PNG, JPEG and WebP" in refused.content
    large = SimpleUploadedFile("logo.png", b"\x89PNG\r\n\x1a\n" + b"0" * 65_536, "image/png")
    assert (
        b"larger than 64 KB" in owner.post("/backoffice/settings/", base | {"logo": large}).content
    )
    logo = SimpleUploadedFile("logo.png", b"\x89PNG\r\n\x1a\n0", "image/png")
    assert owner.post("/backoffice/settings/", base | {"logo": logo}).status_code == 302
    picture = owner.get("/firm/logo/")
    assert (picture["Content-Type"], picture["X-Content-Type-Options"]) == ("image/png", "nosniff")


def test_the_audit_is_not_edited(owner: Client, trader: Trader) -> None:
    page(owner, f"accounts/{trader.wallet.pk}/support/")
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.latest("id")
    shown = page(owner, f"audit/{entry.pk}/")
    assert "<form" not in shown.partition("<main")[2]
    assert owner.post(f"/backoffice/audit/{entry.pk}/do/delete/").status_code == 404
    assert entry.action in page(owner, "audit/?area=trader.")
    assert entry.action not in page(owner, "audit/?area=key.")


@pytest.mark.parametrize("path", ["accounts/?status=%00", "audit/?action=%00", "jobs/?status=%00"])
def test_a_null_character_in_a_filter_is_400(owner: Client, path: str) -> None:
    assert owner.get(f"/backoffice/{path}").status_code == 400
