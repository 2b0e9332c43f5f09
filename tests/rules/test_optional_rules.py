"""Settings beyond the reference: trailing floors, daily basis, consistency, days, warnings (8)."""

from decimal import Decimal

import pytest

from polysim.kernel.money import from_scaled
from prop.rules import RULES_BY_NAME, percents, results_of_days
from tests.rules.build import BARE, DAY, START_TIME, fired, judge, reading, scaled, terms

STEP = Decimal("0.000001")
TOTAL_LOSS = RULES_BY_NAME["max_total_loss_pct"]


def floor_of(mode: str, **changes: int) -> Decimal:
    of = terms(BARE, max_total_loss_pct="10", drawdown_mode=mode)
    floor = TOTAL_LOSS.threshold(of, reading(of, **changes))
    assert floor is not None
    return from_scaled(floor)


@pytest.mark.parametrize(
    ("mode", "peak", "floor"),
    [
        ("static", 12_000, 9_000),
        ("trailing", 10_000, 9_000),
        ("trailing", 10_500, 9_500),
        ("trailing", 12_000, 11_000),
        ("trailing_eod", 12_000, 11_000),
        ("trailing_locked", 10_500, 9_500),
        ("trailing_locked", 11_000, 10_000),
        ("trailing_locked", 12_000, 10_000),
        # A peak is never below the start.
        ("trailing", 9_000, 9_000),
    ],
)
def test_the_floor_follows_the_peak_by_ten_percent_of_the_start(
    mode: str, peak: int, floor: int
) -> None:
    of = terms(BARE, max_total_loss_pct="10", drawdown_mode=mode)

    assert floor_of(mode, peak=peak, equity=peak) == floor
    assert judge(of, peak=peak, equity=floor + STEP).state == "active"
    assert judge(of, peak=peak, equity=floor).rule == "max_total_loss_pct"


def test_an_intraday_peak_counts_at_once_and_an_end_of_day_peak_only_next_day() -> None:
    assert floor_of("trailing", peak=10_000, equity=11_500) == 10_500
    assert floor_of("trailing_eod", peak=10_000, equity=11_500) == 9_000


@pytest.mark.parametrize(
    ("mode", "basis", "percent"),
    [("trailing", 12_000, "10"), ("trailing_locked", 11_000, "10"), ("static", 10_000, "10")],
)
def test_a_trailing_loss_is_counted_from_the_peak_in_percent_of_the_start(
    mode: str, basis: int, percent: str
) -> None:
    of = terms(BARE, max_total_loss_pct="10", drawdown_mode=mode)
    (breach,) = judge(of, peak=12_000, equity=basis - 1_000).breaches

    assert (breach.basis_value, breach.actual_value) == (basis, Decimal(percent))
    assert breach.message == "Total loss 10 % reached the limit of 10 %"


@pytest.mark.parametrize(
    ("basis", "floor", "shown_basis"),
    [
        ("equity", "9880", 10_400),
        ("balance", "9690", 10_200),
        ("higher", "9880", 10_400),
        # 5 % of the initial 10,000, counted from the day's start equity.
        ("initial", "9900", 10_000),
    ],
)
def test_the_daily_basis(basis: str, floor: str, shown_basis: int) -> None:
    of = terms(BARE, max_daily_loss_pct="5", daily_basis=basis)
    day = {"day": 10_400, "day_balance": 10_200}

    assert judge(of, equity=Decimal(floor) + STEP, **day).state == "active"
    (breach,) = judge(of, equity=floor, **day).breaches
    assert (breach.basis_value, breach.actual_value) == (shown_basis, 5)


def test_the_daily_profit_has_the_same_basis() -> None:
    of = terms(BARE, max_daily_profit_pct="5", daily_basis="initial")

    assert judge(of, day=12_000, equity=Decimal(12_500) - STEP).state == "active"
    assert judge(of, day=12_000, equity=12_500).rule == "max_daily_profit_pct"


