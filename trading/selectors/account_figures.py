"""The figures of a firm account's envelope, as they are printed (partner-api 5).

Every sum is made of the printed (rounded) parts, so that one answer satisfies its formulas:
a position is worth its value rounded to cents, equity is cash and those values, unrealised P&L
the values less the printed costs, and realised P&L what total P&L leaves beside it. No position
is off by more than half a cent for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import cents, from_scaled
from trading.markets.books import Mark, read_marks
from trading.selectors.account_state import AccountState, Holding
from trading.selectors.rows import STALE_MARK_AGE_MS

Marks = Mapping[tuple[str, int], Mark]
ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_FOUR_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """A position at its mark; `price`, `unrealized_pnl` and `age_ms` are None without one."""

    holding: Holding
    price: Decimal | None
    age_ms: int | None
    value: Decimal
    cost: Decimal

    @property
    def unrealized_pnl(self) -> Decimal:
        """Value less cost, both as printed; 0 at cost."""
        return self.value - self.cost

    @property
    def is_stale(self) -> bool:
        """Without a mark, or with one older than 60 s (contracts/README 9)."""
        return self.age_ms is None or self.age_ms > STALE_MARK_AGE_MS


@dataclass(frozen=True, slots=True)
class Figures:
    """An account's figures at `at` with these marks; money in dollars, whole cents."""

    state: AccountState
    at: datetime
    positions: tuple[PositionFigures, ...]
    equity: Decimal
    peak_equity: Decimal
    max_drawdown: Decimal
    max_drawdown_pct: Decimal
    day: date
    day_start_equity: Decimal

    @property
    def positions_value(self) -> Decimal:
        """What the open positions are worth."""
        return self.equity - self.state.balance

    @property
    def unrealized_pnl(self) -> Decimal:
        """Over the open positions."""
        return sum((one.unrealized_pnl for one in self.positions), ZERO)

    @property
    def total_pnl(self) -> Decimal:
        """Equity less what was put in."""
        return self.equity - self.state.starting_balance - self.state.net_transfers

    @property
    def realized_pnl(self) -> Decimal:
        """Net of fees."""
        return self.total_pnl - self.unrealized_pnl

    @property
    def drawdown(self) -> Decimal:
        """Below the peak, never negative."""
        return self.peak_equity - self.equity

    @property
    def is_new(self) -> bool:
        """Whether peak, drawdown or day are not those that the row has."""
        state = self.state
        return (
            self.peak_equity > state.peak_equity
            or self.max_drawdown > state.max_drawdown
            or self.max_drawdown_pct > state.max_drawdown_pct
            or self.day != state.day
        )


def percent_of(part: Decimal, whole: Decimal) -> Decimal:
    """`part` in percent of `whole` with four places, 0 of nothing."""
    if whole <= 0:
        return ZERO
    return (part * _HUNDRED / whole).quantize(_FOUR_PLACES, ROUND_HALF_UP)


def read_account_marks(states: Iterable[AccountState]) -> Marks:
    """Live marks of all open positions, one round trip; empty while Valkey does not answer."""
    wanted = [
        (holding.condition_id, holding.outcome_index)
        for state in states
        for holding in state.holdings
        if holding.payout is None
    ]
    try:
        return read_marks(wanted)
    except ServiceUnavailable:
        return {}


def figure_account(state: AccountState, marks: Marks, *, now: datetime) -> Figures:
    """Value an account. One on a test clock lives at the clock's time and scripted prices."""
    at = state.clock_time or now
    positions = tuple(_position(holding, state, marks, at) for holding in state.holdings)
    equity = state.balance + sum((one.value for one in positions), ZERO)
    peak = max(cents(state.peak_equity), equity)
    drawdown = peak - equity
    day = at.astimezone(_zone(state.time_zone)).date()
    return Figures(
        state=state,
        at=at,
        positions=positions,
        equity=equity,
        peak_equity=peak,
        max_drawdown=max(cents(state.max_drawdown), drawdown),
        max_drawdown_pct=max(state.max_drawdown_pct, percent_of(drawdown, peak)),
        day=day if state.day is None else max(day, state.day),
        day_start_equity=_day_start(state, day, equity),
    )


def _day_start(state: AccountState, day: date, equity: Decimal) -> Decimal:
    """The equity at the day's first evaluation; on the attempt's own first day what it began with.

    The latter only where no evaluation came before: the account began that day with its money.
    """
    if state.day is not None and day <= state.day and state.day_start_equity is not None:
        return cents(state.day_start_equity)
    began = (state.reset_at or state.created_at).astimezone(_zone(state.time_zone)).date()
    if state.day is None and began == day:
        return state.starting_balance + state.net_transfers
    return equity


def _position(holding: Holding, state: AccountState, marks: Marks, at: datetime) -> PositionFigures:
    price, age_ms = _price(holding, state, marks, at)
    cost = cents(holding.cost)
    value = cost if price is None else cents(holding.quantity * price)
    return PositionFigures(holding, price, age_ms, value, cost)


def _price(
    holding: Holding, state: AccountState, marks: Marks, at: datetime
) -> tuple[Decimal | None, int | None]:
    """Payout once resolved, a test clock's script, the live mark, the last sweep's price."""
    if holding.payout is not None:
        return holding.payout, 0
    scripted = state.clock_prices.get(holding.token_id)
    if state.clock_time is not None and scripted is not None:
        return Decimal(scripted), 0
    mark = marks.get((holding.condition_id, holding.outcome_index))
    now_ms = to_milliseconds(at)
    if mark is not None:
        return from_scaled(mark.price), mark.age_ms(now_ms)
    if holding.swept_price is None or holding.swept_at_ms is None:
        return None, None
    return holding.swept_price, max(0, now_ms - holding.swept_at_ms)


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
