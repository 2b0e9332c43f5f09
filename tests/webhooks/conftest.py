"""A receiver on this machine, and an endpoint of alpha's that leads to it."""

from collections.abc import Iterator
from typing import Any

import pytest

from polysim.kernel.tenancy import enter_building
from tenants.office.services import EndpointWithSecret, create_endpoint, system_actor
from tests.support.exchange import NOW
from tests.webhooks.receiver import Receiver, running_receiver


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A firm's server; addresses of this machine are allowed."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with running_receiver() as running:
        yield running


@pytest.fixture
def endpoint(db: None, receiver: Receiver) -> EndpointWithSecret:
    """Alpha's endpoint for all events."""
    with enter_building("alpha"):
        return create_endpoint(
            url=receiver.url, event_types=["*"], actor=system_actor("test"), now=NOW
        )
