"""Staff switch trading of an account off and on again (ui.md, BackOffice)."""

from datetime import datetime

from django.db import transaction

from tenants.office.services import Actor
from trading.selectors.envelopes import get_envelope
from trading.services.firm_accounts.control import make_read_only
from trading.services.firm_accounts.rows import (
    lock_account,
    record_change,
    require_open,
    require_unmanaged,
)
from wallets.models import FirmAccount, Wallet
from wallets.services import set_trading_enabled


@transaction.atomic
def switch_trading(
    *, wallet_id: int, is_enabled: bool, reason: str, actor: Actor, now: datetime
) -> FirmAccount:
    """Off cancels the open orders and shows the trader `reason`; on takes both back.

    Positions stay. Safe to repeat. Raises AccountNotFound, AccountClosed, ManagedByProgram,
    TradeInProgress.
    """
    account = lock_account(wallet_id=wallet_id)
    require_open(account)
    require_unmanaged(account)
    was_enabled = account.wallet.trading_state == Wallet.TradingState.OPEN
    cancelled = 0
    if is_enabled:
        set_trading_enabled(wallet_id=wallet_id, is_enabled=True, now=now)
    else:
        cancelled = make_read_only(wallet_id=wallet_id, reason=reason, now=now).orders_cancelled
    record_change(
        account=account,
        action="account.updated",
        envelope=get_envelope(wallet_id=wallet_id, now=now),
        before={"trading_enabled": was_enabled},
        after={
            "trading_enabled": is_enabled,
            "reason": reason,
            "orders_cancelled": cancelled,
        },
        actor=actor,
        now=now,
    )
    account.refresh_from_db()
    return account
