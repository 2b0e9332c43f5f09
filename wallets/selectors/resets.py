"""How many free resets a wallet has left in the running 30 days (accounts-api 6.8)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from wallets.models import Wallet, WalletReset

RESET_WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ResetAllowance:
    """`left` None means without a cap; `next_at` is when the oldest one leaves the window."""

    left: int | None
    next_at: datetime | None = None


def read_reset_allowance(
    *, wallet: Wallet, resets_max: int | None, now: datetime
) -> ResetAllowance:
    """The free resets left now. One query; paid resets do not count."""
    if resets_max is None:
        return ResetAllowance(None)
    recent = list(
        WalletReset.objects.filter(
            wallet_id=wallet.id, is_paid=False, created_at__gt=now - RESET_WINDOW
        ).order_by("-created_at")[: max(resets_max, 1)]
    )
    left = max(0, resets_max - len(recent))
    if left or not recent:
        return ResetAllowance(left)
    return ResetAllowance(0, recent[-1].created_at + RESET_WINDOW)
