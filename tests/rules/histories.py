"""Random histories of many phases, lived in two worlds: the arrays and the oracle."""

from collections import Counter
from dataclasses import fields
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np

from polysim.kernel.money import from_scaled, to_scaled
from prop.rules import PhaseArrays, PhaseColumns, Terms, evaluate
from tests.rules import oracle

TOKENS = 40
STALE_AFTER = 300
START = 1_772_445_600
TURN_SECONDS = 86_400


def market_of(token: int) -> int:
    return token // 2


def event_of(token: int) -> int:
    return token // 8


def random_terms(random: Random) -> Terms:
    """Any mix of rules, with limits that short histories reach."""

    def percent(*choices: str) -> Decimal:
        return Decimal(random.choice(choices))

    low = random.randint(0, 3)
    return Terms(
        initial_balance=percent("10000", "25000", "1234.56", "100000", "333.333333"),
        phase_type=int(random.random() < 0.25),
        duration_days=random.choice((0, 2, 4, 6)),
        max_daily_loss_pct=percent("0", "5", "4.999999", "3.3"),
        max_total_loss_pct=percent("0", "10", "6.666667", "8"),
        max_daily_profit_pct=percent("0", "0", "9", "5.000001"),
        profit_target_pct=percent("0", "8", "5", "3.333333"),
        min_trading_days=low,
        max_trading_days=random.choice((0, 0, low + 1, low + 3)),
        max_positions=random.choice((0, 3, 5)),
        drawdown_mode=random.choice(("static", "trailing", "trailing_eod", "trailing_locked")),
        daily_basis=random.choice(("equity", "balance", "higher", "initial")),
        consistency_pct=percent("0", "0", "50", "33.3"),
        min_profitable_days=random.choice((0, 0, 1, 2)),
        profitable_day_pct=percent("0", "0.5"),
        max_inactive_days=random.choice((0, 0, 2)),
        max_exposure_market_pct=percent("0", "0", "40"),
        max_exposure_event_pct=percent("0", "0", "60"),
        warning_pct=percent("80", "80", "50", "0"),
    )


def plain_terms(terms: Terms) -> dict[str, Any]:
    return {field.name: getattr(terms, field.name) for field in fields(terms)}


