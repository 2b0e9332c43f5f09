"""Events on their way to a real receiver, with the time given by the test (partner-api B3)."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from standardwebhooks import Webhook

from polysim.kernel.seals import unseal
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm
from tenants.office import rendering
from tenants.office.models import (
    FirmAuditEntry,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from tenants.office.selectors import list_buildings_with_work
from tenants.office.services import (
    EndpointWithSecret,
    create_endpoint,
    replay_deliveries,
    replay_delivery,
    rotate_secret,
    send_test_event,
    system_actor,
    update_endpoint,
    write_event,
)
from tenants.office.services.delivering import claim_due, deliver_due
from tenants.office.services.dispatching import dispatch_events
from tenants.office.services.forgetting import forget_events
from tests.support.exchange import NOW
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db

ACTOR = system_actor("test")
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _in_alpha(in_alpha: Firm) -> None:
    """Every test here runs in alpha's building."""


def happen(name: str = "account.closed", now: datetime = NOW, **data: Any) -> WebhookEvent:
    return write_event(type=name, data=data or {"account_id": "a"}, now=now)


def work(now: datetime = NOW) -> int:
    """What a worker does at `now`."""
    dispatch_events(now=now)
    return deliver_due(now=now)


def only_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def test_an_event_arrives_once_signed_and_minified(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    event = happen(account_id="a", balance="10.00")
    work(NOW)
    work(NOW + SECOND)
    (request,) = receiver.requests
    assert request.headers["webhook-id"] == event.message_id
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert request.headers["content-type"] == "application/json"
    assert request.body == (
        '{"type":"account.closed","timestamp":"2027-01-05T10:00:02.000000Z",'
        '"data":{"balance":"10.00","account_id":"a"}}'
    )
    delivery = only_delivery()
    assert (delivery.status, delivery.attempts) == ("succeeded", 1)
    assert delivery.last_status_code == 200
    assert WebhookEndpoint.objects.get().last_success_at is not None


def test_the_standard_library_verifies_what_arrives_now(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    from polysim.kernel.clock import utc_now

    happen()
    work(utc_now())
    (request,) = receiver.requests
    message = Webhook(endpoint.secret).verify(request.body, request.headers)
    assert message["type"] == "account.closed"


def test_a_failing_receiver_is_tried_again_by_the_schedule_and_then_switched_off(
    endpoint: EndpointWithSecret, receiver: Receiver, alpha: Firm
) -> None:
    Firm.objects.filter(pk=alpha.pk).update(contact_email="ops@alpha.example")
    receiver.always(500)
    event = happen()
    moment, pauses = NOW, []
    for attempt in range(1, 10):
        assert work(moment) == 1
        delivery = only_delivery()
        assert (delivery.status, delivery.attempts) == ("pending", attempt)
        pauses.append(delivery.next_attempt_at - moment)
        assert work(delivery.next_attempt_at - timedelta(milliseconds=1)) == 0
        moment = delivery.next_attempt_at
    expected = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    for pause, seconds in zip(pauses, expected, strict=True):
        assert seconds * 0.9 <= pause.total_seconds() <= seconds * 1.1 + 2
    assert WebhookEndpoint.objects.get().is_enabled
    assert work(moment) == 1
    delivery, off = only_delivery(), WebhookEndpoint.objects.get()
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", 10, None)
    assert (off.is_enabled, off.disabled_reason) == (False, "schedule_used_up")
    assert receiver.ids == [event.message_id] * 10
    stamps = [request.headers["webhook-timestamp"] for request in receiver.requests]
    assert len(set(stamps)) == 10
    assert FirmAuditEntry.objects.filter(action="webhook.disabled").exists()


def test_a_used_up_schedule_leaves_an_endpoint_on_that_took_other_events_in_between(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    happen()
    receiver.always(500)
    work(NOW)
    WebhookDelivery.objects.update(attempts=9, next_attempt_at=NOW + timedelta(hours=70))
    receiver.always(200)
    happen(now=NOW + timedelta(hours=60))
    work(NOW + timedelta(hours=60))
    receiver.always(500)
    work(NOW + timedelta(hours=70))
    assert WebhookDelivery.objects.filter(status="failed").count() == 1
    assert WebhookEndpoint.objects.get().is_enabled


@pytest.mark.django_db(transaction=True)
def test_the_firms_contact_is_mailed_when_an_endpoint_is_switched_off(
    endpoint: EndpointWithSecret, receiver: Receiver, alpha: Firm
) -> None:
    Firm.objects.filter(pk=alpha.pk).update(contact_email="ops@alpha.example")
    receiver.always(410)
    happen()
    work()
    (letter,) = mail.outbox
    assert letter.to == ["ops@alpha.example"]
    assert receiver.url in letter.body
    Firm.objects.filter(pk=alpha.pk).update(contact_email="")


def test_410_switches_off_at_once_and_ends_what_else_was_on_its_way(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    receiver.always(500)
    happen()
    work(NOW)
    receiver.always(410)
    happen()
    work(NOW + SECOND)
    assert not WebhookEndpoint.objects.get().is_enabled
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"failed"}
    happen()
    assert work(NOW + timedelta(hours=1)) == 0
    assert not WebhookEvent.objects.filter(dispatched_at__isnull=True).exists()


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_overloaded_receiver_gets_no_new_events_until_it_had_a_rest(
    status: int, endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    receiver.always(status, retry_after="60")
    first = happen()
    work(NOW)
    paused_until = WebhookEndpoint.objects.get().paused_until
    assert timedelta(seconds=60) <= paused_until - NOW < timedelta(seconds=62)
    second = happen(now=NOW + SECOND)
    receiver.always(200)
    assert work(NOW + 30 * SECOND) == 0
    assert work(paused_until - timedelta(milliseconds=1)) in (0, 1)
    assert second.message_id not in receiver.ids
    work(paused_until + SECOND)
    assert receiver.ids.count(second.message_id) == 1
    assert receiver.ids.count(first.message_id) == 2


def test_500_slows_nothing_else(endpoint: EndpointWithSecret, receiver: Receiver) -> None:
    receiver.always(500)
    happen()
    work(NOW)
    receiver.always(200)
    second = happen()
    work(NOW + SECOND)
    assert second.message_id in receiver.ids


def test_a_redirect_is_a_failure_and_is_not_followed(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    receiver.always(302, location=receiver.url + "/elsewhere")
    happen()
    work()
    delivery = only_delivery()
    assert (delivery.status, delivery.last_status_code) == ("pending", 302)
    assert [request.path for request in receiver.requests] == ["/hooks"]


def test_a_receiver_that_is_away_counts_as_a_failed_attempt(endpoint: EndpointWithSecret) -> None:
    WebhookEndpoint.objects.update(url="http://127.0.0.1:9/closed")
    happen()
    work()
    delivery = only_delivery()
    assert (delivery.status, delivery.attempts, delivery.last_status_code) == ("pending", 1, None)
    assert delivery.last_error


def test_a_receiver_that_does_not_answer_in_time_counts_as_failed(
    endpoint: EndpointWithSecret, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setattr("tenants.office.webhooks.sending.TIMEOUT_S", 0.2)
    receiver.answer = lambda request: (time.sleep(0.6), (200, {}))[1]
    happen()
    work()
    assert only_delivery().last_error.startswith("no answer within")


def test_an_address_that_became_private_is_refused_when_sending(
    endpoint: EndpointWithSecret, receiver: Receiver, settings: Any
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    WebhookEndpoint.objects.update(url="https://localhost/hooks")
    happen()
    work()
    assert receiver.requests == []
    assert only_delivery().last_error == "does not lead to a public address"


def test_after_a_rotation_both_secrets_sign_for_24_hours(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    rotated = rotate_secret(endpoint_id=endpoint.endpoint.pk, actor=ACTOR, now=NOW)
    assert rotated.secret != endpoint.secret
    happen()
    work(NOW + timedelta(hours=23, minutes=59))
    happen()
    work(NOW + timedelta(hours=24))
    during, after = (request.headers["webhook-signature"] for request in receiver.requests)
    assert len(during.split(" ")) == 2
    assert len(after.split(" ")) == 1
    stored = WebhookEndpoint.objects.get()
    assert rotated.secret not in stored.secret_sealed
    assert unseal(stored.secret_sealed) == rotated.secret


def test_a_secret_that_cannot_be_read_fails_its_own_deliveries_alone(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    WebhookEndpoint.objects.update(secret_sealed="sealed elsewhere")
    create_endpoint(url=receiver.url + "/other", event_types=["*"], actor=ACTOR, now=NOW)
    happen()
    work()
    assert [request.path for request in receiver.requests] == ["/hooks/other"]
    waiting = WebhookDelivery.objects.get(status="pending")
    assert waiting.last_error.startswith("its secret cannot be read")


def test_an_endpoint_hears_only_of_the_types_that_it_chose(receiver: Receiver) -> None:
    create_endpoint(url=receiver.url, event_types=["account.reset"], actor=ACTOR, now=NOW)
    happen("account.closed")
    wanted = happen("account.reset")
    work()
    assert receiver.ids == [wanted.message_id]


def test_an_event_without_an_endpoint_is_marked_and_never_asked_for_again() -> None:
    happen()
    assert list_buildings_with_work(schemas=["alpha", "beta"], now=NOW) == ["alpha"]
    assert work() == 0
    assert list_buildings_with_work(schemas=["alpha", "beta"], now=NOW) == []


def test_ids_are_filled_in_when_deliveries_are_made(
    endpoint: EndpointWithSecret, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "_renderers", {})
    rendering.register_renderer("trade.filled", lambda ids: {**ids, "price": "0.4200"})
    happen("trade.filled", trade_id="t1")
    work()
    assert json.loads(receiver.requests[0].body)["data"] == {"trade_id": "t1", "price": "0.4200"}


def test_a_replay_keeps_the_id_and_has_a_new_timestamp(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    event = happen()
    work(NOW)
    later = NOW + timedelta(days=2)
    delivery = only_delivery()
    replay_delivery(
        endpoint_id=endpoint.endpoint.pk, delivery_id=delivery.pk, actor=ACTOR, now=later
    )
    work(later)
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == event.message_id
    assert second.headers["webhook-timestamp"] == str(int(later.timestamp()))
    assert first.body == second.body
    assert only_delivery().status == "succeeded"


def test_replaying_only_what_failed_leaves_the_others_alone(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    good = happen()
    work(NOW)
    receiver.always(410)
    bad = happen(now=NOW + SECOND)
    work(NOW + SECOND)
    receiver.always(200)
    update_endpoint(endpoint_id=endpoint.endpoint.pk, is_enabled=True, actor=ACTOR, now=NOW)
    count = replay_deliveries(
        endpoint_id=endpoint.endpoint.pk, since=NOW, actor=ACTOR, now=NOW + 5 * SECOND
    )
    work(NOW + 5 * SECOND)
    assert count == 1
    assert receiver.ids == [good.message_id, bad.message_id, bad.message_id]


def test_replaying_all_brings_events_from_before_the_endpoint_existed(receiver: Receiver) -> None:
    missed = happen()
    other = happen("account.reset")
    work()
    made = create_endpoint(url=receiver.url, event_types=["*"], actor=ACTOR, now=NOW + SECOND)
    count = replay_deliveries(
        endpoint_id=made.endpoint.pk,
        since=NOW,
        until=NOW + SECOND,
        types=["account.closed"],
        only_failed=False,
        actor=ACTOR,
        now=NOW + 2 * SECOND,
    )
    work(NOW + 2 * SECOND)
    assert count == 1
    assert receiver.ids == [missed.message_id]
    assert other.message_id not in receiver.ids


def test_a_test_event_goes_to_its_endpoint_alone(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    create_endpoint(url=receiver.url + "/other", event_types=["*"], actor=ACTOR, now=NOW)
    send_test_event(endpoint_id=endpoint.endpoint.pk, actor=ACTOR, now=NOW)
    work()
    (request,) = receiver.requests
    assert request.path == "/hooks"
    assert json.loads(request.body)["type"] == "webhook.test"


def test_what_a_killed_worker_had_claimed_is_sent_by_another_after_a_minute(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    event = happen()
    dispatch_events(now=NOW)
    # The worker dies here: claimed, nothing sent, nothing written.
    assert len(claim_due(now=NOW)) == 1
    assert deliver_due(now=NOW + 59 * SECOND) == 0
    assert deliver_due(now=NOW + 61 * SECOND) == 1
    assert receiver.ids == [event.message_id]
    assert only_delivery().status == "succeeded"


def test_one_endpoint_has_at_most_ten_requests_open(endpoint: EndpointWithSecret) -> None:
    for _ in range(12):
        happen()
    dispatch_events(now=NOW)
    assert len(claim_due(now=NOW)) == 10
    assert len(claim_due(now=NOW + SECOND)) == 0


def test_events_are_forgotten_after_30_days(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    happen(now=NOW)
    work(NOW)
    assert forget_events(now=NOW + timedelta(days=30)) == 0
    assert forget_events(now=NOW + timedelta(days=30, seconds=1)) == 1
    assert not WebhookDelivery.objects.exists()


def test_another_firms_events_stay_in_its_building(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    with enter_building("beta"):
        happen()
        assert work() == 0
    assert work() == 0
    assert receiver.requests == []
