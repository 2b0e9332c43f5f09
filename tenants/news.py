"""News from allauth: a new password voids access tokens at once, in every process."""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from django.dispatch import receiver

from tenants.services.users import forget_identities


@receiver([password_changed, password_reset, password_set])
def forget_tokens(sender: Any, **news: Any) -> None:
    """Tokens carry a mark of the password they were made with; look at it anew."""
    forget_identities()