class TestConsistency:
    """The best day makes at most 40 % of the profit."""

    TERMS = terms(BARE, profit_target_pct="8", consistency_pct="40")

    def results(self, *dollars: str) -> tuple[int, ...]:
        return tuple(scaled(part) for part in dollars)

    def state(self, equity: str, *finished: str) -> str:
        days = self.results(*finished)
        day = from_scaled(scaled(10_000) + sum(days))
        return judge(self.TERMS, equity=equity, day=day, day_results=days).state

    def test_holds_a_pass_back_a_millionth_over_its_limit(self) -> None:
        assert self.state("10999.999999", "400", "300") == "active"
        assert self.state("11000", "400", "300") == "passed"
        assert self.state("11000.000001", "400", "300") == "passed"

    def test_counts_the_running_day(self) -> None:
        assert self.state("10800", "200", "200") == "active"
        assert self.state("10800", "280", "200") == "passed"

    def test_losing_days_make_the_best_day_weigh_more(self) -> None:
        assert self.state("10800", "300", "-100", "300", "300") == "passed"
        assert self.state("10800", "330", "-130", "300", "300") == "active"


class TestProfitableDays:
    """Two days with at least 0.5 % of the initial balance (50 dollars)."""

    TERMS = terms(BARE, profit_target_pct="8", min_profitable_days=2, profitable_day_pct="0.5")

    @pytest.mark.parametrize(
        ("first", "state"),
        [("49.999999", "active"), ("50", "passed"), ("50.000001", "passed")],
    )
    def test_hold_a_pass_back(self, first: str, state: str) -> None:
        day = Decimal(10_000) + Decimal(first)
        found = judge(self.TERMS, equity=10_900, day=day, day_results=(scaled(first),))
        assert found.state == state

    def test_without_a_percent_any_profit_counts_and_none_does_not(self) -> None:
        of = terms(self.TERMS, profitable_day_pct="0", min_profitable_days=1)

        assert judge(of, equity=10_900, day=10_900).state == "active"
        assert judge(of, equity=10_900, day="10899.999999").state == "passed"

    def test_fail_only_at_a_deadline_without_target(self) -> None:
        of = terms(self.TERMS, profit_target_pct="0", duration_days=1)
        verdict = judge(of, equity=10_010, at=START_TIME + DAY)

        assert fired(verdict) == ["min_profitable_days"]
        assert verdict.breaches[0].message == (
            "0 profitable days at the end of the phase: at least 2 are needed"
        )


def test_results_of_days_add_up_to_the_profit_up_to_today() -> None:
    starts = [scaled(amount) for amount in (10_000, 10_300, 10_100, 10_450)]

    assert results_of_days(starts) == (scaled(300), scaled(-200), scaled(350))
    assert sum(results_of_days(starts)) == scaled(450)
    assert results_of_days(starts[:1]) == ()


class TestEarlyWarning:
    """At 80 % of a loss limit."""

    TERMS = terms(BARE, max_daily_loss_pct="5", max_total_loss_pct="10")

    @pytest.mark.parametrize(
        ("equity", "warned"),
        [
            ("9600.000001", []),
            ("9600", ["max_daily_loss_pct"]),
            ("9500.000001", ["max_daily_loss_pct"]),
        ],
    )
    def test_comes_at_its_part_of_the_daily_loss(self, equity: str, warned: list[str]) -> None:
        verdict = judge(self.TERMS, equity=equity)

        assert verdict.state == "active"
        assert [warning.rule for warning in verdict.warnings] == warned

    @pytest.mark.parametrize(
        ("equity", "warned"), [("9200.000001", []), ("9200", ["max_total_loss_pct"])]
    )
    def test_comes_at_its_part_of_the_total_loss(self, equity: str, warned: list[str]) -> None:
        verdict = judge(self.TERMS, day=9_200, equity=equity)

        assert [warning.rule for warning in verdict.warnings] == warned

    def test_says_what_is_left(self) -> None:
        (warning,) = judge(self.TERMS, day=10_300, equity="9785.01").warnings

        assert warning.message == (
            "Daily loss 4.99 % of the allowed 5 %: $0.01 left until $9,785.00"
        )
        assert (warning.limit_value, warning.threshold) == (5, 9_785)
        assert warning.actual_value == Decimal("4.999903")

    def test_is_off_with_a_part_of_zero(self) -> None:
        assert judge(terms(self.TERMS, warning_pct="0"), equity=9_501).warnings == ()

    def test_gives_way_to_the_verdict(self) -> None:
        assert judge(self.TERMS, equity=9_500).warnings == ()

    def test_follows_a_locked_floor(self) -> None:
        of = terms(BARE, max_total_loss_pct="10", drawdown_mode="trailing_locked")

        assert judge(of, peak=15_000, equity="10200.000001").warnings == ()
        assert len(judge(of, peak=15_000, equity="10200").warnings) == 1
        assert from_scaled(percents(of, reading(of, peak=15_000, equity=10_200)).total_loss) == 8
