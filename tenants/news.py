"""News: a new password voids access tokens at once; a new login link is mailed by a worker."""

import logging
from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from django.dispatch import receiver
from kombu.exceptions import KombuError
from redis import RedisError

from tenants.services.users import forget_identities
from tenants.signals import login_link_made
from tenants.tasks import send_login_link

logger = logging.getLogger(__name__)
# Later than this the link in the mail would be void.
MAIL_EXPIRES_S = 900


@receiver([password_changed, password_reset, password_set])
def forget_tokens(sender: Any, **news: Any) -> None:
    """Tokens carry a mark of the password they were made with; look at it anew."""
    forget_identities()


@receiver(login_link_made, dispatch_uid="tenants.mail_login_link")
def mail_login_link(sender: Any, *, link_id: int, sealed_token: str, **news: Any) -> None:
    """Ask a worker to send the mail; without a broker it is sent here."""
    arguments = [link_id, sealed_token]
    try:
        send_login_link.apply_async(arguments, retry=False, expires=MAIL_EXPIRES_S)
    except (KombuError, RedisError, OSError) as error:
        logger.warning("No broker, the mail of a login link is sent at once: %s", error)
        send_login_link.apply(arguments)
