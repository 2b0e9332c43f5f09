"""The begin of a challenge: its row, its first phase and that phase's first day (5, 6.4)."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from polysim.kernel.money import cents
from polysim.kernel.tenancy import require_building
from prop.models import Challenge, ChallengePhase, ChallengeStatus, DailySnapshot, Purchase
from prop.rules.days import local_date
from prop.services.terms import phase_terms
from trading.events import tell_evaluator

FIRST_PHASE = 1


@transaction.atomic
def begin_challenge(
    *, purchase: Purchase, attempt: int, account_login: int, now: datetime
) -> Challenge:
    """An active challenge of `purchase` on the terms it was bought under; once per attempt.

    The caller has booked the initial balance on `account_login` and holds the purchase's lock. An
    existing attempt is answered as it is.
    """
    existing = Challenge.objects.filter(purchase=purchase, attempt=attempt).first()
    if existing is not None:
        return existing
    challenge = Challenge.objects.create(
        purchase=purchase,
        program_id=purchase.program_id,
        customer_id=purchase.customer_id,
        account_login=account_login,
        current_phase_index=FIRST_PHASE,
        status=ChallengeStatus.ACTIVE,
        attempt=attempt,
        terms=purchase.terms,
        snapshot_at=now,
        start_at=now,
        created_at=now,
        updated_at=now,
    )
    start_phase(
        challenge=challenge,
        phase=new_phase(challenge=challenge, phase_index=FIRST_PHASE, now=now),
        account_login=account_login,
        now=now,
    )
    return challenge


def new_phase(*, challenge: Challenge, phase_index: int, now: datetime) -> ChallengePhase:
    """A pending runtime row (not saved) on the challenge's copy of the terms."""
    terms = phase_terms(challenge.terms, phase_index)
    return ChallengePhase(
        challenge=challenge,
        program_id=challenge.program_id,
        phase_index=phase_index,
        phase_type=terms["phase_type"],
        account_group=terms["account_group"],
        terms=terms,
        created_at=now,
        updated_at=now,
    )


def start_phase(
    *, challenge: Challenge, phase: ChallengePhase, account_login: int, now: datetime
) -> ChallengePhase:
    """Make a phase active on its funded account, and write its first day with that balance.

    In the caller's transaction; the challenge's own row is the caller's. The evaluator is told.
    """
    amount = initial_balance_of(phase.terms)
    phase.account_login = account_login
    phase.status = ChallengeStatus.ACTIVE
    phase.initial_balance = phase.initial_equity = amount
    phase.peak_equity = phase.end_of_day_peak = amount
    phase.start_at = phase.updated_at = now
    phase.save()
    zone = ZoneInfo(phase.terms["timezone"])
    DailySnapshot.objects.create(
        challenge=challenge,
        phase=phase,
        local_date=local_date(int(now.timestamp()), zone),
        daily_start_balance=amount,
        daily_start_equity=amount,
        current_balance=amount,
        current_equity=amount,
        min_equity=amount,
        max_equity=amount,
        created_at=now,
        updated_at=now,
    )
    schema = require_building()
    transaction.on_commit(lambda: tell_evaluator(schema=schema, wallet_id=account_login))
    return phase


def initial_balance_of(terms: dict[str, Any]) -> Decimal:
    """The initial balance that a phase's terms name, in whole cents."""
    return cents(Decimal(terms["initial_balance"]))
