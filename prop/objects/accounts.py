"""The JSON objects of the rule engine on firm accounts: the partner door's text (partner-api B4).

Percentages have four places, money two, counts are whole numbers, times ISO with microseconds.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from polysim.kernel.clock import iso_micro_text
from polysim.kernel.money import four_places_text, from_scaled, money_text
from prop.rules import Breach, Measures, Terms, percents, progress
from trading.selectors.account_figures import Figures

PERCENT_ENDING = "_pct"
FLOORS = ("daily_loss_floor", "total_loss_floor")


def account_metric(figures: Figures, *, terms: Terms, measures: Measures) -> dict[str, Any]:
    """The figures that rules look at, at one moment; `balance` is all cash, as in the envelope."""
    shown = percents(terms, measures)
    return {
        "attempt": figures.state.attempt,
        "measured_at": iso_micro_text(figures.at),
        "balance": money_text(figures.state.balance),
        "equity": money_text(figures.equity),
        "profit_pct": _percent(shown.profit),
        "total_loss_pct": _percent(shown.total_loss),
        "daily_loss_pct": _percent(shown.daily_loss),
        "daily_profit_pct": _percent(shown.daily_profit),
        "day": figures.day.isoformat(),
        "day_start_equity": money_text(figures.day_start_equity),
        "trading_days": measures.trading_days,
        "open_positions": measures.open_positions,
        "is_price_stale": measures.is_price_stale,
    }


def account_breach(breach: Breach, *, figures: Figures) -> dict[str, Any]:
    """A rule that was broken; values of percent rules are percents, of the others counts."""
    return {
        "attempt": figures.state.attempt,
        "breached_at": iso_micro_text(figures.at),
        "rule": breach.rule,
        "limit_value": _value(breach.rule, breach.limit_value),
        "actual_value": _value(breach.rule, breach.actual_value),
        "basis_value": money_text(breach.basis_value),
        "equity": money_text(figures.equity),
        "is_primary": breach.is_primary,
        "message": breach.message,
    }


def account_progress(terms: Terms, measures: Measures, *, next_reset_time: int) -> dict[str, Any]:
    """How far the account is from each of its limits."""
    found = progress(terms, measures, next_reset_time=next_reset_time)
    reset_at = datetime.fromtimestamp(next_reset_time, UTC)
    shown = {name: _shown(name, value) for name, value in found.items()}
    del shown["next_reset_time"]
    return shown | {"next_reset_at": iso_micro_text(reset_at)}


def measures_of_metric(metric: Mapping[str, Any], *, start_time: int) -> Measures:
    """What an evaluation that is over was judged by, from its last metric."""
    equity = _scaled(metric["equity"])
    day_start = _scaled(metric["day_start_equity"])
    return Measures(
        at=int(datetime.fromisoformat(metric["measured_at"]).timestamp()),
        start_time=start_time,
        equity=equity,
        balance=_scaled(metric["balance"]),
        day_start_equity=day_start,
        day_start_balance=day_start,
        peak_equity=equity,
        open_positions=metric["open_positions"],
        trading_days=metric["trading_days"],
        is_price_stale=metric["is_price_stale"],
    )


def _scaled(text: str) -> int:
    return int(Decimal(text).scaleb(6))


def _percent(scaled: int) -> str | None:
    return four_places_text(from_scaled(scaled))


def _value(rule: str, value: Decimal) -> str | None:
    if rule.endswith(PERCENT_ENDING):
        return four_places_text(value)
    # Days may be parts of a day.
    return f"{value.normalize():f}"


def _shown(name: str, value: Decimal | int | None) -> str | int | None:
    if name in FLOORS:
        return None if value is None else money_text(Decimal(value))
    if name.endswith(PERCENT_ENDING):
        return four_places_text(Decimal(value or 0))
    return None if value is None else int(value)
