"""Switching an endpoint off: by the firm, by its receiver (410), or because nothing arrives."""

import logging
from datetime import datetime
from functools import partial
from smtplib import SMTPException

from django.core.mail import send_mail
from django.db import transaction

from polysim.kernel.tenancy import require_building
from tenants.models import Firm
from tenants.office.models import WebhookDelivery, WebhookEndpoint
from tenants.office.services.audit import system_actor, write_firm_audit

logger = logging.getLogger(__name__)

REASONS = {
    "gone": "The receiver answered 410 (gone).",
    "schedule_used_up": "Nothing arrived there for more than three days of attempts.",
}


def disable_endpoint(*, endpoint: WebhookEndpoint, reason: str, now: datetime) -> None:
    """Polysim switches an endpoint off for one of REASONS and mails the firm's contact.

    In the caller's transaction; repeated for an endpoint that is off already it changes nothing.
    """
    if not endpoint.is_enabled:
        return
    switch_off(endpoint=endpoint, reason=reason, now=now)
    write_firm_audit(
        actor=system_actor("webhooks"),
        action="webhook.disabled",
        object_type="webhook",
        object_id=endpoint.pk,
        now=now,
        before={"is_enabled": True},
        after={"is_enabled": False, "reason": reason},
    )
    firm = Firm.objects.get(schema_name=require_building())
    if firm.contact_email:
        transaction.on_commit(
            partial(_mail_contact, firm.contact_email, firm.name, endpoint.url, REASONS[reason])
        )


def switch_off(*, endpoint: WebhookEndpoint, reason: str, now: datetime) -> None:
    """Turn it off; what was on its way ends as failed and can be replayed later."""
    endpoint.is_enabled = False
    endpoint.disabled_reason = reason
    endpoint.disabled_at = endpoint.updated_at = now
    endpoint.save(update_fields=["is_enabled", "disabled_reason", "disabled_at", "updated_at"])
    endpoint.deliveries.filter(status=WebhookDelivery.Status.PENDING).update(
        status=WebhookDelivery.Status.FAILED,
        next_attempt_at=None,
        claimed_until=None,
        last_error="The endpoint was switched off.",
    )


def _mail_contact(recipient: str, firm_name: str, url: str, reason: str) -> None:
    text = (
        f"Polysim sends no more webhooks of {firm_name} to\n{url}\n\n{reason}\n\n"
        "Events are kept for 30 days. Switch the endpoint on again under Webhooks in the "
        "BackOffice or by the API, then replay what is missing.\n"
    )
    try:
        send_mail(f"A webhook of {firm_name} was switched off", text, None, [recipient])
    except (SMTPException, OSError) as error:
        logger.warning("The contact of %s was not told of the webhook: %s", firm_name, error)
