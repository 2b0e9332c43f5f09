"""How far a phase is: its measures now, and the `progress` object of prop-client 5."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from polysim.kernel.money import six_places, to_scaled
from prop.models import ChallengePhase, ChallengeStatus, DailySnapshot, MetricSnapshot
from prop.rules import Measures, Terms, progress, results_of_days
from prop.rules.days import next_midnight
from trading.markets.models import Market
from trading.selectors import Portfolio, get_portfolio


def phase_progress(
    phase: ChallengePhase, metric: MetricSnapshot | None, *, now: datetime
) -> dict[str, Any]:
    """The progress object: of an active phase from a fresh valuation, else from its last metric.

    A valuation is fresh when every holding has a price that is not stale; without one and without
    a metric the phase stands where it began.
    """
    terms = Terms.from_data(phase.terms)
    at = int(now.timestamp())
    measures = read_measures(phase, terms, metric, now=now)
    zone = ZoneInfo(phase.terms["timezone"])
    end = at if phase.end_at is None else int(phase.end_at.timestamp())
    fields = progress(terms, measures, next_reset_time=next_midnight(at, zone), at=end)
    return {name: _json_value(value) for name, value in fields.items()}


def read_measures(
    phase: ChallengePhase, terms: Terms, metric: MetricSnapshot | None, *, now: datetime
) -> Measures:
    """What is known of a phase at `now`."""
    at = int(now.timestamp())
    start_time = at if phase.start_at is None else int(phase.start_at.timestamp())
    days = _list_days(phase)
    if not days:
        return Measures.at_start(terms, start_time=start_time, at=at)
    portfolio = _fresh_portfolio(phase, now)
    if portfolio is not None:
        equity = to_scaled(six_places(portfolio.equity))
        balance = to_scaled(six_places(portfolio.equity - portfolio.unrealized_pnl))
        open_positions, trading_days = len(portfolio.positions), phase.trading_days
    elif metric is not None:
        equity, balance = to_scaled(metric.equity), to_scaled(metric.balance)
        open_positions, trading_days = metric.open_positions, metric.trading_days
    else:
        return Measures.at_start(terms, start_time=start_time, at=at)
    market_exposure, event_exposure = _exposures(terms, portfolio)
    day = days[-1]
    starts = [to_scaled(one.daily_start_equity) for one in days]
    end_of_day = terms.drawdown_mode == "trailing_eod"
    return Measures(
        at=at,
        start_time=start_time,
        equity=equity,
        balance=balance,
        day_start_equity=to_scaled(day.daily_start_equity),
        day_start_balance=to_scaled(day.daily_start_balance),
        peak_equity=to_scaled(phase.end_of_day_peak if end_of_day else phase.peak_equity),
        open_positions=open_positions,
        trading_days=trading_days,
        day_results=results_of_days(starts),
        last_fill_at=0 if phase.last_fill_at is None else int(phase.last_fill_at.timestamp()),
        market_exposure=market_exposure,
        event_exposure=event_exposure,
    )


def _list_days(phase: ChallengePhase) -> list[DailySnapshot]:
    """The phase's days up to now, oldest first; the last one is today's, or stands for it."""
    return list(DailySnapshot.objects.filter(phase=phase).order_by("local_date"))


def _fresh_portfolio(phase: ChallengePhase, now: datetime) -> Portfolio | None:
    """The account's worth at current prices, None for an ended phase and without fresh ones."""
    if phase.status != ChallengeStatus.ACTIVE:
        return None
    portfolio = get_portfolio(wallet_ids=[phase.account_login], now=now)
    is_priced = all(row.current_price is not None for row in portfolio.positions)
    return portfolio if is_priced and not portfolio.has_stale_marks else None


def _exposures(terms: Terms, portfolio: Portfolio | None) -> tuple[int, int]:
    """The largest cost of the shares held in one market, and in one event, where rules ask."""
    if portfolio is None or not (terms.max_exposure_market_pct or terms.max_exposure_event_pct):
        return 0, 0
    in_market: dict[int, Decimal] = {}
    for row in portfolio.positions:
        in_market[row.market_id] = in_market.get(row.market_id, Decimal(0)) + row.cost
    in_event: dict[int, Decimal] = {}
    events = Market.objects.filter(pk__in=in_market, event__isnull=False)
    for market_id, event_id in events.values_list("pk", "event_id"):
        in_event[event_id] = in_event.get(event_id, Decimal(0)) + in_market[market_id]
    return _largest(in_market.values()), _largest([*in_market.values(), *in_event.values()])


def _largest(costs: Iterable[Decimal]) -> int:
    return to_scaled(six_places(max(costs, default=Decimal(0))))


def _json_value(value: Decimal | int | None) -> float | int | None:
    return float(six_places(value)) + 0.0 if isinstance(value, Decimal) else value
