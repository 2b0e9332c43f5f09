"""The rules of one account beside its name and beside an order: what is left, now."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from polysim.kernel.money import from_scaled
from prop.meters import Meter, Moment, read_meters, tightest
from prop.models import ChallengePhase, ChallengeStatus
from prop.rules import progress
from prop.selectors.readings import read_phase


@dataclass(frozen=True, slots=True)
class Bar:
    """The two tightest rules, and the room in dollars; None where no rule limits it."""

    challenge_id: int
    meters: tuple[Meter, ...]
    daily_left: Decimal | None
    total_left: Decimal | None
    positions_left: int | None
    held_outcome_ids: frozenset[int]


def read_bar(*, login: int, now: datetime) -> Bar | None:
    """Of the running phase on this account; None for accounts without one."""
    phase = ChallengePhase.objects.filter(
        account_login=login, status=ChallengeStatus.ACTIVE
    ).first()
    reading = None if phase is None else read_phase(phase, now=now)
    if phase is None or reading is None:
        return None
    terms, measures = reading.terms, reading.measures
    moment = Moment(at=measures.at, next_reset_time=reading.next_reset_time, zone=reading.zone)
    figures = progress(terms, measures, next_reset_time=reading.next_reset_time)
    equity = from_scaled(measures.equity)
    limit = terms.max_positions
    return Bar(
        challenge_id=phase.challenge_id,
        meters=tightest(read_meters(terms, measures, moment)),
        daily_left=_left(equity, figures["daily_loss_floor"]),
        total_left=_left(equity, figures["total_loss_floor"]),
        positions_left=limit - measures.open_positions if limit else None,
        held_outcome_ids=frozenset(row.outcome_id for row in reading.positions),
    )


def _left(equity: Decimal, floor: Decimal | int | None) -> Decimal | None:
    return None if floor is None else equity - Decimal(floor)
