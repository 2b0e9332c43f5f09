"""The limits of the distinct terms in use as columns: phases of one step share one row."""

from collections.abc import Sequence

import numpy as np

from . import catalogue
from .columns import Column, column
from .exact import FAR, SECONDS_PER_DAY, share_down, share_half_up, share_up
from .passing import target_equity
from .terms import DAILY_BASES, DRAWDOWN_MODES, Terms

TRAILING = DRAWDOWN_MODES.index("trailing")
TRAILING_EOD = DRAWDOWN_MODES.index("trailing_eod")
LOCKED = DRAWDOWN_MODES.index("trailing_locked")
INITIAL = DAILY_BASES.index("initial")

# Rules that have a column here. A phase with any other rule that can end it is judged in every
# pass: right from the rule's first day, and fast once it has its column too.
FOLDED = {
    "max_total_loss_pct",
    "max_daily_loss_pct",
    "max_daily_profit_pct",
    "max_positions",
    "max_exposure_market_pct",
    "max_exposure_event_pct",
    "max_trading_days",
    "max_inactive_days",
    "duration_days",
}

# No scaled amount of a phase may be larger (about 1.15 * 10**12 dollars): more than the database
# holds, and far enough from 2**63 for sums of thresholds.
MONEY_MAX = 2**60


def _limits(terms: Terms) -> dict[str, int]:
    """One row: what is off stands at FAR, so that comparing it never fires."""
    scaled = terms.scaled
    if scaled.start > MONEY_MAX:
        raise OverflowError(f"An initial balance of {terms.initial_balance} is too large")
    start, total = scaled.start, scaled.total_loss
    warning = scaled.total_warning
    return {
        "start": start,
        "mode": DRAWDOWN_MODES.index(terms.drawdown_mode),
        "basis": DAILY_BASES.index(terms.daily_basis),
        "total_allowance": share_up(start, total) if total else FAR,
        "total_warning_allowance": share_up(start, warning) if warning else FAR,
        "locked_anchor": start + share_half_up(start, total),
        "daily_loss": scaled.daily_loss,
        "daily_warning": scaled.daily_warning,
        "daily_profit": scaled.daily_profit,
        "target": min(target_equity(terms), FAR),
        "min_trading_days": terms.min_trading_days,
        "max_trading_days": terms.max_trading_days or FAR,
        "max_positions": terms.max_positions or FAR,
        "market_exposure": _most(start, scaled.market_exposure),
        "event_exposure": _most(start, scaled.event_exposure),
        "duration": terms.duration_days * SECONDS_PER_DAY or FAR,
        "inactive_after": terms.max_inactive_days * SECONDS_PER_DAY or FAR,
        "needs_results": int(terms.consistency_pct > 0 or terms.min_profitable_days > 0),
        "always": int(_has_unfolded_rule(terms)),
    }


def _has_unfolded_rule(terms: Terms) -> bool:
    rules = (*catalogue.FAIL_RULES, *catalogue.LATE_RULES)
    return any(rule.name not in FOLDED and rule.is_on(terms) for rule in rules)


def _most(start: int, percent: int) -> int:
    return min(share_down(start, percent), FAR) if percent else FAR


class TermsTable:
    """Columns of `_limits`, one row for each distinct `Terms`."""

    start: Column
    mode: Column
    basis: Column
    total_allowance: Column
    total_warning_allowance: Column
    locked_anchor: Column
    daily_loss: Column
    daily_warning: Column
    daily_profit: Column
    target: Column
    min_trading_days: Column
    max_trading_days: Column
    max_positions: Column
    market_exposure: Column
    event_exposure: Column
    duration: Column
    inactive_after: Column
    always: Column

    def __init__(self) -> None:
        self.terms: list[Terms] = []
        self._rows: dict[Terms, int] = {}
        self._limits: list[dict[str, int]] = []
        self.needs_results = np.zeros(0, dtype=np.bool_)

    def rows_of(self, terms: Sequence[Terms]) -> Column:
        """The row of each, in order; unknown terms get one."""
        before = len(self._rows)
        # The same object mostly stands for many phases: it is hashed once.
        seen: dict[int, int] = {}
        rows = []
        for item in terms:
            row = seen.get(id(item))
            if row is None:
                row = seen[id(item)] = self._row_of(item)
            rows.append(row)
        if len(self._rows) > before:
            self._rebuild()
        return column(rows)

    def _row_of(self, terms: Terms) -> int:
        row = self._rows.get(terms)
        if row is None:
            self._limits.append(_limits(terms))
            self.terms.append(terms)
            row = self._rows[terms] = len(self.terms) - 1
        return row

    def _rebuild(self) -> None:
        for name in self._limits[0]:
            setattr(self, name, column([limits[name] for limits in self._limits]))
        self.needs_results = column([limits["needs_results"] for limits in self._limits]) > 0
