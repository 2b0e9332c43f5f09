"""Writing wallets. Everything that moves money runs under the user's lock and posts balanced
entries; resets, which also close orders and positions, are doors' calls to `trading.services`.
"""

from wallets.services.accounts import (
    NotEnoughFunds,
    fund_firm_account,
    open_firm_account,
    post_firm_share,
    set_trading_enabled,
    switch_trading_off,
    transfer_money,
)
from wallets.services.equity import record_equity_points, write_reset_point
from wallets.services.locking import TradeInProgress, lock_free_users, lock_user
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
    "NotEnoughFunds",
    "ResetCooldown",
    "TradeInProgress",
    "WalletAlreadyArchived",
    "WalletLimitReached",
    "WalletNotArchivable",
    "WalletNotFound",
    "WalletNotResettable",
    "create_sandbox_wallet",
    "fund_firm_account",
    "lock_free_users",
    "lock_user",
    "open_api_wallet",
    "open_firm_account",
    "open_main_wallet",
    "open_wallet",
    "post",
    "post_firm_share",
    "record_equity_points",
    "register_retail_user",
    "rename_wallet",
    "set_trading_enabled",
    "switch_trading_off",
    "transfer_money",
    "write_reset_point",
]
