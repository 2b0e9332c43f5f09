"""Signing up, in, and out: what a newcomer meets, and what a stranger cannot learn."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from polysim.kernel.tenancy import enter_building
from tenants.models import User
from wallets.models import Wallet
from wallets.services import register_retail_user

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
EMAIL, PASSWORD = "mira@people.example", "correct horse battery staple"


@pytest.fixture(autouse=True)
def _empty_valkey(redis_client: Any) -> None:
    """Counters of one test are not seen by the next."""


@pytest.fixture
def mira(retail: Any) -> User:
    """Mira, with a confirmed address and MAIN $1,000.00."""
    return register_retail_user(email=EMAIL, password=PASSWORD, now=NOW, is_email_verified=True)


@pytest.fixture
def newcomer(retail: Any) -> Client:
    return Client(headers={"host": "localhost"})


def sign_up(client: Client, email: str = EMAIL, password: str = PASSWORD) -> Any:
    return client.post("/signup/", {"email": email, "password1": password})


def mailed_code(message: Any) -> str:
    found = re.search(r"^\s{4}(\S+)\s*$", message.body, re.MULTILINE)
    assert found is not None, message.body
    return found.group(1)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_newcomer_confirms_the_address_and_lands_on_the_markets(newcomer: Client) -> None:
    assert newcomer.get("/signup/").status_code == 200
    response = sign_up(newcomer)
    assert (response.status_code, response["Location"]) == (302, "/email/confirm/")
    assert not is_signed_in(newcomer)
    (message,) = mail.outbox
    assert message.to == [EMAIL]
    assert newcomer.get("/email/confirm/").status_code == 200
    confirmed = newcomer.post("/email/confirm/", {"code": mailed_code(message)})
    assert (confirmed.status_code, confirmed["Location"]) == (302, "/markets/")
    assert is_signed_in(newcomer)


def test_a_newcomer_has_a_main_wallet_of_1000_dollars_and_a_made_up_name(
    newcomer: Client,
) -> None:
    sign_up(newcomer, email="Mira@People.example")
    user = User.objects.get(email=EMAIL)
    assert user.handle.startswith("trader-")
    assert "mira" not in user.handle
    with enter_building("retail"):
        wallet = Wallet.objects.get(user=user)
    assert (wallet.kind, wallet.balance) == ("MAIN", Decimal("1000.00"))


def test_no_wallet_no_user(newcomer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("no wallet")

    monkeypatch.setattr("wallets.signup.open_main_wallet", fail)
    with pytest.raises(RuntimeError):
        sign_up(newcomer)
    assert not User.objects.filter(email=EMAIL).exists()


def test_a_known_address_meets_the_same_pages_as_a_new_one(mira: User, newcomer: Client) -> None:
    known = sign_up(newcomer)
    known_page = newcomer.get("/email/confirm/")
    stranger = Client(headers={"host": "localhost"})
    new = sign_up(stranger, email="noor@people.example")
    new_page = stranger.get("/email/confirm/")
    assert (known.status_code, known["Location"]) == (new.status_code, new["Location"])
    assert known_page.status_code == new_page.status_code == 200
    shape = re.compile(r'nonce-?[="\w-]+|value="[^"]*"|[\w.]+@people\.example')
    assert shape.sub("", known_page.content.decode()) == shape.sub("", new_page.content.decode())


def test_the_owner_of_a_known_address_is_told_by_mail(mira: User, newcomer: Client) -> None:
    sign_up(newcomer, password="an attackers password")
    (message,) = mail.outbox
    assert message.to == [EMAIL]
    assert "already" in message.subject
    assert not is_signed_in(newcomer)
    assert User.objects.get(pk=mira.pk).check_password(PASSWORD)
    wrong = newcomer.post("/email/confirm/", {"code": "AAAAAA"})
    assert wrong.status_code in (200, 302)
    assert not is_signed_in(newcomer)


def test_a_known_address_costs_the_same_hashing(
    mira: User, newcomer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr("tenants.forms.make_password", lambda raw: hashed.append(raw))
    sign_up(newcomer)
    assert hashed == [PASSWORD]


@pytest.mark.parametrize("password", ["short", "12345678901", "password", "mira@people"])
def test_a_weak_password_is_refused_in_words(newcomer: Client, password: str) -> None:
    response = sign_up(newcomer, password=password)
    assert response.status_code == 200
    assert b"password" in response.content
    assert not User.objects.filter(email=EMAIL).exists()


def test_signing_in_and_out(mira: User, newcomer: Client) -> None:
    response = newcomer.post("/login/", {"login": "MIRA@people.example", "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/markets/")
    assert is_signed_in(newcomer)
    newcomer.get("/logout/")
    assert is_signed_in(newcomer)
    assert newcomer.post("/logout/").status_code == 302
    assert not is_signed_in(newcomer)


def test_a_wrong_password_and_an_unknown_address_read_alike(mira: User, newcomer: Client) -> None:
    wrong = newcomer.post("/login/", {"login": EMAIL, "password": "wrong"})
    unknown = newcomer.post("/login/", {"login": "no@people.example", "password": "wrong"})
    assert wrong.status_code == unknown.status_code == 200
    message = re.compile(r"The email address and/or password you specified are not correct")
    assert message.search(wrong.content.decode())
    assert message.search(unknown.content.decode())


def test_after_five_wrong_passwords_the_right_one_has_to_wait(mira: User, newcomer: Client) -> None:
    for _ in range(5):
        newcomer.post("/login/", {"login": EMAIL, "password": "wrong"})
    newcomer.post("/login/", {"login": EMAIL, "password": PASSWORD})
    assert not is_signed_in(newcomer)


def test_signing_in_by_a_mailed_code(mira: User, newcomer: Client) -> None:
    response = newcomer.post("/login/code/", {"email": EMAIL})
    assert (response.status_code, response["Location"]) == (302, "/login/code/confirm/")
    confirmed = newcomer.post("/login/code/confirm/", {"code": mailed_code(mail.outbox[0])})
    assert confirmed.status_code == 302
    assert is_signed_in(newcomer)


def test_asking_for_a_code_with_an_unknown_address_looks_the_same(
    mira: User, newcomer: Client
) -> None:
    response = newcomer.post("/login/code/", {"email": "nobody@people.example"})
    assert (response.status_code, response["Location"]) == (302, "/login/code/confirm/")


def test_setting_a_new_password_by_mail(mira: User, newcomer: Client) -> None:
    assert newcomer.post("/password/reset/", {"email": EMAIL}).status_code == 302
    path = re.search(r"http://localhost(?::\d+)?(/password/reset/key/\S+)", mail.outbox[0].body)
    assert path is not None
    form = newcomer.get(path.group(1), follow=True)
    target = form.redirect_chain[-1][0]
    new = "another long password"
    newcomer.post(target, {"password1": new, "password2": new})
    assert User.objects.get(pk=mira.pk).check_password(new)
    used = newcomer.get(path.group(1), follow=True)
    assert used.status_code == 200
    assert "changed" in mail.outbox[-1].subject or "anew" in mail.outbox[-1].subject


def test_mails_have_words_for_readers_of_text_and_of_html(newcomer: Client) -> None:
    sign_up(newcomer)
    (message,) = mail.outbox
    code = mailed_code(message)
    ((html, kind),) = [(part.content, part.mimetype) for part in message.alternatives]
    assert kind == "text/html"
    assert code in html
    assert code in message.subject
    assert "&" not in message.body


def test_forms_without_their_token_are_refused_in_words(mira: User) -> None:
    client = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    response = client.post("/login/", {"login": EMAIL, "password": PASSWORD})
    assert response.status_code == 403
    assert b"Reload" in response.content


def test_two_sign_ups_with_one_address_at_once_make_one_user(
    mira: User, newcomer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other request's user was not there yet when this form looked.
    monkeypatch.setattr(
        "allauth.account.internal.flows.manage_email.email_already_exists",
        lambda email, **options: (email, False),
    )
    response = sign_up(newcomer)
    assert (response.status_code, response["Location"]) == (302, "/email/confirm/")
    assert User.objects.filter(email=EMAIL).count() == 1
    assert not is_signed_in(newcomer)


def test_without_valkey_nobody_signs_in_but_the_reason_is_said(
    mira: User, newcomer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr("django.core.cache.backends.redis.RedisCache.get", refuse)
    response = newcomer.post("/login/", {"login": EMAIL, "password": PASSWORD})
    assert response.status_code == 503
    assert b"restarting" in response.content
    assert not is_signed_in(newcomer)
