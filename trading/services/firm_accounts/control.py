"""Taking a firm account out of trading: read-only, and sold as far as prices allow."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from polysim.kernel.errors import PolysimError
from trading.models import Position
from trading.services.cancelling import cancel_all_orders, cancel_orders_of_wallets
from trading.services.order_request import Caller, PlaceOrder
from trading.services.orders import place_order
from wallets.models import Wallet
from wallets.services import lock_free_users, lock_user, switch_trading_off

logger = logging.getLogger(__name__)

READ_ONLY_REASON = "account_read_only"
# A sale for whatever the book and the price band of trading-api 7.4 give.
WORST_PRICE = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class ReadOnlyResult:
    """How many open orders were cancelled; 0 when the account was read-only or closed before."""

    orders_cancelled: int


@dataclass(frozen=True, slots=True)
class Liquidation:
    """Positions that were sold whole, and those of which shares are left."""

    closed: int
    left: int


@transaction.atomic
def make_read_only(*, wallet_id: int, reason: str, now: datetime) -> ReadOnlyResult:
    """Cancel a firm account's open orders and switch its trading off; safe to repeat.

    `reason` is what the trader reads. A closed account stays as it is. Raises TradeInProgress.
    """
    owner = Wallet.objects.get(pk=wallet_id)
    lock_user(user_id=owner.user_id)
    cancelled = _switch_off({wallet_id: owner.user_id}, {wallet_id: reason}, now)
    return ReadOnlyResult(cancelled.get(wallet_id, 0))


@transaction.atomic
def make_accounts_read_only(*, reasons: Mapping[int, str], now: datetime) -> set[int]:
    """Make several firm accounts read-only (reason by wallet id), one statement per table.

    All or none, but accounts whose trader's lock somebody holds at this moment are left alone:
    answers their wallet ids, which `make_read_only` waits for. Raises Wallet.DoesNotExist.
    """
    rows = Wallet.objects.filter(pk__in=list(reasons))
    owners: dict[int, int] = dict(rows.values_list("pk", "user_id"))
    if len(owners) < len(reasons):
        raise Wallet.DoesNotExist(f"Wallets {sorted(reasons.keys() - owners.keys())} do not exist.")
    locked = lock_free_users(user_ids=set(owners.values()))
    mine = {wallet_id: owner for wallet_id, owner in owners.items() if owner in locked}
    if mine:
        _switch_off(mine, {wallet_id: reasons[wallet_id] for wallet_id in mine}, now)
    return owners.keys() - mine.keys()


def _switch_off(
    owners: Mapping[int, int], reasons: Mapping[int, str], now: datetime
) -> dict[int, int]:
    """Under the owners' locks: an order racing this is filled before it or refused after it."""
    cancelled = cancel_orders_of_wallets(owners=owners, reason=READ_ONLY_REASON, now=now)
    switch_trading_off(reasons=reasons, now=now)
    return cancelled


def liquidate_positions(*, wallet_id: int, now: datetime) -> Liquidation:
    """Sell a firm account's positions at market, each for itself, as far as prices allow.

    Works on read-only accounts. Open orders are cancelled before, as their shares are held.
    A position without a usable price stays and is counted as left; a repeat tries it again.
    """
    owner = Wallet.objects.get(pk=wallet_id)
    cancel_all_orders(
        user_id=owner.user_id, wallet_ids=[wallet_id], reason=READ_ONLY_REASON, now=now
    )
    before = list(_open_positions(wallet_id))
    for position in before:
        _sell(position, user_id=owner.user_id, now=now)
    left = _open_positions(wallet_id).count()
    return Liquidation(closed=len(before) - left, left=left)


def _open_positions(wallet_id: int):  # type: ignore[no-untyped-def]
    rows = Position.objects.filter(wallet_id=wallet_id, status=Position.Status.OPEN)
    return rows.select_related("market", "outcome").order_by("pk")


def _sell(position: Position, *, user_id: int, now: datetime) -> None:
    """One market sale that takes what the book gives; a refusal leaves the position."""
    command = PlaceOrder(
        market_id=position.market.condition_id,
        side="SELL",
        outcome=position.outcome.label,
        order_type="market",
        time_in_force="IOC",
        quantity=position.quantity,
        price=WORST_PRICE,
        wallet_id=position.wallet_id,
        is_closing=True,
    )
    try:
        place_order(command=command, caller=Caller(user_id, placed_by="system"), now=now)
    except PolysimError as error:
        logger.info("Position %s was not sold: %s", position.pk, error.code)
