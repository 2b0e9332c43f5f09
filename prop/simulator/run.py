"""Running traders through a program: prices, orders, verdicts, next phases, payouts.

Traders do not meet each other, so a block of them gives the same results alone as among others.
Each hour: markets that ended are paid, prices move, a new local day begins, everybody is judged,
traders act, and whoever traded is judged again. Judging is `PhaseArrays` and `evaluate`, as in
the exchange; contract: prop-backoffice 6.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

import numpy as np

from polysim.kernel.money import CENT, SCALE
from prop.rules import (
    ENDED,
    FAILED,
    WARN,
    Measures,
    PhaseArrays,
    PhaseColumns,
    Reading,
    Terms,
    Verdict,
    evaluate,
)
from prop.rules.days import local_date, next_midnight
from prop.rules.exact import FAR

from .accounts import Account, Quote
from .behaviours import BEHAVIOURS, FOLLOWED, Buy, Sell, Trader, View
from .outcomes import OPEN, PhaseResult, TraderResult
from .paths import STEP_SECONDS, World
from .plan import PhasePlan, Plan

# Traders whose equity is kept day by day.
SAMPLES = 24
BLOCK = 500
PAID, NO_PROFIT, MIN_TRADING_DAYS = "paid", "NO_PROFIT", "MIN_TRADING_DAYS"

# Is told of every judgement: a test's window into a run.
Observer = Callable[["Seat", Terms, Measures, Verdict], None]


@dataclass(slots=True)
class Seat:
    """A trader in the phase that runs now, and its row in the arrays."""

    trader: Trader
    result: TraderResult
    phase: PhasePlan
    row: int = -1
    start_step: int = 0
    trading_days: int = 0
    last_day: int = 0
    last_fill_at: int = 0
    warned: int = 0


@dataclass(slots=True)
class _Closing:
    """A funded account that waits for its last shares to be sold."""

    seat: Seat
    profit_split: int


def simulate(
    plan: Plan,
    world: World,
    *,
    block: int = BLOCK,
    progress: Callable[[int], None] = lambda percent: None,
) -> list[TraderResult]:
    """All traders, in blocks; `progress` hears whole percents, and may raise to stop."""
    results: list[TraderResult] = []
    whole = plan.traders * plan.steps
    told = -1
    for first in range(0, plan.traders, block):
        count = min(block, plan.traders - first)

        def tell(step: int, first: int = first, count: int = count) -> None:
            nonlocal told
            percent = 100 * (first * plan.steps + count * step) // whole
            if percent > told:
                told = percent
                progress(percent)

        results += simulate_block(plan, world, first=first, count=count, tell=tell)
    progress(100)
    return results


def simulate_block(
    plan: Plan,
    world: World,
    *,
    first: int,
    count: int,
    tell: Callable[[int], None] = lambda step: None,
    observer: Observer | None = None,
) -> list[TraderResult]:
    """The traders `first` to `first + count - 1` from purchase to end."""
    return _Block(plan, world, range(first, first + count), observer).run(tell)


@dataclass(slots=True)
class _Block:
    plan: Plan
    world: World
    indices: range
    observer: Observer | None
    arrays: PhaseArrays = field(default_factory=PhaseArrays)
    seats: dict[int, Seat] = field(default_factory=dict)
    closing: list[_Closing] = field(default_factory=list)
    results: list[TraderResult] = field(default_factory=list)
    step: int = 0
    at: int = 0
    day: int = 0

    def run(self, tell: Callable[[int], None]) -> list[TraderResult]:
        self._enter()
        for step in range(self.plan.steps):
            self._move_to(step)
            self._judge()
            if self._act():
                self._judge()
            if not self.seats and not self.closing:
                break
            tell(step)
        self._finish()
        return self.results

    # Time

    def _enter(self) -> None:
        """Everybody buys the program at the first moment."""
        self.at = self.plan.start_time
        self.day = self._day_number()
        for token in range(2 * self.world.places):
            self.arrays.positions.token_row(token, market=token >> 1, event=token >> 2)
        seats = []
        for index in self.indices:
            name = self.plan.behaviours[index]
            chance = Random(f"{self.plan.seed}:trader:{index}")
            places = chance.sample(range(self.world.places), min(FOLLOWED, self.world.places))
            trader = Trader(index, BEHAVIOURS[name], chance, places, Account(0), {})
            result = TraderResult(index, name)
            self.results.append(result)
            seats.append(Seat(trader, result, self.plan.phases[0]))
        self._begin(seats)

    def _move_to(self, step: int) -> None:
        self.step, self.at = step, self.plan.start_time + step * STEP_SECONDS
        for place, payout in self.world.endings.get(step, ()):
            self._settle(place, payout)
        positions, tokens = self.arrays.positions, 2 * self.world.places
        positions.mark[:tokens] = self.world.marks(step)
        positions.marked_at[:tokens] = self.at
        day = self._day_number()
        if day != self.day:
            self.day = day
            self._start_day()
        for closing in list(self.closing):
            self._try_to_close(closing)

    def _day_number(self) -> int:
        return local_date(self.at, self.plan.zone).toordinal()

    def _start_day(self) -> None:
        """The first pass of a local day: its snapshot, before any rule (6.4)."""
        reading = self._read()
        rows = np.array(sorted(self.seats), dtype=np.int64)
        if not len(rows):
            return
        self.arrays.start_day(rows, reading.equity[rows], self.arrays.balances()[rows])
        for row, seat in self.seats.items():
            if seat.phase.terms.trading_days_mode == "snapshots":
                seat.trading_days += 1
                self._sync(seat)
            if seat.trader.index < SAMPLES:
                self._sample(seat, int(reading.equity[row]))

    def _sample(self, seat: Seat, equity: int) -> None:
        seat.result.curve.append((seat.phase.phase_index, equity))

    def _settle(self, place: int, payout: int) -> None:
        for token, share in ((2 * place, payout), (2 * place + 1, SCALE - payout)):
            for seat in self.seats.values():
                if token in seat.trader.account.holdings:
                    seat.trader.account.settle(token, share)
                    seat.trader.exits.pop(token, None)
                    self._sync(seat, token)
            for closing in self.closing:
                if token in closing.seat.trader.account.holdings:
                    closing.seat.trader.account.settle(token, share)

    # Judging

    def _read(self) -> Reading:
        return self.arrays.read(at=self.at, stale_after=FAR // 2)

    def _judge(self) -> None:
        """One pass over all phases; whoever passed is in the next phase afterwards."""
        reading = self._read()
        following: list[Seat] = []
        rows = np.flatnonzero(reading.attention).tolist()
        if self.observer is not None:
            rows = sorted(self.seats)
        for row in rows:
            seat = self.seats[row]
            terms, measures = seat.phase.terms, self.arrays.measures(row, reading)
            verdict = evaluate(terms, measures)
            if self.observer is not None:
                self.observer(seat, terms, measures, verdict)
            if verdict.is_final:
                if seat.trader.index < SAMPLES:
                    self._sample(seat, measures.equity)
                following += self._end_phase(seat, verdict)
            elif reading.attention[row] & WARN:
                for warning in verdict.warnings:
                    seat.warned += 1
                    self.arrays.mark_warned(row, warning.rule)
        self._begin(following)

    def _end_phase(self, seat: Seat, verdict: Verdict) -> list[Seat]:
        """Record the phase; answers the next one, if there is one."""
        self._record(seat, verdict.state, verdict.rule, [one.rule for one in verdict.breaches])
        self.arrays.remove(seat.row)
        del self.seats[seat.row]
        if verdict.state == FAILED:
            return []
        if seat.phase.terms.is_funded:
            self.closing.append(_Closing(seat, _split_of(seat.phase)))
            self._try_to_close(self.closing[-1])
        number = self.plan.phases.index(seat.phase) + 1
        if number == len(self.plan.phases):
            return []
        return [Seat(_with_new_account(seat.trader), seat.result, self.plan.phases[number])]

    def _record(self, seat: Seat, outcome: str, rule: str, rules: Iterable[str]) -> None:
        account = seat.trader.account
        seat.result.phases.append(
            PhaseResult(
                phase_index=seat.phase.phase_index,
                is_funded=seat.phase.terms.is_funded,
                outcome=outcome,
                rule=rule,
                rules=tuple(rules),
                hours=self.step - seat.start_step,
                trading_days=seat.trading_days,
                warned=seat.warned,
            )
        )
        seat.result.orders, seat.result.refused = account.orders, account.refused
        seat.result.fees, seat.result.volume = account.fees, account.volume

    def _begin(self, seats: list[Seat]) -> None:
        """Fund the accounts of these phases and take them into the arrays."""
        if not seats:
            return
        starts = [seat.phase.terms.scaled.start for seat in seats]
        rows = self.arrays.add(
            PhaseColumns(
                ids=[seat.trader.index * 64 + seat.phase.phase_index for seat in seats],
                terms=[seat.phase.terms for seat in seats],
                cash=starts,
                start_time=[self.at] * len(seats),
                day_start_equity=starts,
                day_start_balance=starts,
                peak_equity=starts,
                trading_days=[_first_days(seat.phase.terms) for seat in seats],
                last_fill_at=[0] * len(seats),
            )
        ).tolist()
        for row, seat, start in zip(rows, seats, starts, strict=True):
            seat.row, seat.start_step = row, self.step
            seat.trading_days = _first_days(seat.phase.terms)
            seat.trader.account.cash = start
            # Not everybody begins to trade in the first hour.
            seat.trader.next_entry = seat.trader.next_look = (
                self.step + seat.trader.chance.randrange(1, 24)
            )
            self.seats[row] = seat
            if seat.trader.index < SAMPLES:
                self._sample(seat, start)

    # Trading

    def _act(self) -> bool:
        """Everybody whose hour it is looks and trades; whether anything was filled."""
        due = [
            seat
            for seat in self.seats.values()
            if seat.trader.next_look <= self.step or seat.trader.behaviour.always_looks
        ]
        if not due:
            return False
        reading = self._read()
        hours_left = -(-(next_midnight(self.at, self.plan.zone) - self.at) // STEP_SECONDS)
        has_filled = False
        for seat in due:
            view = self._view(seat, reading, hours_left)
            for order in seat.trader.behaviour.act(view):
                has_filled |= self._place(seat, order)
            seat.trader.behaviour.plan_look(seat.trader)
        return has_filled

    def _view(self, seat: Seat, reading: Reading, hours_left: int) -> View:
        day_start = int(self.arrays.day_start_equity[seat.row])
        return View(
            world=self.world,
            trader=seat.trader,
            step=self.step,
            equity=int(reading.equity[seat.row]),
            day_start_equity=day_start,
            hours_left=hours_left,
            daily_limit=day_start * seat.phase.terms.scaled.daily_loss // (100 * SCALE),
            target_equity=seat.phase.target_equity,
        )

    def _place(self, seat: Seat, order: Buy | Sell) -> bool:
        trader, account, token = seat.trader, seat.trader.account, order.token
        quote = self._quote(token)
        if isinstance(order, Buy):
            limit = seat.phase.positions_max
            if limit and len(account.holdings) >= limit and token not in account.holdings:
                account.refused += 1
                return False
            result = account.buy(token, amount=order.amount, quote=quote)
            if result is not None:
                trader.exits[token] = order.exit_at
        else:
            result = account.sell(token, quote=quote)
            if token not in account.holdings:
                trader.exits.pop(token, None)
            else:
                trader.exits[token] = self.step + 1
        if result is None:
            return False
        if seat.last_day != self.day:
            seat.last_day = self.day
            if seat.phase.terms.trading_days_mode == "fills":
                seat.trading_days += 1
        seat.last_fill_at = self.at
        self._sync(seat, token)
        return True

    def _quote(self, token: int) -> Quote:
        return Quote(
            book=self.world.book(token, self.step),
            displayed=self.world.mark(token, self.step),
            fee_rate=int(self.world.fee_rate[token >> 1, self.step]),
            price_band=self.plan.price_band,
        )

    def _sync(self, seat: Seat, token: int | None = None) -> None:
        """Bring a row of the arrays up to date with its account."""
        if token is not None:
            held = seat.trader.account.holdings.get(token)
            self.arrays.positions.set_holding(
                seat.row,
                token,
                quantity=held.quantity if held else 0,
                cost=held.cost if held else 0,
            )
        self.arrays.set_account(
            seat.row,
            cash=seat.trader.account.cash,
            trading_days=seat.trading_days,
            last_fill_at=seat.last_fill_at,
        )

    # Payouts

    def _try_to_close(self, closing: _Closing) -> None:
        """Sell what is left; pay once nothing is."""
        account = closing.seat.trader.account
        for token in list(account.holdings):
            account.sell(token, quote=self._quote(token))
        if not account.holdings:
            self.closing.remove(closing)
            self._pay(closing)

    def _pay(self, closing: _Closing) -> None:
        """The trader's part of the profit, rounded down to cents (6.6)."""
        seat, result = closing.seat, closing.seat.result
        profit = seat.trader.account.cash - seat.phase.terms.scaled.start
        if profit <= 0:
            result.payout_status = NO_PROFIT
        elif seat.trading_days < seat.phase.terms.min_trading_days:
            result.payout_status = MIN_TRADING_DAYS
        else:
            result.payout_status = PAID
            result.payout = profit * closing.profit_split // (SCALE * CENT) * CENT
            result.firm_amount = profit - result.payout

    def _finish(self) -> None:
        """The run's end: funded phases are closed as staff would, the others stay open."""
        for seat in list(self.seats.values()):
            if not seat.phase.terms.is_funded:
                self._record(seat, OPEN, "", ())
                continue
            self._record(seat, ENDED, "", ())
            seat.result.closed_at_end = True
            self.closing.append(_Closing(seat, _split_of(seat.phase)))
        for closing in list(self.closing):
            self._try_to_close(closing)
        for closing in self.closing:
            account = closing.seat.trader.account
            # No book takes the rest: it is paid at the last price.
            for token in list(account.holdings):
                account.settle(token, self.world.mark(token, self.step))
            self._pay(closing)


def _with_new_account(old: Trader) -> Trader:
    """The same person with the next phase's account; the totals of trading go on."""
    totals = old.account
    account = Account(0, {}, totals.orders, totals.refused, totals.fees, totals.volume)
    return Trader(old.index, old.behaviour, old.chance, old.places, account, {})


def _split_of(phase: PhasePlan) -> int:
    return int(phase.terms.profit_split * SCALE)


def _first_days(terms: Terms) -> int:
    """Activation writes the first day's snapshot (6.4)."""
    return 1 if terms.trading_days_mode == "snapshots" else 0
