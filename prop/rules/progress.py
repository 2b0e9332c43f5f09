"""How far a phase is: the `progress` object of prop-client 5."""

from decimal import Decimal

from polysim.kernel.money import cents, from_scaled

from .catalogue import DAILY_LOSS, TOTAL_LOSS
from .days import days_left
from .exact import HUNDRED_PERCENT, percent_of
from .measures import Measures, best_day, percents, profitable_days
from .terms import Terms

Progress = dict[str, Decimal | int | None]


def progress(
    terms: Terms, measures: Measures, *, next_reset_time: int, at: int | None = None
) -> Progress:
    """All fields of the contract, then those of the optional rules this phase has.

    Percents have six places, money two. `at` (default: the reading's time) is what `days_left`
    counts from. Before the first metric pass `Measures.at_start`.
    """
    shown = percents(terms, measures)
    moment = measures.at if at is None else at
    fields: Progress = {
        "profit_pct": from_scaled(shown.profit),
        "profit_target_pct": terms.profit_target_pct,
        "profit_target_progress_pct": from_scaled(_target_progress(terms, measures)),
        "daily_loss_pct": from_scaled(shown.daily_loss),
        "daily_loss_limit_pct": terms.max_daily_loss_pct,
        "total_loss_pct": from_scaled(shown.total_loss),
        "total_loss_limit_pct": terms.max_total_loss_pct,
        "trading_days": measures.trading_days,
        "min_trading_days": terms.min_trading_days,
        "max_trading_days": terms.max_trading_days,
        "max_positions": terms.max_positions,
        "daily_profit_pct": from_scaled(shown.daily_profit),
        "daily_profit_limit_pct": terms.max_daily_profit_pct,
        "open_positions": measures.open_positions,
        "days_left": days_left(terms.deadline(measures.start_time), moment),
        "daily_loss_floor": _daily_floor(terms, measures),
        "total_loss_floor": _total_floor(terms, measures),
        "next_reset_time": next_reset_time,
    }
    return fields | _optional(terms, measures)


def _target_progress(terms: Terms, measures: Measures) -> int:
    start, target = terms.scaled.start, terms.scaled.target
    if not target:
        return 0
    # profit / start * 100 / target * 100, rounded once.
    part = percent_of((measures.equity - start) * HUNDRED_PERCENT, start * target)
    return min(max(part, 0), HUNDRED_PERCENT)


def _daily_floor(terms: Terms, measures: Measures) -> Decimal | None:
    if not DAILY_LOSS.is_on(terms):
        return None
    if measures.day_start_equity <= 0:
        return cents(from_scaled(measures.day_start_equity))
    return cents(from_scaled(DAILY_LOSS.floor(terms, measures)))


def _total_floor(terms: Terms, measures: Measures) -> Decimal | None:
    if not TOTAL_LOSS.is_on(terms):
        return None
    return cents(from_scaled(TOTAL_LOSS.floor(terms, measures)))


def _optional(terms: Terms, measures: Measures) -> Progress:
    start = terms.scaled.start
    fields: Progress = {}
    if terms.consistency_pct > 0:
        profit = measures.equity - start
        part = percent_of(best_day(measures), profit) if profit > 0 else 0
        fields["best_day_pct"] = from_scaled(part)
        fields["consistency_limit_pct"] = terms.consistency_pct
    if terms.min_profitable_days:
        fields["profitable_days"] = profitable_days(terms, measures.results_with_today)
        fields["min_profitable_days"] = terms.min_profitable_days
    if terms.max_inactive_days:
        fields["inactive_at"] = terms.inactive_at(measures.start_time, measures.last_fill_at)
    if terms.max_exposure_market_pct > 0:
        fields["market_exposure_pct"] = from_scaled(percent_of(measures.market_exposure, start))
        fields["market_exposure_limit_pct"] = terms.max_exposure_market_pct
    if terms.max_exposure_event_pct > 0:
        fields["event_exposure_pct"] = from_scaled(percent_of(measures.event_exposure, start))
        fields["event_exposure_limit_pct"] = terms.max_exposure_event_pct
    return fields
