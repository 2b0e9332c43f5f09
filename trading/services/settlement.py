"""Paying positions at their market's result, once per position and version of the result.

Contract: trading-api 9. The result is the venue's (`MarketResolution`), never inferred here.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError, InternalError

from polysim.kernel.clock import iso_text
from polysim.kernel.money import money_text, shares_text, to_scaled
from polysim.kernel.tenancy import require_building
from trading.engine.valuation import settlement_result
from trading.events import tell_evaluator, tell_user
from trading.selectors.clocks import find_clocks
from trading.selectors.unsettled import UnsettledPosition, list_unsettled_positions
from trading.services.refusals import ServerBusy
from trading.services.statements import call_once

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SettlementReport:
    """How many positions were paid, and how many wait: their user is busy, their clock advances."""

    settled: int = 0
    waiting: int = 0


def settle_resolved_positions(*, now: datetime) -> SettlementReport:
    """Settle all positions of the current building whose market has a newer result.

    Each in a transaction of its own under its user's lock; safe to repeat and to interrupt.
    Accounts on a test clock are paid at the clock's time, once it stands still.
    """
    settled = waiting = 0
    unsettled = list_unsettled_positions()
    clocks = find_clocks(wallet_ids=[position.wallet_id for position in unsettled])
    for position in unsettled:
        clock = clocks.get(position.wallet_id)
        if clock is not None and clock.is_advancing:
            waiting += 1
            continue
        at = now if clock is None else clock.at
        answer = _settle(position, now=at)
        if "settled" in answer:
            settled += 1
            _tell(position, answer["settled"], now=at)
        elif answer["refused"] == "busy":
            waiting += 1
    return SettlementReport(settled, waiting)


def _settle(position: UnsettledPosition, *, now: datetime) -> dict[str, Any]:
    share = position.payouts[position.outcome_index]
    request = {
        "position_id": position.position_id,
        "version": position.version,
        "payout_per_share": str(share),
        "result": _result(position, share),
        "now": now.isoformat(),
        "wait_ms": settings.LOCK_WAIT_MS,
    }
    try:
        return call_once("settle_position", request)
    except ServerBusy:
        return {"refused": "busy"}
    except (IntegrityError, DataError, InternalError):
        # One bad row must not keep everybody else from being paid.
        logger.exception("Position %s could not be settled.", position.position_id)
        return {"refused": "defect"}


def _result(position: UnsettledPosition, share: Decimal) -> str:
    return settlement_result(to_scaled(share), [to_scaled(payout) for payout in position.payouts])


def _tell(position: UnsettledPosition, settled: dict[str, Any], *, now: datetime) -> None:
    """The `settlement` frame of trading-api 10.2."""
    share = position.payouts[position.outcome_index]
    frame = {
        "type": "settlement",
        "position_id": position.position_id,
        "market_id": position.condition_id,
        "market_question": position.question,
        "outcome": position.outcome_label,
        "wallet_id": position.wallet_id,
        "quantity": shares_text(Decimal(settled["quantity"])),
        "payout": money_text(Decimal(settled["paid"])),
        "payout_per_share": str(share),
        "result": _result(position, share),
        "version": position.version,
        "settled_at": iso_text(now),
    }
    tell_evaluator(schema=require_building(), wallet_id=position.wallet_id)
    tell_user(user_id=position.user_id, frame=frame, now=now)
