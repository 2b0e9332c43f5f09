"""One phase's evidence, read now: for what staff decide between two passes of the evaluator."""

from dataclasses import replace
from datetime import datetime

from polysim.kernel.money import to_scaled
from prop.errors import StateConflict
from prop.models import ChallengePhase, PropSettings
from prop.selectors.readings import read_phase
from prop.services.evidence import Evidence, Held
from trading.selectors import PositionRow

STALE_AFTER_S = 300


def stale_after_s() -> int:
    """From which age of a held market's price verdicts wait: the firm's choice, in seconds."""
    chosen = PropSettings.objects.order_by("pk").values_list("stale_after_s", flat=True).first()
    return STALE_AFTER_S if chosen is None else int(chosen)


def read_evidence(*, phase: ChallengePhase, now: datetime) -> Evidence:
    """Cash, holdings, marks and measures of a phase; raises StateConflict without an account."""
    limit_s = stale_after_s()
    reading = read_phase(phase, now=now, stale_after_s=limit_s)
    if reading is None:
        raise StateConflict("The phase has no account yet.")
    held = tuple(_held(row, now) for row in reading.positions)
    oldest = reading.measures.at - limit_s
    is_stale = any(one.mark is None or one.marked_at < oldest for one in held)
    return Evidence(
        terms=reading.terms,
        measures=replace(reading.measures, is_price_stale=is_stale),
        cash=reading.measures.balance - sum(one.cost for one in held),
        positions=held,
        stale_after_s=limit_s,
    )


def _held(row: PositionRow, now: datetime) -> Held:
    age_ms = row.mark_age_ms
    at = 0 if age_ms is None else int(now.timestamp()) - age_ms // 1000
    return Held(
        condition_id=row.condition_id,
        outcome_index=row.outcome_index,
        quantity=to_scaled(row.quantity),
        cost=to_scaled(row.cost),
        mark=None if row.current_price is None else to_scaled(row.current_price),
        marked_at=at,
    )
