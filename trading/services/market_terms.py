"""What orders need of a market's catalogue row, remembered for two seconds per process.

The row itself is looked at again under the user's lock (`is_market_open` in trading/sql), so a
market that closed meanwhile takes no order; the memory only saves a round trip.
"""

import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from polysim.kernel.money import to_scaled

LIFETIME_S = 2.0
ENTRIES_MAX = 10_000

# An Up/Down market moves fast: a wider band, by the length of its window (trading-api 7.4).
_BAND_5_MINUTES = 500_000
_BAND_15_MINUTES = 300_000
_BAND_LONGER = 250_000


@dataclass(frozen=True, slots=True)
class OutcomeTerms:
    """One side of the market, in the venue's order and spelling."""

    outcome_id: int
    index: int
    label: str
    token_id: str


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """Scaled by 10**6: tick, minimum size, fee rate (0.07 is 70_000), price band."""

    market_id: int
    condition_id: str
    slug: str
    question: str
    outcomes: tuple[OutcomeTerms, ...]
    tick: int
    minimum_size: int
    fee_rate: int
    fee_exponent: int
    price_band: int
    is_open: bool

    def find_outcome(self, label: str) -> OutcomeTerms | None:
        """The outcome with this label in any case."""
        wanted = label.casefold()
        return next((one for one in self.outcomes if one.label.casefold() == wanted), None)


_LOAD = """
SELECT m.id, m.condition_id, m.slug, m.question, m.tick_size, m.min_order_size, m.fee_rate,
  m.fee_exponent, m.kind, extract(epoch FROM m.ends_at - m.starts_at)::bigint,
  m.is_active AND NOT m.is_closed AND NOT m.is_archived AND NOT m.is_hidden
    AND m.is_order_book_enabled AND m.is_accepting_orders
    AND NOT EXISTS (SELECT FROM public.markets_marketresolution r WHERE r.market_id = m.id),
  array_agg(o.id ORDER BY o.index), array_agg(o.label ORDER BY o.index),
  array_agg(o.token_id ORDER BY o.index)
FROM public.markets_market m JOIN public.markets_outcome o ON o.market_id = m.id
WHERE m.condition_id = %s GROUP BY m.id
"""

_memory: dict[str, tuple[float, MarketTerms | None]] = {}
_memory_lock = threading.Lock()


def get_market_terms(condition_id: str) -> MarketTerms | None:
    """The terms of a market, at most two seconds old; None for an unknown one."""
    now_s = time.monotonic()
    remembered = _memory.get(condition_id)
    if remembered is not None and remembered[0] > now_s:
        return remembered[1]
    terms = _load(condition_id)
    with _memory_lock:
        if len(_memory) >= ENTRIES_MAX:
            _memory.clear()
        _memory[condition_id] = (now_s + LIFETIME_S, terms)
    return terms


def forget_market_terms(condition_id: str | None = None) -> None:
    """Forget one market, or all: a change is known to have happened, or a test begins."""
    with _memory_lock:
        if condition_id is None:
            _memory.clear()
        else:
            _memory.pop(condition_id, None)


def _load(condition_id: str) -> MarketTerms | None:
    row = _read(condition_id)
    if row is None:
        return None
    ids, labels, tokens = row[11:14]
    return MarketTerms(
        market_id=row[0],
        condition_id=row[1],
        slug=row[2],
        question=row[3],
        outcomes=tuple(
            OutcomeTerms(outcome_id, index, label, token_id)
            for index, (outcome_id, label, token_id) in enumerate(
                zip(ids, labels, tokens, strict=True)
            )
        ),
        tick=to_scaled(row[4]),
        minimum_size=to_scaled(row[5]),
        fee_rate=to_scaled(row[6]),
        fee_exponent=row[7],
        price_band=_band(kind=row[8], window_s=row[9]),
        is_open=row[10],
    )


def _read(condition_id: str) -> tuple[Any, ...] | None:
    """The row; read again on a new connection when the present one turns out to be lost."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_LOAD, [condition_id])
            return cursor.fetchone()
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, [condition_id])
        return cursor.fetchone()


def _band(*, kind: str, window_s: int | None) -> int:
    if kind != "up_down":
        return to_scaled(Decimal(settings.TRADE_PRICE_BAND))
    if window_s is None or window_s > 15 * 60:
        return _BAND_LONGER
    return _BAND_15_MINUTES if window_s > 5 * 60 else _BAND_5_MINUTES
