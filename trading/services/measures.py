"""Keeping what only rises: peak equity, drawdowns, and the day's start of firm accounts.

Taken at each fill, at each evaluator tick and at each read of an envelope (partner-api 5). A
measure is written only onto the money it was taken from: a transfer or a reset in between makes
it void, and the next one is due within seconds.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from polysim.kernel.tenancy import enter_building
from trading.selectors.account_figures import Figures, figure_account, read_account_marks
from trading.selectors.account_state import load_states

logger = logging.getLogger(__name__)

_KEEP = """
WITH measured AS (
  SELECT * FROM unnest(%(ids)s::bigint[], %(attempts)s::integer[], %(transfers)s::numeric[],
    %(peaks)s::numeric[], %(drawdowns)s::numeric[], %(percents)s::numeric[], %(days)s::date[],
    %(starts)s::numeric[])
    AS v (id, attempt, net_transfers, peak, drawdown, percent, day, day_start)
), locked AS (
  SELECT a.wallet_id FROM wallets_firmaccount a WHERE a.wallet_id = ANY (%(ids)s::bigint[])
  ORDER BY a.wallet_id FOR NO KEY UPDATE {skip}
)
UPDATE wallets_firmaccount a SET
    peak_equity = greatest(a.peak_equity, v.peak),
    max_drawdown = greatest(a.max_drawdown, v.drawdown),
    max_drawdown_pct = greatest(a.max_drawdown_pct, v.percent),
    day_start_equity = CASE WHEN a.day >= v.day THEN a.day_start_equity ELSE v.day_start END,
    day = greatest(a.day, v.day),
    measured_at = %(now)s
  FROM measured v JOIN locked ON locked.wallet_id = v.id
  WHERE a.wallet_id = v.id AND a.status = 'active' AND a.attempt = v.attempt
    AND a.net_transfers = v.net_transfers
"""


def measure_accounts(*, now: datetime, wallet_ids: Sequence[int] | None = None) -> int:
    """Measure the active firm accounts of this building, or those named; answers how many.

    Two statements however many there are. Accounts that a fill holds at this moment are left to
    the next round, unless they are named.
    """
    condition = "a.status = 'active'"
    if wallet_ids is not None:
        condition += " AND a.wallet_id = ANY (%(wallet_ids)s::bigint[])"
    states = load_states(condition, {"wallet_ids": list(wallet_ids or ())})
    marks = read_account_marks(states)
    figures = [figure_account(state, marks, now=now) for state in states]
    keep_measures(figures, now=now, is_patient=wallet_ids is not None)
    return len(states)


def measure_after_fill(*, schema: str, wallet_id: int, now: datetime) -> None:
    """Take a firm account's peak at a fill that was committed; retail accounts have none.

    An answer must not turn into an error after its commit: what fails here comes with a tick.
    """
    if schema == settings.RETAIL_SCHEMA:
        return
    try:
        with enter_building(schema):
            measure_accounts(now=now, wallet_ids=[wallet_id])
    except (DatabaseError, InterfaceError):
        logger.warning("Account %s is measured with its next tick.", wallet_id, exc_info=True)


def keep_measures(figures: Sequence[Figures], *, now: datetime, is_patient: bool = True) -> int:
    """Write the measures that are new, in one statement; answers how many rows took them."""
    fresh = [one for one in figures if one.state.is_active and one.is_new]
    if not fresh:
        return 0
    values: dict[str, Any] = {
        "ids": [one.state.wallet_id for one in fresh],
        "attempts": [one.state.attempt for one in fresh],
        "transfers": [one.state.net_transfers for one in fresh],
        "peaks": [one.peak_equity for one in fresh],
        "drawdowns": [one.max_drawdown for one in fresh],
        "percents": [one.max_drawdown_pct for one in fresh],
        "days": [one.day for one in fresh],
        "starts": [one.day_start_equity for one in fresh],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP.format(skip="" if is_patient else "SKIP LOCKED"), values)
        return int(cursor.rowcount)
