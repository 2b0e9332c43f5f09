"""News from the venue's side: results and closures start the settlement at once.

The sweep of Celery beat would find the same positions seconds later, so a broker that does not
answer delays the money and loses nothing.
"""

import logging
from typing import Any

from django.dispatch import receiver
from kombu.exceptions import KombuError
from redis import RedisError

from trading.markets.signals import market_closed, market_resolved
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
