"""One firm's active phases in memory: the rules' arrays, and beside them what passes write.

Columns here have the same rows as the arrays. Everything is rebuilt by `load` at any time.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from prop.evaluator.loading import (
    Accounts,
    OutcomeRow,
    PhaseRow,
    PhaseTerms,
    load_accounts,
    load_day_starts,
    load_outcomes,
    load_phases,
    load_terms,
)
from prop.rules import PhaseArrays, PhaseColumns, Terms, results_of_days
from prop.rules.columns import Column, column, grown
from prop.rules.days import local_date, start_of_date

# A refresh of more accounts than this loads holdings as columns instead of one by one.
_FEW = 200
_SIDE_COLUMNS = (
    "challenge",
    "login",
    "customer",
    "phase_index",
    "zone",
    "day",
    "day_ends",
    "metric_at",
    "written_equity",
    "written_balance",
    "written_peak",
    "lowest",
    "highest",
    "written_at",
)


class PhaseBook:
    """Active phases of one firm. `day` is the ordinal of a row's newest snapshot, 0 = none."""

    challenge: Column
    login: Column
    customer: Column
    phase_index: Column
    zone: Column
    day: Column
    day_ends: Column
    metric_at: Column
    written_equity: Column
    written_balance: Column
    written_peak: Column
    lowest: Column
    highest: Column
    written_at: Column

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.zones: list[ZoneInfo] = []
        self.outcomes: list[OutcomeRow] = []
        self._zone_rows: dict[str, int] = {}
        self._phase_of_login: dict[int, int] = {}
        self._terms: dict[str, PhaseTerms] = {}
        self._clear()

    def _clear(self) -> None:
        self.arrays = PhaseArrays()
        self.outcomes.clear()
        self._phase_of_login.clear()
        self._terms.clear()
        # Phases whose stored count of trading days is not that of their fills.
        self.unsaved_fills: set[int] = set()
        for name in _SIDE_COLUMNS:
            setattr(self, name, column([]))

    @property
    def active_rows(self) -> Column:
        """Rows that hold a phase."""
        return np.flatnonzero(self.arrays.is_active[: self.arrays.count])

    @property
    def phase_count(self) -> int:
        """How many phases are here."""
        return len(self._phase_of_login)

    def id_sum(self) -> int:
        """The sum of the phases' ids."""
        return int(self.arrays.ids[self.active_rows].sum())

    def phase_ids(self) -> set[int]:
        """Ids of the phases that are here."""
        return set(self._phase_of_login.values())

    def phases_of(self, logins: Iterable[int]) -> tuple[list[int], list[int]]:
        """(ids of the phases on these accounts, accounts that no phase here has)."""
        known, unknown = [], []
        for login in logins:
            phase_id = self._phase_of_login.get(login)
            if phase_id is None:
                unknown.append(login)
            else:
                known.append(phase_id)
        return known, unknown

    def load(self) -> None:
        """Read everything anew."""
        self._clear()
        self._add(load_phases(), load_terms(), load_accounts())

    def add(self, phase_ids: Sequence[int]) -> None:
        """Take in phases that became active."""
        fresh = [phase_id for phase_id in phase_ids if self.arrays.row_of(phase_id) is None]
        if fresh:
            self._add(load_phases(fresh), load_terms(fresh), load_accounts(fresh))

    def refresh(self, phase_ids: Sequence[int]) -> Column:
        """Read these phases' accounts again; phases that are over leave. Answers their rows."""
        wanted = [phase_id for phase_id in phase_ids if self.arrays.row_of(phase_id) is not None]
        if not wanted:
            return column([])
        accounts = load_accounts(wanted)
        for phase_id in wanted:
            if phase_id not in accounts.cash:
                self.remove(phase_id)
        self._learn_outcomes(accounts)
        self._apply(accounts)
        rows = [self.arrays.row_of(phase_id) for phase_id in wanted]
        return column([row for row in rows if row is not None])

    def remove(self, phase_id: int) -> None:
        """A phase is over."""
        row = self.arrays.row_of(phase_id)
        if row is not None:
            del self._phase_of_login[int(self.login[row])]
            self.arrays.remove(row)
            self.unsaved_fills.discard(phase_id)

    def date_of(self, row: int, moment: int) -> date:
        """The local date of a moment in a row's zone."""
        return local_date(moment, self.zones[int(self.zone[row])])

    def set_days(self, rows: Column, days: Sequence[date]) -> None:
        """These rows' newest snapshots are of these days."""
        ends: dict[tuple[int, date], int] = {}
        for row, day in zip(rows.tolist(), days, strict=True):
            key = int(self.zone[row]), day
            if key not in ends:
                ends[key] = start_of_date(day + timedelta(days=1), self.zones[key[0]])
            self.day[row], self.day_ends[row] = day.toordinal(), ends[key]

    def _add(
        self, phases: Sequence[PhaseRow], terms: dict[str, PhaseTerms], accounts: Accounts
    ) -> None:
        self._terms.update(terms)
        # What began or changed between the statements comes with the next look.
        phases = [row for row in phases if row.phase_id in accounts.cash]
        phases = [row for row in phases if row.terms_hash in self._terms]
        if not phases:
            return
        rows = self.arrays.add(self._columns(phases, accounts))
        self._grow()
        self._set_sides(rows, phases)
        self._learn_outcomes(accounts)
        if len(phases) > _FEW:
            self._load_holdings(accounts)
        else:
            self._apply(accounts)
        for row, phase in zip(rows.tolist(), phases, strict=True):
            self._mark_warned(row, phase)

    def _columns(self, phases: Sequence[PhaseRow], accounts: Accounts) -> PhaseColumns:
        terms = [self._terms[row.terms_hash].terms for row in phases]
        counted = [
            row.phase_id
            for row, term in zip(phases, terms, strict=True)
            if _needs_days(term) or term.trading_days_mode == "snapshots"
        ]
        starts = load_day_starts(counted) if counted else {}
        days = [
            len(starts.get(row.phase_id, ()))
            if term.trading_days_mode == "snapshots"
            else accounts.cash[row.phase_id][1]
            for row, term in zip(phases, terms, strict=True)
        ]
        return PhaseColumns(
            ids=[row.phase_id for row in phases],
            terms=terms,
            cash=[accounts.cash[row.phase_id][0] for row in phases],
            start_time=[row.start_time for row in phases],
            day_start_equity=[
                _or(row.day_start_equity, term) for row, term in zip(phases, terms, strict=True)
            ],
            day_start_balance=[
                _or(row.day_start_balance, term) for row, term in zip(phases, terms, strict=True)
            ],
            peak_equity=[_peak(row, term) for row, term in zip(phases, terms, strict=True)],
            trading_days=days,
            last_fill_at=[accounts.cash[row.phase_id][2] for row in phases],
            day_results=[results_of_days(starts.get(row.phase_id, ())) for row in phases],
        )

    def _set_sides(self, rows: Column, phases: Sequence[PhaseRow]) -> None:
        self.challenge[rows] = [row.challenge_id for row in phases]
        self.login[rows] = [row.login for row in phases]
        self.customer[rows] = [row.customer_id for row in phases]
        self.phase_index[rows] = [row.phase_index for row in phases]
        self.zone[rows] = [self._zone_row(self._terms[row.terms_hash].zone_name) for row in phases]
        self.metric_at[rows] = [row.last_metric_at for row in phases]
        # -1: nothing is written yet, so the first pass writes.
        for name, values in (
            ("written_equity", [row.written_equity for row in phases]),
            ("written_balance", [row.written_balance for row in phases]),
        ):
            getattr(self, name)[rows] = [-1 if value is None else value for value in values]
        self.written_peak[rows] = self.arrays.peak_equity[rows]
        self.forget_extremes(rows)
        self.day[rows] = self.day_ends[rows] = self.written_at[rows] = 0
        known = [place for place, row in enumerate(phases) if row.day is not None]
        self.set_days(rows[known], [day for row in phases if (day := row.day) is not None])
        for row in phases:
            self._phase_of_login[row.login] = row.phase_id
        self.unsaved_fills |= {
            row.phase_id
            for row, days, last in zip(
                phases,
                self.arrays.trading_days[rows].tolist(),
                self.arrays.last_fill_at[rows].tolist(),
                strict=True,
            )
            if (row.trading_days, row.last_fill_at) != (days, last)
        }

    def forget_extremes(self, rows: Column) -> None:
        """The lowest and highest equity of these rows are written."""
        self.lowest[rows] = np.iinfo(np.int64).max
        self.highest[rows] = np.iinfo(np.int64).min

    def longest_unwritten(self, rows: Column, most: int) -> Column:
        """At most so many of these rows, those whose day was written longest ago."""
        if len(rows) <= most:
            return rows
        return rows[np.argsort(self.written_at[rows], kind="stable")[:most]]

    def _zone_row(self, name: str) -> int:
        row = self._zone_rows.get(name)
        if row is None:
            row = self._zone_rows[name] = len(self.zones)
            self.zones.append(ZoneInfo(name))
        return row

    def _mark_warned(self, row: int, phase: PhaseRow) -> None:
        if not phase.warned or phase.day is None:
            return
        for rule, day in phase.warned.items():
            if day == phase.day.isoformat():
                self.arrays.mark_warned(row, rule)

    def _learn_outcomes(self, accounts: Accounts) -> None:
        positions = self.arrays.positions
        wanted = {outcome_id for _, outcome_id, _, _ in accounts.holdings}
        fresh = sorted(wanted - positions.tokens.keys())
        if not fresh:
            return
        for outcome in load_outcomes(fresh):
            # A market without an event is one of its own.
            event = ("market", outcome.market_id) if outcome.event_id is None else outcome.event_id
            row = positions.token_row(outcome.outcome_id, market=outcome.market_id, event=event)
            assert row == len(self.outcomes)
            self.outcomes.append(outcome)

    def _load_holdings(self, accounts: Accounts) -> None:
        tokens = self.arrays.positions.tokens
        found = [
            (row, tokens[outcome_id], quantity, cost)
            for phase_id, outcome_id, quantity, cost in accounts.holdings
            if (row := self.arrays.row_of(phase_id)) is not None
        ]
        if found:
            self.arrays.load_holdings(*(column(values) for values in zip(*found, strict=True)))

    def _apply(self, accounts: Accounts) -> None:
        """Set a few accounts as they are now."""
        positions = self.arrays.positions
        held: dict[int, dict[int, tuple[int, int]]] = {}
        for phase_id, outcome_id, quantity, cost in accounts.holdings:
            held.setdefault(phase_id, {})[positions.tokens[outcome_id]] = quantity, cost
        for phase_id, (cash, fill_days, last_fill_at) in accounts.cash.items():
            row = self.arrays.row_of(phase_id)
            if row is None:
                continue
            now_held = held.get(phase_id, {})
            for token, *_ in positions.holdings(row):
                if token not in now_held:
                    positions.set_holding(row, token, quantity=0, cost=0)
            for token, (quantity, cost) in now_held.items():
                positions.set_holding(row, token, quantity=quantity, cost=cost)
            if self.arrays.terms_of(row).trading_days_mode == "snapshots":
                fill_days = int(self.arrays.trading_days[row])
            known = int(self.arrays.trading_days[row]), int(self.arrays.last_fill_at[row])
            if known != (fill_days, last_fill_at):
                self.unsaved_fills.add(phase_id)
            self.arrays.set_account(
                row, cash=cash, trading_days=fill_days, last_fill_at=last_fill_at
            )

    def _grow(self) -> None:
        size = len(self.arrays.ids)
        for name in _SIDE_COLUMNS:
            if len(getattr(self, name)) < size:
                setattr(self, name, grown(getattr(self, name), size))


def _needs_days(terms: Terms) -> bool:
    return terms.consistency_pct > 0 or terms.min_profitable_days > 0


def _or(amount: int | None, terms: Terms) -> int:
    return terms.scaled.start if amount is None else amount


def _peak(row: PhaseRow, terms: Terms) -> int:
    peak = row.end_of_day_peak if terms.drawdown_mode == "trailing_eod" else row.peak_equity
    return max(peak, terms.scaled.start)
