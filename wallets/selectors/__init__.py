"""Reading wallets, their ledger and equity, inside one building."""

from wallets.selectors.ledger import (
    Conservation,
    EquityRow,
    LedgerRow,
    check_conservation,
    list_equity,
    list_ledger,
)
from wallets.selectors.wallets import (
    ReadScope,
    get_api_wallet,
    get_main_wallet,
    get_own_wallet,
    list_wallet_ids,
    list_wallets,
    resolve_read_scope,
    wallets_by_id,
)

__all__ = [
    "Conservation",
    "EquityRow",
    "LedgerRow",
    "ReadScope",
    "check_conservation",
    "get_api_wallet",
    "get_main_wallet",
    "get_own_wallet",
    "list_equity",
    "list_ledger",
    "list_wallet_ids",
    "list_wallets",
    "resolve_read_scope",
    "wallets_by_id",
]
