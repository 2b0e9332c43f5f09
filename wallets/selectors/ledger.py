"""The ledger with its running balance, equity points, and the report that must be zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Sum

from wallets.models import EquityPoint, LedgerEntry


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One movement of a wallet, dollars: `amount` of free cash, `reserved_amount` of held cash.

    `balance_after` is free cash after it; a movement that leaves cash alone repeats the former.
    """

    transaction_id: int
    wallet_id: int
    type: str
    reference: str
    memo: str
    amount: Decimal
    reserved_amount: Decimal
    balance_after: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EquityRow:
    """A wallet's worth in one UTC hour (accounts-api 7.6); `cash` counts reserved cash."""

    timestamp: datetime
    cash: Decimal
    position_value: Decimal
    baseline: Decimal
    is_reset: bool

    @property
    def total_value(self) -> Decimal:
        """Cash and positions."""
        return self.cash + self.position_value

    @property
    def pnl(self) -> Decimal:
        """Total value less the baseline of that hour."""
        return self.total_value - self.baseline


_LEDGER = """
SELECT t.id, t.wallet_id, t.type, t.reference, t.memo,
  COALESCE(c.amount, 0), COALESCE(r.amount, 0),
  COALESCE(c.balance_after, (SELECT e.balance_after FROM wallets_ledgerentry e
    WHERE e.wallet_id = t.wallet_id AND e.account = 'CASH'
      AND e.account IN ('CASH', 'RESERVED') AND e.id < r.id
    ORDER BY e.id DESC LIMIT 1), 0),
  t.created_at
FROM wallets_ledgertransaction t
LEFT JOIN wallets_ledgerentry c ON c.transaction_id = t.id AND c.account = 'CASH'
LEFT JOIN wallets_ledgerentry r ON r.transaction_id = t.id AND r.account = 'RESERVED'
WHERE t.wallet_id = %(wallet_id)s AND (%(before)s::bigint IS NULL OR t.id < %(before)s::bigint)
  AND (%(types)s::text[] IS NULL OR t.type = ANY (%(types)s::text[]))
ORDER BY t.id DESC LIMIT %(limit)s OFFSET %(offset)s
"""


def list_ledger(
    *,
    wallet_id: int,
    limit: int = 50,
    offset: int = 0,
    before_id: int | None = None,
    types: Sequence[str] | None = None,
) -> list[LedgerRow]:
    """Movements newest first, one query; `before_id` continues below a transaction id."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LEDGER,
            {
                "wallet_id": wallet_id,
                "before": before_id,
                "types": list(types) if types else None,
                "limit": limit,
                "offset": offset,
            },
        )
        return [LedgerRow(*row) for row in cursor.fetchall()]


def list_equity(
    *, wallet_id: int, since: datetime | None = None, limit: int = 2160
) -> list[EquityRow]:
    """The newest `limit` points of one wallet, oldest first."""
    points = EquityPoint.objects.filter(wallet_id=wallet_id)
    if since is not None:
        points = points.filter(hour_at__gte=since)
    newest = list(points.order_by("-hour_at")[:limit])
    return [
        EquityRow(row.hour_at, row.cash, row.position_value, row.baseline, row.is_reset)
        for row in reversed(newest)
    ]


@dataclass(frozen=True, slots=True)
class Conservation:
    """The building's books added up; `is_sound` when nothing was made or lost."""

    entries_total: Decimal
    unbalanced_wallet_ids: tuple[int, ...]

    @property
    def is_sound(self) -> bool:
        """All entries sum to zero and every wallet equals its entries."""
        return self.entries_total == 0 and not self.unbalanced_wallet_ids


_UNBALANCED = """
SELECT w.id FROM wallets_wallet w LEFT JOIN wallets_ledgerentry e ON e.wallet_id = w.id
GROUP BY w.id HAVING
  w.balance <> COALESCE(sum(e.amount) FILTER (WHERE e.account = 'CASH'), 0)
  OR w.reserved <> COALESCE(sum(e.amount) FILTER (WHERE e.account = 'RESERVED'), 0)
  OR w.reserved <> COALESCE((SELECT sum(h.amount) FROM wallets_hold h
    WHERE h.wallet_id = w.id), 0)
ORDER BY w.id
"""


def check_conservation() -> Conservation:
    """Add up the whole building: a slow report for tests and audits, not for a page."""
    total = LedgerEntry.objects.aggregate(total=Sum("amount"))["total"] or Decimal(0)
    with connection.cursor() as cursor:
        cursor.execute(_UNBALANCED)
        ids = tuple(row[0] for row in cursor.fetchall())
    return Conservation(total, ids)
