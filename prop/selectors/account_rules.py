"""Reading firm accounts under Polysim's rule engine (partner-api B4); all in the firm's building.

An account is judged while its firm has the engine, its rules name it without faults, and no prop
program runs it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from polysim.kernel.errors import NotFound
from polysim.kernel.money import to_scaled
from polysim.kernel.tenancy import require_building
from prop.account_terms import is_for_engine, make_terms, read_limits
from prop.models import AccountEvaluation
from prop.objects.accounts import account_progress, measures_of_metric
from prop.rules import Measures, Terms, Verdict, evaluate
from prop.rules.days import next_midnight
from prop.services.readings import stale_after_s
from tenants.models import Firm
from trading.selectors.account_figures import (
    Figures,
    Marks,
    figure_account,
    read_account_marks,
)
from trading.selectors.account_state import AccountState, load_states
from trading.selectors.envelopes import read_state

# Accounts on a test clock that advances are judged at its steps, in order.
_JUDGED = """
a.status = 'active' AND NOT a.is_managed AND a.rules->>'engine' = 'polysim'
AND NOT EXISTS (SELECT FROM prop_accountevaluation e
  WHERE e.account_id = a.wallet_id AND e.attempt = a.attempt AND e.state <> 'active')
"""
_ALL = " AND (c.id IS NULL OR c.status = 'ready')"
_NAMED = " AND a.wallet_id = ANY (%(wallet_ids)s::bigint[])"


@dataclass(frozen=True, slots=True)
class AccountReading:
    """One account at one moment and what the rules say of it."""

    figures: Figures
    terms: Terms
    measures: Measures
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Metrics or breaches, newest first; `last_seq` is the last one's number, 0 without any."""

    rows: list[dict[str, Any]]
    last_seq: int
    has_more: bool


def is_engine_on() -> bool:
    """Whether this building's firm has the rule engine."""
    return Firm.objects.filter(schema_name=require_building(), has_rule_engine=True).exists()


def find_rule_faults(rules: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(key, what is wrong) of rules about to be stored; none while nobody judges by them."""
    if not is_for_engine(rules) or not is_engine_on():
        return []
    return read_limits(rules)[1]


def load_judged(wallet_ids: Sequence[int] | None = None) -> list[AccountState]:
    """Accounts whose rules are not decided yet, all of the building or those named."""
    if wallet_ids is None:
        return load_states(_JUDGED + _ALL, {})
    return load_states(_JUDGED + _NAMED, {"wallet_ids": list(wallet_ids)})


def read_account(
    state: AccountState, marks: Marks, *, now: datetime, stale_after: int
) -> AccountReading | None:
    """Judge one account with these marks; None where nobody judges it.

    Prices older than `stale_after` seconds suspend the rules on equity.
    """
    terms = _terms_of(state)
    if terms is None:
        return None
    figures = figure_account(state, marks, now=now)
    measures = _measures_of(figures, stale_after=stale_after)
    return AccountReading(figures, terms, measures, evaluate(terms, measures))


def get_evaluation(*, account_id: UUID, now: datetime) -> dict[str, Any]:
    """State, progress, latest metric and breach of the account's current attempt.

    `progress` is that of this moment while the rules are open, and that of the last metric once
    they are decided or the account is closed. Raises AccountNotFound, NotFound (not judged).
    """
    state = _get_state(account_id)
    row = _rows_of(state, attempt=state.attempt).first()
    return {
        "account_id": str(state.account_id),
        "attempt": state.attempt,
        "state": AccountEvaluation.State.ACTIVE.value if row is None else row.state,
        "progress": _progress(state, row, now=now),
        "latest_metric": None if row is None else row.latest_metric,
        "latest_breach": None if row is None else row.latest_breach,
    }


def list_metrics(
    *, account_id: UUID, attempt: int | None, before_seq: int, limit: int
) -> EntryPage:
    """Metrics of an attempt (default: the current one), newest first, behind `before_seq`."""
    return _page("metrics", account_id, attempt, before_seq, limit)


def list_breaches(
    *, account_id: UUID, attempt: int | None, before_seq: int, limit: int
) -> EntryPage:
    """Breaches of an attempt (default: the current one), newest first, the deciding one first."""
    return _page("breaches", account_id, attempt, before_seq, limit)


def _page(
    name: str, account_id: UUID, attempt: int | None, before_seq: int, limit: int
) -> EntryPage:
    state = _get_state(account_id)
    rows = _rows_of(state, attempt=attempt or state.attempt)
    entries = rows.values_list(name, flat=True).first() or []
    found = [entry for entry in entries if not before_seq or entry["seq"] < before_seq]
    shown = found[:limit]
    last_seq = shown[-1]["seq"] if shown else before_seq
    return EntryPage(shown, last_seq, has_more=len(found) > limit)


def _rows_of(state: AccountState, *, attempt: int) -> Any:
    return AccountEvaluation.objects.filter(account_id=state.wallet_id, attempt=attempt)


def _get_state(account_id: UUID) -> AccountState:
    state = read_state(account_id=account_id)
    if _limits_of(state) is None:
        raise NotFound()
    return state


def _limits_of(state: AccountState) -> dict[str, Decimal | int] | None:
    """The account's limits; None where nobody judges it.

    Rules stored before the firm had the engine may have faults: they count as none.
    """
    if state.is_managed or not is_for_engine(state.rules):
        return None
    limits, faults = read_limits(state.rules)
    return None if faults else limits


def _terms_of(state: AccountState) -> Terms | None:
    """None too where everything was taken out: of nothing there are no percents."""
    base, limits = state.starting_balance + state.net_transfers, _limits_of(state)
    if base <= 0 or limits is None:
        return None
    return make_terms(limits, base=base)


def _progress(
    state: AccountState, row: AccountEvaluation | None, *, now: datetime
) -> dict[str, Any] | None:
    terms = _terms_of(state)
    if terms is None:
        return None
    is_open = state.is_active and (row is None or row.state == AccountEvaluation.State.ACTIVE)
    if is_open:
        figures = figure_account(state, read_account_marks([state]), now=now)
        measures = _measures_of(figures, stale_after=stale_after_s())
    elif row is not None and row.latest_metric is not None:
        measures = measures_of_metric(row.latest_metric, start_time=_start_time(state))
    else:
        measures = Measures.at_start(terms, start_time=_start_time(state))
    reset = next_midnight(measures.at, ZoneInfo(state.time_zone))
    return account_progress(terms, measures, next_reset_time=reset)


def _measures_of(figures: Figures, *, stale_after: int) -> Measures:
    state = figures.state
    equity, day_start = to_scaled(figures.equity), to_scaled(figures.day_start_equity)
    return Measures(
        at=max(int(figures.at.timestamp()), _start_time(state)),
        start_time=_start_time(state),
        equity=equity,
        balance=to_scaled(figures.equity - figures.unrealized_pnl),
        day_start_equity=day_start,
        day_start_balance=day_start,
        peak_equity=to_scaled(figures.peak_equity),
        open_positions=len(figures.positions),
        trading_days=state.trading_days,
        is_price_stale=any(
            one.age_ms is None or one.age_ms > stale_after * 1000 for one in figures.positions
        ),
    )


def _start_time(state: AccountState) -> int:
    """The second by which the attempt had begun, so that no duration ends early."""
    return math.ceil((state.reset_at or state.created_at).timestamp())
