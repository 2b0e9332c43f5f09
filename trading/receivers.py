"""News from the left: results and closures start the settlement at once, and a native user who
is deleted leaves no account open.

The sweep of Celery beat would find the same positions seconds later, so a broker that does not
answer delays the money and loses nothing.
"""

import logging
from datetime import datetime
from typing import Any

from django.dispatch import receiver
from kombu.exceptions import KombuError
from redis import RedisError

from polysim.kernel.tenancy import enter_building
from tenants.models import User, WalletKind
from tenants.selectors import list_accounts
from tenants.signals import user_deleted
from trading.markets.signals import market_closed, market_resolved
from trading.services.firm_accounts import close_accounts_of_user
from trading.tasks import settle_resolved_markets

logger = logging.getLogger(__name__)

# What beat does every 15 s anyway need not wait longer in the queue.
EXPIRES_S = 60


@receiver(market_resolved, dispatch_uid="trading.settle_on_resolution")
@receiver(market_closed, dispatch_uid="trading.settle_on_closure")
def settle_soon(sender: Any, **news: Any) -> None:
    """Ask a worker to pay what is due."""
    try:
        settle_resolved_markets.apply_async(retry=False, expires=EXPIRES_S)
    except (KombuError, RedisError, OSError) as error:
        logger.warning("Settlement waits for its next sweep: %s", error)


@receiver(user_deleted, dispatch_uid="trading.close_accounts_of_deleted_user")
def close_accounts(sender: Any, *, user: User, now: datetime, **news: Any) -> None:
    """Close the person's accounts at every firm (partner-api, Invariant 5)."""
    entries = list_accounts(user=user)
    firms = {entry.firm for entry in entries if entry.kind == WalletKind.PROP_FIRM}
    for schema in sorted(firm.schema_name for firm in firms):
        with enter_building(schema):
            close_accounts_of_user(user=user, now=now)
