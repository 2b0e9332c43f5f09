"""What is known of a phase at one moment, and the percents of prop-backoffice 6.1.

Money and percents are integers scaled by 10**6, times are Unix seconds. The percents here are
rounded half up to six places for showing; rules compare exact thresholds (`catalogue`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from polysim.kernel.money import from_scaled

from .exact import HUNDRED_PERCENT, percent_of, share_half_up, share_up
from .terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The reading that a verdict is made of.

    `balance` is equity less unrealised profit. `peak_equity` is the high-water mark that the
    drawdown mode asks for (highest equity seen, or highest equity at a day's start).
    `day_results` are the results of the finished days; today's comes from the equity.
    Exposures are the cost of the shares held in one market (one event), the largest of them.
    """

    at: int
    start_time: int
    equity: int
    balance: int
    day_start_equity: int
    day_start_balance: int
    peak_equity: int
    open_positions: int = 0
    trading_days: int = 0
    day_results: tuple[int, ...] = ()
    last_fill_at: int = 0
    market_exposure: int = 0
    event_exposure: int = 0
    is_price_stale: bool = False

    @classmethod
    def at_start(cls, terms: Terms, *, start_time: int, at: int | None = None) -> "Measures":
        """A phase whose account was just funded; also the reading before the first metric."""
        start = terms.scaled.start
        return cls(
            at=start_time if at is None else at,
            start_time=start_time,
            equity=start,
            balance=start,
            day_start_equity=start,
            day_start_balance=start,
            peak_equity=start,
        )

    def as_data(self) -> dict[str, Any]:
        """For JSON: the inputs of a verdict that can be replayed."""
        return asdict(self) | {"day_results": list(self.day_results)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Measures":
        """Read `as_data`."""
        return cls(**{**data, "day_results": tuple(data["day_results"])})

    @property
    def results_with_today(self) -> tuple[int, ...]:
        """Results of all days, the running one last."""
        return (*self.day_results, self.equity - self.day_start_equity)


def results_of_days(day_starts: Sequence[int]) -> tuple[int, ...]:
    """Results of the finished days from the start equities of all days, oldest first.

    A day lasts until the next one that has a snapshot, so the results add up to the profit.
    """
    return tuple(after - before for before, after in pairwise(day_starts))


def day_anchor(terms: Terms, *, equity: int, balance: int) -> tuple[int, int]:
    """(what the day's loss is counted from, what its percent is taken of) at a day's start."""
    if terms.daily_basis == "balance":
        return balance, balance
    if terms.daily_basis == "higher":
        higher = max(equity, balance)
        return higher, higher
    if terms.daily_basis == "initial":
        return equity, terms.scaled.start
    return equity, equity


def total_anchor(terms: Terms, measures: Measures) -> int:
    """What the total loss is counted from, as a whole millionth."""
    start = terms.scaled.start
    if terms.drawdown_mode == "static":
        return start
    peak = max(start, measures.peak_equity)
    if terms.drawdown_mode == "trailing_eod":
        return peak
    peak = max(peak, measures.equity)
    if terms.drawdown_mode == "trailing":
        return peak
    return min(peak, start + share_half_up(start, terms.scaled.total_loss))


def total_floor(terms: Terms, measures: Measures) -> int:
    """The highest equity at which max_total_loss_pct fires; asked only when the rule is on."""
    start, limit = terms.scaled.start, terms.scaled.total_loss
    if terms.drawdown_mode == "trailing_locked":
        peak = max(start, measures.peak_equity, measures.equity)
        return min(peak - share_up(start, limit), start)
    return total_anchor(terms, measures) - share_up(start, limit)


@dataclass(frozen=True, slots=True)
class Percents:
    """The percents of 6.1 in millionths of a percent."""

    profit: int
    total_loss: int
    daily_loss: int
    daily_profit: int


def percents(terms: Terms, measures: Measures) -> Percents:
    """Profit, total loss and the day's loss and profit."""
    start = terms.scaled.start
    loss, profit = _daily(terms, measures)
    return Percents(
        profit=percent_of(measures.equity - start, start),
        total_loss=max(0, percent_of(total_anchor(terms, measures) - measures.equity, start)),
        daily_loss=loss,
        daily_profit=profit,
    )


def _daily(terms: Terms, measures: Measures) -> tuple[int, int]:
    origin, basis = day_anchor(
        terms, equity=measures.day_start_equity, balance=measures.day_start_balance
    )
    if basis <= 0:
        return HUNDRED_PERCENT, 0
    change = percent_of(measures.equity - origin, basis)
    return max(0, -change), max(0, change)


def best_day(measures: Measures) -> int:
    """The largest result of one day, at least nothing."""
    return max(0, *measures.results_with_today)


def profitable_days(terms: Terms, results: Iterable[int]) -> int:
    """Days that earned `profitable_day_pct` of the initial balance, and anything at all."""
    least = max(1, share_up(terms.scaled.start, terms.scaled.profitable_day))
    return sum(result >= least for result in results)


def metric(terms: Terms, measures: Measures) -> dict[str, Decimal | int]:
    """The figures of a metric snapshot (prop-backoffice 2), with six places."""
    shown = percents(terms, measures)
    return {
        "balance": from_scaled(measures.balance),
        "equity": from_scaled(measures.equity),
        "profit_target": from_scaled(shown.profit),
        "daily_loss": from_scaled(shown.daily_loss),
        "total_loss": from_scaled(shown.total_loss),
        "trading_days": measures.trading_days,
        "daily_profit": from_scaled(shown.daily_profit),
        "open_positions": measures.open_positions,
        "daily_start_equity": from_scaled(measures.day_start_equity),
    }
