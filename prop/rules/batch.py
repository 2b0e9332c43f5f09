"""Many phases at once: equities and the few rows that `evaluate` has to judge.

The arrays hold each phase's thresholds as integers, made by the same exact rounding as the rules,
so comparing a row here says just whether some rule would fire. Which one, in which order and in
which words is `evaluate`'s alone: a pass is

    reading = arrays.read(at=..., stale_after=300)
    for row in np.flatnonzero(reading.attention).tolist():
        verdict = evaluate(arrays.terms_of(row), arrays.measures(row, reading))

Between passes the owner changes single rows: `positions.set_mark` for a tick, `set_account` for a
fill, `start_day` for a new local day, `mark_warned`, `remove`. Rows of removed phases are reused.
Contract: prop-backoffice 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .catalogue import DAILY_LOSS, TOTAL_LOSS
from .columns import Column, Mask, column, grown, percents_of, shares_up
from .exact import FAR, HUNDRED_PERCENT
from .measures import Measures
from .positions import PositionArrays
from .table import INITIAL, LOCKED, TRAILING, TRAILING_EOD, TermsTable
from .terms import Terms

# Bits of `Reading.attention`.
DECIDE = 1
WARN = 2

_WARNED_BITS = {TOTAL_LOSS.name: 1, DAILY_LOSS.name: 2}
_FIRST_CAPACITY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseColumns:
    """Phases to add, one entry each; money scaled by 10**6, times in Unix seconds.

    `cash` includes what open orders hold. `ids` are the caller's (ChallengePhase ids).
    `day_results` are needed only for terms with consistency or profitable days.
    """

    ids: Sequence[int] | Column
    terms: Sequence[Terms]
    cash: Sequence[int] | Column
    start_time: Sequence[int] | Column
    day_start_equity: Sequence[int] | Column
    day_start_balance: Sequence[int] | Column
    peak_equity: Sequence[int] | Column
    trading_days: Sequence[int] | Column
    last_fill_at: Sequence[int] | Column
    day_results: Sequence[tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over all rows. `attention` has the bits DECIDE and WARN; 0 = nothing to do."""

    at: int
    equity: Column
    is_stale: Mask
    attention: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class PercentColumns:
    """The percents of 6.1 in millionths of a percent, by row (for metrics)."""

    profit: Column
    total_loss: Column
    daily_loss: Column
    daily_profit: Column


@dataclass(slots=True)
class _Index:
    rows: dict[int, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)