class Histories:
    """The same fills, ticks and days for `number` phases here and there."""

    def __init__(self, number: int, seed: int) -> None:
        self.random = Random(seed)
        self.at = START
        self.day_end = START + TURN_SECONDS
        self.arrays = PhaseArrays()
        self.marks: oracle.Marks = {}
        self.verdicts: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.warned: Counter[str] = Counter()
        for token in range(TOKENS):
            row = self.arrays.positions.token_row(
                token, market=market_of(token), event=event_of(token)
            )
            assert row == token
            self.marks[token] = (None, 0)
            self._mark(token, Decimal(self.random.randint(200, 800)) / 1000)
        kinds = [random_terms(self.random) for _ in range(400)]
        terms = [self.random.choice(kinds) for _ in range(number)]
        starts = [item.scaled.start for item in terms]
        self.arrays.add(
            PhaseColumns(
                ids=range(number),
                terms=terms,
                cash=starts,
                start_time=[START] * number,
                day_start_equity=starts,
                day_start_balance=starts,
                peak_equity=starts,
                trading_days=[0] * number,
                last_fill_at=[0] * number,
            )
        )
        self.phases = {
            phase_id: {
                "terms": plain_terms(item),
                "cash": item.initial_balance,
                "holdings": {},
                "start_time": START,
                "day_equity": item.initial_balance,
                "day_balance": item.initial_balance,
                "peak": item.initial_balance,
                "day_results": [],
                "trading_days": 0,
                "last_fill_at": 0,
                "traded_today": False,
                "told": set(),
            }
            for phase_id, item in enumerate(terms)
        }

    def step(self) -> None:
        """Time passes, prices move, some trade; then everybody is judged."""
        self.at += self.random.choice((5, 60, 400, 7_200, 30_000, 60_000))
        for token in range(TOKENS):
            if self.random.random() < 0.97:
                self._mark(token, self._next_price(token))
        for phase_id, phase in self.phases.items():
            if self.random.random() < 0.5:
                self._trade(phase_id, phase)
        if self.at >= self.day_end:
            self._turn_day()
        self._judge()

    def _mark(self, token: int, price: Decimal | None) -> None:
        self.marks[token] = (price, self.at)
        scaled = None if price is None else to_scaled(price)
        self.arrays.positions.set_mark(token, scaled, self.at)

    def _next_price(self, token: int) -> Decimal | None:
        if self.random.random() < 0.01:
            return None
        price = self.marks[token][0] or Decimal("0.5")
        moved = price + Decimal(self.random.randint(-60, 60)) / 1000
        return min(max(moved, Decimal(0)), Decimal(1))

    def _trade(self, phase_id: int, phase: dict[str, Any]) -> None:
        token = self.random.randrange(TOKENS)
        quantity, cost = phase["holdings"].pop(token, (Decimal(0), Decimal(0)))
        price = self.marks[token][0]
        if quantity:
            phase["cash"] += oracle.six(quantity * (price or Decimal(0)))
            quantity = cost = Decimal(0)
        elif price:
            part = Decimal(self.random.randint(1, 450_000)) / 1_000_000
            quantity = (phase["cash"] * part / price).quantize(Decimal("0.0001"))
            cost = oracle.six(quantity * price)
            phase["cash"] -= cost
            if quantity:
                phase["holdings"][token] = (quantity, cost)
        else:
            return
        phase["trading_days"] += not phase["traded_today"]
        phase["traded_today"], phase["last_fill_at"] = True, self.at
        row = self._row(phase_id)
        self.arrays.positions.set_holding(
            row, token, quantity=to_scaled(quantity), cost=to_scaled(cost)
        )
        self.arrays.set_account(
            row,
            cash=to_scaled(phase["cash"]),
            trading_days=phase["trading_days"],
            last_fill_at=self.at,
        )

    def _turn_day(self) -> None:
        while self.at >= self.day_end:
            self.day_end += TURN_SECONDS
        rows = np.array([self._row(phase_id) for phase_id in self.phases], dtype=np.int64)
        equities = self.arrays.read(at=self.at, stale_after=STALE_AFTER).equity[rows]
        self.arrays.start_day(rows, equities, self.arrays.balances()[rows])
        for phase in self.phases.values():
            equity = oracle.equity_of(phase, self.marks)
            if not oracle.is_stale(phase, self.marks, self.at, STALE_AFTER):
                oracle.see(phase, equity)
            oracle.start_day(phase, equity)
            phase["traded_today"] = False
            phase["told"].discard("max_daily_loss_pct")

    def _judge(self) -> None:
        reading = self.arrays.read(at=self.at, stale_after=STALE_AFTER)
        self._compare_percents(reading)
        for phase_id, phase in list(self.phases.items()):
            row = self._row(phase_id)
            expected = oracle.judge(phase, self.marks, self.at, STALE_AFTER, (market_of, event_of))
            equity = oracle.equity_of(phase, self.marks)
            if not oracle.is_stale(phase, self.marks, self.at, STALE_AFTER):
                oracle.see(phase, equity)
            new = [rule for rule in expected["warned"] if rule not in phase["told"]]
            if not reading.attention[row]:
                assert (expected["state"], new) == ("active", []), (phase, self.at)
                continue
            measures = self.arrays.measures(row, reading)
            assert from_scaled(measures.equity) == equity
            assert from_scaled(measures.balance) == oracle.balance_of(phase)
            verdict = evaluate(self.arrays.terms_of(row), measures)
            assert verdict.state == expected["state"], (phase, self.at)
            assert [breach.rule for breach in verdict.breaches] == expected["rules"]
            warnings = [warned.rule for warned in verdict.warnings]
            assert warnings == expected["warned"], (phase, self.at)
            for rule in new:
                self.arrays.mark_warned(row, rule)
                phase["told"].add(rule)
                self.warned[rule] += 1
            if verdict.is_final:
                self._finish(phase_id, row, verdict)

    def _finish(self, phase_id: int, row: int, verdict: Any) -> None:
        self.verdicts[verdict.state] += 1
        self.rules[verdict.rule] += 1
        self.arrays.remove(row)
        del self.phases[phase_id]

    def _compare_percents(self, reading: Any) -> None:
        chosen = self.random.sample(sorted(self.phases), min(200, len(self.phases)))
        rows = np.array([self._row(phase_id) for phase_id in chosen], dtype=np.int64)
        shown = self.arrays.percents(rows, reading.equity[rows])
        for place, phase_id in enumerate(chosen):
            equity = from_scaled(int(reading.equity[rows[place]]))
            with oracle.localcontext(prec=oracle.DIGITS):
                exact = oracle.percents(self.phases[phase_id], equity)
            for name in ("profit", "daily_loss", "daily_profit"):
                assert from_scaled(int(getattr(shown, name)[place])) == oracle.six(exact[name])
            # A locked top is itself a whole millionth of a dollar when shown.
            drift = from_scaled(int(shown.total_loss[place])) - exact["total_loss"]
            assert abs(drift) <= Decimal("0.000001")

    def _row(self, phase_id: int) -> int:
        row = self.arrays.row_of(phase_id)
        assert row is not None
        return row
