"""The wallet's part of a reset: cap, cash, generation, snapshot (accounts-api 6.7 to 6.9).

Orders and positions are closed before by `trading.services`, in the same transaction and under
the same user lock; a door calls the services there.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from polysim.kernel.errors import PolysimError
from tenants.models import User, WalletKind
from wallets.ledger import reset_to
from wallets.models import Wallet, WalletReset
from wallets.services.equity import write_reset_point
from wallets.services.opening import WalletNotFound, open_wallet
from wallets.services.posting import post

RESET_WINDOW = timedelta(days=30)


class WalletNotResettable(PolysimError):
    """This kind or state of wallet is not reset this way."""

    code = "WALLET_NOT_RESETTABLE"
    status = 409
    message = "This wallet cannot be reset."


class WalletNotArchivable(PolysimError):
    """Only sandbox wallets can be archived."""

    code = "WALLET_NOT_ARCHIVABLE"
    status = 409
    message = "Only sandbox wallets can be archived."


class WalletAlreadyArchived(PolysimError):
    """The wallet was archived before."""

    code = "WALLET_ALREADY_ARCHIVED"
    status = 409
    message = "This wallet is archived already."


class ResetCooldown(PolysimError):
    """The free resets of the window are used up."""

    code = "RESET_COOLDOWN"
    status = 429

    def __init__(self, free_at: datetime, now: datetime) -> None:
        wait_s = max(1, int((free_at - now).total_seconds()) + 1)
        super().__init__(
            f"The next free reset is possible at {free_at:%Y-%m-%d %H:%M} UTC.",
            headers={"Retry-After": str(wait_s)},
        )


def get_own_wallet_for_update(*, user: User, wallet_id: int) -> Wallet:
    """The user's wallet with its row locked; raises WalletNotFound (also for DELETED ones)."""
    wallet = (
        Wallet.objects.select_for_update()
        .filter(pk=wallet_id, user=user)
        .exclude(status=Wallet.Status.DELETED)
        .first()
    )
    if wallet is None:
        raise WalletNotFound(wallet_id)
    return wallet


def check_free_resets(*, wallet: Wallet, resets_max: int | None, now: datetime) -> None:
    """Raise ResetCooldown when the free resets of the last 30 days reach the plan's number."""
    if resets_max is None:
        return
    recent = list(
        WalletReset.objects.filter(
            wallet=wallet, is_paid=False, created_at__gt=now - RESET_WINDOW
        ).order_by("-created_at")[: max(resets_max, 1)]
    )
    if len(recent) >= resets_max:
        oldest = recent[resets_max - 1].created_at if resets_max else now
        raise ResetCooldown(oldest + RESET_WINDOW, now)


def check_cooldown(*, wallet: Wallet, cooldown_days: int, now: datetime) -> None:
    """Raise ResetCooldown within so many days of the last reset (API wallets; 0 = never)."""
    if cooldown_days and wallet.reset_at is not None:
        free_at = wallet.reset_at + timedelta(days=cooldown_days)
        if now < free_at:
            raise ResetCooldown(free_at, now)


def restart_wallet(
    *,
    wallet: Wallet,
    baseline: Decimal,
    snapshot: Mapping[str, Any],
    now: datetime,
    is_paid: bool = False,
    memo: str = "",
) -> Wallet:
    """Cash to `baseline` in place, next generation, snapshot kept, fresh equity point.

    The wallet's row is locked and nothing is reserved any more.
    """
    assert wallet.reserved == 0, "orders are cancelled before a wallet restarts"
    WalletReset.objects.create(
        wallet=wallet,
        generation=wallet.generation,
        is_paid=is_paid,
        snapshot=dict(snapshot),
        created_at=now,
    )
    posting = reset_to(
        wallet_id=wallet.pk,
        generation=wallet.generation,
        balance=wallet.balance,
        target=baseline,
        memo=memo,
    )
    post(wallet=wallet, posting=posting, now=now)
    wallet.generation += 1
    wallet.baseline = baseline
    wallet.reset_at = now
    wallet.save(update_fields=["generation", "baseline", "reset_at"])
    write_reset_point(wallet=wallet, now=now)
    return wallet


def archive_row(*, wallet: Wallet, now: datetime) -> Wallet:
    """Mark a wallet ARCHIVED; its orders and positions are closed before."""
    wallet.status = Wallet.Status.ARCHIVED
    wallet.archived_at = now
    wallet.save(update_fields=["status", "archived_at"])
    return wallet


def replace_sandbox(
    *, wallet: Wallet, baseline: Decimal, now: datetime, actor: User | None = None
) -> Wallet:
    """Empty and archive a sandbox and open its successor: next generation, same label."""
    posting = reset_to(
        wallet_id=wallet.pk,
        generation=wallet.generation,
        balance=wallet.balance,
        target=Decimal(0),
        suffix=f"wallet:{wallet.pk}:reset",
    )
    post(wallet=wallet, posting=posting, now=now)
    archive_row(wallet=wallet, now=now)
    successor = open_wallet(
        user=wallet.user,
        kind=WalletKind.SANDBOX,
        baseline=baseline,
        label=wallet.label,
        generation=wallet.generation + 1,
        parent=wallet,
        now=now,
        actor=actor,
    )
    write_reset_point(wallet=successor, now=now)
    return successor
