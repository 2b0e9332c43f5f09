"""Every worked example of prop-backoffice 7 that the rules decide (1a to 8b)."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from polysim.kernel.money import from_scaled
from prop.rules import metric, percents
from prop.rules.days import local_date, next_midnight, trading_dates
from tests.rules.build import BARE, START_TIME, TERMS, fired, judge, reading, terms

NEW_YORK = ZoneInfo("America/New_York")


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def shown(**changes: str) -> dict[str, Decimal]:
    measured = percents(TERMS, reading(**changes))
    return {
        "profit": from_scaled(measured.profit),
        "total": from_scaled(measured.total_loss),
        "daily": from_scaled(measured.daily_loss),
    }


def test_1a_a_cent_above_the_total_loss_stays_active() -> None:
    measured = shown(day="9200", equity="9000.01")

    assert (measured["total"], measured["daily"]) == (Decimal("9.9999"), Decimal("2.173804"))
    assert judge(day="9200", equity="9000.01").state == "active"


def test_1b_the_total_loss_itself_fails_with_one_breach() -> None:
    measured = shown(day="9200", equity="9000.00")
    verdict = judge(day="9200", equity="9000.00")

    assert (measured["total"], measured["daily"]) == (10, Decimal("2.173913"))
    assert (verdict.state, verdict.rule) == ("failed", "max_total_loss_pct")
    (breach,) = verdict.breaches
    assert (breach.limit_value, breach.actual_value, breach.basis_value) == (10, 10, 10_000)
    assert breach.is_primary


def test_2a_the_daily_loss_is_of_the_days_start_equity() -> None:
    measured = shown(day="10400", equity="9880.01")
    verdict = judge(day="10400", equity="9880.00")

    assert measured["daily"] == Decimal("4.999904")
    assert judge(day="10400", equity="9880.01").state == "active"
    assert shown(day="10400", equity="9880.00")["total"] == Decimal("1.2")
    assert (verdict.state, fired(verdict)) == ("failed", ["max_daily_loss_pct"])
    assert (verdict.breaches[0].actual_value, verdict.breaches[0].basis_value) == (5, 10_400)


def test_2b_both_losses_are_recorded_and_the_total_one_is_primary() -> None:
    measured = shown(day="9300", equity="8835")
    verdict = judge(day="9300", equity="8835")

    assert (measured["daily"], measured["total"]) == (5, Decimal("11.65"))
    assert fired(verdict) == ["max_total_loss_pct", "max_daily_loss_pct"]
    assert [breach.is_primary for breach in verdict.breaches] == [True, False]
    assert verdict.rule == "max_total_loss_pct"


def test_3_too_much_profit_in_a_day_fails() -> None:
    limited = terms(max_daily_profit_pct="5")
    verdict = judge(limited, day="10000", equity="10500")

    assert judge(limited, day="10000", equity="10499.99").state == "active"
    assert (verdict.state, fired(verdict)) == ("failed", ["max_daily_profit_pct"])
    assert verdict.breaches[0].actual_value == 5


def test_4_a_sixth_position_fails() -> None:
    verdict = judge(open_positions=6)

    assert judge(open_positions=5).state == "active"
    assert (verdict.state, fired(verdict)) == ("failed", ["max_positions"])
    assert verdict.breaches[0].actual_value == 6


def test_4b_the_target_does_not_save_from_too_many_positions() -> None:
    verdict = judge(equity="10850", trading_days=3, open_positions=6)

    assert shown(equity="10850")["profit"] == Decimal("8.5")
    assert (verdict.state, verdict.rule) == ("failed", "max_positions")


def test_5a_the_target_passes_the_phase() -> None:
    assert shown(equity="10799.99")["profit"] == Decimal("7.9999")
    assert judge(equity="10799.99", trading_days=3).state == "active"
    assert judge(equity="10800", trading_days=3).state == "passed"
    assert judge(equity="10800", trading_days=3).rule == "profit_target_pct"


def test_5b_the_target_waits_for_the_third_trading_day() -> None:
    assert judge(equity="10800", trading_days=2).state == "active"


def test_6_trading_days_are_local_dates_with_a_fill_or_dates_with_a_pass() -> None:
    fills = [
        moment("2026-03-02T15:00:00+00:00"),
        moment("2026-03-03T03:30:00+00:00"),
        moment("2026-03-03T05:00:00+00:00"),
    ]
    passes = [moment(f"2026-03-0{day}T15:00:00+00:00") for day in (2, 3, 4)]

    assert [local_date(at, NEW_YORK).day for at in fills] == [2, 2, 3]
    assert len(trading_dates(fills, NEW_YORK, since=START_TIME)) == 2
    assert len({local_date(at, NEW_YORK) for at in passes}) == 3


def test_7_the_twenty_first_trading_day_fails() -> None:
    verdict = judge(trading_days=21)

    assert judge(trading_days=20).state == "active"
    assert (verdict.state, fired(verdict)) == ("failed", ["max_trading_days"])
    assert verdict.breaches[0].actual_value == 21


def test_8a_the_phase_ends_to_the_second_after_thirty_times_86400_seconds() -> None:
    end = moment("2026-04-01T10:00:00+00:00")
    verdict = judge(equity="10500", trading_days=3, at=end)

    assert moment("2026-03-02T10:00:00+00:00") == START_TIME
    assert judge(equity="10500", trading_days=3, at=end - 1).state == "active"
    assert (verdict.state, fired(verdict)) == ("failed", ["duration_days"])
    assert (verdict.breaches[0].limit_value, verdict.breaches[0].actual_value) == (30, 30)


def test_8b_the_target_at_the_deadline_passes() -> None:
    end = moment("2026-04-01T10:00:00+00:00")

    assert judge(equity="10900", trading_days=3, at=end).state == "passed"


def test_a_metric_has_the_figures_of_the_contract() -> None:
    measured = metric(TERMS, reading(day="10300", equity="10200", trading_days=2))

    assert measured == {
        "balance": 10_200,
        "equity": 10_200,
        "profit_target": 2,
        "daily_loss": Decimal("0.970874"),
        "total_loss": 0,
        "trading_days": 2,
        "daily_profit": 0,
        "open_positions": 0,
        "daily_start_equity": 10_300,
    }


@pytest.mark.parametrize("day", ["0", "-5"])
def test_a_day_that_began_without_money_is_lost(day: str) -> None:
    measured = percents(TERMS, reading(day=day, equity="10000"))

    assert (from_scaled(measured.daily_loss), measured.daily_profit) == (100, 0)
    assert fired(judge(day=day, equity="10000")) == ["max_daily_loss_pct"]
    assert judge(terms(BARE, max_daily_profit_pct="5"), day=day).state == "active"


def test_the_next_reset_is_the_next_local_midnight() -> None:
    assert next_midnight(START_TIME, NEW_YORK) == moment("2026-03-03T05:00:00+00:00")
