"""Firm accounts as they stand at one moment: one statement, so one database snapshot.

Account, wallet, open orders and open positions with their market's result and last swept price
come together; live marks are joined by `trading.selectors.account_figures`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from polysim.kernel.tenancy import require_building


@dataclass(frozen=True, slots=True)
class Holding:
    """Open shares of one outcome; `payout` per share once resolved, `swept_*` of the catalogue."""

    condition_id: str
    question: str
    category: str
    token_id: str
    outcome: str
    outcome_index: int
    quantity: Decimal
    cost: Decimal
    average_price: Decimal
    payout: Decimal | None
    swept_price: Decimal | None
    swept_at_ms: int | None


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the rows say of one account; money in dollars, times aware UTC."""

    wallet_id: int
    account_id: UUID
    external_id: str
    user_id: int
    stage: str
    status: str
    trading_enabled: bool
    is_managed: bool
    attempt: int
    starting_balance: Decimal
    net_transfers: Decimal
    balance: Decimal
    reserved: Decimal
    fees_paid: Decimal
    peak_equity: Decimal
    max_drawdown: Decimal
    max_drawdown_pct: Decimal
    day: date | None
    day_start_equity: Decimal | None
    trades_count: int
    trading_days: int
    last_trade_at: datetime | None
    time_zone: str
    created_at: datetime
    updated_at: datetime
    reset_at: datetime | None
    closed_at: datetime | None
    clock_time: datetime | None
    open_orders: int
    rules: Mapping[str, Any]
    metadata: Mapping[str, Any]
    closing_envelope: Mapping[str, Any] | None
    clock_prices: Mapping[str, str]
    holdings: tuple[Holding, ...]

    @property
    def is_active(self) -> bool:
        """Not closed and not archived."""
        return self.status == "active"


_SELECT = """
SELECT a.wallet_id, w.account_id, a.external_id, w.user_id, a.stage, a.status,
  a.status = 'active' AND w.status = 'ACTIVE' AND w.trading_state = 'OPEN', a.is_managed,
  a.attempt, a.starting_balance, a.net_transfers, w.balance + w.reserved, w.reserved, a.fees_paid,
  a.peak_equity, a.max_drawdown, a.max_drawdown_pct, a.day, a.day_start_equity, a.trades_count,
  a.trading_days, a.last_trade_at, a.time_zone, a.created_at, a.updated_at, a.reset_at,
  a.closed_at, c.frozen_time,
  (SELECT count(*) FROM trading_order o WHERE o.wallet_id = a.wallet_id AND o.status = 'PENDING'),
  a.rules, a.metadata, a.closing_envelope, c.prices, held.positions
FROM wallets_firmaccount a
JOIN wallets_wallet w ON w.id = a.wallet_id
LEFT JOIN wallets_testclock c ON c.id = a.test_clock_id
LEFT JOIN LATERAL (
  SELECT jsonb_agg(jsonb_build_array(m.condition_id, m.question, m.category, o.token_id, o.label,
      o.index, p.quantity, p.cost, p.average_price, result.payouts->>o.index::integer,
      CASE o.index WHEN 0 THEN s.price ELSE 1 - s.price END,
      (extract(epoch FROM s.updated_at) * 1000)::bigint) ORDER BY p.id) AS positions
  FROM trading_position p
  JOIN public.markets_market m ON m.id = p.market_id
  JOIN public.markets_outcome o ON o.id = p.outcome_id
  LEFT JOIN public.markets_marketstats s ON s.market_id = p.market_id
  LEFT JOIN LATERAL (SELECT r.payouts FROM public.markets_marketresolution r
    WHERE r.market_id = p.market_id ORDER BY r.version DESC LIMIT 1) result ON true
  WHERE p.wallet_id = a.wallet_id AND p.status = 'OPEN'
) held ON a.closing_envelope IS NULL
"""


def load_states(
    condition: str, values: Mapping[str, Any], *, tail: str = "ORDER BY a.wallet_id"
) -> list[AccountState]:
    """The accounts that meet an SQL condition over `a` (account) and `w` (wallet).

    One statement in the current building. `condition` and `tail` are texts of this code, never a
    caller's; what callers sent goes into `values`.
    """
    require_building()
    with connection.cursor() as cursor:
        cursor.execute(f"{_SELECT} WHERE {condition} {tail}", dict(values))
        return [_state(row) for row in cursor.fetchall()]


def _state(row: Sequence[Any]) -> AccountState:
    plain, (rules, metadata, closing_envelope, prices, held) = row[:-5], row[-5:]
    read = (
        _decoded(rules) or {},
        _decoded(metadata) or {},
        _decoded(closing_envelope),
        _decoded(prices) or {},
        tuple(_holding(one) for one in _decoded(held, parse_float=Decimal) or ()),
    )
    return AccountState(*(*plain, *read))


def _decoded(value: Any, **options: Any) -> Any:
    """JSON as Django's raw cursors give it: text. A firm's own numbers stay what they were."""
    return json.loads(value, **options) if isinstance(value, str) else value


def _holding(row: Sequence[Any]) -> Holding:
    texts, (quantity, cost, average, payout, price, at_ms) = row[:6], row[6:]
    read = (
        Decimal(quantity),
        Decimal(cost),
        Decimal(average),
        None if payout is None else Decimal(payout),
        None if price is None else Decimal(price),
        at_ms,
    )
    return Holding(*(*texts, *read))
