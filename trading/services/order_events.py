"""Frames about an order to its owner and to the matcher, after commit (trading-api 10.2)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from polysim.kernel.clock import iso_text
from trading.events import tell_matcher, tell_user


def publish_placed(answer: Mapping[str, Any], *, user_id: int, schema: str, now: datetime) -> None:
    """A `fill` frame for what filled at once; an `order` frame unless it is all filled."""
    if answer["trade_ids"]:
        tell_user(user_id=user_id, frame=_fill_frame(answer, now), now=now)
    if answer["status"] != "FILLED":
        tell_user(user_id=user_id, frame=_order_frame(answer, now), now=now)
    if answer["status"] == "PENDING":
        tell_matcher(schema=schema, order_id=answer["order_id"], is_open=True)


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
