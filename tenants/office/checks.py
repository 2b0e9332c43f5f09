"""What an installation may not be started with."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register


@register(Tags.security)
def check_private_receivers(**_: Any) -> list[Error]:
    """Webhooks to private addresses are for tests and demonstrations only."""
    if settings.IS_PRODUCTION and settings.WEBHOOK_ALLOW_PRIVATE:
        return [
            Error(
                "POLYSIM_WEBHOOK_ALLOW_PRIVATE must not be set in production: firms could reach"
                " into the installation's own network.",
                id="office.E001",
            )
        ]
    return []
