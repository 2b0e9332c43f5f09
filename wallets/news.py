"""News of changed accounts for the evaluator, after commit: wallet ids in a set of Valkey.

Losing one loses nothing: the evaluator also looks for accounts whose row changed (safety net).
"""

import logging

import redis
from django.conf import settings

from polysim.kernel.redis import get_redis, key

logger = logging.getLogger(__name__)


def changed_accounts_key(schema: str) -> str:
    """Set: wallet ids of a building whose cash or holdings changed since the last look."""
    return key("evaluator", "changed", schema)


def tell_of_change(*, schema: str, wallet_id: int) -> None:
    """A firm account's cash or holdings changed; retail accounts are nobody's to evaluate."""
    if schema == settings.RETAIL_SCHEMA:
        return
    try:
        get_redis().sadd(changed_accounts_key(schema), wallet_id)
    except redis.RedisError as error:
        logger.warning("The evaluator was not told of account %s: %s", wallet_id, error)
