"""Arrays of phases and holdings: kept by single changes they stay what a fresh load would be."""

from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest

from polysim.kernel.money import SCALE, from_scaled
from prop.rules import DECIDE, WARN, PhaseArrays, PhaseColumns, Terms, catalogue, evaluate
from prop.rules.columns import market_values, percents_of, shares_up
from prop.rules.counts import MaxTradingDays
from prop.rules.exact import FAR, percent_of, share_up
from tests.rules.build import BARE, DAY, START_TIME, TERMS, scaled, terms
from trading.engine.valuation import market_value

AT = START_TIME + 3_600


def arrays_of(*of: Terms, **changes: Any) -> PhaseArrays:
    """Phases with ids 1, 2, ... that hold nothing but their start balance."""
    starts = [item.scaled.start for item in of]
    values: dict[str, Any] = {
        "ids": range(1, len(of) + 1),
        "terms": of,
        "cash": starts,
        "start_time": [START_TIME] * len(of),
        "day_start_equity": starts,
        "day_start_balance": starts,
        "peak_equity": starts,
        "trading_days": [0] * len(of),
        "last_fill_at": [0] * len(of),
    }
    arrays = PhaseArrays()
    arrays.add(PhaseColumns(**(values | changes)))
    return arrays


def token(arrays: PhaseArrays, name: str, mark: str | None = "0.5", at: int = AT) -> int:
    row = arrays.positions.token_row(name, market=name[0], event=name[0].lower())
    arrays.positions.set_mark(row, None if mark is None else scaled(mark), at)
    return row


def attention(arrays: PhaseArrays, at: int = AT) -> list[int]:
    return arrays.read(at=at, stale_after=300).attention.tolist()


class TestValue:
    def test_is_cash_and_holdings_at_their_marks(self) -> None:
        arrays = arrays_of(TERMS, TERMS, cash=[scaled(9_000), scaled(10_000)])
        row = token(arrays, "A1", "0.61")
        arrays.positions.set_holding(0, row, quantity=scaled(120), cost=scaled("69.60"))
        arrays.set_account(0, cash=scaled(9_000), trading_days=1, last_fill_at=AT)

        reading = arrays.read(at=AT, stale_after=300)
        assert reading.equity.tolist() == [scaled("9073.20"), scaled(10_000)]
        assert arrays.balances().tolist() == [scaled("9069.60"), scaled(10_000)]

    def test_of_a_holding_without_mark_is_its_cost_and_its_verdict_waits(self) -> None:
        arrays = arrays_of(TERMS, cash=[0])
        row = token(arrays, "A1", None)
        arrays.positions.set_holding(0, row, quantity=scaled(120), cost=scaled("69.60"))

        reading = arrays.read(at=AT, stale_after=300)
        assert reading.equity.tolist() == [scaled("69.60")]
        assert (reading.is_stale.tolist(), reading.attention.tolist()) == ([True], [0])

    def test_of_huge_holdings_is_exact_beyond_64_bits(self) -> None:
        arrays = arrays_of(TERMS, cash=[5])
        rows = [token(arrays, f"A{number}", "0.999999") for number in range(20)]
        for row in rows:
            arrays.positions.set_holding(0, row, quantity=10**18, cost=10**18)
        arrays.set_account(0, cash=5, trading_days=0, last_fill_at=0)

        reading = arrays.read(at=AT, stale_after=300)
        exact = 5 + 20 * market_value(10**18, scaled("0.999999"))
        assert exact > 2**63
        assert reading.equity[0] >= FAR
        assert reading.attention.tolist() == [DECIDE]
        measures = arrays.measures(0, reading)
        assert (measures.equity, measures.balance) == (exact, 5 + 20 * 10**18)

    def test_of_every_row_is_the_engines_market_value(self) -> None:
        random = Random(3)
        quantities = [random.randint(0, 10 ** random.randint(1, 18)) for _ in range(5_000)]
        marks = [random.randint(0, SCALE) for _ in quantities]

        found = market_values(np.array(quantities), np.array(marks)).tolist()
        assert found == [market_value(*pair) for pair in zip(quantities, marks, strict=True)]

    @pytest.mark.parametrize("mark", ["-0.000001", "1.000001"])
    def test_marks_lie_between_nothing_and_one(self, mark: str) -> None:
        with pytest.raises(ValueError, match="between 0 and 1"):
            token(arrays_of(TERMS), "A1", mark)


