"""The holdings of many phases and the marks of their outcomes, as columns.

A phase and an outcome ("token") are rows of small integers; the caller keeps which id has which
row. Quantities, costs and marks are scaled by 10**6, mark times are Unix seconds.
"""

from collections.abc import Hashable

import numpy as np

from polysim.kernel.money import SCALE
from trading.engine.valuation import market_value

from .columns import Column, Mask, column, grown, market_values, sums
from .exact import FAR

# A token without a mark: its holdings are worth what they cost.
NO_MARK = -1
_FIRST_CAPACITY = 64


class PositionArrays:
    """Holdings and marks; `worth` and `stale` are the two things a pass asks for."""

    def __init__(self) -> None:
        self.tokens: dict[Hashable, int] = {}
        self._markets: dict[Hashable, int] = {}
        self._events: dict[Hashable, int] = {}
        self.mark, self.marked_at = column([]), column([])
        self._market, self._event = column([]), column([])
        self.phase, self.token = column([]), column([])
        self.quantity, self.cost = column([]), column([])
        self._scratch = column([])
        self.count = 0
        self._free: list[int] = []
        # Phase row -> {token row: position row}, built when a phase is first touched.
        self._held: dict[int, dict[int, int]] = {}

    def token_row(self, token: Hashable, *, market: Hashable, event: Hashable) -> int:
        """The row of an outcome, made on first sight without a mark."""
        row = self.tokens.get(token)
        if row is not None:
            return row
        row = len(self.tokens)
        if row >= len(self.mark):
            self._grow_tokens(max(_FIRST_CAPACITY, 2 * row))
        self.tokens[token] = row
        self._market[row] = self._markets.setdefault(market, len(self._markets))
        self._event[row] = self._events.setdefault(event, len(self._events))
        self.mark[row] = NO_MARK
        return row

    def set_mark(self, token: int, mark: int | None, at: int) -> None:
        """A tick: the outcome's mark (0..10**6) and its time. FAR as time never becomes stale."""
        if mark is not None and not 0 <= mark <= SCALE:
            raise ValueError(f"A mark lies between 0 and 1, not at {mark} millionths")
        self.mark[token] = NO_MARK if mark is None else mark
        self.marked_at[token] = at

    def load(self, phases: Column, tokens: Column, quantities: Column, costs: Column) -> None:
        """Add many holdings of phases that hold none of these outcomes yet."""
        end = self.count + len(phases)
        if end > len(self.phase):
            self._grow_positions(end)
        rows = slice(self.count, end)
        self.phase[rows], self.token[rows] = phases, tokens
        self.quantity[rows], self.cost[rows] = quantities, costs
        self.count = end
        self._held.clear()

    def set_holding(self, phase: int, token: int, *, quantity: int, cost: int) -> None:
        """A fill or settlement: what the phase holds of an outcome now; 0 removes it."""
        held = self._rows_of(phase)
        row = held.get(token)
        if quantity <= 0:
            if row is not None:
                self._clear(held.pop(token))
            return
        if row is None:
            row = held[token] = self._new_row()
            self.phase[row], self.token[row] = phase, token
        self.quantity[row], self.cost[row] = quantity, cost

    def drop_phase(self, phase: int) -> None:
        """Forget all holdings of a phase."""
        for row in self._rows_of(phase).values():
            self._clear(row)
        del self._held[phase]

    def holdings(self, phase: int) -> list[tuple[int, int, int, int | None]]:
        """What a phase holds, as (token row, quantity, cost, mark or None), oldest row first."""
        found = []
        for token, row in sorted(self._rows_of(phase).items(), key=lambda pair: pair[1]):
            mark = int(self.mark[token])
            quantity, cost = int(self.quantity[row]), int(self.cost[row])
            found.append((token, quantity, cost, None if mark == NO_MARK else mark))
        return found

    def worth(self, phases: int) -> Column:
        """Value of the holdings of each of the first `phases` rows, at most FAR."""
        used = slice(0, self.count)
        # One column kept for the marks and then the values: new memory costs more than the sums.
        values = self._scratch[used]
        np.take(self.mark, self.token[used], out=values, mode="clip")
        unmarked = np.flatnonzero(values == NO_MARK) if self._has_unmarked() else column([])
        market_values(self.quantity[used], values, out=values)
        values[unmarked] = self.cost[used][unmarked]
        return sums(self.phase[used], values, phases)

    def exact_worth(self, phase: int) -> int:
        """Value of the holdings of one phase, however large."""
        return sum(
            cost if mark is None else market_value(quantity, mark)
            for _, quantity, cost, mark in self.holdings(phase)
        )

    def stale(self, phases: int, before: int) -> Mask:
        """Which phases hold an outcome whose mark is missing or older than `before`."""
        found = np.zeros(phases, dtype=np.bool_)
        is_old = (self.marked_at < before) | (self.mark == NO_MARK)
        if not is_old[: len(self.tokens)].any():
            return found
        rows = np.flatnonzero(is_old[self.token[: self.count]])
        found[self.phase[rows[self.quantity[rows] > 0]]] = True
        return found

    def phases_holding(self, tokens: Column) -> Column:
        """Rows of the phases that hold any of these outcomes."""
        used = slice(0, self.count)
        is_asked = np.zeros(len(self.mark), dtype=np.bool_)
        is_asked[tokens] = True
        rows = is_asked[self.token[used]] & (self.quantity[used] > 0)
        return np.unique(self.phase[used][rows])

    def counts(self, phases: int) -> tuple[Column, Column]:
        """Open positions and the cost of all holdings, by phase."""
        used = slice(0, self.count)
        is_held = self.quantity[used] > 0
        number = np.bincount(self.phase[used][is_held], minlength=phases)
        return number.astype(np.int64), sums(self.phase[used], self.cost[used], phases)

    def exposures(self, phases: int) -> tuple[Column, Column]:
        """The largest cost in one market and in one event, by phase."""
        return self._largest(phases, self._market), self._largest(phases, self._event)

    def counts_of(self, phase: int) -> tuple[int, int, int, int]:
        """`counts` and `exposures` of one phase: positions, cost, in a market, in an event."""
        markets: dict[int, int] = {}
        events: dict[int, int] = {}
        holdings = self.holdings(phase)
        for token, _, cost, _ in holdings:
            market, event = int(self._market[token]), int(self._event[token])
            markets[market] = markets.get(market, 0) + cost
            events[event] = events.get(event, 0) + cost
        amounts = (
            self.exact_cost(phase),
            max(markets.values(), default=0),
            max(events.values(), default=0),
        )
        cost, in_market, in_event = (min(amount, FAR) for amount in amounts)
        return len(holdings), cost, in_market, in_event

    def exact_cost(self, phase: int) -> int:
        """Cost of the holdings of one phase, however large."""
        return sum(cost for _, _, cost, _ in self.holdings(phase))

    def _largest(self, phases: int, group: Column) -> Column:
        used = slice(0, self.count)
        groups = len(self.tokens) + 1
        keys, places = np.unique(
            self.phase[used] * groups + group[self.token[used]], return_inverse=True
        )
        largest = np.zeros(phases, dtype=np.int64)
        np.maximum.at(largest, keys // groups, sums(places, self.cost[used], len(keys)))
        return largest

    def _has_unmarked(self) -> bool:
        return bool((self.mark[: len(self.tokens)] == NO_MARK).any())

    def _rows_of(self, phase: int) -> dict[int, int]:
        held = self._held.get(phase)
        if held is None:
            used = slice(0, self.count)
            rows = np.flatnonzero((self.phase[used] == phase) & (self.quantity[used] > 0))
            held = self._held[phase] = {int(self.token[row]): int(row) for row in rows}
        return held

    def _new_row(self) -> int:
        if self._free:
            return self._free.pop()
        if self.count >= len(self.phase):
            self._grow_positions(max(_FIRST_CAPACITY, 2 * self.count))
        self.count += 1
        return self.count - 1

    def _clear(self, row: int) -> None:
        self.quantity[row] = self.cost[row] = 0
        self._free.append(row)

    def _grow_tokens(self, size: int) -> None:
        for name in ("mark", "marked_at", "_market", "_event"):
            setattr(self, name, grown(getattr(self, name), size))

    def _grow_positions(self, size: int) -> None:
        for name in ("phase", "token", "quantity", "cost", "_scratch"):
            setattr(self, name, grown(getattr(self, name), size))
