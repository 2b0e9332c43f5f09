"""One fresh look at a phase: its account valued now, as the rules measure it (prop-client 5).

For pages and details of single phases; the evaluator reads all phases set-wise instead.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from polysim.kernel.money import to_scaled
from prop.models import ChallengePhase, DailySnapshot
from prop.rules import Measures, Terms, results_of_days
from prop.rules.days import next_midnight
from trading.engine.valuation import market_value
from trading.models import Position
from trading.selectors import PositionRow, list_positions
from wallets.models import Wallet


@dataclass(frozen=True, slots=True)
class PhaseReading:
    """A phase's terms and measures; `positions` are the open ones that were valued."""

    terms: Terms
    measures: Measures
    next_reset_time: int
    zone: ZoneInfo
    positions: tuple[PositionRow, ...]
    oldest_mark_ms: int | None


def read_phase(
    phase: ChallengePhase, *, now: datetime, stale_after_s: int = 300
) -> PhaseReading | None:
    """The reading of a phase at `now`; None while its account is not funded.

    Four queries and one look at the books. `is_price_stale` when a held outcome's price is older
    than `stale_after_s`, or unknown.
    """
    wallet = Wallet.objects.filter(pk=phase.account_login).first()
    if wallet is None or phase.start_at is None:
        return None
    terms = Terms.from_data(phase.terms)
    zone = ZoneInfo(str(phase.terms["timezone"]))
    rows = tuple(list_positions(wallet_ids=[wallet.pk], now=now))
    worth, cost = 0, 0
    for row in rows:
        paid = to_scaled(row.cost)
        price = row.current_price
        held = to_scaled(row.quantity)
        worth += paid if price is None else market_value(held, to_scaled(price))
        cost += paid
    cash = to_scaled(wallet.balance) + to_scaled(wallet.reserved)
    at = int(now.timestamp())
    by_market, by_event = _exposures(rows, wallet.pk) if rows else (0, 0)
    ages = [row.mark_age_ms for row in rows]
    known = [age for age in ages if age is not None]
    measures = replace(
        _measures(phase, terms, at=at, equity=cash + worth, balance=cash + cost),
        open_positions=len(rows),
        market_exposure=by_market,
        event_exposure=by_event,
        is_price_stale=any(age is None or age > stale_after_s * 1000 for age in ages),
    )
    return PhaseReading(
        terms=terms,
        measures=measures,
        next_reset_time=next_midnight(at, zone),
        zone=zone,
        positions=rows,
        oldest_mark_ms=max(known) if known else None,
    )


def _measures(
    phase: ChallengePhase, terms: Terms, *, at: int, equity: int, balance: int
) -> Measures:
    days = list(DailySnapshot.objects.filter(phase=phase).order_by("local_date"))
    starts = [to_scaled(day.daily_start_equity) for day in days]
    newest = days[-1] if days else None
    start = terms.scaled.start
    peak = phase.end_of_day_peak if terms.drawdown_mode == "trailing_eod" else phase.peak_equity
    assert phase.start_at is not None
    return Measures(
        at=at,
        start_time=int(phase.start_at.timestamp()),
        equity=equity,
        balance=balance,
        day_start_equity=start if newest is None else starts[-1],
        day_start_balance=start if newest is None else to_scaled(newest.daily_start_balance),
        peak_equity=max(start, to_scaled(peak)),
        trading_days=len(days) if terms.trading_days_mode == "snapshots" else phase.trading_days,
        day_results=results_of_days(starts),
        last_fill_at=0 if phase.last_fill_at is None else int(phase.last_fill_at.timestamp()),
    )


def _exposures(rows: Iterable[PositionRow], wallet_id: int) -> tuple[int, int]:
    """What the shares of one market, and of one event, cost at most."""
    events = dict(
        Position.objects.filter(wallet_id=wallet_id, status="OPEN").values_list(
            "market_id", "market__event_id"
        )
    )
    by_market: dict[int, int] = defaultdict(int)
    by_event: dict[object, int] = defaultdict(int)
    for row in rows:
        paid = to_scaled(row.cost)
        by_market[row.market_id] += paid
        # A market without an event is one of its own.
        by_event[events.get(row.market_id) or f"market {row.market_id}"] += paid
    return max(by_market.values()), max(by_event.values())
