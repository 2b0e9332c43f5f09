"""What the outbox's events about trades and orders carry (partner-api B3)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from polysim.kernel.clock import iso_micro_text
from polysim.kernel.money import four_places_text, money_text
from tenants.office.rendering import register_renderer
from trading.models import Order
from trading.selectors.trades import get_trade


def register_renderers() -> None:
    """Tell the office's outbox how these events are filled in."""
    register_renderer("trade.filled", render_trade)
    register_renderer("position.settled", render_trade)
    register_renderer("order.cancelled", render_ended_order)


def render_trade(ids: Mapping[str, Any]) -> dict[str, Any]:
    """The account's id and the row of the feed."""
    return get_trade(trade_id=UUID(ids["trade_id"])) or dict(ids)


def render_ended_order(ids: Mapping[str, Any]) -> dict[str, Any]:
    """The account's id and the order as it ended; raises Order.DoesNotExist."""
    order = Order.objects.select_related("wallet", "market", "outcome").get(pk=ids["order_id"])
    return {
        "account_id": str(order.wallet.account_id),
        "order_id": order.pk,
        "status": order.status,
        "cancelled_reason": order.cancelled_reason or None,
        "market_id": order.market.condition_id,
        "token_id": order.outcome.token_id,
        "market_question": order.market.question,
        "side": order.side,
        "outcome": order.outcome.label,
        "order_type": order.type,
        "price": four_places_text(order.price),
        "quantity": four_places_text(order.quantity),
        "filled_quantity": four_places_text(order.filled_quantity),
        "fee": money_text(order.fee),
        "client_order_id": order.client_order_id,
        "placed_by": order.placed_by,
        "created_at": iso_micro_text(order.created_at),
        "cancelled_at": iso_micro_text(order.cancelled_at),
    }
