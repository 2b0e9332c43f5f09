"""Closing a firm account for good, and beginning a new attempt on it (partner-api 8, 9).

Both run under the trader's lock, which every fill takes too: one that races is booked wholly
before or not at all.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from tenants.models import User
from tenants.office.services import Actor, system_actor
from trading.models import Position
from trading.selectors.account_figures import Figures, figure_account, read_account_marks
from trading.selectors.envelopes import envelope_row, get_envelope, read_state
from trading.services.cancelling import cancel_all_orders
from trading.services.firm_accounts.rows import (
    lock_account,
    moment_of,
    record_change,
    require_open,
    require_unmanaged,
)
from wallets.models import FirmAccount, Wallet
from wallets.services.resetting import archive_row, restart_wallet

CLOSED_REASON = "account_closed"
RESET_REASON = "account_reset"
ZERO = Decimal(0)


@transaction.atomic
def close_account(
    *,
    actor: Actor,
    now: datetime,
    account_id: UUID | None = None,
    wallet_id: int | None = None,
    reason: str = "",
    is_forced: bool = False,
) -> dict[str, Any]:
    """End an account for good and answer its closing envelope; a repeat answers the same.

    Open orders are cancelled, positions are neither sold nor settled afterwards. `is_forced`
    closes a program's account too. Raises AccountNotFound, ManagedByProgram, TradeInProgress,
    ClockAdvancing.
    """
    account = lock_account(account_id=account_id, wallet_id=wallet_id)
    if account.closing_envelope is not None:
        return dict(account.closing_envelope)
    if not is_forced:
        require_unmanaged(account)
    moment_of(account, now=now, is_system=is_forced)
    cancelled = _cancel_orders(account, reason=CLOSED_REASON, now=now)
    figures = _closing_figures(account, now=now)
    envelope = envelope_row(figures)
    _write_closing(account, figures, envelope, reason=reason, now=now)
    record_change(
        account=account,
        action="account.closed",
        envelope=envelope,
        before={"status": "active", "trading_enabled": figures.state.trading_enabled},
        after={
            "status": "closed",
            "reason": reason,
            "equity": envelope["equity"],
            "orders_cancelled": cancelled,
        },
        actor=actor,
        now=now,
    )
    return envelope


def _cancel_orders(account: FirmAccount, *, reason: str, now: datetime) -> int:
    done = cancel_all_orders(
        user_id=account.wallet.user_id, wallet_ids=[account.pk], reason=reason, now=now
    )
    account.wallet.refresh_from_db()
    return len(done.cancelled)


def _closing_figures(account: FirmAccount, *, now: datetime) -> Figures:
    """The figures at this moment, of an account that is closed with them."""
    state = read_state(wallet_id=account.pk)
    figures = figure_account(state, read_account_marks([state]), now=now)
    closed_at = state.clock_time or now
    ended = replace(
        state,
        status=FirmAccount.Status.CLOSED.value,
        trading_enabled=False,
        closed_at=closed_at,
        updated_at=max(state.updated_at, closed_at),
    )
    return replace(figures, state=ended)


def _write_closing(
    account: FirmAccount, figures: Figures, envelope: dict[str, Any], *, reason: str, now: datetime
) -> None:
    account.status = FirmAccount.Status.CLOSED
    account.closed_at = figures.state.closed_at
    account.updated_at = figures.state.updated_at
    account.close_reason = reason
    account.closing_envelope = envelope
    account.peak_equity = figures.peak_equity
    account.max_drawdown = figures.max_drawdown
    account.max_drawdown_pct = figures.max_drawdown_pct
    account.day, account.day_start_equity = figures.day, figures.day_start_equity
    account.measured_at = now
    account.save()
    account.wallet.trading_state = Wallet.TradingState.CLOSED
    account.wallet.save(update_fields=["trading_state"])
    archive_row(wallet=account.wallet, now=now)


@transaction.atomic
def reset_account(
    *,
    actor: Actor,
    now: datetime,
    account_id: UUID | None = None,
    wallet_id: int | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """Back to the starting balance plus transfers, as the next attempt; trading is on again.

    Open orders are cancelled, positions written off without proceeds. Answers the envelope with
    `reset` = {attempt, positions_closed, orders_cancelled}. Raises AccountNotFound,
    AccountClosed, ManagedByProgram, TradeInProgress, ClockAdvancing.
    """
    account = lock_account(account_id=account_id, wallet_id=wallet_id)
    require_open(account)
    require_unmanaged(account)
    at = moment_of(account, now=now)
    former = get_envelope(wallet_id=account.pk, now=now)
    orders_cancelled = _cancel_orders(account, reason=RESET_REASON, now=now)
    positions_closed = Position.objects.filter(wallet_id=account.pk, status="OPEN").update(
        quantity=0, reserved_quantity=0, cost=0, status="CLOSED_BY_RESET", closed_at=at
    )
    _begin_attempt(account, former=former, positions_closed=positions_closed, at=at, now=now)
    envelope = get_envelope(wallet_id=account.pk, now=now)
    names = ("attempt", "balance", "equity", "trading_enabled")
    record_change(
        account=account,
        action="account.reset",
        envelope=envelope,
        before={name: former[name] for name in names},
        after={name: envelope[name] for name in names}
        | {
            "reason": reason,
            "positions_closed": positions_closed,
            "orders_cancelled": orders_cancelled,
        },
        actor=actor,
        now=now,
    )
    counts = {"positions_closed": positions_closed, "orders_cancelled": orders_cancelled}
    return envelope | {"reset": {"attempt": account.attempt, **counts}}


def _begin_attempt(
    account: FirmAccount,
    *,
    former: dict[str, Any],
    positions_closed: int,
    at: datetime,
    now: datetime,
) -> None:
    """Cash, counters and measures as on the first day; what was moved in or out stays so.

    `at` is the account's own time, `now` the real one.
    """
    target = account.starting_balance + account.net_transfers
    if target < ZERO:
        # More profit was taken out than was ever put in: nothing is owed for it.
        account.net_transfers, target = -account.starting_balance, ZERO
    restart_wallet(
        wallet=account.wallet,
        baseline=target,
        snapshot=former,
        memo=f"{positions_closed} positions written off",
        now=now,
    )
    account.wallet.trading_state = Wallet.TradingState.OPEN
    account.wallet.save(update_fields=["trading_state"])
    account.refresh_from_db(fields=["updated_at"])
    account.attempt += 1
    account.realized_pnl = account.fees_paid = account.max_drawdown = ZERO
    account.max_drawdown_pct = ZERO
    account.trades_count = account.trading_days = 0
    account.last_trading_date = account.last_trade_at = None
    account.peak_equity = account.day_start_equity = target
    account.day = at.astimezone(ZoneInfo(account.time_zone)).date()
    account.read_only_reason = ""
    account.reset_at = at
    account.updated_at = max(account.updated_at, at)
    account.measured_at = now
    account.save()


def close_accounts_of_user(*, user: User, now: datetime) -> int:
    """Close the user's firm accounts in this building, whoever runs them; answers how many.

    Called when a native user is deleted (partner-api, Invariant 5).
    """
    rows = FirmAccount.objects.filter(
        wallet__user_id=user.pk, status=FirmAccount.Status.ACTIVE
    ).order_by("pk")
    ids = list(rows.values_list("pk", flat=True))
    for wallet_id in ids:
        close_account(
            wallet_id=wallet_id,
            reason="user_deleted",
            is_forced=True,
            actor=system_actor("users"),
            now=now,
        )
    return len(ids)
