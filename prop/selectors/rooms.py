"""How much room is left to many running phases, read at once: lists and the dashboard.

Two queries and one look at the books for any number of phases. A room is what is left of a loss
limit, in dollars and as a percent of the whole limit; below 20 % a phase is near its breach.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import from_scaled, to_scaled
from prop.models import ChallengePhase, ChallengeStatus, DailySnapshot, Step
from prop.rules import Measures, Terms
from prop.rules.catalogue import DAILY_LOSS, TOTAL_LOSS
from prop.rules.rule import LossRule
from trading.engine.valuation import market_value
from trading.markets.books import read_marks
from trading.models import Position
from wallets.models import Wallet

NEAR_BELOW = Decimal(20)
HUNDRED = Decimal(100)
# So many phases are looked at for the list of those near their breach.
CANDIDATES_MAX = 1000
# Percent of a limit at which phases warn when nobody changed it.
WARNING_USUAL = 80


@dataclass(frozen=True, slots=True)
class Holding:
    """An open position, scaled by 10**6; without a price it counts at its cost."""

    quantity: int
    cost: int
    price: int | None


@dataclass(frozen=True, slots=True)
class LossRoom:
    """One loss limit: dollars left, percent of the limit left."""

    left: Decimal
    percent: Decimal

    @property
    def used(self) -> Decimal:
        """Percent of the limit that is used, for the bar."""
        return HUNDRED - self.percent

    @property
    def tone(self) -> str:
        """loss below 20 %, warn below 40 %, else none."""
        if self.percent < NEAR_BELOW:
            return "loss"
        return "warn" if self.percent < 2 * NEAR_BELOW else ""


@dataclass(frozen=True, slots=True)
class Room:
    """A running phase as the list shows it. Money in dollars."""

    phase: ChallengePhase
    equity: Decimal
    today: Decimal
    daily: LossRoom | None
    total: LossRoom | None
    is_stale: bool

    @property
    def tightest(self) -> Decimal:
        """The smallest percent left of any loss limit; 100 without one."""
        return min((room.percent for room in (self.daily, self.total) if room), default=HUNDRED)

    @property
    def is_near(self) -> bool:
        """Whether less than 20 % of a limit is left."""
        return self.tightest < NEAR_BELOW


def valued_phases(chosen: Q) -> QuerySet[ChallengePhase]:
    """Phases with the cash and the day's start that valuing them takes."""
    wallet = Wallet.objects.filter(pk=OuterRef("account_login"))
    newest = DailySnapshot.objects.filter(phase=OuterRef("pk")).order_by("-local_date")
    return ChallengePhase.objects.filter(chosen).annotate(
        account_cash=Subquery(wallet.annotate(all=F("balance") + F("reserved")).values("all")[:1]),
        day_equity=Subquery(newest.values("daily_start_equity")[:1]),
        day_balance=Subquery(newest.values("daily_start_balance")[:1]),
    )


def read_rooms(phases: Iterable[ChallengePhase], *, now: datetime) -> dict[int, Room]:
    """The room of each active phase among `valued_phases`, by challenge id."""
    rows = [row for row in phases if row.status == ChallengeStatus.ACTIVE]
    rows = [row for row in rows if row.account_cash is not None]  # type: ignore[attr-defined]
    held = _read_holdings([row.account_login for row in rows]) if rows else {}
    return {row.challenge_id: _room(row, held.get(row.account_login, []), now) for row in rows}


def _read_holdings(logins: Sequence[int]) -> dict[int, list[Holding]]:
    """Open positions by account, priced like everywhere: the live mark, else the last sweep's."""
    rows = list(
        Position.objects.filter(wallet__in=logins, status=Position.Status.OPEN).values_list(
            "wallet_id",
            "quantity",
            "cost",
            "market__condition_id",
            "outcome__index",
            "market__stats__price",
        )
    )
    try:
        marks = read_marks([(market, index) for *_, market, index, _ in rows])
    except ServiceUnavailable:
        marks = {}
    held: dict[int, list[Holding]] = defaultdict(list)
    for wallet_id, quantity, cost, market, index, swept in rows:
        mark = marks.get((market, index))
        price = mark.price if mark is not None else None
        if price is None and swept is not None:
            price = to_scaled(swept if index == 0 else 1 - swept)
        held[wallet_id].append(Holding(to_scaled(quantity), to_scaled(cost), price))
    return held


def list_near_breach(*, now: datetime, limit: int | None = None) -> list[Room]:
    """Running phases with less than 20 % of a limit left, tightest first.

    The evaluator warns a phase when 80 % of a limit is used, and the warning stays on record; those
    (and those of programs that warn elsewhere) are valued at the prices of now, at most
    `CANDIDATES_MAX`.
    """
    unusual = Step.objects.exclude(warning_pct=WARNING_USUAL).values("program")
    warned = ~Q(warned={}) | Q(program_id__in=unusual)
    chosen = valued_phases(warned & Q(status=ChallengeStatus.ACTIVE))
    candidates = chosen.order_by("-updated_at")[:CANDIDATES_MAX]
    near = [room for room in read_rooms(candidates, now=now).values() if room.is_near]
    near.sort(key=lambda room: room.tightest)
    return near if limit is None else near[:limit]


def _room(phase: ChallengePhase, positions: Sequence[Holding], now: datetime) -> Room:
    terms = Terms.from_data(phase.terms)
    cash = to_scaled(phase.account_cash)  # type: ignore[attr-defined]
    worth = sum(
        one.cost if one.price is None else market_value(one.quantity, one.price)
        for one in positions
    )
    cost = sum(one.cost for one in positions)
    start = terms.scaled.start
    day_equity, day_balance = phase.day_equity, phase.day_balance  # type: ignore[attr-defined]
    peak = phase.end_of_day_peak if terms.drawdown_mode == "trailing_eod" else phase.peak_equity
    measures = Measures(
        at=int(now.timestamp()),
        start_time=int((phase.start_at or now).timestamp()),
        equity=cash + worth,
        balance=cash + cost,
        day_start_equity=start if day_equity is None else to_scaled(day_equity),
        day_start_balance=start if day_balance is None else to_scaled(day_balance),
        peak_equity=max(start, to_scaled(peak)),
        open_positions=len(positions),
        trading_days=phase.trading_days,
    )
    return Room(
        phase=phase,
        equity=from_scaled(measures.equity),
        today=from_scaled(measures.equity - measures.day_start_equity),
        daily=_loss_room(DAILY_LOSS, terms, measures),
        total=_loss_room(TOTAL_LOSS, terms, measures),
        is_stale=any(one.price is None for one in positions),
    )


def _loss_room(rule: LossRule, terms: Terms, measures: Measures) -> LossRoom | None:
    if not rule.is_on(terms):
        return None
    floor = from_scaled(rule.floor(terms, measures))
    basis = rule.basis(terms, measures)
    whole = basis - floor if rule is TOTAL_LOSS else basis * rule.limit(terms) / HUNDRED
    left = max(Decimal(0), from_scaled(measures.equity) - floor)
    percent = min(HUNDRED, left * HUNDRED / whole) if whole > 0 else Decimal(0)
    return LossRoom(left, percent)
