"""Resetting and archiving wallets: orders cancelled, positions closed without a sale, cash set.

One transaction under the user's lock, so that no fill can commit against the old balance
afterwards (accounts-api 6.7 to 6.9). History, settlements and ledger rows stay.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from polysim.kernel.api.refusals import UpgradeRequired
from polysim.kernel.tenancy import enter_building, require_building
from tenants.models import User, WalletKind
from trading.models import Position
from trading.services.cancelling import announce_cancelled
from trading.services.order_events import publish_wallet
from trading.services.statements import call_once
from wallets.billing.selectors import get_plan_terms
from wallets.models import Wallet
from wallets.services import MAIN_BASELINE, WalletNotFound, lock_user
from wallets.services.resetting import (
    WalletAlreadyArchived,
    WalletNotArchivable,
    WalletNotResettable,
    archive_row,
    check_cooldown,
    check_free_resets,
    get_own_wallet_for_update,
    replace_sandbox,
    restart_wallet,
)

RESET_REASON = "wallet_reset"


@dataclass(frozen=True, slots=True)
class ResetResult:
    """The wallet that is now current, and how many positions were closed."""

    wallet: Wallet
    positions_closed: int
    was_untouched: bool = False


def reset_wallet(
    *, user: User, wallet_id: int, now: datetime, actor: User | None = None
) -> ResetResult:
    """POST /v1/me/wallets/{id}/reset: MAIN in place, SANDBOX by a successor.

    Raises WalletNotFound, WalletAlreadyArchived (a sandbox reset before), WalletNotResettable
    (other kinds, frozen ones), ResetCooldown, TradeInProgress.
    """
    with enter_building(settings.RETAIL_SCHEMA):
        wallet = Wallet.objects.filter(pk=wallet_id, user=user).exclude(status="DELETED").first()
        if wallet is None:
            raise WalletNotFound(wallet_id)
        if wallet.kind == WalletKind.SANDBOX:
            return reset_sandbox_wallet(user=user, wallet_id=wallet_id, now=now, actor=actor)
        if wallet.kind != WalletKind.MAIN or wallet.status != Wallet.Status.ACTIVE:
            raise WalletNotResettable()
        return reset_main_wallet(user=user, now=now, actor=actor)


@transaction.atomic
def reset_main_wallet(
    *, user: User, now: datetime, actor: User | None = None, is_paid: bool = False
) -> ResetResult:
    """MAIN back to 1000.00 in place, next generation; an untouched one stays as it is.

    `is_paid` ignores the plan's cap of the last 30 days. Raises ResetCooldown, WalletNotFound,
    WalletNotResettable for a frozen wallet.
    """
    with enter_building(settings.RETAIL_SCHEMA):
        lock_user(user_id=user.pk)
        row = Wallet.objects.filter(user=user, kind=WalletKind.MAIN).first()
        if row is None:
            raise WalletNotFound()
        wallet = get_own_wallet_for_update(user=user, wallet_id=row.pk)
        if wallet.status != Wallet.Status.ACTIVE:
            raise WalletNotResettable()
        if _is_untouched(wallet):
            return ResetResult(wallet, 0, was_untouched=True)
        if not is_paid:
            terms = get_plan_terms(user.plan)
            check_free_resets(wallet=wallet, resets_max=terms.main_free_resets_30d, now=now)
        return _restart(wallet, baseline=MAIN_BASELINE, now=now, is_paid=is_paid)


@transaction.atomic
def reset_api_wallet(*, user: User, now: datetime, actor: User | None = None) -> ResetResult:
    """The API wallet to its plan's baseline in place; its keys keep working (6.9).

    Raises UpgradeRequired (`wallets.api_reset`), ResetCooldown, WalletNotFound.
    """
    with enter_building(settings.RETAIL_SCHEMA):
        terms = get_plan_terms(user.plan)
        if not terms.may_reset_api_wallet:
            raise UpgradeRequired("wallets.api_reset")
        lock_user(user_id=user.pk)
        row = Wallet.objects.filter(user=user, kind=WalletKind.API, status="ACTIVE").first()
        if row is None:
            raise WalletNotFound()
        wallet = get_own_wallet_for_update(user=user, wallet_id=row.pk)
        check_cooldown(wallet=wallet, cooldown_days=settings.API_RESET_COOLDOWN_DAYS, now=now)
        return _restart(wallet, baseline=terms.api_baseline, now=now)


@transaction.atomic
def reset_sandbox_wallet(
    *, user: User, wallet_id: int, now: datetime, actor: User | None = None
) -> ResetResult:
    """Archive a sandbox and answer its successor at the present plan's baseline."""
    with enter_building(settings.RETAIL_SCHEMA):
        lock_user(user_id=user.pk)
        wallet = get_own_wallet_for_update(user=user, wallet_id=wallet_id)
        if wallet.kind != WalletKind.SANDBOX:
            raise WalletNotResettable()
        if wallet.status == Wallet.Status.ARCHIVED:
            raise WalletAlreadyArchived()
        if wallet.status != Wallet.Status.ACTIVE:
            raise WalletNotResettable()
        closed = _close_everything(wallet, now=now)
        wallet.refresh_from_db()
        baseline = get_plan_terms(user.plan).sandbox_baseline
        successor = replace_sandbox(wallet=wallet, baseline=baseline, now=now, actor=actor)
        _announce(wallet, now=now)
        return ResetResult(successor, closed)


