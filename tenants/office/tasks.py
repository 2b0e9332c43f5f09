"""Celery's door to webhooks (queue `webhooks`): enter a building, call one service.

All are safe to repeat and to run side by side.
"""

import logging
import time

from celery import shared_task

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.office.selectors import list_buildings_with_work
from tenants.office.services.announcing import begin_work, tell_worker
from tenants.office.services.delivering import deliver_due
from tenants.office.services.dispatching import dispatch_events
from tenants.office.services.forgetting import forget_events
from tenants.selectors import list_schemas

logger = logging.getLogger(__name__)

# One call works so long at most, then hands on to the next, so that other buildings get a turn.
TURN_S = 20.0


@shared_task(name="tenants.office.tasks.deliver_webhooks")
def deliver_webhooks(schema: str) -> None:
    """Make deliveries of new events and send what is due, until nothing is left or the turn ends.

    Times are read anew for each batch.
    """
    begin_work(schema=schema)
    ends = time.monotonic() + TURN_S
    with enter_building(schema):
        while True:
            dispatched = dispatch_events(now=utc_now())
            sent = deliver_due(now=utc_now())
            if not dispatched and not sent:
                return
            if time.monotonic() > ends:
                break
    tell_worker(schema=schema)


@shared_task(name="tenants.office.tasks.sweep_webhooks")
def sweep_webhooks() -> None:
    """Find the buildings that have something to dispatch or to send, and have it done."""
    for schema in list_buildings_with_work(schemas=list_schemas(), now=utc_now()):
        tell_worker(schema=schema)


@shared_task(name="tenants.office.tasks.forget_old_events")
def forget_old_events() -> None:
    """Delete events that are older than 30 days, with their deliveries."""
    for schema in list_schemas():
        with enter_building(schema):
            forgotten = forget_events(now=utc_now())
        if forgotten:
            logger.info("Forgot %s events of %s.", forgotten, schema)
