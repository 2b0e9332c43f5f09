"""What every change of a firm account begins and ends with: rows under lock, audit, outbox."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from polysim.kernel.tenancy import require_building
from tenants.models import User
from tenants.office.services import Actor, write_event, write_firm_audit
from trading.errors import AccountNotFound, ManagedByProgram
from trading.events import tell_evaluator
from trading.selectors.clocks import find_clocks
from trading.selectors.envelopes import without_positions
from trading.services.order_events import publish_wallet
from trading.services.refusals import AccountClosed, ClockAdvancing
from wallets.models import FirmAccount, Wallet
from wallets.services import lock_user

# A webhook's body has at most 20 KB; the firm's own objects may be 16 KB each (partner-api B3).
EVENT_BYTES_MAX = 18_000


def find_account(*, account_id: UUID | None = None, wallet_id: int | None = None) -> FirmAccount:
    """The account named by one of its ids, not locked; raises AccountNotFound."""
    rows = FirmAccount.objects.select_related("wallet")
    if account_id is not None:
        found = rows.filter(wallet__account_id=account_id).first()
    else:
        found = rows.filter(pk=wallet_id).first()
    if found is None:
        raise AccountNotFound()
    account: FirmAccount = found
    return account


def find_account_owner(*, account_id: UUID) -> User:
    """Whose account it is; raises AccountNotFound."""
    owner: User = User.objects.get(pk=find_account(account_id=account_id).wallet.user_id)
    return owner


def lock_account(*, account_id: UUID | None = None, wallet_id: int | None = None) -> FirmAccount:
    """The account's rows (wallet, then account) under the trader's lock, read after it was taken.

    Inside a transaction. Raises AccountNotFound, TradeInProgress.
    """
    found = find_account(account_id=account_id, wallet_id=wallet_id)
    lock_user(user_id=found.wallet.user_id)
    wallet = Wallet.objects.select_for_update().get(pk=found.pk)
    account: FirmAccount = FirmAccount.objects.select_for_update().get(pk=found.pk)
    account.wallet = wallet
    return account


def require_open(account: FirmAccount) -> None:
    """Raise AccountClosed for a closed or archived account."""
    if account.status != FirmAccount.Status.ACTIVE:
        raise AccountClosed()


def moment_of(account: FirmAccount, *, now: datetime, is_system: bool = False) -> datetime:
    """`now`, or the time of the account's test clock, which stands until the transaction ends.

    Raises ClockAdvancing, but not for what Polysim itself ends (`is_system`).
    """
    clock = find_clocks(wallet_ids=[account.pk], is_locked=True).get(account.pk)
    if clock is None:
        return now
    if clock.is_advancing and not is_system:
        raise ClockAdvancing()
    return clock.at


def require_unmanaged(account: FirmAccount) -> None:
    """Raise ManagedByProgram for an account that a prop program runs."""
    if account.is_managed:
        raise ManagedByProgram()


def record_change(
    *,
    account: FirmAccount,
    action: str,
    envelope: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """The audit entry and the event of a change, in its transaction; sockets hear after commit."""
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="account",
        object_id=account.wallet.account_id,
        now=now,
        before=before,
        after=after,
    )
    write_event(type=action, data=event_data(envelope), now=now)
    user_id, wallet_id, schema = account.wallet.user_id, account.pk, require_building()

    def publish() -> None:
        publish_wallet(user_id=user_id, wallet_id=wallet_id, reason=action, now=now)
        tell_evaluator(schema=schema, wallet_id=wallet_id)

    transaction.on_commit(publish)


def event_data(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope without positions; without `metadata`, then `rules` too where it is too long."""
    data = without_positions(envelope)
    for name in ("metadata", "rules"):
        if len(json.dumps(data, separators=(",", ":")).encode()) <= EVENT_BYTES_MAX:
            break
        data.pop(name, None)
    return data
