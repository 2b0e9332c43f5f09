"""The firm's audit log, its events, and the webhooks that carry them (partner-api B3).

Audit entries and events are written in the transaction of the change itself.
"""

from tenants.office.services.audit import Actor, system_actor, write_firm_audit
from tenants.office.services.endpoints import (
    EndpointWithSecret,
    WebhookLimitReached,
    create_endpoint,
    delete_endpoint,
    rotate_secret,
    update_endpoint,
)
from tenants.office.services.events import write_event, write_events
from tenants.office.services.replaying import (
    WebhookDisabled,
    replay_deliveries,
    replay_delivery,
    send_test_event,
)

__all__ = [
    "Actor",
    "EndpointWithSecret",
    "WebhookDisabled",
    "WebhookLimitReached",
    "create_endpoint",
    "delete_endpoint",
    "replay_deliveries",
    "replay_delivery",
    "rotate_secret",
    "send_test_event",
    "system_actor",
    "update_endpoint",
    "write_event",
    "write_events",
    "write_firm_audit",
]
