"""Firm accounts: opening, funding, moving money, switching trading (partner-api 4, firm ledger).

All run in the firm's building. Closing and resetting also touch orders and positions and stand in
`trading.services.firm_accounts`.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import require_building
from tenants.models import Firm, User, WalletKind
from wallets.ledger import DEPOSIT, Posting
from wallets.models import FirmAccount, TestClock, Wallet
from wallets.news import tell_of_change
from wallets.services.locking import lock_user
from wallets.services.opening import open_wallet
from wallets.services.posting import post

ZERO = Decimal(0)
_SWITCH_WALLETS = """
WITH locked AS (
  SELECT id FROM wallets_wallet WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE)
UPDATE wallets_wallet w SET trading_state = %s FROM locked
WHERE w.id = locked.id AND w.trading_state <> 'CLOSED'
"""
_SWITCH_ACCOUNTS = """
WITH locked AS (
  SELECT a.wallet_id FROM wallets_firmaccount a JOIN wallets_wallet w ON w.id = a.wallet_id
  WHERE a.wallet_id = ANY (%s) AND w.trading_state <> 'CLOSED'
  ORDER BY a.wallet_id FOR NO KEY UPDATE OF a)
UPDATE wallets_firmaccount a SET read_only_reason = n.reason, updated_at = %s
FROM locked, unnest(%s::bigint[], %s::text[]) AS n (id, reason)
WHERE a.wallet_id = locked.wallet_id AND n.id = locked.wallet_id
"""


class NotEnoughFunds(PolysimError):
    """The movement would take more than the account's free cash."""

    code = "NOT_ENOUGH_FUNDS"
    status = 409
    message = "The account's free cash does not cover this."


@transaction.atomic
def open_firm_account(
    *,
    user: User,
    external_id: str,
    stage: str,
    starting_balance: Decimal,
    now: datetime,
    rules: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    is_managed: bool = False,
    positions_max: int = 0,
    time_zone: str | None = None,
    test_clock: TestClock | None = None,
    label: str | None = None,
) -> FirmAccount:
    """A PROP_FIRM wallet with its account in the current building, funded with `starting_balance`.

    `time_zone` None is the firm's. With a starting balance of 0 the account waits for
    `fund_firm_account`. A used `external_id` raises IntegrityError; callers look first.
    """
    lock_user(user_id=user.pk)
    zone = time_zone or Firm.objects.get(schema_name=require_building()).time_zone
    wallet = open_wallet(
        user=user, kind=WalletKind.PROP_FIRM, baseline=starting_balance, now=now, label=label
    )
    account = FirmAccount(
        wallet=wallet,
        external_id=external_id,
        stage=stage,
        starting_balance=starting_balance,
        rules=dict(rules or {}),
        metadata=dict(metadata or {}),
        is_managed=is_managed,
        positions_max=positions_max,
        time_zone=zone,
        test_clock=test_clock,
        peak_equity=starting_balance,
        created_at=now,
        updated_at=now,
    )
    account.save(force_insert=True)
    return account


@transaction.atomic
def fund_firm_account(
    *, account: FirmAccount, amount: Decimal, reference: str, now: datetime
) -> FirmAccount:
    """Book the starting balance of an account that was opened with 0 (dollars).

    `reference` names the movement: a repeat raises IntegrityError, so callers look first.
    """
    lock_user(user_id=account.wallet.user_id)
    wallet = Wallet.objects.select_for_update().get(pk=account.pk)
    post(wallet=wallet, posting=Posting(DEPOSIT, reference, amount), now=now)
    wallet.baseline = amount
    wallet.save(update_fields=["baseline"])
    account.wallet = wallet
    account.starting_balance = account.peak_equity = amount
    account.updated_at = now
    account.save(update_fields=["starting_balance", "peak_equity", "updated_at"])
    return account


@transaction.atomic
def transfer_money(
    *,
    wallet_id: int,
    type: str,  # noqa: A002
    amount: Decimal,
    reference: str,
    now: datetime,
    memo: str = "",
    house: str = "FUNDING",
) -> Wallet:
    """Move `amount` dollars (signed) between a wallet and the house account, outside of trading.

    `net_transfers`, peak and day start of a firm account are shifted with it. Raises
    NotEnoughFunds below zero; a used reference raises IntegrityError, so callers look first.
    """
    owner = Wallet.objects.get(pk=wallet_id)
    lock_user(user_id=owner.user_id)
    wallet = Wallet.objects.select_for_update().get(pk=wallet_id)
    if wallet.balance + amount < ZERO:
        raise NotEnoughFunds()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT balance, reserved FROM post_transfer(%s, %s, %s, %s, %s, %s, %s)",
            [wallet_id, type, reference, memo, now, amount, house],
        )
        wallet.balance, wallet.reserved = cursor.fetchone()
    schema = require_building()
    transaction.on_commit(lambda: tell_of_change(schema=schema, wallet_id=wallet_id))
    return wallet


@transaction.atomic
def post_firm_share(
    *, wallet_id: int, amount: Decimal, reference: str, now: datetime, memo: str = ""
) -> None:
    """Book the firm's share of a profit out of PAYOUTS into the firm's own ledger account."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT post_firm_share(%s, %s, %s, %s, %s)", [wallet_id, reference, memo, now, amount]
        )


@transaction.atomic
def set_trading_enabled(
    *, wallet_id: int, is_enabled: bool, now: datetime, reason: str = ""
) -> Wallet:
    """Switch trading on a firm account on or off (read-only); a closed one stays closed.

    Open orders are not touched: `trading.services` cancels them. `reason` is what the trader
    reads, e.g. "Challenge failed on 3 May: daily loss". Safe to repeat.
    """
    owner = Wallet.objects.get(pk=wallet_id)
    lock_user(user_id=owner.user_id)
    states = Wallet.TradingState
    if is_enabled:
        _switch_trading({wallet_id: ""}, state=states.OPEN, now=now)
    else:
        _switch_trading({wallet_id: reason}, state=states.READ_ONLY, now=now)
    wallet: Wallet = Wallet.objects.get(pk=wallet_id)
    return wallet


def switch_trading_off(*, reasons: Mapping[int, str], now: datetime) -> None:
    """Switch trading off on several firm accounts, by wallet id with what each trader reads.

    In the transaction of a caller who holds the locks of all their owners. Safe to repeat; closed
    accounts stay closed.
    """
    _switch_trading(reasons, state=Wallet.TradingState.READ_ONLY, now=now)


def _switch_trading(reasons: Mapping[int, str], *, state: str, now: datetime) -> None:
    """One statement per table, rows locked by ascending id."""
    ids = sorted(reasons)
    with connection.cursor() as cursor:
        cursor.execute(_SWITCH_WALLETS, [ids, state])
        cursor.execute(_SWITCH_ACCOUNTS, [ids, now, ids, [reasons[each] for each in ids]])
