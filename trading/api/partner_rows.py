"""How accounts, trades and orders of a firm look on the partner door, for its description."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from polysim.kernel.api.partner_fields import JsonObject, Money, Price
from trading.api.order_rows import OneOrderAnswer, OrderAnswer, OrderRowAnswer, order_row
from trading.selectors.rows import OrderRow

STATUSES = ("active", "closed", "archived")
PLACED_BY = ("trader", "partner", "firm", "system")


class EnvelopePositionAnswer(serializers.Serializer[Any]):
    """An open position; price, value and P&L are null while no price is known."""

    market_id = serializers.CharField()
    token_id = serializers.CharField()
    market_question = serializers.CharField()
    market_category = serializers.CharField()
    outcome = serializers.CharField()
    quantity = Price()
    avg_entry_price = Price()
    cost_basis = Money()
    current_price = Price(allow_null=True)
    market_value = Money(allow_null=True)
    unrealized_pnl = Money(allow_null=True)
    price_age_ms = serializers.IntegerField(allow_null=True)
    stale = serializers.BooleanField()


class ListedAccountAnswer(serializers.Serializer[Any]):
    """An account's envelope without its positions (B1)."""

    account_id = serializers.UUIDField()
    external_id = serializers.CharField()
    user_id = serializers.IntegerField()
    stage = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    trading_enabled = serializers.BooleanField()
    currency = serializers.CharField()
    attempt = serializers.IntegerField()
    starting_balance = Money()
    net_transfers = Money()
    balance = Money(help_text="All cash, reserved cash included.")
    reserved = Money()
    available_balance = Money()
    positions_value = Money()
    equity = Money()
    realized_pnl = Money(help_text="Net of fees.")
    unrealized_pnl = Money()
    total_pnl = Money()
    total_pnl_pct = Price()
    fees_paid = Money()
    peak_equity = Money()
    drawdown = Money()
    drawdown_pct = Price()
    max_drawdown = Money()
    max_drawdown_pct = Price()
    day = serializers.DateField(help_text="In the firm's time zone.")
    day_start_equity = Money()
    day_pnl = Money()
    trades_count = serializers.IntegerField()
    trading_days = serializers.IntegerField()
    open_orders = serializers.IntegerField()
    last_trade_at = serializers.DateTimeField(allow_null=True)
    rules = JsonObject()
    metadata = JsonObject()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    reset_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    priced_at = serializers.DateTimeField()
    stale_prices = serializers.BooleanField()


class EnvelopeAnswer(ListedAccountAnswer):
    """An account with all its figures, from one database snapshot (section 5)."""

    positions = EnvelopePositionAnswer(many=True)


class ResetCountsAnswer(serializers.Serializer[Any]):
    """What a reset ended."""

    attempt = serializers.IntegerField()
    positions_closed = serializers.IntegerField()
    orders_cancelled = serializers.IntegerField()


class ResetAnswer(EnvelopeAnswer):
    """The envelope of the new attempt."""

    reset = ResetCountsAnswer()


class AccountPageAnswer(serializers.Serializer[Any]):
    """Accounts, oldest first."""

    data = ListedAccountAnswer(many=True)
    next_cursor = serializers.CharField()
    has_more = serializers.BooleanField()


class TradeAnswer(serializers.Serializer[Any]):
    """A fill or a settlement, numbered without gaps in its account (section 6)."""

    trade_id = serializers.UUIDField()
    seq = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=["fill", "settlement"])
    attempt = serializers.IntegerField()
    order_id = serializers.IntegerField(allow_null=True)
    market_id = serializers.CharField()
    token_id = serializers.CharField()
    market_question = serializers.CharField()
    market_category = serializers.CharField()
    side = serializers.ChoiceField(choices=["BUY", "SELL"])
    outcome = serializers.CharField()
    price = Price()
    quantity = Price()
    notional = Money()
    fee = Money()
    liquidity = serializers.ChoiceField(choices=["taker", "maker"], allow_null=True)
    realized_pnl = Money()
    cash_delta = Money()
    balance_after = Money()
    placed_by = serializers.ChoiceField(choices=PLACED_BY)
    filled_at = serializers.DateTimeField()


class TradePageAnswer(serializers.Serializer[Any]):
    """Trades, oldest first; `next_cursor` is always there."""

    data = TradeAnswer(many=True)
    next_cursor = serializers.CharField()
    has_more = serializers.BooleanField()


class PlacedOrderAnswer(OrderAnswer):
    """The native order object and who placed it."""

    placed_by = serializers.ChoiceField(choices=PLACED_BY)


class AccountOrderAnswer(OrderRowAnswer):
    """An order in a list, with who placed it."""

    placed_by = serializers.ChoiceField(choices=PLACED_BY)


class AccountOneOrderAnswer(OneOrderAnswer):
    """One order, with who placed it."""

    placed_by = serializers.ChoiceField(choices=PLACED_BY)


class AccountOrderPageAnswer(serializers.Serializer[Any]):
    """Orders, newest first; `next_cursor` is null on the last page."""

    data = AccountOrderAnswer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class CancelledIdsAnswer(serializers.Serializer[Any]):
    """Ids of the orders that were cancelled."""

    cancelled = serializers.ListField(child=serializers.IntegerField())


def account_order_row(order: OrderRow) -> dict[str, Any]:
    """The native row and who placed it."""
    return {**order_row(order), "placed_by": order.placed_by}


def with_placed_by(answer: Mapping[str, Any], placed_by: str) -> dict[str, Any]:
    """The native order object and who placed it."""
    return {**answer, "placed_by": placed_by}
