"""Runs: repeatable, judged by the rules, paid to the cent."""

from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from polysim.kernel.money import SCALE, from_scaled
from prop.rules import ENDED, FAILED, PASSED, Measures, Terms, Verdict
from prop.simulator import report_text, simulate, simulate_block
from prop.simulator.plan import spread_behaviours
from prop.simulator.run import Seat
from tests.rules import oracle
from tests.simulator.build import EVALUATION, FUNDED, flat_world, plan, report_of, step, world_of


def test_same_seed_gives_the_same_report_in_blocks_of_any_size() -> None:
    of = plan(traders=30, days=8)
    first = report_of(of)
    assert report_of(of, block=7) == first
    assert report_of(of, block=30) == first
    assert report_of(plan(traders=30, days=8, seed=8)) != first


def test_nobody_passes_what_cannot_be_passed() -> None:
    report = report_of(plan(step(1, profit_target_pct="900", max_total_loss_pct="10"), FUNDED))
    assert report["overall"]["passed"]["count"] == 0
    assert report["phases"][1]["entered"] == 0
    assert report["money"]["payout"]["mean"] == "0.00"
    assert "Nobody" in report_text(report) or "nobody passed" in report_text(report)


def test_everybody_passes_what_only_takes_time() -> None:
    report = report_of(plan(step(1, duration_days=2), days=5))
    passed = report["overall"]["passed"]
    assert (passed["count"], passed["of"], passed["percent"]) == (40, 40, "100.00")
    assert report["phases"][0]["days"] == {"median": "2.0", "p10": "2.0", "p90": "2.0"}


def test_every_trader_is_accounted_for() -> None:
    report = report_of(plan(traders=50, days=10))
    first, funded = report["phases"]
    assert first["entered"] == 50
    assert first["passed"]["count"] + first["failed"] + first["open"] == 50
    assert funded["entered"] == first["passed"]["count"]
    assert sum(row["count"] for row in report["failures"]) == first["failed"] + funded["failed"]
    assert sum(row["passed"]["of"] for row in report["behaviours"]) == 50


class Witness:
    """Follows one trader and has the Decimal oracle judge each reading too."""

    def __init__(self) -> None:
        self.phase: oracle.Phase = {}
        self.day = 0
        self.seen: list[str] = []
        self.world: Any = None
        self.start = 0

    def __call__(self, seat: Seat, terms: Terms, measures: Measures, verdict: Verdict) -> None:
        account = seat.trader.account
        if not self.phase or self.phase["index"] != seat.phase.phase_index:
            self._begin(seat, terms, measures)
        phase = self.phase
        phase["cash"] = from_scaled(account.cash)
        phase["holdings"] = {
            token: (from_scaled(held.quantity), from_scaled(held.cost))
            for token, held in account.holdings.items()
        }
        marks = {
            token: (from_scaled(self.world.mark(token, self.step_of(measures))), measures.at)
            for token in account.holdings
        }
        phase["trading_days"], phase["last_fill_at"] = seat.trading_days, seat.last_fill_at
        equity = oracle.equity_of(phase, marks)
        assert from_scaled(measures.equity) == equity
        assert from_scaled(measures.balance) == oracle.balance_of(phase)
        # New York's winter days begin at 05:00 UTC.
        day = (measures.at - 5 * 3_600) // 86_400
        if day != self.day:
            self.day = day
            oracle.start_day(phase, equity)
        oracle.see(phase, equity)
        groups = (lambda token: token >> 1, lambda token: token >> 2)
        expected = oracle.judge(phase, marks, measures.at, 300, groups)
        assert verdict.state == expected["state"], measures
        assert [breach.rule for breach in verdict.breaches] == expected["rules"]
        self.seen.append(verdict.state)

    def _begin(self, seat: Seat, terms: Terms, measures: Measures) -> None:
        start = terms.initial_balance
        values = {name: getattr(terms, name) for name in Terms.__dataclass_fields__}
        self.phase = {
            "index": seat.phase.phase_index,
            "terms": values,
            "day_equity": start,
            "day_balance": start,
            "peak": start,
            "day_results": [],
            "start_time": measures.at,
        }
        self.day = (measures.at - 5 * 3_600) // 86_400

    def step_of(self, measures: Measures) -> int:
        return (measures.at - self.start) // 3_600


