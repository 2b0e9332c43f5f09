"""Equity points: one row per wallet and UTC hour, the last write in the hour wins (7.6)."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.db import connection

from polysim.kernel.clock import start_of_hour
from wallets.models import EquityPoint, Wallet

_WRITE_POINTS = """
INSERT INTO wallets_equitypoint
  (wallet_id, hour_at, cash, position_value, baseline, is_reset, written_at)
SELECT w.id, %(hour)s, w.balance + w.reserved, COALESCE(v.value, 0), w.baseline, false, %(now)s
FROM wallets_wallet w
LEFT JOIN unnest(%(ids)s::bigint[], %(values)s::numeric[]) AS v (id, value) ON v.id = w.id
WHERE w.status = 'ACTIVE' AND (%(only)s::bigint[] IS NULL OR w.id = ANY (%(only)s::bigint[]))
ON CONFLICT (wallet_id, hour_at) DO UPDATE SET cash = EXCLUDED.cash,
  position_value = EXCLUDED.position_value, baseline = EXCLUDED.baseline,
  written_at = EXCLUDED.written_at
"""


def record_equity_points(
    *,
    position_values: Iterable[tuple[int, Decimal]],
    now: datetime,
    only_wallet_ids: list[int] | None = None,
) -> int:
    """Write this hour's point of every ACTIVE wallet of the building in one statement.

    `position_values` are (wallet id, dollars) of the wallets that hold positions; `trading`
    computes them from marks. Cash counts free and reserved. Answers how many were written.
    """
    values = list(position_values)
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE_POINTS,
            {
                "hour": start_of_hour(now),
                "now": now,
                "ids": [wallet_id for wallet_id, _ in values],
                "values": [value for _, value in values],
                "only": only_wallet_ids,
            },
        )
        return int(cursor.rowcount)


def write_reset_point(*, wallet: Wallet, now: datetime) -> None:
    """The point of a wallet that has just been reset: all cash, marked as a new beginning."""
    EquityPoint.objects.update_or_create(
        wallet=wallet,
        hour_at=start_of_hour(now),
        defaults={
            "cash": wallet.balance + wallet.reserved,
            "position_value": Decimal(0),
            "baseline": wallet.baseline,
            "is_reset": True,
            "written_at": now,
        },
    )