class TestArithmetic:
    def test_shares_are_exact_for_all_sizes(self) -> None:
        random = Random(5)
        basis = [random.randint(0, 10 ** random.randint(1, 18)) for _ in range(5_000)]
        percents = [random.randint(0, 10 ** random.randint(1, 9)) for _ in basis]

        found = shares_up(np.array(basis), np.array(percents)).tolist()
        expected = [min(share_up(*pair), FAR) for pair in zip(basis, percents, strict=True)]
        assert found == expected

    def test_percents_are_rounded_as_the_scalar_ones(self) -> None:
        random = Random(6)
        whole = [random.randint(1, 10 ** random.randint(1, 18)) for _ in range(5_000)]
        part = [random.choice((-1, 1)) * random.randint(0, 3 * size) for size in whole]

        found = percents_of(np.array(part), np.array(whole)).tolist()
        assert found == [percent_of(*pair) for pair in zip(part, whole, strict=True)]

    def test_percents_beyond_reason_stand_at_the_end_of_the_scale(self) -> None:
        assert percents_of(np.array([10**18, -(10**18)]), np.array([1, 1])).tolist() == [
            FAR,
            -FAR,
        ]


class TestAttention:
    def with_equity(self, arrays: PhaseArrays, equity: str) -> list[int]:
        arrays.set_account(0, cash=scaled(equity), trading_days=3, last_fill_at=AT)
        return attention(arrays)

    @pytest.mark.parametrize(
        ("equity", "bits"),
        [
            ("9600.000001", 0),
            ("9600", WARN),
            ("9500.000001", WARN),
            ("9500", DECIDE | WARN),
            ("10799.999999", 0),
            ("10800", DECIDE),
        ],
    )
    def test_is_drawn_at_the_limits_of_the_rules(self, equity: str, bits: int) -> None:
        assert self.with_equity(arrays_of(TERMS), equity) == [bits]

    def test_is_not_drawn_twice_by_a_warning_until_the_next_day(self) -> None:
        arrays = arrays_of(TERMS)
        assert self.with_equity(arrays, "9600") == [WARN]
        arrays.mark_warned(0, "max_daily_loss_pct")
        assert attention(arrays) == [0]

        first_row = np.array([0])
        arrays.start_day(first_row, np.array([scaled(9_600)]), np.array([scaled(9_600)]))
        assert self.with_equity(arrays, "9216") == [WARN]

    @pytest.mark.parametrize(
        ("limits", "at", "bits"),
        [
            ({"duration_days": 1}, START_TIME + DAY - 1, 0),
            ({"duration_days": 1}, START_TIME + DAY, DECIDE),
            ({"max_inactive_days": 2}, START_TIME + 2 * DAY - 1, 0),
            ({"max_inactive_days": 2}, START_TIME + 2 * DAY, DECIDE),
        ],
    )
    def test_is_drawn_by_time(self, limits: dict[str, int], at: int, bits: int) -> None:
        assert attention(arrays_of(terms(BARE, **limits)), at) == [bits]

    def test_is_drawn_by_counts_while_prices_are_stale(self) -> None:
        limited = terms(BARE, max_positions=1, max_exposure_event_pct="50")
        arrays = arrays_of(limited, limited)
        rows = [token(arrays, name, at=AT - 301) for name in ("A1", "A2", "B1")]
        arrays.positions.set_holding(0, rows[0], quantity=scaled(1), cost=scaled(1))
        arrays.positions.set_holding(0, rows[2], quantity=scaled(1), cost=scaled(1))
        arrays.positions.set_holding(1, rows[1], quantity=scaled(1), cost=scaled(5_001))
        for row in (0, 1):
            arrays.set_account(row, cash=scaled(9_000), trading_days=0, last_fill_at=AT)

        reading = arrays.read(at=AT, stale_after=300)
        verdicts = [evaluate(arrays.terms_of(row), arrays.measures(row, reading)) for row in (0, 1)]
        assert reading.is_stale.all()
        assert reading.attention.tolist() == [DECIDE, DECIDE]
        assert [verdict.rule for verdict in verdicts] == [
            "max_positions",
            "max_exposure_event_pct",
        ]

    def test_of_marks_exactly_as_old_as_allowed_is_given(self) -> None:
        arrays = arrays_of(TERMS, cash=[scaled(9_000)])
        row = token(arrays, "A1", "0.5", at=AT - 300)
        arrays.positions.set_holding(0, row, quantity=scaled(1), cost=scaled(1))

        assert attention(arrays) == [DECIDE | WARN]
        assert attention(arrays, AT + 1) == [0]

    def test_is_always_drawn_by_a_rule_that_the_arrays_do_not_know_yet(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class NoTradeAtAll(MaxTradingDays):
            name = "min_trading_days"

        monkeypatch.setattr(catalogue, "LATE_RULES", (*catalogue.LATE_RULES, NoTradeAtAll()))
        with_it, without = terms(BARE, min_trading_days=1), terms(BARE, max_positions=1)

        assert attention(arrays_of(with_it, without)) == [DECIDE, 0]


class TestRows:
    def test_of_ended_phases_are_used_again(self) -> None:
        arrays = arrays_of(TERMS, TERMS, cash=[scaled(9_000), scaled(10_000)])
        row = token(arrays, "A1")
        arrays.positions.set_holding(0, row, quantity=scaled(1), cost=scaled(1))
        arrays.remove(0)
        assert attention(arrays) == [0, 0]
        assert arrays.row_of(1) is None

        fresh = arrays_of(TERMS)
        again = arrays.add(
            PhaseColumns(
                ids=[7],
                terms=[terms(BARE, max_total_loss_pct="10")],
                cash=[scaled(9_001)],
                **{
                    name: getattr(fresh, name)[:1]
                    for name in (
                        "start_time",
                        "day_start_equity",
                        "day_start_balance",
                        "peak_equity",
                        "trading_days",
                        "last_fill_at",
                    )
                },
            )
        )
        assert (again.tolist(), arrays.row_of(7), arrays.count) == ([0], 0, 2)
        assert arrays.read(at=AT, stale_after=300).equity.tolist() == [
            scaled(9_001),
            scaled(10_000),
        ]

    def test_grow_one_by_one(self) -> None:
        arrays = arrays_of(TERMS)
        source = arrays_of(TERMS)
        names = (
            "cash",
            "start_time",
            "day_start_equity",
            "day_start_balance",
            "peak_equity",
            "trading_days",
            "last_fill_at",
        )
        for number in range(2, 200):
            columns = {name: getattr(source, name)[:1] for name in names}
            arrays.add(PhaseColumns(ids=[number], terms=[TERMS], **columns))
            row = token(arrays, f"{number}")
            arrays.positions.set_holding(number - 1, row, quantity=scaled(2), cost=scaled(1))

        reading = arrays.read(at=AT, stale_after=300)
        assert arrays.count == 199
        assert reading.equity.tolist() == [scaled(10_000)] + [scaled(10_001)] * 198
        assert arrays.positions.phases_holding(np.array([row])).tolist() == [198]

    def test_loaded_at_once_or_changed_one_by_one_are_the_same(self) -> None:
        random = Random(11)
        one_by_one, at_once = arrays_of(*[TERMS] * 50), arrays_of(*[TERMS] * 50)
        names = [f"{letter}{number}" for letter in "ABCDE" for number in range(4)]
        rows = [token(arrays, name) for name in names for arrays in (one_by_one, at_once)][::2]
        held: dict[tuple[int, int], tuple[int, int]] = {}
        for _ in range(600):
            place = random.randrange(50), random.choice(rows)
            held[place] = random.choice([(0, 0), (random.randint(1, 10**9),) * 2])
            quantity, cost = held[place]
            one_by_one.positions.set_holding(*place, quantity=quantity, cost=cost)
            one_by_one.set_account(place[0], cash=7, trading_days=1, last_fill_at=AT)
        at_once.cash[:50] = one_by_one.cash[:50]
        kept = [(*place, *amounts) for place, amounts in held.items() if amounts[0]]
        at_once.load_holdings(*(np.array(values) for values in zip(*kept, strict=True)))

        for name in ("open_positions", "held_cost", "market_exposure", "event_exposure"):
            assert getattr(one_by_one, name)[:50].tolist() == getattr(at_once, name)[:50].tolist()
        equities = [
            arrays.read(at=AT, stale_after=300).equity.tolist() for arrays in (one_by_one, at_once)
        ]
        assert equities[0] == equities[1]


class TestDaysAndPeaks:
    def test_a_new_day_moves_the_daily_limits_and_keeps_the_results(self) -> None:
        of = terms(max_daily_profit_pct="5", consistency_pct="40")
        arrays = arrays_of(of, of)
        arrays.start_day(np.array([1]), np.array([scaled(10_400)]), np.array([scaled(10_200)]))

        assert arrays.daily_floor[:2].tolist() == [scaled(9_500), scaled(9_880)]
        assert arrays.daily_ceiling[:2].tolist() == [scaled(10_500), scaled(10_920)]
        assert arrays.day_results[:2] == [(), (scaled(400),)]
        assert arrays.measures(1, arrays.read(at=AT, stale_after=300)).day_start_balance == scaled(
            10_200
        )

    def test_a_day_keeps_its_start_whatever_equity_comes_later(self) -> None:
        arrays = arrays_of(TERMS)
        seen = []
        for equity in (10_000, 10_300, 9_900, 10_100):
            arrays.set_account(0, cash=scaled(equity), trading_days=1, last_fill_at=AT)
            reading = arrays.read(at=AT, stale_after=300)
            seen.append(int(reading.equity[0]))
            assert arrays.measures(0, reading).day_start_equity == scaled(10_000)

        assert [from_scaled(each) for each in (seen[0], seen[-1], min(seen), max(seen))] == [
            Decimal(10_000),
            Decimal(10_100),
            Decimal(9_900),
            Decimal(10_300),
        ]

    def test_a_trailing_floor_rises_with_each_reading_and_never_falls(self) -> None:
        limits = {"max_total_loss_pct": "10"}
        modes = ("static", "trailing", "trailing_eod", "trailing_locked")
        arrays = arrays_of(*(terms(BARE, drawdown_mode=mode, **limits) for mode in modes))
        for equity in (11_500, 10_600):
            for row in range(4):
                arrays.set_account(row, cash=scaled(equity), trading_days=1, last_fill_at=AT)
            arrays.read(at=AT, stale_after=300)
        assert arrays.total_floor[:4].tolist() == [
            scaled(floor) for floor in (9_000, 10_500, 9_000, 10_000)
        ]

        rows, equities = np.arange(4), np.array([scaled(10_600)] * 4)
        arrays.start_day(rows, equities, equities)
        assert arrays.total_floor[:4].tolist() == [
            scaled(floor) for floor in (9_000, 10_500, 9_600, 10_000)
        ]

    def test_stale_prices_raise_no_floor(self) -> None:
        arrays = arrays_of(terms(BARE, max_total_loss_pct="10", drawdown_mode="trailing"))
        row = token(arrays, "A1", "1", at=AT - 1_000)
        arrays.positions.set_holding(0, row, quantity=scaled(5_000), cost=scaled(100))
        arrays.read(at=AT, stale_after=300)

        assert arrays.total_floor[0] == scaled(9_000)


def test_a_balance_that_no_column_holds_is_refused() -> None:
    with pytest.raises(OverflowError, match="too large"):
        arrays_of(terms(BARE, initial_balance="1200000000000"))
