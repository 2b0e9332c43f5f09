"""Which rule decides when several fire in one pass; how phases end (prop-backoffice 6.2, 6.3)."""

import pytest

from prop.rules import RULES, evaluate
from tests.rules.build import BARE, DAY, START_TIME, TERMS, fired, judge, reading, terms

END = START_TIME + 30 * DAY
ALL_ON = terms(
    max_daily_profit_pct="5",
    max_exposure_market_pct="40",
    max_exposure_event_pct="60",
    max_inactive_days=21,
)


def test_the_rules_stand_in_the_order_of_the_contract() -> None:
    assert [rule.name for rule in RULES] == [
        "max_total_loss_pct",
        "max_daily_loss_pct",
        "max_daily_profit_pct",
        "max_positions",
        "max_exposure_market_pct",
        "max_exposure_event_pct",
        "profit_target_pct",
        "min_trading_days",
        "min_profitable_days",
        "consistency_pct",
        "max_trading_days",
        "max_inactive_days",
        "duration_days",
    ]


def test_all_fail_rules_of_a_pass_are_recorded_in_order_and_late_ones_are_not() -> None:
    verdict = judge(
        ALL_ON,
        equity=8_000,
        day=10_000,
        open_positions=6,
        market_exposure=5_000,
        event_exposure=7_000,
        trading_days=25,
        at=END,
    )

    assert fired(verdict) == [
        "max_total_loss_pct",
        "max_daily_loss_pct",
        "max_positions",
        "max_exposure_market_pct",
        "max_exposure_event_pct",
    ]
    assert [breach.is_primary for breach in verdict.breaches] == [True] + [False] * 4
    assert verdict.rule == "max_total_loss_pct"


def test_late_rules_are_recorded_together_when_nothing_came_before() -> None:
    verdict = judge(ALL_ON, equity=10_200, trading_days=21, at=END)

    assert fired(verdict) == ["max_trading_days", "max_inactive_days", "duration_days"]
    assert verdict.rule == "max_trading_days"


def test_a_pass_comes_before_days_and_time() -> None:
    verdict = judge(ALL_ON, equity=10_800, day=10_790, trading_days=25, at=END)

    assert (verdict.state, verdict.breaches) == ("passed", ())


def test_a_target_touched_with_too_few_days_does_not_count_later() -> None:
    assert judge(equity=10_900, trading_days=2).state == "active"
    assert judge(equity=10_700, trading_days=3).state == "active"


def test_an_evaluation_without_target_passes_at_its_deadline_with_enough_days() -> None:
    calm = terms(profit_target_pct="0")

    assert judge(calm, trading_days=3, at=END - 1).state == "active"
    assert judge(calm, trading_days=3, at=END).state == "passed"
    assert judge(calm, trading_days=3, at=END).rule == "duration_days"


def test_an_evaluation_without_target_fails_at_its_deadline_with_too_few_days() -> None:
    verdict = judge(terms(profit_target_pct="0"), trading_days=2, at=END)

    assert (verdict.state, fired(verdict)) == ("failed", ["min_trading_days"])
    (breach,) = verdict.breaches
    assert (breach.limit_value, breach.actual_value) == (3, 2)


def test_an_evaluation_without_target_fails_on_too_many_days_even_at_its_deadline() -> None:
    verdict = judge(terms(profit_target_pct="0"), trading_days=21, at=END)

    assert (verdict.state, fired(verdict)) == ("failed", ["max_trading_days"])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"equity": 9_000}, "max_total_loss_pct"),
        ({"equity": 9_500}, "max_daily_loss_pct"),
        ({"open_positions": 6}, "max_positions"),
    ],
)
def test_a_funded_phase_fails_by_rules_1_to_4(changes: dict[str, int], rule: str) -> None:
    verdict = judge(terms(phase_type=1), at=END, trading_days=21, **changes)

    assert (verdict.state, verdict.rule) == ("failed", rule)


def test_a_funded_phase_ends_to_be_paid_by_days_or_time() -> None:
    funded = terms(phase_type=1)

    assert judge(funded, trading_days=20, at=END - 1).state == "active"
    assert judge(funded, trading_days=21).state == "ended"
    assert judge(funded, trading_days=21).rule == "max_trading_days"
    assert judge(funded, at=END).state == "ended"
    assert judge(funded, at=END).rule == "duration_days"
    assert judge(funded, at=END).breaches == ()


def test_a_funded_phase_passes_by_its_target() -> None:
    assert judge(terms(phase_type=1), equity=10_800, trading_days=3).state == "passed"


def test_a_funded_phase_without_any_end_runs_until_it_is_closed() -> None:
    endless = terms(BARE, phase_type=1, max_total_loss_pct="10")

    assert judge(endless, equity=50_000, trading_days=900, at=START_TIME + 9_999 * DAY).state == (
        "active"
    )


def test_a_funded_phase_fails_by_inactivity_and_not_when_its_days_ended_it_first() -> None:
    idle = terms(phase_type=1, max_inactive_days=21)

    assert judge(idle, at=START_TIME + 21 * DAY).rule == "max_inactive_days"
    assert judge(idle, at=START_TIME + 21 * DAY).state == "failed"
    assert judge(idle, at=START_TIME + 21 * DAY, trading_days=21).state == "ended"
    assert fired(judge(idle, at=END)) == ["max_inactive_days"]


class TestStalePrices:
    """Rules on equity and passes wait; counts and times fail as always (6)."""

    @pytest.mark.parametrize("equity", [1, 9_000, 9_500, 10_800, 99_999])
    def test_no_equity_decides(self, equity: int) -> None:
        stale = judge(ALL_ON, equity=equity, trading_days=3, is_price_stale=True)

        assert (stale.state, stale.warnings) == ("active", ())

    def test_counts_still_fail(self) -> None:
        assert judge(open_positions=6, is_price_stale=True).rule == "max_positions"
        assert judge(trading_days=21, is_price_stale=True).rule == "max_trading_days"
        exposed = judge(ALL_ON, market_exposure=4_001, is_price_stale=True)
        assert exposed.rule == "max_exposure_market_pct"

    def test_time_still_fails(self) -> None:
        assert judge(equity=10_500, at=END, is_price_stale=True).rule == "duration_days"

    def test_only_what_needs_no_price_is_recorded(self) -> None:
        assert fired(judge(equity=8_000, open_positions=6, is_price_stale=True)) == [
            "max_positions"
        ]

    def test_a_deadline_waits_where_the_target_or_a_loss_stands_by_the_last_known_prices(
        self,
    ) -> None:
        for equity in (10_800, 9_000, 9_500):
            late = reading(TERMS, equity=equity, trading_days=3, at=END, is_price_stale=True)
            assert evaluate(TERMS, late).state == "active"

    def test_nobody_passes(self) -> None:
        calm, funded = terms(profit_target_pct="0"), terms(phase_type=1)

        assert judge(calm, trading_days=3, at=END, is_price_stale=True).state == "active"
        assert judge(funded, at=END, is_price_stale=True).state == "active"
        assert judge(calm, trading_days=2, at=END, is_price_stale=True).rule == ("min_trading_days")
