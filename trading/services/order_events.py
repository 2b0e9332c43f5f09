"""Frames about an order to its owner and to the matcher, after commit (trading-api 10.2)."""

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from polysim.kernel.clock import iso_text
from polysim.kernel.errors import ServiceUnavailable
from trading.events import tell_evaluator, tell_matcher, tell_user
from trading.markets.books import add_held_interest
from trading.services.measures import measure_after_fill

logger = logging.getLogger(__name__)

TOLD_FOR_S = 10.0
TOLD_ENTRIES_MAX = 10_000
_told_until_s: dict[tuple[str, str], float] = {}


def publish_placed(answer: Mapping[str, Any], *, user_id: int, schema: str, now: datetime) -> None:
    """A `fill` frame for what filled at once; an `order` frame unless it is all filled."""
    if answer["trade_ids"]:
        measure_after_fill(schema=schema, wallet_id=answer["wallet_id"], now=now)
        tell_evaluator(schema=schema, wallet_id=answer["wallet_id"])
        tell_user(user_id=user_id, frame=_fill_frame(answer, now), now=now)
    if answer["status"] != "FILLED":
        tell_user(user_id=user_id, frame=_order_frame(answer, now), now=now)
    if answer["status"] == "PENDING":
        tell_matcher(schema=schema, order_id=answer["order_id"], is_open=True)


def hold_interest(kind: str, condition_id: str) -> None:
    """Keep the market live for its orders or positions; told once in a while per process.

    The matcher replaces these sets from the rows every minute, so a lost one mends itself.
    """
    now_s = time.monotonic()
    if _told_until_s.get((kind, condition_id), 0.0) > now_s:
        return
    try:
        add_held_interest(kind, [condition_id])
    except ServiceUnavailable:
        logger.warning("The feed was not told of interest in %s.", condition_id)
        return
    if len(_told_until_s) >= TOLD_ENTRIES_MAX:
        _told_until_s.clear()
    _told_until_s[kind, condition_id] = now_s + TOLD_FOR_S


def _fill_frame(answer: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "type": "fill",
        "order_id": answer["order_id"],
        "market_id": answer["market_id"],
        "side": answer["side"],
        "outcome": answer["outcome"],
        "price": answer["price"],
        "quantity": answer["filled_quantity"],
        "filled_at": iso_text(now),
        "client_order_id": answer["client_order_id"],
        "wallet_id": answer["wallet_id"],
        "fee": answer["fee"],
        "liquidity": "taker",
        "trade_id": answer["trade_ids"][0],
        "order_status": answer["status"],
        "filled_quantity": answer["filled_quantity"],
    }


def _order_frame(answer: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "type": "order",
        "order_id": answer["order_id"],
        "market_id": answer["market_id"],
        "side": answer["side"],
        "outcome": answer["outcome"],
        "status": answer["status"],
        "cancelled_reason": answer["cancelled_reason"],
        "wallet_id": answer["wallet_id"],
        "client_order_id": answer["client_order_id"],
        "price": answer["price"],
        "quantity": answer["requested_quantity"],
        "filled_quantity": answer["filled_quantity"],
        "at": iso_text(now),
    }


def publish_cancelled(
    ended: Mapping[str, Any],
    *,
    condition_id: str,
    outcome: str,
    reason: str,
    user_id: int,
    schema: str,
    now: datetime,
) -> None:
    """An `order` frame for an order that its owner, a sweep or a reset cancelled."""
    frame = {
        "type": "order",
        "order_id": ended["order_id"],
        "market_id": condition_id,
        "side": ended["side"],
        "outcome": outcome,
        "status": "CANCELLED",
        "cancelled_reason": reason,
        "wallet_id": ended["wallet_id"],
        "client_order_id": ended["client_order_id"],
        "price": ended["price"],
        "quantity": ended["quantity"],
        "filled_quantity": ended["filled_quantity"],
        "at": iso_text(now),
    }
    tell_user(user_id=user_id, frame=frame, now=now)
    tell_matcher(schema=schema, order_id=ended["order_id"], is_open=False)


def publish_wallet(*, user_id: int, wallet_id: int, reason: str, now: datetime) -> None:
    """A `wallet` frame: cash changed other than by an order (reset, archive, top-up)."""
    frame = {"type": "wallet", "wallet_id": wallet_id, "reason": reason, "at": iso_text(now)}
    tell_user(user_id=user_id, frame=frame, now=now)
