"""How orders look on the wire (trading-api 4)."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from polysim.kernel.api.fields import BIGINT_MAX
from polysim.kernel.clock import iso_text, to_milliseconds
from polysim.kernel.money import four_places_text, money_text, price_text, shares_text
from trading.selectors import OrderRow
from trading.services import Preview


def number_schema(pattern: str) -> dict[str, Any]:
    """Decimal text or a whole number; decimals as JSON numbers are read as exactly."""
    whole = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
    return {"oneOf": [{"type": "string", "pattern": pattern}, whole], "nullable": True}


@extend_schema_field(number_schema(r"^[0-9]{1,6}(\.[0-9]{1,4})?$"))
class SharesIn(serializers.CharField):
    """Shares, at most four decimals; described here, read by `parse_order`."""


@extend_schema_field(number_schema(r"^[0-9]{1,6}(\.[0-9]{1,2})?$"))
class MoneyIn(serializers.CharField):
    """Dollars; described here, read by `parse_order`."""


@extend_schema_field(
    {"type": "string", "pattern": r"^0\.[0-9]{0,5}[1-9]$", "nullable": True, "example": "0.65"}
)
class PriceIn(serializers.CharField):
    """Dollars per share, as text or number; described here, read by `parse_order`."""


@extend_schema_field(
    {
        "oneOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]{1,12}$"}],
        "nullable": True,
    }
)
class UnixSeconds(serializers.CharField):
    """Unix seconds as number or digits."""


class NewOrder(serializers.Serializer[Any]):
    """The body of an order (4.1): described here, read by `trading.services.parse_order`."""

    market_id = serializers.CharField(
        min_length=1, max_length=256, help_text="The market's condition id."
    )
    side = serializers.ChoiceField(choices=["BUY", "SELL"])
    outcome = serializers.CharField(
        min_length=1, max_length=200, help_text="Label, in any case of letters."
    )
    quantity = SharesIn(required=False, help_text="Shares; exactly one of quantity and amount.")
    amount = MoneyIn(required=False, help_text="Dollars, market buys only.")
    order_type = serializers.ChoiceField(choices=["market", "limit"], default="market")
    price = PriceIn(required=False, help_text="Limit, or worst price of a market order.")
    time_in_force = serializers.ChoiceField(
        choices=["GTC", "GTD", "FOK", "FAK", "IOC"],
        required=False,
        help_text="Default GTC for limit, FOK for market orders.",
    )
    expiration = UnixSeconds(required=False, help_text="GTD only.")
    post_only = serializers.BooleanField(default=False)
    client_order_id = serializers.CharField(
        max_length=256, required=False, allow_null=True, help_text="Idempotency key and echo."
    )
    wallet_id = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=BIGINT_MAX,
        help_text="Sessions must name it.",
    )


class PositionAfter(serializers.Serializer[Any]):
    """The position after an order."""

    market_id = serializers.CharField()
    outcome = serializers.CharField()
    quantity = serializers.CharField()
    avg_entry_price = serializers.CharField()
    status = serializers.CharField()


class OrderAnswer(serializers.Serializer[Any]):
    """An accepted order (4.1)."""

    order_id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["FILLED", "PENDING", "CANCELLED"])
    order_type = serializers.ChoiceField(choices=["market", "limit"])
    side = serializers.ChoiceField(choices=["BUY", "SELL"])
    outcome = serializers.CharField()
    market_id = serializers.CharField()
    price = serializers.CharField()
    quantity = serializers.CharField()
    requested_quantity = serializers.CharField()
    filled_quantity = serializers.CharField()
    notional = serializers.CharField()
    fee = serializers.CharField()
    fee_rate_bps = serializers.IntegerField(allow_null=True)
    liquidity = serializers.CharField(allow_null=True)
    filled_at = serializers.DateTimeField(allow_null=True)
    cancelled_reason = serializers.CharField(allow_null=True)
    price_source = serializers.CharField(allow_null=True)
    slippage_bps = serializers.IntegerField(allow_null=True)
    quote_age_ms = serializers.IntegerField(allow_null=True)
    spread_bps = serializers.IntegerField(allow_null=True)
    impact_bps = serializers.IntegerField(allow_null=True)
    book_walk_levels = serializers.IntegerField(allow_null=True)
    account_balance = serializers.CharField(allow_null=True)
    position = PositionAfter(allow_null=True)
    client_order_id = serializers.CharField(allow_null=True)
    time_in_force = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    amount_interpreted_as = serializers.CharField(allow_null=True)
    is_replay = serializers.BooleanField()
    warnings = serializers.ListField(child=serializers.CharField())
    making_amount = serializers.CharField()
    taking_amount = serializers.CharField()
    trade_ids = serializers.ListField(child=serializers.CharField())
    wallet_id = serializers.IntegerField()


class PreviewFigures(serializers.Serializer[Any]):
    """What a ticket shows besides the answer."""

    levels = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="(price, shares) taken, best first.",
    )
    best_price = serializers.CharField(allow_null=True)
    hold = serializers.CharField()
    total = serializers.CharField(help_text="Cash that moves, fee and hold included.")
    quantity_available = serializers.CharField()
    balance_before = serializers.CharField(allow_null=True)
    balance_after = serializers.CharField(allow_null=True)
    payout_if_right = serializers.CharField(allow_null=True)
    profit_if_right = serializers.CharField(allow_null=True)
    slippage = serializers.ChoiceField(choices=["none", "amber", "red"])
    crosses_now = serializers.BooleanField()


class PreviewAnswer(OrderAnswer):
    """The would-be answer; `order_id` is 0 and nothing was placed."""

    preview = PreviewFigures()


def preview_row(preview: Preview) -> dict[str, Any]:
    """The 4.1 object that placing would answer, with the figures of a ticket."""
    figures = {
        "levels": [[price_text(price), shares_text(size)] for price, size in preview.levels],
        "best_price": price_text(preview.best_price),
        "hold": money_text(preview.hold),
        "total": money_text(preview.total),
        "quantity_available": shares_text(preview.quantity_available),
        "balance_before": money_text(preview.balance_before),
        "balance_after": money_text(preview.balance_after),
        "payout_if_right": money_text(preview.payout_if_right),
        "profit_if_right": money_text(preview.profit_if_right),
        "slippage": preview.slippage,
        "crosses_now": preview.crosses_now,
    }
    return {**(preview.answer or {}), "preview": figures}


@extend_schema_field(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": 5,
        "items": {"anyOf": [{"$ref": "#/components/schemas/NewOrderRequest"}, {}]},
    }
)
class OrdersIn(serializers.ListField):
    """Orders; described with the size that plan pro may send, others by their tier.

    An entry that is no order is refused by itself, not the whole request.
    """


class NewBatch(serializers.Serializer[Any]):
    """Orders to place one after another; at most as many as the tier allows (4.3).

    Each is a body of `place_order`; one that is malformed is refused alone, by its own entry.
    """

    orders = OrdersIn()


class BatchEntry(serializers.Serializer[Any]):
    """An answer of 4.1, or of a failed order what was sent and why it failed."""

    order_id = serializers.IntegerField()
    status = serializers.CharField()
    client_order_id = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)


class BatchAnswer(serializers.Serializer[Any]):
    """One result for each order, in the same order."""

    results = BatchEntry(many=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()


class OrderRowAnswer(serializers.Serializer[Any]):
    """An order in a list (4.4)."""

    order_id = serializers.IntegerField()
    market_id = serializers.CharField()
    side = serializers.ChoiceField(choices=["BUY", "SELL"])
    outcome = serializers.CharField()
    order_type = serializers.ChoiceField(choices=["market", "limit"])
    limit_price = serializers.CharField(allow_null=True)
    quantity = serializers.CharField()
    filled_quantity = serializers.CharField()
    time_in_force = serializers.CharField()
    post_only = serializers.BooleanField()
    expiration = serializers.IntegerField(allow_null=True, help_text="Unix seconds.")
    status = serializers.ChoiceField(choices=["PENDING", "FILLED", "CANCELLED", "EXPIRED"])
    hold_reason = serializers.CharField(allow_null=True)
    cancelled_reason = serializers.CharField(allow_null=True)
    client_order_id = serializers.CharField(allow_null=True)
    wallet_id = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    filled_at = serializers.DateTimeField(allow_null=True)
    fill_price = serializers.CharField(allow_null=True)
    fee = serializers.CharField()
    cancelled_at = serializers.DateTimeField(allow_null=True)


class OrderPageAnswer(serializers.Serializer[Any]):
    """A page of orders; `total_hint` counts at most 1,000."""

    orders = OrderRowAnswer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()
    total_hint = serializers.IntegerField()


def order_row(order: OrderRow) -> dict[str, Any]:
    """4.4, in lists."""
    return {
        "order_id": order.order_id,
        "market_id": order.condition_id,
        "side": order.side,
        "outcome": order.outcome,
        "order_type": order.order_type,
        "limit_price": four_places_text(order.limit_price),
        "quantity": four_places_text(order.quantity),
        "filled_quantity": four_places_text(order.filled_quantity),
        "time_in_force": order.time_in_force,
        "post_only": order.is_post_only,
        "expiration": int(order.expires_at.timestamp()) if order.expires_at else None,
        "status": order.status,
        "hold_reason": order.hold_reason,
        "cancelled_reason": order.cancelled_reason,
        "client_order_id": order.client_order_id,
        "wallet_id": order.wallet_id,
        "created_at": iso_text(order.created_at),
        "filled_at": iso_text(order.filled_at),
        "fill_price": four_places_text(order.average_price),
        "fee": money_text(order.fee),
        "cancelled_at": iso_text(order.cancelled_at),
    }


class OneOrderAnswer(OrderRowAnswer):
    """One order with Polymarket's names beside ours (4.4)."""

    id = serializers.CharField()
    market = serializers.CharField()
    asset_id = serializers.CharField()
    price = serializers.CharField()
    original_size = serializers.CharField()
    size_matched = serializers.CharField()
    owner = serializers.CharField(allow_blank=True)
    maker_address = serializers.CharField(allow_blank=True)
    associate_trades = serializers.ListField(child=serializers.CharField())
    expiration = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    created_at = serializers.CharField()  # type: ignore[assignment]
    placed_at = serializers.DateTimeField()


def one_order_row(order: OrderRow, *, trade_ids: list[str]) -> dict[str, Any]:
    """4.4, alone: `created_at` is unix milliseconds as digits, `placed_at` the ISO time."""
    row = order_row(order)
    row.update(
        {
            "id": str(order.order_id),
            "market": order.condition_id,
            "asset_id": order.token_id,
            "price": four_places_text(order.price),
            "original_size": row["quantity"],
            "size_matched": row["filled_quantity"],
            "owner": "",
            "maker_address": "",
            "associate_trades": trade_ids,
            "expiration": None if row["expiration"] is None else str(row["expiration"]),
            "created_at": str(to_milliseconds(order.created_at)),
            "placed_at": iso_text(order.created_at),
        }
    )
    return row


class CancelledAnswer(serializers.Serializer[Any]):
    """What a bulk cancel did."""

    canceled = serializers.ListField(child=serializers.CharField())
    not_canceled = serializers.DictField(child=serializers.CharField())


def cancelled_row(cancelled: list[str], not_cancelled: Mapping[str, str]) -> dict[str, Any]:
    """4.5, Polymarket's spelling."""
    return {"canceled": cancelled, "not_canceled": dict(not_cancelled)}
