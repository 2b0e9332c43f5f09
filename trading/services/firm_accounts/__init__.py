"""Firm accounts over their life: provision, change, read-only, reset, close (partner-api 4 to 9).

All run in the firm's building under the trader's lock, are audited and told to the outbox.
"""

from trading.services.firm_accounts.control import (
    Liquidation,
    ReadOnlyResult,
    liquidate_positions,
    make_accounts_read_only,
    make_read_only,
)
from trading.services.firm_accounts.ending import (
    close_account,
    close_accounts_of_user,
    reset_account,
)
from trading.services.firm_accounts.provisioning import (
    Provisioned,
    provision_account,
    update_account,
)
from trading.services.firm_accounts.rows import find_account, find_account_owner
from trading.services.firm_accounts.switching import switch_trading

__all__ = [
    "Liquidation",
    "Provisioned",
    "ReadOnlyResult",
    "close_account",
    "close_accounts_of_user",
    "find_account",
    "find_account_owner",
    "liquidate_positions",
    "make_accounts_read_only",
    "make_read_only",
    "provision_account",
    "reset_account",
    "switch_trading",
    "update_account",
]
