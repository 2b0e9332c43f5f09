"""Reading wallets, their ledger and equity; `buildings` also leads from one to another."""

from wallets.selectors.buildings import (
    building_of,
    enter_read_scope,
    find_own_wallet,
    list_own_wallets,
)
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
    "building_of",
    "check_conservation",
    "enter_read_scope",
    "find_own_wallet",
    "get_api_wallet",
    "get_main_wallet",
    "get_own_wallet",
    "list_equity",
    "list_ledger",
    "list_own_wallets",
    "list_wallet_ids",
    "list_wallets",
    "resolve_read_scope",
    "wallets_by_id",
]