@pytest.mark.parametrize(
    ("behaviour", "mode"),
    [
        ("steady", "static"),
        ("overtrader", "trailing"),
        ("gambler", "trailing_locked"),
        ("disciplined", "trailing_eod"),
        ("momentum", "static"),
    ],
)
def test_each_reading_of_a_trader_is_judged_as_the_oracle_does(behaviour: str, mode: str) -> None:
    first = {**EVALUATION, "profit_target_pct": "2", "drawdown_mode": mode, "max_positions": 4}
    of = plan(first, FUNDED, traders=1, days=12, mix={behaviour: 1})
    witness = Witness()
    witness.world, witness.start = world_of(of), of.start_time
    (result,) = simulate_block(of, witness.world, first=0, count=1, observer=witness)
    assert len(witness.seen) > 10
    ends = [one.outcome for one in result.phases if one.outcome in (PASSED, FAILED)]
    assert [state for state in witness.seen if state in (PASSED, FAILED)] == ends


def test_an_all_in_winner_by_hand() -> None:
    # Half a dollar a share, two cents wide: whoever is right doubles, whoever is wrong is out.
    of = plan(
        step(1, profit_target_pct="20", max_total_loss_pct="50"), traders=20, days=4,
        mix={"gambler": 1},
    )  # fmt: skip
    world = flat_world(price=500_000, steps=of.steps, ends_at=72, payout=SCALE)
    results = simulate(of, world)
    by_outcome = {outcome: [one for one in results if one.phases[0].outcome == outcome]
                  for outcome in (PASSED, FAILED)}  # fmt: skip
    assert len(by_outcome[PASSED]) + len(by_outcome[FAILED]) == 20
    for won in by_outcome[PASSED]:
        # One buy at 0.51, settled at step 72; 4 % x 0.49 of the money is the fee.
        assert (won.orders, won.phases[0].hours) == (1, 72)
        assert abs(won.fees * 10_000 - won.volume * 196) <= 10_000 * SCALE // 100
    for lost in by_outcome[FAILED]:
        assert lost.phases[0].rule == "max_total_loss_pct" or lost.volume > 0


def test_payouts_are_the_split_of_the_profit_rounded_down() -> None:
    of = plan(step(1, phase_type=1, name="Funded", profit_split="0.777"), traders=30, days=6)
    world = world_of(of)
    results = simulate(of, world)
    paid = [one for one in results if one.payout_status == "paid"]
    assert paid
    for one in paid:
        profit = from_scaled(one.payout + one.firm_amount)
        expected = (profit * Decimal("0.777")).quantize(Decimal("0.01"), ROUND_DOWN)
        assert from_scaled(one.payout) == expected
        assert (one.phases[-1].outcome, one.closed_at_end) == (ENDED, True)
    assert all(not one.payout for one in results if one.payout_status != "paid")
    report = report_of(of, world)
    total = sum((from_scaled(one.payout) for one in results), Decimal(0))
    assert Decimal(report["money"]["paid_total"]) == total
    mean = (total / 30).quantize(Decimal("0.01"), ROUND_DOWN)
    assert abs(Decimal(report["money"]["payout"]["mean"]) - mean) <= Decimal("0.01")


def test_too_few_trading_days_are_not_paid() -> None:
    funded = step(1, phase_type=1, name="Funded", profit_split="1", min_trading_days=50)
    results = simulate(of := plan(funded, traders=30, days=6), world_of(of))
    statuses = {one.payout_status for one in results}
    assert statuses == {"NO_PROFIT", "MIN_TRADING_DAYS"}


def test_the_position_limit_of_the_group_refuses_orders() -> None:
    crowd: Any = {"traders": 8, "days": 5, "mix": {"overtrader": 1}}
    free = report_of(plan(step(1), **crowd))
    bound = report_of(plan(step(1, maxpositions=1), **crowd))
    assert bound["activity"]["refused"] > free["activity"]["refused"]
    assert bound["activity"]["orders"] < free["activity"]["orders"]


def test_mix_is_spread_evenly_by_largest_remainder() -> None:
    spread = spread_behaviours({"steady": 50, "gambler": 30, "casual": 20}, 11)
    counts = {name: spread.count(name) for name in set(spread)}
    assert counts == {"steady": 6, "gambler": 3, "casual": 2}
    assert spread[:3] != ("steady",) * 3
    with pytest.raises(ValueError, match="no behaviour"):
        spread_behaviours({"wizard": 1}, 5)


def test_progress_rises_to_a_hundred_and_can_stop_the_run() -> None:
    of = plan(traders=20, days=5)
    world = world_of(of)
    heard: list[int] = []
    simulate(of, world, block=10, progress=heard.append)
    assert heard == sorted(set(heard))
    assert heard[-1] == 100
    with pytest.raises(InterruptedError):
        simulate(of, world, progress=_interrupt)


def _interrupt(percent: int) -> None:
    raise InterruptedError
