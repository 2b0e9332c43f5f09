"""Limits of the caller's tier, read through the kernel's name for the table of plans."""

from django.conf import settings
from django.utils.module_loading import import_string


def get_batch_limit(tier: str) -> int:
    """How many items a tier may send in one request (accounts-api 3)."""
    limit: int = import_string(settings.PLAN_TERMS_SELECTOR)(tier).max_batch_size
    return limit
