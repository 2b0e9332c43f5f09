"""Reading orders, positions, fills, settlements and portfolios of one building.

Every function takes `wallet_ids` the caller may see (`wallets.selectors.resolve_read_scope`, or
one wallet checked by `get_own_wallet`) and answers frozen rows of `trading.selectors.rows`.
"""

from trading.selectors.orders import (
    OrderNotFound,
    get_order,
    list_fills,
    list_history,
    list_orders,
)
from trading.selectors.portfolio import (
    get_portfolio,
    get_trade_stats,
    list_positions,
    list_settlements,
)
from trading.selectors.rows import (
    FillRow,
    HistoryRow,
    OrderPage,
    OrderRow,
    Portfolio,
    PositionRow,
    SettlementRow,
    TradeStats,
)

__all__ = [
    "FillRow",
    "HistoryRow",
    "OrderNotFound",
    "OrderPage",
    "OrderRow",
    "Portfolio",
    "PositionRow",
    "SettlementRow",
    "TradeStats",
    "get_order",
    "get_portfolio",
    "get_trade_stats",
    "list_fills",
    "list_history",
    "list_orders",
    "list_positions",
    "list_settlements",
]
