"""Writing wallets. Everything that moves money runs under the user's lock and posts balanced
entries; resets, which also close orders and positions, are doors' calls to `trading.services`.
"""

from wallets.services.equity import record_equity_points, write_reset_point
from wallets.services.locking import TradeInProgress, lock_user
from wallets.services.opening import (
    MAIN_BASELINE,
    WalletLimitReached,
    WalletNotFound,
    create_sandbox_wallet,
    open_api_wallet,
    open_main_wallet,
    open_wallet,
    register_retail_user,
    rename_wallet,
)
from wallets.services.posting import post
from wallets.services.resetting import (
    ResetCooldown,
    WalletAlreadyArchived,
    WalletNotArchivable,
    WalletNotResettable,
)

__all__ = [
    "MAIN_BASELINE",
    "ResetCooldown",
    "TradeInProgress",
    "WalletAlreadyArchived",
    "WalletLimitReached",
    "WalletNotArchivable",
    "WalletNotFound",
    "WalletNotResettable",
    "create_sandbox_wallet",
    "lock_user",
    "open_api_wallet",
    "open_main_wallet",
    "open_wallet",
    "post",
    "record_equity_points",
    "register_retail_user",
    "rename_wallet",
    "write_reset_point",
]
