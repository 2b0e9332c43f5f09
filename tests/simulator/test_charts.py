"""Charts of a report: everything lies within its scale, and is also said in words."""

from typing import Any

import pytest

from prop.simulator import draw_money, draw_pass_rates, draw_samples
from prop.simulator.charts import LEFT, RIGHT


def rate(percent: str, low: str, high: str, of: int = 100) -> dict[str, Any]:
    return {"percent": percent, "low": low, "high": high, "of": of, "count": 1}


def report(*rates: dict[str, Any], payout: str = "120.00") -> dict[str, Any]:
    return {
        "overall": {"passed": rates[0]},
        "phases": [{"is_funded": True, "name": "Funded", "passed": one} for one in rates],
        "money": {
            "fee": "99.00",
            "currency": "USD",
            "payout": {"mean": payout, "low": "100.00", "high": "150.00"},
        },
        "samples": [
            {"behaviour": "Steady", "outcome": "failed: total loss", "points": points}
            for points in ([[1, "10000.00"], [1, "9000.00"]], [[1, "10000.00"]])
        ],
    }


@pytest.mark.parametrize(
    ("high", "last"), [("7.00", "8%"), ("44.84", "50%"), ("22.65", "30%"), ("100.00", "100%")]
)
def test_rates_fit_their_scale(high: str, last: str) -> None:
    chart = draw_pass_rates(report(rate("5.00", "3.00", high)))
    assert chart.grid[-1] == (RIGHT, last)
    assert chart.grid[0] == (LEFT, "0%")
    assert all(0 <= bar.width <= RIGHT - LEFT for bar in chart.bars)
    assert f"Paid in Funded 5.00 % (3.00 to {high})" in chart.title


def test_a_phase_that_nobody_reached_has_no_interval() -> None:
    _, funded = draw_pass_rates(report(rate("0.00", "0.00", "100.00", of=0))).bars
    assert (funded.words, funded.range, funded.interval) == ("–", "nobody yet", "")


def test_money_shares_one_scale() -> None:
    fee, payout = draw_money(report(rate("5.00", "3.00", "7.00"))).bars
    assert (fee.width, payout.width) == (198, 240)
    assert payout.range == "100.00 to 150.00"


def test_samples_start_at_a_hundred_percent() -> None:
    chart = draw_samples(report(rate("5.00", "3.00", "7.00")))
    assert chart is not None
    (line,) = chart.lines
    assert (line.kind, line.words) == ("fail", "Steady, failed: total loss")
    assert [words for _, words in chart.grid] == ["90%", "100%", "105%"]
