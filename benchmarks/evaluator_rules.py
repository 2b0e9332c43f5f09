"""One pass of the rules over 100,000 phases with 5 positions each, beside a loop in Decimal.

    python -m benchmarks.evaluator_rules [--phases 100000] [--rounds 3]

Pure computation: needs no database, Valkey or settings. Ours is what the evaluator does in a pass:
equity at new marks and balance of all, the rows that need a judgement, those judged and worded. The
yardstick measures the same and tests the same eight rules one phase after the other. Both
must fail and pass the same phases by the same rules. Rounds alternate, so that other load on the
machine meets both alike. Passes when ours is at least 30 times as fast.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from random import Random

import numpy as np

from polysim.kernel.money import from_scaled
from prop.rules import DECIDE, PhaseArrays, PhaseColumns, Terms, evaluate
from prop.rules.columns import Column

RATIO_LEAST = 30
POSITIONS = 5
TOKENS = 2_000
STALE_AFTER = 300
DAY = 86_400
START = 1_772_445_600
AT = START + 12 * DAY
MILLIONTH = Decimal("0.000001")
HUNDRED = Decimal(100)
NOTHING = Decimal(0)

# All eight rules of the contract are on.
TERMS = Terms(
    initial_balance=Decimal(10_000),
    duration_days=30,
    max_daily_loss_pct=Decimal(5),
    max_total_loss_pct=Decimal(10),
    max_daily_profit_pct=Decimal(9),
    profit_target_pct=Decimal(8),
    min_trading_days=3,
    max_trading_days=20,
    max_positions=POSITIONS,
)


@dataclass(slots=True)
class PlainPhase:
    """What the yardstick knows of a phase."""

    cash: Decimal
    day_equity: Decimal
    trading_days: int
    start_time: int
    holdings: list[tuple[int, Decimal, Decimal]]


class World:
    """The same phases for both sides."""

    def __init__(self, number: int) -> None:
        random = Random(20_261_127)
        quantities = [
            random.randint(5_000_000, 30_000_000) * 100 for _ in range(number * POSITIONS)
        ]
        tokens = [token for _ in range(number) for token in random.sample(range(TOKENS), POSITIONS)]
        # About one phase in a thousand ends in this pass.
        days = [21 if random.random() < 0.0002 else random.randint(0, 20) for _ in range(number)]
        day_equities = [random.randint(9_330, 10_490) * 1_000_000 for _ in range(number)]
        start_times = [AT - random.randint(1, 30 * DAY + 600) for _ in range(number)]
        worth = np.array(quantities).reshape(number, POSITIONS).sum(axis=1) // 2
        cash = (np.array(day_equities) - worth).tolist()
        self.marks = [random.randint(450_000, 550_000) for _ in range(TOKENS)]
        self.arrays = PhaseArrays()
        for token in range(TOKENS):
            self.arrays.positions.token_row(token, market=token // 2, event=token // 8)
        rows = self.arrays.add(
            PhaseColumns(
                ids=range(number),
                terms=[TERMS] * number,
                cash=cash,
                start_time=start_times,
                day_start_equity=day_equities,
                day_start_balance=day_equities,
                peak_equity=day_equities,
                trading_days=days,
                last_fill_at=[AT] * number,
            )
        )
        amounts: Column = np.array(quantities)
        self.arrays.load_holdings(
            np.repeat(rows, POSITIONS), np.array(tokens), amounts, amounts // 2
        )
        self.plain = [
            PlainPhase(
                from_scaled(cash[place]),
                from_scaled(day_equities[place]),
                days[place],
                start_times[place],
                [
                    (
                        tokens[each],
                        from_scaled(quantities[each]),
                        from_scaled(quantities[each] // 2),
                    )
                    for each in range(place * POSITIONS, (place + 1) * POSITIONS)
                ],
            )
            for place in range(number)
        ]

    def ours(self) -> Counter[str]:
        """A pass over arrays: new marks, equities, attention, judgements of the few."""
        positions = self.arrays.positions
        positions.mark[:TOKENS] = self.marks
        positions.marked_at[:TOKENS] = AT
        reading = self.arrays.read(at=AT, stale_after=STALE_AFTER)
        self.arrays.balances()
        found: Counter[str] = Counter()
        for row in np.flatnonzero(reading.attention & DECIDE).tolist():
            found[evaluate(TERMS, self.arrays.measures(row, reading)).rule] += 1
        return found

    def theirs(self) -> Counter[str]:
        """A loop over phases in Decimal."""
        marks = [from_scaled(mark) for mark in self.marks]
        marked_at = [AT] * TOKENS
        found: Counter[str] = Counter()
        for phase in self.plain:
            rule, _, _ = judge(phase, marks, marked_at)
            if rule:
                found[rule] += 1
        return found


def judge(
    phase: PlainPhase, marks: list[Decimal], marked_at: list[int]
) -> tuple[str, Decimal, Decimal]:
    """The rule that decides ("" while none does), equity, balance: the contract in Decimal."""
    equity = balance = phase.cash
    is_stale = False
    for token, quantity, cost in phase.holdings:
        balance += cost
        equity += (quantity * marks[token]).quantize(MILLIONTH, ROUND_HALF_UP)
        is_stale = is_stale or marked_at[token] < AT - STALE_AFTER
    start, day = TERMS.initial_balance, phase.day_equity
    profit = (equity - start) / start * HUNDRED
    total_loss = max(NOTHING, (start - equity) / start * HUNDRED)
    daily_loss = max(NOTHING, (day - equity) / day * HUNDRED)
    daily_profit = max(NOTHING, (equity - day) / day * HUNDRED)
    fired = []
    if not is_stale and total_loss >= TERMS.max_total_loss_pct:
        fired.append("max_total_loss_pct")
    if not is_stale and daily_loss >= TERMS.max_daily_loss_pct:
        fired.append("max_daily_loss_pct")
    if not is_stale and daily_profit >= TERMS.max_daily_profit_pct:
        fired.append("max_daily_profit_pct")
    if len(phase.holdings) > TERMS.max_positions:
        fired.append("max_positions")
    is_reached = profit >= TERMS.profit_target_pct
    has_days = phase.trading_days >= TERMS.min_trading_days
    if fired:
        rule = fired[0]
    elif not is_stale and is_reached and has_days:
        rule = "profit_target_pct"
    elif phase.trading_days > TERMS.max_trading_days:
        rule = "max_trading_days"
    elif phase.start_time + TERMS.duration_days * DAY <= AT:
        rule = "duration_days"
    else:
        rule = ""
    return rule, equity, balance


def timed(call: Callable[[], Counter[str]]) -> tuple[float, Counter[str]]:
    """Milliseconds of one call and its answer."""
    begin = time.perf_counter()
    answer = call()
    return (time.perf_counter() - begin) * 1_000, answer


def main() -> int:
    """Print the comparison; exit status 1 when the ratio is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phases", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="passes of both, best counts")
    options = parser.parse_args()
    world = World(options.phases)
    rounds = [(timed(world.ours), timed(world.theirs)) for _ in range(options.rounds)]
    for (_, ours), (_, theirs) in rounds:
        assert ours == theirs, (ours, theirs)
    array_ms = min(ours for (ours, _), _ in rounds)
    loop_ms = min(theirs for _, (theirs, _) in rounds)
    ratio = loop_ms / array_ms
    verdicts = ", ".join(f"{rule} {count}" for rule, count in sorted(rounds[0][0][1].items()))
    print(f"{options.phases} phases x {POSITIONS} positions, 8 rules, best of {options.rounds}")
    print(f"{'':12}{'arrays':>12}{'Decimal':>12}{'ratio':>9}")
    print(f"{'ms/pass':12}{array_ms:12.1f}{loop_ms:12.1f}{ratio:9.1f}")
    print(f"the same verdicts: {verdicts}")
    print(f"required ratio {RATIO_LEAST}: {'kept' if ratio >= RATIO_LEAST else 'MISSED'}")
    return 0 if ratio >= RATIO_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
