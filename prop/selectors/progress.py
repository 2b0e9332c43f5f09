"""The `progress` object of a phase (prop-client 5)."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from polysim.kernel.money import six_places, to_scaled
from prop.models import ChallengePhase, ChallengeStatus, MetricSnapshot
from prop.rules import Measures, Terms, progress
from prop.rules.days import next_midnight
from prop.selectors.readings import read_phase


def phase_progress(
    phase: ChallengePhase, metric: MetricSnapshot | None, *, now: datetime
) -> dict[str, Any]:
    """How far a phase is: an active one by a fresh valuation, else by its last metric.

    A valuation is fresh when every holding has a price that is not stale. Without one and without
    a metric the phase stands where it began.
    """
    terms = Terms.from_data(phase.terms)
    at = int(now.timestamp())
    measures = _measures(phase, terms, metric, now)
    end = at if phase.end_at is None else int(phase.end_at.timestamp())
    reset = next_midnight(at, ZoneInfo(str(phase.terms["timezone"])))
    fields = progress(terms, measures, next_reset_time=reset, at=end)
    return {name: _json_value(value) for name, value in fields.items()}


def _measures(
    phase: ChallengePhase, terms: Terms, metric: MetricSnapshot | None, now: datetime
) -> Measures:
    if phase.status == ChallengeStatus.ACTIVE:
        reading = read_phase(phase, now=now)
        if reading is not None and not reading.measures.is_price_stale:
            return reading.measures
    start_time = int((phase.start_at or now).timestamp())
    if metric is None:
        return Measures.at_start(terms, start_time=start_time, at=int(now.timestamp()))
    is_at_day_end = terms.drawdown_mode == "trailing_eod"
    peak = phase.end_of_day_peak if is_at_day_end else phase.peak_equity
    day_start = to_scaled(metric.daily_start_equity)
    return Measures(
        at=int(metric.created_at.timestamp()),
        start_time=start_time,
        equity=to_scaled(metric.equity),
        balance=to_scaled(metric.balance),
        day_start_equity=day_start,
        day_start_balance=day_start,
        peak_equity=to_scaled(peak),
        open_positions=metric.open_positions,
        trading_days=metric.trading_days,
        last_fill_at=int(phase.last_fill_at.timestamp()) if phase.last_fill_at else 0,
    )


def _json_value(value: Decimal | int | None) -> float | int | None:
    return float(six_places(value)) + 0.0 if isinstance(value, Decimal) else value
