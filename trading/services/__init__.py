"""Writing orders and what follows from them, in the current building.

Every refusal is a class of `trading.services.refusals`. `parse_order` reads a 4.1 body,
`place_order` writes it, `preview_order` says what it would do.
"""

from trading.services.cancelling import (
    Cancelled,
    cancel_all_orders,
    cancel_market_orders,
    cancel_order,
    cancel_orders,
)
from trading.services.equity import record_building_equity
from trading.services.order_request import Caller, PlaceOrder, parse_order
from trading.services.orders import place_order
from trading.services.preview import Preview, preview_order
from trading.services.resets import (
    ResetResult,
    archive_wallet,
    reset_api_wallet,
    reset_main_wallet,
    reset_sandbox_wallet,
    reset_wallet,
)

__all__ = [
    "Caller",
    "Cancelled",
    "PlaceOrder",
    "Preview",
    "ResetResult",
    "archive_wallet",
    "cancel_all_orders",
    "cancel_market_orders",
    "cancel_order",
    "cancel_orders",
    "parse_order",
    "place_order",
    "preview_order",
    "record_building_equity",
    "reset_api_wallet",
    "reset_main_wallet",
    "reset_sandbox_wallet",
    "reset_wallet",
]
