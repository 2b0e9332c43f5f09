"""News of challenges: the socket of their own, and the mails, each once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core import mail
from django.db import connection
from django.test import Client

import polysim.asgi  # noqa: F401 (joins the socket to the others)
from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.events import make_frame
from prop.models import Challenge, PropEvent
from prop.services.events import tell
from prop.services.mails import mail_due_events
from tests.prop.test_pages import buy, fail
from tests.prop.trader import make_customer
from tests.sockets.conftest import connect  # noqa: F401 (fixture)
from trading.events import tell_user
from trading.hub import get_hub

FAILED = "prop.challenge.failed"


def failed_challenge() -> Challenge:
    bought = buy(make_customer())
    assert bought.challenge is not None
    fail(bought.challenge.pk, "9000")
    with enter_building("alpha"):
        return Challenge.objects.select_related("customer").get(pk=bought.challenge.pk)


def announce(challenge: Challenge) -> None:
    with enter_building("alpha"):
        tell(
            key=f"event:{FAILED}:{challenge.pk}",
            event=FAILED,
            challenge=challenge,
            data={"challenge_id": challenge.pk, "rule": "max_total_loss_pct"},
            now=utc_now(),
        )


@pytest.mark.django_db
def test_a_failure_is_mailed_once_with_its_figures() -> None:
    challenge = failed_challenge()
    announce(challenge)
    announce(challenge)
    with enter_building("alpha"):
        assert mail_due_events(now=utc_now()) == 1
        assert mail_due_events(now=utc_now()) == 0
    (letter,) = mail.outbox
    assert letter.to == [challenge.customer.email]
    assert letter.subject.endswith("has ended: total loss")
    assert "Equity at the start of the day: $10,000.00" in letter.body
    assert "Your equity: $9,000.00" in letter.body
    assert f"/challenges/{challenge.pk}/why/?tenant=alpha" in letter.body


@pytest.mark.django_db
def test_old_news_is_not_mailed() -> None:
    challenge = failed_challenge()
    announce(challenge)
    with enter_building("alpha"):
        assert mail_due_events(now=utc_now() + timedelta(days=1, seconds=1)) == 0
        assert PropEvent.objects.get().mailed_at is None


def forget_connections() -> None:
    """Tests of a lost database may have ended the connection that this thread kept."""
    connection.close()
    connection.close_pool()


@pytest.mark.django_db(transaction=True)
async def test_the_socket_sends_own_news_of_the_wanted_firm_alone(
    connect: Callable[..., Any],  # noqa: F811
) -> None:
    await sync_to_async(forget_connections)()
    customer = await sync_to_async(make_customer)()

    def sign_in() -> str:
        client = Client()
        client.force_login(customer)
        return f"sessionid={client.cookies['sessionid'].value}"

    cookie = await sync_to_async(sign_in)()
    peer = connect("/ws/prop/", query="tenant=alpha", cookie=cookie, host="localhost")
    assert (await peer.frame())["type"] == "hello"
    await asyncio.wait_for(get_hub().is_connected.wait(), timeout=5)
    now = utc_now()
    for schema, number in (("beta", 1), ("alpha", 2)):
        frame = make_frame(event=FAILED, event_id=number, data={"challenge_id": 9}, now=now)
        await sync_to_async(tell_user)(
            user_id=customer.pk, frame={**frame, "schema": schema}, now=now
        )
    heard = await peer.frame("prop")
    assert (heard["id"], heard["event"], heard["schema"]) == (2, FAILED, "alpha")


@pytest.mark.django_db(transaction=True)
async def test_nobody_unknown_listens(connect: Callable[..., Any]) -> None:  # noqa: F811
    peer = connect("/ws/prop/", host="localhost")
    assert await peer.ended() == 4001
