"""Firm accounts over their life: provision, change, read-only, reset, close (partner-api 4 to 9).

All run in the firm's building under the trader's lock, are audited and told to the outbox.
"""

from trading.services.firm_accounts.control import (
    Liquidation,
    ReadOnlyResult,
    liquidate_positions,
    make_read_only,
)

__all__ = ["Liquidation", "ReadOnlyResult", "liquidate_positions", "make_read_only"]
