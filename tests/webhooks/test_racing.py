"""Several workers, and deaths in the middle (partner-api B3, Delivery)."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.office.models import WebhookDelivery, WebhookEvent
from tenants.office.services import EndpointWithSecret, write_event
from tenants.office.services.delivering import claim_due, deliver_due
from tenants.office.services.dispatching import dispatch_events
from tenants.office.tasks import deliver_webhooks, sweep_webhooks
from tenants.office.webhooks.sending import Attempt, send_attempts
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = 60


def happen(count: int) -> None:
    with enter_building("alpha"):
        for number in range(count):
            write_event(type="account.closed", data={"account_id": str(number)}, now=utc_now())


def is_work_left() -> bool:
    """Whether anything is not sent yet; what another worker sends now counts too."""
    return (
        WebhookEvent.objects.filter(dispatched_at__isnull=True).exists()
        or WebhookDelivery.objects.filter(status="pending").exists()
    )


def test_four_workers_at_once_send_every_event_exactly_once(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    receiver.answer = lambda request: (time.sleep(0.01), (200, {}))[1]
    happen(EVENTS)
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            barrier.wait()
            until = time.monotonic() + 60
            with enter_building("alpha"):
                while is_work_left() and time.monotonic() < until:
                    dispatch_events(now=utc_now(), limit=7)
                    deliver_due(now=utc_now())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.ids) == EVENTS
    assert len(set(receiver.ids)) == EVENTS
    with enter_building("alpha"):
        assert WebhookDelivery.objects.filter(status="succeeded").count() == EVENTS


def test_a_worker_that_dies_after_sending_leads_to_a_second_sending_and_no_loss(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    happen(3)
    now = utc_now()
    with enter_building("alpha"):
        dispatch_events(now=now)
        claims = claim_due(now=now)
    names = [{"webhook-id": claim.delivery.event.message_id} for claim in claims]
    list(send_attempts([Attempt(None, receiver.url, name, b"{}") for name in names]))
    # The worker dies here, before it writes a result.
    with enter_building("alpha"):
        assert deliver_due(now=now + timedelta(seconds=59)) == 0
        assert deliver_due(now=now + timedelta(seconds=61)) == 3
        assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"succeeded"}
    assert len(set(receiver.ids)) == 3
    assert len(receiver.ids) == 6


def test_the_task_works_until_nothing_is_left(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    happen(25)
    deliver_webhooks("alpha")
    assert len(set(receiver.ids)) == 25
    with enter_building("alpha"):
        assert not WebhookEvent.objects.filter(dispatched_at__isnull=True).exists()


def test_events_ask_for_one_worker_and_the_sweep_asks_again_when_that_was_lost(
    endpoint: EndpointWithSecret, receiver: Receiver, redis_client: object
) -> None:
    from polysim.kernel.redis import get_redis, key

    marker = key("webhooks", "told", "alpha")
    happen(1)
    assert get_redis().exists(marker)
    # The broker's queue was lost with everything else in Valkey.
    get_redis().flushall()
    sweep_webhooks()
    assert get_redis().exists(marker)
    deliver_webhooks("alpha")
    assert not get_redis().exists(marker)
    get_redis().delete(marker)
    sweep_webhooks()
    assert not get_redis().exists(marker)