@transaction.atomic
def archive_wallet(
    *, user: User, wallet_id: int, now: datetime, actor: User | None = None
) -> Wallet:
    """DELETE /v1/me/wallets/{id}: a sandbox becomes readable history (6.7)."""
    with enter_building(settings.RETAIL_SCHEMA):
        lock_user(user_id=user.pk)
        wallet = get_own_wallet_for_update(user=user, wallet_id=wallet_id)
        if wallet.kind != WalletKind.SANDBOX:
            raise WalletNotArchivable()
        if wallet.status == Wallet.Status.ARCHIVED:
            raise WalletAlreadyArchived()
        _close_everything(wallet, now=now)
        wallet.refresh_from_db()
        archive_row(wallet=wallet, now=now)
        _announce(wallet, now=now)
        return wallet


def _is_untouched(wallet: Wallet) -> bool:
    """Cash at baseline, no positions or orders: a reset would change nothing."""
    return (
        wallet.balance == wallet.baseline == MAIN_BASELINE
        and wallet.reserved == 0
        and not Position.objects.filter(wallet=wallet, status="OPEN").exists()
    )


def _restart(
    wallet: Wallet, *, baseline: Decimal, now: datetime, is_paid: bool = False
) -> ResetResult:
    snapshot = _snapshot(wallet)
    closed = _close_everything(wallet, now=now)
    wallet.refresh_from_db()
    restart_wallet(wallet=wallet, baseline=baseline, snapshot=snapshot, now=now, is_paid=is_paid)
    _announce(wallet, now=now)
    return ResetResult(wallet, closed)


def _snapshot(wallet: Wallet) -> dict[str, Any]:
    """The state that ends, for the BackOffice."""
    positions = Position.objects.filter(wallet=wallet, status="OPEN").order_by("pk")
    return {
        "balance": str(wallet.balance),
        "reserved": str(wallet.reserved),
        "baseline": str(wallet.baseline),
        "positions": [
            {
                "position_id": position.pk,
                "outcome_id": position.outcome_id,
                "quantity": str(position.quantity),
                "cost": str(position.cost),
            }
            for position in positions
        ],
    }


def _close_everything(wallet: Wallet, *, now: datetime) -> int:
    """Cancel resting orders, close open positions without a sale; how many positions."""
    sent = call_once(
        "end_orders",
        {
            "user_id": wallet.user_id,
            "wallet_ids": [wallet.pk],
            "status": "CANCELLED",
            "reason": RESET_REASON,
            "now": now.isoformat(),
            "wait_ms": settings.LOCK_WAIT_MS,
        },
    )
    announce_cancelled(
        sent["ended"],
        user_id=wallet.user_id,
        reason=RESET_REASON,
        schema=require_building(),
        now=now,
    )
    return Position.objects.filter(wallet=wallet, status="OPEN").update(
        quantity=0, reserved_quantity=0, cost=0, status="CLOSED_BY_RESET", closed_at=now
    )


def _announce(wallet: Wallet, *, now: datetime) -> None:
    transaction.on_commit(
        lambda: publish_wallet(
            user_id=wallet.user_id, wallet_id=wallet.pk, reason=RESET_REASON, now=now
        )
    )
