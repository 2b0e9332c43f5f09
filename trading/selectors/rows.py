"""What selectors answer: frozen rows with names for pages and API alike.

Prices are dollars per share, money dollars, quantities shares, all Decimal; times are aware UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

# A mark older than this is flagged wherever it is shown (contracts/README 9).
STALE_MARK_AGE_MS = 60_000


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order. `limit_price` is None for market orders, `average_price` until a fill."""

    order_id: int
    wallet_id: int
    market_id: int
    condition_id: str
    market_slug: str
    market_question: str
    outcome_id: int
    outcome: str
    outcome_index: int
    token_id: str
    side: str
    order_type: str
    time_in_force: str
    price: Decimal
    quantity: Decimal
    filled_quantity: Decimal
    notional: Decimal
    fee: Decimal
    average_price: Decimal | None
    is_post_only: bool
    expires_at: datetime | None
    status: str
    cancelled_reason: str | None
    client_order_id: str | None
    created_at: datetime
    filled_at: datetime | None
    cancelled_at: datetime | None
    hold_reason: str | None = None
    placed_by: str = "trader"

    @property
    def limit_price(self) -> Decimal | None:
        """The limit; None for a market order, whose price is the worst accepted one."""
        return None if self.order_type == "market" else self.price

    @property
    def remaining_quantity(self) -> Decimal:
        """Shares not filled yet."""
        return self.quantity - self.filled_quantity

    @property
    def is_open(self) -> bool:
        """Whether it rests."""
        return self.status == "PENDING"


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders newest first; `total_hint` counts at most 1,000."""

    rows: list[OrderRow]
    next_cursor: str | None
    has_more: bool
    total_hint: int


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One holding. Mark and what follows from it are None without a price and for closed rows."""

    position_id: int
    wallet_id: int
    market_id: int
    condition_id: str
    market_slug: str
    market_question: str
    market_category: str
    market_ends_at: datetime | None
    outcome_id: int
    outcome: str
    outcome_index: int
    token_id: str
    quantity: Decimal
    reserved_quantity: Decimal
    average_price: Decimal
    cost: Decimal
    realized_pnl: Decimal
    status: str
    opened_at: datetime
    closed_at: datetime | None
    current_price: Decimal | None = None
    mark_age_ms: int | None = None

    @property
    def free_quantity(self) -> Decimal:
        """Shares that are not behind resting sells."""
        return self.quantity - self.reserved_quantity

    @property
    def market_value(self) -> Decimal | None:
        """Quantity x mark."""
        return None if self.current_price is None else self.quantity * self.current_price

    @property
    def unrealized_pnl(self) -> Decimal | None:
        """Market value less quantity x average price (accounts-api 7.2)."""
        value = self.market_value
        return None if value is None else value - self.quantity * self.average_price

    @property
    def unrealized_percent(self) -> Decimal | None:
        """Unrealised P&L in percent of the cost; None without a cost."""
        pnl = self.unrealized_pnl
        basis = self.quantity * self.average_price
        return None if pnl is None or not basis else pnl / basis * 100

    @property
    def effective_value(self) -> Decimal:
        """What it counts in totals: market value, or its cost where no price is known."""
        value = self.market_value
        return self.quantity * self.average_price if value is None else value

    @property
    def is_mark_stale(self) -> bool:
        """Whether the mark is older than 60 s (contracts/README 9)."""
        return self.mark_age_ms is not None and self.mark_age_ms > STALE_MARK_AGE_MS


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A filled order; `price` is its average."""

    order_id: int
    wallet_id: int
    condition_id: str
    market_slug: str
    market_question: str
    outcome: str
    side: str
    order_type: str
    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    status: str
    price_source: str | None
    price_age_ms: int | None
    filled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FillRow:
    """One execution. `levels` are the (price, shares) taken from the book."""

    fill_id: int
    order_id: int
    wallet_id: int
    condition_id: str
    market_slug: str
    market_question: str
    outcome: str
    outcome_index: int
    token_id: str
    side: str
    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    liquidity: str
    realized_pnl: Decimal
    created_at: datetime
    levels: tuple[tuple[Decimal, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """What a position was paid at its market's resolution (the newest version)."""

    position_id: int
    wallet_id: int
    version: int
    condition_id: str
    market_slug: str
    market_question: str
    outcome: str
    quantity: Decimal
    average_price: Decimal
    cost: Decimal
    payout: Decimal
    payout_per_share: Decimal
    realized_pnl: Decimal
    result: str
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash, positions and their worth over one or several wallets.

    `cash` is free to trade, `reserved` lies behind resting buys; `equity` is both plus the
    effective value of all open positions, `pnl` equity less `baseline`.
    """

    wallet_ids: tuple[int, ...]
    cash: Decimal
    reserved: Decimal
    baseline: Decimal
    positions: list[PositionRow]

    @property
    def position_value(self) -> Decimal:
        """Sum of the effective values of open positions."""
        return sum((row.effective_value for row in self.positions), Decimal(0))

    @property
    def equity(self) -> Decimal:
        """Free and reserved cash plus positions."""
        return self.cash + self.reserved + self.position_value

    @property
    def pnl(self) -> Decimal:
        """Equity less the starting balance of the present generation."""
        return self.equity - self.baseline

    @property
    def unrealized_pnl(self) -> Decimal:
        """Sum over open positions that have a mark."""
        known = (row.unrealized_pnl for row in self.positions)
        return sum((pnl for pnl in known if pnl is not None), Decimal(0))

    @property
    def has_stale_marks(self) -> bool:
        """Whether a mark in it is older than 60 s."""
        return any(row.is_mark_stale for row in self.positions)


@dataclass(frozen=True, slots=True)
class TradeStats:
    """Figures under a portfolio: filled orders, and wins among closed positions in percent."""

    total_trades: int
    closed_positions: int
    wins: int

    @property
    def win_rate(self) -> Decimal | None:
        """Wins / closed positions x 100; None without closed positions."""
        if not self.closed_positions:
            return None
        return Decimal(self.wins) * 100 / Decimal(self.closed_positions)
