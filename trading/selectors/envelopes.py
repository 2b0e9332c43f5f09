"""The envelope of a firm account as it goes over the wire (partner-api 5, B1).

Reading one takes its peak: what rose is written back. A closed account answers the envelope that
was frozen at its closing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from polysim.kernel.clock import iso_micro_text
from polysim.kernel.money import four_places_text, money_text
from trading.errors import AccountNotFound
from trading.selectors.account_figures import (
    Figures,
    PositionFigures,
    figure_account,
    percent_of,
    read_account_marks,
)
from trading.selectors.account_state import AccountState, load_states
from trading.services.measures import keep_measures

CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class EnvelopePage:
    """Envelopes without positions, oldest account first; `last_id` is the last one's wallet id."""

    rows: list[dict[str, Any]]
    last_id: int
    has_more: bool


def get_envelope(
    *, now: datetime, account_id: UUID | None = None, wallet_id: int | None = None
) -> dict[str, Any]:
    """The envelope of an account of this building, named by one of its ids.

    One statement, and a second where a measure rose. Raises AccountNotFound.
    """
    return envelope_of(read_state(account_id=account_id, wallet_id=wallet_id), now=now)


def read_state(*, account_id: UUID | None = None, wallet_id: int | None = None) -> AccountState:
    """One account's rows; raises AccountNotFound."""
    if account_id is not None:
        states = load_states("w.account_id = %(id)s", {"id": account_id})
    else:
        states = load_states("a.wallet_id = %(id)s", {"id": wallet_id})
    if not states:
        raise AccountNotFound()
    return states[0]


def envelope_of(state: AccountState, *, now: datetime) -> dict[str, Any]:
    """The envelope of rows just read; keeps the measures that rose."""
    if state.closing_envelope is not None:
        return dict(state.closing_envelope)
    figures = figure_account(state, read_account_marks([state]), now=now)
    keep_measures([figures], now=now)
    return envelope_row(figures)


def list_envelopes(
    *,
    now: datetime,
    after_id: int = 0,
    limit: int = 50,
    user_id: int | None = None,
    external_id: str | None = None,
    stage: str | None = None,
    status: str | None = None,
    updated_since: datetime | None = None,
) -> EnvelopePage:
    """Accounts that meet every filter given, oldest first; at most three statements."""
    filters = {
        "w.user_id": ("=", user_id),
        "a.external_id": ("=", external_id),
        "a.stage": ("=", stage),
        "a.status": ("=", status),
        "a.updated_at": (">=", updated_since),
    }
    conditions = ["a.wallet_id > %(after_id)s"]
    values: dict[str, Any] = {"after_id": after_id, "limit": limit + 1}
    for column, (operator, value) in filters.items():
        if value is not None:
            name = column.replace(".", "_")
            conditions.append(f"{column} {operator} %({name})s")
            values[name] = value
    states = load_states(
        " AND ".join(conditions), values, tail="ORDER BY a.wallet_id LIMIT %(limit)s"
    )
    shown = states[:limit]
    active = [state for state in shown if state.closing_envelope is None]
    marks = read_account_marks(active)
    figures = {state.wallet_id: figure_account(state, marks, now=now) for state in active}
    keep_measures(list(figures.values()), now=now)
    rows = [_listed(state, figures.get(state.wallet_id)) for state in shown]
    last_id = shown[-1].wallet_id if shown else after_id
    return EnvelopePage(rows, last_id, has_more=len(states) > limit)


def _listed(state: AccountState, figures: Figures | None) -> dict[str, Any]:
    if figures is None:
        return without_positions(state.closing_envelope or {})
    return envelope_row(figures, with_positions=False)


def without_positions(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """An envelope as lists and webhooks carry it."""
    return {name: value for name, value in envelope.items() if name != "positions"}


def envelope_row(figures: Figures, *, with_positions: bool = True) -> dict[str, Any]:
    """The JSON object of section 5, every figure as text."""
    state = figures.state
    row = {**_identity(state), **_money(figures), **_measures(figures)}
    row |= {
        "trades_count": state.trades_count,
        "trading_days": state.trading_days,
        "open_orders": state.open_orders,
        "last_trade_at": iso_micro_text(state.last_trade_at),
    }
    if with_positions:
        row["positions"] = [_position_row(one) for one in figures.positions]
    # Without positions nothing is priced: the figures stand since the account last changed.
    priced_at = figures.at if figures.positions else state.updated_at
    return row | {
        "rules": dict(state.rules),
        "metadata": dict(state.metadata),
        "created_at": iso_micro_text(state.created_at),
        "updated_at": iso_micro_text(state.updated_at),
        "reset_at": iso_micro_text(state.reset_at),
        "closed_at": iso_micro_text(state.closed_at),
        "priced_at": iso_micro_text(priced_at),
        "stale_prices": any(one.is_stale for one in figures.positions),
    }


def _identity(state: AccountState) -> dict[str, Any]:
    return {
        "account_id": str(state.account_id),
        "external_id": state.external_id,
        "user_id": state.user_id,
        "stage": state.stage,
        "status": state.status,
        "trading_enabled": state.trading_enabled,
        "currency": CURRENCY,
        "attempt": state.attempt,
    }


def _money(figures: Figures) -> dict[str, Any]:
    state = figures.state
    return {
        "starting_balance": money_text(state.starting_balance),
        "net_transfers": money_text(state.net_transfers),
        "balance": money_text(state.balance),
        "reserved": money_text(state.reserved),
        "available_balance": money_text(state.balance - state.reserved),
        "positions_value": money_text(figures.positions_value),
        "equity": money_text(figures.equity),
        "realized_pnl": money_text(figures.realized_pnl),
        "unrealized_pnl": money_text(figures.unrealized_pnl),
        "total_pnl": money_text(figures.total_pnl),
        "total_pnl_pct": _percent(figures.total_pnl, state.starting_balance),
        "fees_paid": money_text(state.fees_paid),
    }


def _measures(figures: Figures) -> dict[str, Any]:
    return {
        "peak_equity": money_text(figures.peak_equity),
        "drawdown": money_text(figures.drawdown),
        "drawdown_pct": _percent(figures.drawdown, figures.peak_equity),
        "max_drawdown": money_text(figures.max_drawdown),
        "max_drawdown_pct": four_places_text(figures.max_drawdown_pct),
        "day": figures.day.isoformat(),
        "day_start_equity": money_text(figures.day_start_equity),
        "day_pnl": money_text(figures.equity - figures.day_start_equity),
    }


def _position_row(one: PositionFigures) -> dict[str, Any]:
    holding = one.holding
    has_price = one.price is not None
    return {
        "market_id": holding.condition_id,
        "token_id": holding.token_id,
        "market_question": holding.question,
        "market_category": holding.category,
        "outcome": holding.outcome,
        "quantity": four_places_text(holding.quantity),
        "avg_entry_price": four_places_text(holding.average_price),
        "cost_basis": money_text(one.cost),
        "current_price": four_places_text(one.price),
        "market_value": money_text(one.value) if has_price else None,
        "unrealized_pnl": money_text(one.unrealized_pnl) if has_price else None,
        "price_age_ms": one.age_ms,
        "stale": one.is_stale,
    }


def _percent(part: Decimal, whole: Decimal) -> str | None:
    return four_places_text(percent_of(part, whole))
