"""The lock of one person's money (architecture law 4, trading-api 4.1 Serialisation)."""

from collections.abc import Collection

from django.conf import settings
from django.db import connection

from polysim.kernel.errors import PolysimError


class TradeInProgress(PolysimError):
    """Another order, fill or reset of the same user is running."""

    code = "LOCK_BUSY_RETRY"
    body_code = "TRADE_IN_PROGRESS"
    status = 409
    message = "Another order of yours is being handled. Try again in a second."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


# The same lock as `lock_user`'s (wallets/sql/ledger.sql), for each of several users.
_LOCK_FREE = """
SELECT u.id, pg_try_advisory_xact_lock(1886350433, u.id) FROM unnest(%s::integer[]) AS u (id)
"""


def lock_free_users(*, user_ids: Collection[int]) -> set[int]:
    """Take those users' locks that nobody else holds, in one statement; answers whose they are.

    Waits for none, so it cannot meet another one in a deadlock: who is left is asked for again by
    `lock_user`. Row locks taken later in the transaction wait no longer than after `lock_user`.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("lock_free_users outside a transaction would be released at once")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true)", [str(max(settings.LOCK_WAIT_MS, 1))]
        )
        cursor.execute(_LOCK_FREE, [sorted(user_ids)])
        return {user_id for user_id, is_locked in cursor.fetchall() if is_locked}


def lock_user(*, user_id: int, wait_ms: int | None = None) -> int:
    """Take the user's lock until the transaction ends; answers the milliseconds waited.

    Every change of a user's wallets, orders and positions in any building runs under it. Raises
    TradeInProgress after `wait_ms` (setting POLYSIM_LOCK_WAIT_MS); row locks taken later in the
    same transaction wait no longer than that either.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("lock_user outside a transaction would be released at once")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lock_user(%s, %s)",
            [user_id, settings.LOCK_WAIT_MS if wait_ms is None else wait_ms],
        )
        waited_ms = int(cursor.fetchone()[0])
    if waited_ms < 0:
        raise TradeInProgress()
    return waited_ms