class PhaseArrays:
    """State and thresholds of the active phases of one firm (or shard)."""

    ids: Column
    cash: Column
    start_time: Column
    day_start_equity: Column
    day_start_balance: Column
    peak_equity: Column
    trading_days: Column
    last_fill_at: Column
    open_positions: Column
    held_cost: Column
    market_exposure: Column
    event_exposure: Column
    warned: Column
    terms_row: Column
    total_floor: Column
    total_warning: Column
    daily_floor: Column
    daily_warning: Column
    daily_ceiling: Column
    deadline: Column
    inactive_at: Column
    # What a pass compares, made of the above whenever a row changes (`_refresh`).
    decide_floor: Column
    decide_ceiling: Column
    warning_floor: Column
    due_at: Column
    peak_watch: Column

    def __init__(self) -> None:
        self.positions = PositionArrays()
        self.count = 0
        self.day_results: list[tuple[int, ...]] = []
        self.is_active: Mask = np.zeros(0, dtype=np.bool_)
        # Whether a rule on counts fires, or a rule without a column wants every pass.
        self.is_over: Mask = np.zeros(0, dtype=np.bool_)
        self._table = TermsTable()
        self._index = _Index()
        for name in _STATE:
            setattr(self, name, column([]))

    def row_of(self, phase_id: int) -> int | None:
        """The row of an active phase, None when it is not here."""
        return self._index.rows.get(phase_id)

    def terms_of(self, row: int) -> Terms:
        """The terms of a row."""
        return self._table.terms[int(self.terms_row[row])]

    def add(self, phases: PhaseColumns) -> Column:
        """Take phases in and return their rows; load their holdings next (`load_holdings`)."""
        rows = self._rows_for(phases.ids)
        self.terms_row[rows] = self._table.rows_of(phases.terms)
        self.ids[rows], self.cash[rows] = phases.ids, phases.cash
        self.start_time[rows] = phases.start_time
        self.day_start_equity[rows] = phases.day_start_equity
        self.day_start_balance[rows] = phases.day_start_balance
        self.peak_equity[rows] = phases.peak_equity
        self.trading_days[rows] = phases.trading_days
        self.last_fill_at[rows] = phases.last_fill_at
        for name in ("open_positions", "held_cost", "market_exposure", "event_exposure", "warned"):
            getattr(self, name)[rows] = 0
        results = phases.day_results or [()] * len(rows)
        for row, result in zip(rows.tolist(), results, strict=True):
            self.day_results[row] = tuple(result)
        self.is_active[rows] = True
        self._set_times(rows)
        self._set_daily(rows)
        self._set_total(rows)
        self._refresh(rows)
        return rows

    def load_holdings(
        self, phases: Column, tokens: Column, quantities: Column, costs: Column
    ) -> None:
        """Holdings of phases just added, as columns of phase rows and token rows."""
        self.positions.load(phases, tokens, quantities, costs)
        count = self.count
        self.open_positions[:count], self.held_cost[:count] = self.positions.counts(count)
        market, event = self.positions.exposures(count)
        self.market_exposure[:count], self.event_exposure[:count] = market, event
        self._refresh(np.arange(count))

    def set_account(self, row: int, *, cash: int, trading_days: int, last_fill_at: int) -> None:
        """After `positions.set_holding`s of a fill or settlement: the account as it is now."""
        self.cash[row], self.trading_days[row] = cash, trading_days
        self.last_fill_at[row] = last_fill_at
        counts = self.positions.counts_of(row)
        self.open_positions[row], self.held_cost[row] = counts[:2]
        self.market_exposure[row], self.event_exposure[row] = counts[2:]
        rows = column([row])
        self._set_times(rows)
        self._refresh(rows)

    def start_day(self, rows: Column, equities: Column, balances: Column) -> None:
        """A new local day of these rows begins with these values (6.4)."""
        needed = self._table.needs_results[self.terms_row[rows]]
        results = equities[needed] - self.day_start_equity[rows[needed]]
        for row, result in zip(rows[needed].tolist(), results.tolist(), strict=True):
            self.day_results[row] = (*self.day_results[row], result)
        self.day_start_equity[rows], self.day_start_balance[rows] = equities, balances
        self.warned[rows] &= ~_WARNED_BITS[DAILY_LOSS.name]
        by_day = rows[self._table.mode[self.terms_row[rows]] == TRAILING_EOD]
        self.peak_equity[by_day] = np.maximum(
            self.peak_equity[by_day], self.day_start_equity[by_day]
        )
        self._set_total(by_day)
        self._set_daily(rows)
        self._refresh(rows)

    def mark_warned(self, row: int, rule: str) -> None:
        """The trader was told: no WARN of this loss rule again (the daily one: until tomorrow)."""
        self.warned[row] |= _WARNED_BITS[rule]
        self._refresh(column([row]))

    def remove(self, row: int) -> None:
        """A phase is over: its row is free for another."""
        self.positions.drop_phase(row)
        self.is_active[row] = False
        del self._index.rows[int(self.ids[row])]
        self._index.free.append(row)

    def balances(self) -> Column:
        """Equity less unrealised profit, by row."""
        return self.cash[: self.count] + self.held_cost[: self.count]

    def read(self, *, at: int, stale_after: int) -> Reading:
        """Value every row, move trailing floors, and mark the rows that need a judgement."""
        count = self.count
        equity = self.cash[:count] + self.positions.worth(count)
        is_stale = self.positions.stale(count, at - stale_after)
        self._raise_peaks(equity, is_stale)
        return Reading(at, equity, is_stale, self._attention(at, equity, is_stale))

    def measures(self, row: int, reading: Reading) -> Measures:
        """One row of a reading as what `evaluate` judges."""
        cash, equity = int(self.cash[row]), int(reading.equity[row])
        balance = cash + int(self.held_cost[row])
        if max(equity, balance) >= FAR:
            equity = cash + self.positions.exact_worth(row)
            balance = cash + self.positions.exact_cost(row)
        return Measures(
            at=reading.at,
            start_time=int(self.start_time[row]),
            equity=equity,
            balance=balance,
            day_start_equity=int(self.day_start_equity[row]),
            day_start_balance=int(self.day_start_balance[row]),
            peak_equity=int(self.peak_equity[row]),
            open_positions=int(self.open_positions[row]),
            trading_days=int(self.trading_days[row]),
            day_results=self.day_results[row],
            last_fill_at=int(self.last_fill_at[row]),
            market_exposure=int(self.market_exposure[row]),
            event_exposure=int(self.event_exposure[row]),
            is_price_stale=bool(reading.is_stale[row]),
        )

    def percents(self, rows: Column, equities: Column) -> PercentColumns:
        """Rounded percents of these rows, the same as `measures.percents` of each."""
        table, of = self._table, self.terms_row[rows]
        start = table.start[of]
        anchor = self._anchor(rows, equities)
        origin, basis = self._day_anchor(rows)
        is_lost = basis <= 0
        change = percents_of(equities - origin, np.where(is_lost, 1, basis))
        loss = np.where(is_lost, HUNDRED_PERCENT, np.maximum(-change, 0))
        return PercentColumns(
            profit=percents_of(equities - start, start),
            total_loss=np.maximum(percents_of(anchor - equities, start), 0),
            daily_loss=loss,
            daily_profit=np.where(is_lost, 0, np.maximum(change, 0)),
        )

    def _attention(self, at: int, equity: Column, is_stale: Mask) -> npt.NDArray[np.int8]:
        used = slice(0, self.count)
        decide = (equity <= self.decide_floor[used]) | (equity >= self.decide_ceiling[used])
        warn = equity <= self.warning_floor[used]
        decide &= ~is_stale
        warn &= ~is_stale
        decide |= self.due_at[used] <= at
        decide |= self.is_over[used]
        bits = decide.view(np.int8) * np.int8(DECIDE) | warn.view(np.int8) * np.int8(WARN)
        bits *= self.is_active[used]
        return bits

    def _refresh(self, rows: Column) -> None:
        """Fold all thresholds of these rows into the few that a pass compares."""
        table, of = self._table, self.terms_row[rows]
        days, warned = self.trading_days[rows], self.warned[rows]
        self.decide_floor[rows] = np.maximum(self.total_floor[rows], self.daily_floor[rows])
        target = np.where(days >= table.min_trading_days[of], table.target[of], FAR)
        self.decide_ceiling[rows] = np.minimum(target, self.daily_ceiling[rows])
        self.warning_floor[rows] = np.maximum(
            np.where(warned & 1, -FAR, self.total_warning[rows]),
            np.where(warned & 2, -FAR, self.daily_warning[rows]),
        )
        self.due_at[rows] = np.minimum(self.deadline[rows], self.inactive_at[rows])
        mode = table.mode[of]
        moves = (mode == TRAILING) | (mode == LOCKED)
        self.peak_watch[rows] = np.where(moves, self.peak_equity[rows], FAR)
        self.is_over[rows] = (
            (self.open_positions[rows] > table.max_positions[of])
            | (self.market_exposure[rows] > table.market_exposure[of])
            | (self.event_exposure[rows] > table.event_exposure[of])
            | (days > table.max_trading_days[of])
            | (table.always[of] > 0)
        )

    def _raise_peaks(self, equity: Column, is_stale: Mask) -> None:
        rows = np.flatnonzero((equity > self.peak_watch[: self.count]) & ~is_stale)
        if len(rows):
            self.peak_equity[rows] = equity[rows]
            self._set_total(rows)
            self._refresh(rows)

    def _anchor(self, rows: Column, equities: Column) -> Column:
        """`measures.total_anchor` of each row."""
        table, of = self._table, self.terms_row[rows]
        start, mode = table.start[of], table.mode[of]
        peak = np.maximum(start, self.peak_equity[rows])
        peak = np.where(mode == TRAILING_EOD, peak, np.maximum(peak, equities))
        peak = np.where(mode == LOCKED, np.minimum(peak, table.locked_anchor[of]), peak)
        return np.where(mode == 0, start, peak)

    def _set_total(self, rows: Column) -> None:
        table, of = self._table, self.terms_row[rows]
        start, mode = table.start[of], table.mode[of]
        peak = np.where(mode == 0, start, np.maximum(start, self.peak_equity[rows]))
        floor = peak - table.total_allowance[of]
        self.total_floor[rows] = np.where(mode == LOCKED, np.minimum(floor, start), floor)
        allowance = table.total_warning_allowance[of]
        locked = np.minimum(peak, table.locked_anchor[of])
        self.total_warning[rows] = np.where(mode == LOCKED, locked, peak) - allowance

    def _day_anchor(self, rows: Column) -> tuple[Column, Column]:
        """`measures.day_anchor` of each row."""
        table, of = self._table, self.terms_row[rows]
        equity, balance = self.day_start_equity[rows], self.day_start_balance[rows]
        kind = table.basis[of]
        origin = np.choose(kind, [equity, balance, np.maximum(equity, balance), equity])
        return origin, np.where(kind == INITIAL, table.start[of], origin)

    def _set_daily(self, rows: Column) -> None:
        table, of = self._table, self.terms_row[rows]
        origin, basis = self._day_anchor(rows)
        is_lost = basis <= 0
        usable = np.where(is_lost, 0, basis)

        def floor(limit: Column) -> Column:
            reached = np.where(is_lost, FAR, origin - shares_up(usable, limit))
            return np.where(limit > 0, reached, -FAR)

        self.daily_floor[rows] = floor(table.daily_loss[of])
        self.daily_warning[rows] = floor(table.daily_warning[of])
        gain = table.daily_profit[of]
        ceiling = np.minimum(origin + shares_up(usable, gain), FAR)
        self.daily_ceiling[rows] = np.where(is_lost | (gain <= 0), FAR, ceiling)

    def _set_times(self, rows: Column) -> None:
        table, of = self._table, self.terms_row[rows]
        start = self.start_time[rows]
        self.deadline[rows] = np.minimum(start + table.duration[of], FAR)
        active_at = np.maximum(start, self.last_fill_at[rows])
        self.inactive_at[rows] = np.minimum(active_at + table.inactive_after[of], FAR)

    def _rows_for(self, ids: Sequence[int] | Column) -> Column:
        number = len(ids)
        reused = [self._index.free.pop() for _ in range(min(number, len(self._index.free)))]
        fresh = number - len(reused)
        end = self.count + fresh
        if end > len(self.ids):
            self._grow(max(_FIRST_CAPACITY, end, 2 * self.count if fresh == 1 else end))
        rows = column([*reused, *range(self.count, end)])
        self.count = end
        self._index.rows.update(
            zip((int(phase_id) for phase_id in ids), rows.tolist(), strict=True)
        )
        return rows

    def _grow(self, size: int) -> None:
        for name in (*_STATE, "is_active", "is_over"):
            setattr(self, name, grown(getattr(self, name), size))
        self.day_results += [()] * (size - len(self.day_results))


# Every annotated column of a phase.
_STATE = tuple(PhaseArrays.__annotations__)
