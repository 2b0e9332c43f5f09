"""The phase of prop-backoffice 7 and readings of it, in dollars."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from polysim.kernel.money import to_scaled
from prop.rules import Measures, Terms, Verdict, evaluate

# 2026-03-02T10:00:00Z
START_TIME = 1_772_445_600
DAY = 86_400

TERMS = Terms(
    initial_balance=Decimal(10_000),
    duration_days=30,
    max_daily_loss_pct=Decimal(5),
    max_total_loss_pct=Decimal(10),
    profit_target_pct=Decimal(8),
    min_trading_days=3,
    max_trading_days=20,
    max_positions=5,
)
# Nothing but a start balance.
BARE = Terms(initial_balance=Decimal(10_000))
_MONEY = {
    "equity",
    "balance",
    "day",
    "day_balance",
    "peak",
    "market_exposure",
    "event_exposure",
}


def scaled(amount: str | int) -> int:
    return to_scaled(Decimal(str(amount)))


def terms(base: Terms = TERMS, **changes: Any) -> Terms:
    """The terms with percents given as text."""
    values = {
        name: Decimal(value) if isinstance(value, str) and value[0].isdigit() else value
        for name, value in changes.items()
    }
    return replace(base, **values)


def reading(of: Terms = TERMS, **changes: Any) -> Measures:
    """A reading an hour after the start; money in dollars, `day` = the day's start equity."""
    start = Measures.at_start(of, start_time=START_TIME, at=START_TIME + 3_600)
    values = {name: scaled(value) if name in _MONEY else value for name, value in changes.items()}
    day = values.pop("day", start.day_start_equity)
    renamed = {
        "day_start_equity": day,
        "day_start_balance": values.pop("day_balance", day),
        "peak_equity": values.pop("peak", start.peak_equity),
    }
    values.setdefault("balance", values.get("equity", start.equity))
    return replace(start, **renamed, **values)


def judge(of: Terms = TERMS, **changes: Any) -> Verdict:
    return evaluate(of, reading(of, **changes))


def fired(verdict: Verdict) -> list[str]:
    """Names of the breaches in order."""
    return [breach.rule for breach in verdict.breaches]
