"""Orders that a firm's server places for its traders (partner-api B2).

The same engine, fees and book as the trader's own orders; rows carry `placed_by: "partner"`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from polysim.kernel.api.refusals import IdempotencyKeyReuse
from tenants.office.services import Actor, write_firm_audit
from trading.models import PlacedBy
from trading.services.cancelling import cancel_all_orders, cancel_market_orders, cancel_order
from trading.services.firm_accounts.rows import find_account, require_open, require_unmanaged
from trading.services.order_request import Caller, parse_order
from trading.services.orders import place_order
from trading.services.refusals import DuplicateClientOrderId
from wallets.models import FirmAccount


@transaction.atomic
def place_account_order(
    *, account_id: UUID, body: Mapping[str, Any], actor: Actor, now: datetime
) -> dict[str, Any]:
    """Place the order of a 4.1 body on an account and answer its 4.1 object.

    Raises ValidationFailed, AccountNotFound, AccountClosed, ManagedByProgram,
    DuplicateClientOrderId (also for a repeat with another body), and all of `place_order`.
    """
    account = _writable(account_id)
    command = parse_order({**body, "wallet_id": account.pk}, is_key=False)
    caller = Caller(user_id=account.wallet.user_id, placed_by=PlacedBy.PARTNER.value)
    try:
        answer = place_order(command=command, caller=caller, now=now)
    except IdempotencyKeyReuse as error:
        raise DuplicateClientOrderId() from error
    if not answer["is_replay"]:
        names = ("market_id", "side", "outcome", "order_type", "price", "requested_quantity")
        _audit("order.placed", answer["order_id"], actor, now=now, after=_of(answer, names))
    return answer


def cancel_account_order(
    *, account_id: UUID, order_id: int, actor: Actor, now: datetime
) -> list[int]:
    """Cancel one resting order; answers its id. Raises OrderNotFound, OrderNotCancellable too."""
    with transaction.atomic():
        account = _writable(account_id, may_be_closed=True)
        cancel_order(
            user_id=account.wallet.user_id, order_id=order_id, wallet_ids=[account.pk], now=now
        )
        _audit("order.cancelled", order_id, actor, now=now)
    return [order_id]


@transaction.atomic
def cancel_account_orders(
    *, account_id: UUID, actor: Actor, now: datetime, market_id: str | None = None
) -> list[int]:
    """Cancel an account's resting orders, or those in one market; answers their ids."""
    account = _writable(account_id, may_be_closed=True)
    user_id, wallet_ids = account.wallet.user_id, [account.pk]
    if market_id is None:
        done = cancel_all_orders(user_id=user_id, wallet_ids=wallet_ids, now=now)
    else:
        done = cancel_market_orders(
            user_id=user_id, condition_id=market_id, wallet_ids=wallet_ids, now=now
        )
    ids = [int(text) for text in done.cancelled]
    for order_id in ids:
        _audit("order.cancelled", order_id, actor, now=now)
    return ids


def _writable(account_id: UUID, *, may_be_closed: bool = False) -> FirmAccount:
    account = find_account(account_id=account_id)
    if not may_be_closed:
        require_open(account)
    require_unmanaged(account)
    return account


def _audit(
    action: str,
    order_id: int,
    actor: Actor,
    *,
    now: datetime,
    after: Mapping[str, Any] | None = None,
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="order",
        object_id=order_id,
        now=now,
        after=after,
    )


def _of(answer: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: answer[name] for name in names}
