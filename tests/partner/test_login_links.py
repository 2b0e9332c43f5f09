"""Login links: mailed, valid once and for 15 minutes, and leading only where the firm allows."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connections
from django.test import Client

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from polysim.logs import HideLinkTokens
from tenants.models import Firm, LoginLink, User
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tenants.services import deactivate_user, register_user
from tenants.services.firms import grant_role
from tenants.services.login_links import LinkGone, find_open_link, use_login_link
from tenants.services.redirects import allow_origin, read_origin, remove_origin
from tests.support.door import FirmServer
from tests.support.exchange import make_firm_trader
from trading.views.context import ACCOUNT_KEY

pytestmark = pytest.mark.usefixtures("plain_files", "retail")

EMAIL = "ines@example.org"
STAFF = system_actor("tests")
Ask = Callable[..., tuple[Any, str]]


@pytest.fixture
def trader_id(server: FirmServer) -> int:
    """Ines, registered with alpha."""
    sent = {"external_id": "nw-0093", "email": EMAIL}
    return int(server.post("users", sent).json()["user_id"])


def visitor() -> Client:
    return Client(raise_request_exception=False)


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_the_link_is_mailed_and_never_in_the_answer(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    answer, path = ask_for_link(server, trader_id)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    (message,) = mail.outbox
    assert message.to == [EMAIL]
    assert message.subject == "Your link to Alpha Prop"
    html = str(message.alternatives[0][0])
    for text in (str(message.body), html):
        assert f"http://localhost:8000{path}" in text
        assert "Alpha Prop" in text
        assert "within 15 minutes" in text
        assert "works once" in text
        assert EMAIL in text


def test_only_a_hash_is_stored_and_neither_log_nor_audit_know_the_token(
    server: FirmServer, trader_id: int, ask_for_link: Ask, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    _, path = ask_for_link(server, trader_id)
    token = path.split("/")[2]
    assert token not in str(list(LoginLink.objects.values()))
    with enter_building("alpha"):
        assert token not in str(list(FirmAuditEntry.objects.values()))
    assert token not in caplog.text


def test_lines_of_the_log_hide_the_tokens_of_links() -> None:
    token = "A" * 43
    record = logging.LogRecord("x", 30, "x", 1, "Gone: %s", (f"/link/{token}/",), None)
    assert HideLinkTokens().filter(record)
    assert record.getMessage() == "Gone: /link/…/"
    plain = logging.LogRecord("x", 30, "x", 1, "%s of %s", (1, 2), None)
    assert HideLinkTokens().filter(plain)
    assert plain.args == (1, 2)


def test_looking_at_the_page_spends_nothing(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    _, path = ask_for_link(server, trader_id)
    client = visitor()
    for method in (client.get, client.head, client.get):
        page = method(path)
        assert page.status_code == 200
        assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    text = page.content.decode()
    assert "Alpha Prop" in text
    assert "i•••@example.org" in text
    assert EMAIL not in text
    assert "Continue" in text
    assert LoginLink.objects.get().consumed_at is None
    assert "_auth_user_id" not in client.session


def test_the_button_signs_in_verifies_the_address_and_opens_the_newest_account(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    user = User.objects.get(pk=trader_id)
    make_firm_trader(user=user)
    newest = make_firm_trader(user=user)
    make_firm_trader(user=user, schema="beta")
    _, path = ask_for_link(server, trader_id)
    client = visitor()
    page = client.get(path).content.decode()
    answer = client.post(path)
    assert (answer.status_code, answer["Location"]) == (303, "/markets/")
    assert client.session["_auth_user_id"] == str(trader_id)
    assert client.session[ACCOUNT_KEY] == newest.wallet.pk
    assert EmailAddress.objects.get(user=user).verified
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.get(action="login_link.used")
    assert (entry.actor_kind, entry.actor_name) == ("trader", EMAIL)
    assert "Challenge" in page


def test_a_used_link_is_gone_with_a_login_form_and_a_way_to_a_new_link(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    _, path = ask_for_link(server, trader_id)
    visitor().post(path)
    for method in (visitor().get, visitor().post):
        page = method(path)
        text = page.content.decode()
        assert page.status_code == 410
        assert 'action="/login/"' in text
        assert 'type="password"' in text
        assert 'action="/link/new/"' in text
    assert visitor().get("/link/" + "x" * 43 + "/").status_code == 410


def test_a_link_counts_until_just_before_15_minutes(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    _, path = ask_for_link(server, trader_id)
    token = path.split("/")[2]
    made_at = LoginLink.objects.get().created_at
    at_14_59 = made_at + timedelta(minutes=14, seconds=59)
    at_15_00 = made_at + timedelta(minutes=15)
    assert find_open_link(token=token, now=at_15_00 - timedelta(microseconds=1))
    with pytest.raises(LinkGone):
        find_open_link(token=token, now=at_15_00)
    with pytest.raises(LinkGone):
        use_login_link(token=token, now=at_15_00, remote_address=None)
    assert use_login_link(token=token, now=at_14_59, remote_address=None)


def test_an_expired_link_is_gone(server: FirmServer, trader_id: int, ask_for_link: Ask) -> None:
    _, path = ask_for_link(server, trader_id)
    LoginLink.objects.update(expires_at=utc_now())
    assert visitor().get(path).status_code == 410
    assert visitor().post(path).status_code == 410


def test_a_newer_link_voids_older_ones_of_the_same_firm_and_trader(
    server: FirmServer, beta_server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    beta_server.post("users", {"external_id": "b", "email": EMAIL})
    _, first = ask_for_link(server, trader_id)
    _, theirs = ask_for_link(beta_server, trader_id)
    _, second = ask_for_link(server, trader_id)
    assert [visitor().get(path).status_code for path in (first, theirs, second)] == [410, 200, 200]


def test_five_links_an_hour_then_the_sixth_waits(
    server: FirmServer, beta_server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    beta_server.post("users", {"external_id": "b", "email": EMAIL})
    for _ in range(5):
        assert ask_for_link(server, trader_id)[0].status_code == 202
    answer, path = ask_for_link(server, trader_id)
    assert code_of(answer) == (429, "RATE_LIMIT_EXCEEDED")
    assert 3590 <= int(answer["Retry-After"]) <= 3600
    assert path == ""
    assert ask_for_link(beta_server, trader_id)[0].status_code == 202
    oldest = LoginLink.objects.filter(participant__firm=server.firm).order_by("pk").first()
    assert oldest is not None
    LoginLink.objects.filter(pk=oldest.pk).update(created_at=utc_now() - timedelta(hours=1))
    assert ask_for_link(server, trader_id)[0].status_code == 202


def test_a_sandbox_reads_its_mails_and_others_have_none(
    alpha: Firm, beta_server: FirmServer, ask_for_link: Ask
) -> None:
    assert code_of(beta_server.get("sandbox/mails")) == (404, "NOT_FOUND")
    real = register_user(email=EMAIL, password=None, now=utc_now(), is_email_verified=True)
    alpha.is_sandbox = True
    alpha.save(update_fields=["is_sandbox"])
    server = FirmServer(alpha)
    body = server.post("users", {"external_id": "s", "email": EMAIL}).json()
    # A sandbox never reaches the account of a real person.
    assert body["user_id"] != real.pk
    assert body["email"] == EMAIL
    _, path = ask_for_link(server, body["user_id"])
    page = server.get("sandbox/mails").json()
    (row,) = page["data"]
    assert row["recipient"] == EMAIL
    assert row["link"] == f"http://localhost:8000{path}"
    assert page["has_more"] is False
    assert server.get("sandbox/mails?recipient=other@example.org").json()["data"] == []
    client = visitor()
    assert client.post(path).status_code == 303
    assert client.session["_auth_user_id"] == str(body["user_id"])


def test_a_firm_that_becomes_a_sandbox_reads_no_mail_of_real_people(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    User.objects.filter(pk=trader_id).update(email="moved@example.org")
    Firm.objects.filter(slug="alpha").update(is_sandbox=True)
    server.firm.refresh_from_db()
    ask_for_link(FirmServer(server.firm), trader_id)
    assert mail.outbox[-1].to == ["moved@example.org"]
    assert FirmServer(server.firm).get("sandbox/mails").json()["data"] == []


def test_staff_and_superusers_get_the_way_to_the_normal_login(
    server: FirmServer, beta: Firm, ask_for_link: Ask
) -> None:
    now = utc_now()
    boss = register_user(email="boss@example.org", password=None, now=now, is_platform_admin=True)
    owner = register_user(email="owner@example.org", password=None, now=now)
    grant_role(user=owner, firm=beta, role="admin", actor=None, now=now)
    for number, user in enumerate([boss, owner]):
        sent = {"external_id": f"staff-{number}", "email": user.email}
        answer = server.post("users", sent)
        assert (answer.status_code, answer.json()["created"]) == (201, True)
        answer, path = ask_for_link(server, user.pk)
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        assert path == ""
        assert "http://localhost:8000/login/" in str(mail.outbox[-1].body)
        assert "/link/" not in str(mail.outbox[-1].alternatives[0][0])
    for _ in range(4):
        assert ask_for_link(server, boss.pk)[0].status_code == 202
    assert ask_for_link(server, boss.pk)[0].status_code == 429


def test_the_mail_goes_to_the_current_address_once_the_registered_one_is_not_theirs(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    User.objects.filter(pk=trader_id).update(email="moved@example.org")
    row = EmailAddress.objects.get(user_id=trader_id)
    EmailAddress.objects.create(
        user_id=trader_id, email="moved@example.org", verified=True, primary=False
    )
    ask_for_link(server, trader_id)
    assert mail.outbox[-1].to == ["moved@example.org"]
    row.verified = True
    row.save()
    ask_for_link(server, trader_id)
    assert mail.outbox[-1].to == [EMAIL]


def test_a_password_chosen_before_the_address_was_proven_ends(
    server: FirmServer, ask_for_link: Ask
) -> None:
    squatter = register_user(
        email="victim@example.org", password="chosen by a stranger", now=utc_now()
    )
    server.post("users", {"external_id": "v", "email": "victim@example.org"})
    _, path = ask_for_link(server, squatter.pk)
    client = visitor()
    assert client.post(path).status_code == 303
    squatter.refresh_from_db()
    assert not squatter.has_usable_password()
    assert client.get("/settings/").status_code == 200


def test_the_password_of_a_proven_account_stays(server: FirmServer, ask_for_link: Ask) -> None:
    owner = register_user(
        email="known@example.org",
        password="their own pass phrase",
        now=utc_now(),
        is_email_verified=True,
    )
    server.post("users", {"external_id": "k", "email": "known@example.org"})
    _, path = ask_for_link(server, owner.pk)
    assert visitor().post(path).status_code == 303
    owner.refresh_from_db()
    assert owner.has_usable_password()


@pytest.mark.parametrize("change", ["user", "is_active", "is_partner_enabled"])
def test_a_closed_account_or_firm_has_no_way_in(
    server: FirmServer, trader_id: int, ask_for_link: Ask, change: str
) -> None:
    _, path = ask_for_link(server, trader_id)
    if change == "user":
        deactivate_user(user=User.objects.get(pk=trader_id), actor=None, now=utc_now())
    else:
        Firm.objects.filter(slug="alpha").update(**{change: False})
    assert visitor().get(path).status_code == 410
    assert visitor().post(path).status_code == 410


def test_the_form_needs_its_token(server: FirmServer, trader_id: int, ask_for_link: Ask) -> None:
    _, path = ask_for_link(server, trader_id)
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    assert LoginLink.objects.get().consumed_at is None


def test_a_new_link_is_sent_with_the_same_answer_for_every_address(
    server: FirmServer, trader_id: int, ask_for_link: Ask, django_capture_on_commit_callbacks: Any
) -> None:
    _, path = ask_for_link(server, trader_id)
    client = visitor()
    client.post(path)
    page = visitor().get(path).content.decode()
    mark = page.split('name="link" value="')[1].split('"')[0]
    mail.outbox.clear()
    pages = []
    for email in ("stranger@example.org", EMAIL.upper(), "no address", "", "\x00"):
        with django_capture_on_commit_callbacks(execute=True):
            answer = visitor().post("/link/new/", {"email": email, "link": mark})
        pages.append((answer.status_code, without_nonces(answer.content.decode())))
    assert pages[0][0] == 200
    assert all(page == pages[0] for page in pages)
    assert [message.to for message in mail.outbox] == [[EMAIL]]


def without_nonces(text: str) -> str:
    parts = text.split('nonce="')
    return parts[0] + "".join(part.split('"', 1)[1] for part in parts[1:])


def test_a_redirect_leads_to_a_listed_origin_only(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    wanted = "https://portal.northwind.example/done?x=1"
    answer, path = ask_for_link(server, trader_id, redirect_url=wanted)
    assert code_of(answer) == (422, "REDIRECT_NOT_ALLOWED")
    assert path == ""
    assert LoginLink.objects.count() == 0
    with enter_building("alpha"):
        row = allow_origin(
            firm=server.firm,
            origin="https://portal.northwind.example",
            actor=STAFF,
            now=utc_now(),
        )
    _, path = ask_for_link(server, trader_id, redirect_url=wanted)
    client = visitor()
    page = client.get(path)
    policy = page["Content-Security-Policy"]
    assert "form-action 'self' https://portal.northwind.example;" in policy
    assert client.post(path)["Location"] == wanted
    _, path = ask_for_link(server, trader_id, redirect_url=wanted)
    with enter_building("alpha"):
        remove_origin(firm=server.firm, origin_id=row.pk, actor=STAFF, now=utc_now())
    assert visitor().post(path)["Location"] == "/markets/"


def test_the_own_origin_is_always_allowed_with_its_scheme(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    own = "http://localhost:8000/portfolio/"
    _, path = ask_for_link(server, trader_id, redirect_url=own)
    assert visitor().post(path)["Location"] == own


LISTED = "https://portal.example"


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.example/",
        "https://portal.example.evil.org/",
        "https://evil.org/?https://portal.example",
        "https://user@portal.example/",
        "https://portal.example@evil.org/",
        "https://portal.example:8443/",
        "https://portal.example\\@evil.org/",
        "https://sub.portal.example/",
        "//portal.example/",
        "/markets/",
        "javascript:alert(1)",
        "https:portal.example",
        "https:///portal.example/",
        "https://portal.example:/",
        "https://portal.example:99999/",
        "https://port\tal.example/",
        " https://portal.example/",
        "https://portal.example/" + "x" * 2048,
        "ftp://portal.example/",
        "https://*.example/",
        "http://localhost:8001/",
        "https://localhost:8000/",
        "https://[::1]/",
    ],
)
def test_addresses_that_only_look_listed_are_refused(
    server: FirmServer, trader_id: int, url: str
) -> None:
    with enter_building("alpha"):
        allow_origin(firm=server.firm, origin=LISTED, actor=STAFF, now=utc_now())
    answer = server.post(f"users/{trader_id}/login-link", {"redirect_url": url})
    assert code_of(answer) in [(422, "REDIRECT_NOT_ALLOWED"), (422, "VALIDATION_FAILED")]
    assert LoginLink.objects.count() == 0


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Portal.Example/a", LISTED),
        ("https://portal.example:443/a", LISTED),
        ("https://portal.example?x", LISTED),
        ("https://portal.example:8443", "https://portal.example:8443"),
        ("http://localhost:8000/markets/", "http://localhost:8000"),
    ],
)
def test_the_origin_of_an_address(url: str, origin: str) -> None:
    assert read_origin(url) == origin


@pytest.mark.parametrize("value", [5, None, "", [], True])
def test_a_redirect_is_text(server: FirmServer, trader_id: int, value: Any) -> None:
    answer = server.post(f"users/{trader_id}/login-link", {"redirect_url": value})
    assert code_of(answer) == (422, "VALIDATION_FAILED")


def test_the_body_is_optional(server: FirmServer, trader_id: int) -> None:
    assert server.send("POST", f"users/{trader_id}/login-link").status_code == 202


def test_without_a_broker_the_mail_is_sent_at_once(
    server: FirmServer, trader_id: int, django_capture_on_commit_callbacks: Any, monkeypatch: Any
) -> None:
    from kombu.exceptions import OperationalError

    from tenants import news

    def refuse(*args: Any, **options: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(news.send_login_link, "apply_async", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        server.post(f"users/{trader_id}/login-link")
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_of_64_opens_at_once_one_makes_a_session(
    server: FirmServer, trader_id: int, ask_for_link: Ask
) -> None:
    _, path = ask_for_link(server, trader_id)
    Session.objects.all().delete()
    start = threading.Barrier(64)

    def open_link() -> int:
        start.wait()
        status = 503
        try:
            # 64 threads of one process wait for its ten connections; who waited in vain asks again.
            while status == 503:
                status = visitor().post(path).status_code
            return status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(64) as pool:
        statuses = [one.result() for one in [pool.submit(open_link) for _ in range(64)]]
    assert sorted(statuses) == [303] + [410] * 63
    signed_in = [one for one in Session.objects.all() if "_auth_user_id" in one.get_decoded()]
    assert len(signed_in) == 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_requests_at_once_five_make_a_link(server: FirmServer, trader_id: int) -> None:
    start = threading.Barrier(10)

    def request() -> int:
        start.wait()
        try:
            status: int = server.post(f"users/{trader_id}/login-link").status_code
            return status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        statuses = [one.result() for one in [pool.submit(request) for _ in range(10)]]
    assert sorted(statuses) == [202] * 5 + [429] * 5
    is_open = {"consumed_at__isnull": True, "voided_at__isnull": True}
    assert LoginLink.objects.filter(**is_open).count() == 1
