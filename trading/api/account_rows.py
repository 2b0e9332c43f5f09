"""How account reads look on the wire (accounts-api 7.1 to 7.5)."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rest_framework import serializers

from polysim.kernel.clock import iso_text
from polysim.kernel.money import money_text, price_text, shares_text
from trading.selectors import HistoryRow, Portfolio, PositionRow, SettlementRow, TradeStats

_ONE_PLACE = Decimal("0.1")


class BalanceAnswer(serializers.Serializer[Any]):
    """Free cash, starting balance and worth of a wallet."""

    balance = serializers.CharField()
    currency = serializers.CharField()
    starting_balance = serializers.CharField()
    unrealized_pnl = serializers.CharField(help_text="total_value - starting_balance.")
    total_value = serializers.CharField(help_text="Free and reserved cash and marks.")


def balance_row(portfolio: Portfolio) -> dict[str, Any]:
    """7.1 of the portfolio's wallets."""
    return {
        "balance": money_text(portfolio.cash),
        "currency": "USD",
        "starting_balance": money_text(portfolio.baseline),
        "unrealized_pnl": money_text(portfolio.pnl),
        "total_value": money_text(portfolio.equity),
    }


def no_balance_row() -> dict[str, Any]:
    """7.1 of somebody without an API wallet."""
    amounts = ("balance", "starting_balance", "unrealized_pnl", "total_value")
    return {"currency": "USD", **dict.fromkeys(amounts, "0.00")}


class PositionAnswer(serializers.Serializer[Any]):
    """A holding of one outcome."""

    id = serializers.IntegerField()
    market_id = serializers.CharField()
    outcome = serializers.CharField()
    quantity = serializers.CharField()
    avg_entry_price = serializers.CharField()
    current_price = serializers.CharField(allow_null=True)
    market_value = serializers.CharField(allow_null=True)
    unrealized_pnl = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    market_question = serializers.CharField()
    wallet_id = serializers.IntegerField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class PositionEnvelope(serializers.Serializer[Any]):
    """Positions with a cursor, which is always empty."""

    data = PositionAnswer(many=True)
    next_cursor = serializers.CharField(allow_blank=True)


def position_row(position: PositionRow) -> dict[str, Any]:
    """7.2; closed rows have quantity "0" and no price fields."""
    is_open = position.status == "OPEN"
    return {
        "id": position.position_id,
        "market_id": position.condition_id,
        "outcome": position.outcome,
        "quantity": shares_text(position.quantity) if is_open else "0",
        "avg_entry_price": price_text(position.average_price),
        "current_price": price_text(position.current_price),
        "market_value": money_text(position.market_value),
        "unrealized_pnl": money_text(position.unrealized_pnl),
        "status": position.status,
        "market_question": position.market_question,
        "wallet_id": position.wallet_id,
        "opened_at": iso_text(position.opened_at),
        "closed_at": iso_text(position.closed_at),
    }


class PortfolioAnswer(serializers.Serializer[Any]):
    """Balance, open positions and trade figures."""

    balance = BalanceAnswer()
    positions = PositionAnswer(many=True)
    total_trades = serializers.IntegerField()
    win_rate = serializers.CharField(allow_null=True)


def portfolio_row(portfolio: Portfolio, cash: Portfolio, stats: TradeStats) -> dict[str, Any]:
    """7.3: with `all`, cash and baseline are the API wallet's, the total spans all wallets."""
    balance = balance_row(cash)
    balance["total_value"] = money_text(portfolio.equity)
    balance["unrealized_pnl"] = money_text(portfolio.equity - cash.baseline)
    return {
        "balance": balance,
        "positions": [position_row(position) for position in portfolio.positions],
        "total_trades": stats.total_trades,
        "win_rate": percent_text(stats.win_rate),
    }


def percent_text(percent: Decimal | None) -> str | None:
    """A percentage with one decimal and its sign: "60.0%"."""
    return None if percent is None else f"{percent.quantize(_ONE_PLACE, ROUND_HALF_UP)}%"


class HistoryAnswer(serializers.Serializer[Any]):
    """A filled order; `price` is its average."""

    order_id = serializers.IntegerField()
    market_id = serializers.CharField()
    side = serializers.ChoiceField(choices=["BUY", "SELL"])
    outcome = serializers.CharField()
    price = serializers.CharField()
    quantity = serializers.CharField()
    notional = serializers.CharField()
    fee = serializers.CharField()
    status = serializers.CharField()
    price_source = serializers.CharField(allow_null=True)
    price_age_ms = serializers.IntegerField(allow_null=True)
    filled_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    wallet_id = serializers.IntegerField()


class HistoryEnvelope(serializers.Serializer[Any]):
    """History with the next offset; empty on the last page."""

    data = HistoryAnswer(many=True)
    next_cursor = serializers.CharField(allow_blank=True)


def history_row(order: HistoryRow) -> dict[str, Any]:
    """7.4."""
    return {
        "order_id": order.order_id,
        "market_id": order.condition_id,
        "side": order.side,
        "outcome": order.outcome,
        "price": price_text(order.price),
        "quantity": shares_text(order.quantity),
        "notional": money_text(order.notional),
        "fee": money_text(order.fee),
        "status": order.status,
        "price_source": order.price_source,
        "price_age_ms": order.price_age_ms,
        "filled_at": iso_text(order.filled_at),
        "created_at": iso_text(order.created_at),
        "wallet_id": order.wallet_id,
    }


class SettlementAnswer(serializers.Serializer[Any]):
    """What a position was paid."""

    position_id = serializers.IntegerField()
    market_id = serializers.CharField()
    market_question = serializers.CharField()
    outcome = serializers.CharField()
    wallet_id = serializers.IntegerField()
    quantity = serializers.CharField()
    avg_entry_price = serializers.CharField()
    cost_basis = serializers.CharField()
    payout = serializers.CharField()
    payout_per_share = serializers.CharField()
    realized_pnl = serializers.CharField()
    result = serializers.CharField()
    settled_at = serializers.DateTimeField()


class SettlementEnvelope(serializers.Serializer[Any]):
    """Settlements with the next cursor; empty on the last page."""

    data = SettlementAnswer(many=True)
    next_cursor = serializers.CharField(allow_blank=True)


def settlement_row(settlement: SettlementRow) -> dict[str, Any]:
    """7.5."""
    return {
        "position_id": settlement.position_id,
        "market_id": settlement.condition_id,
        "market_question": settlement.market_question,
        "outcome": settlement.outcome,
        "wallet_id": settlement.wallet_id,
        "quantity": shares_text(settlement.quantity),
        "avg_entry_price": price_text(settlement.average_price),
        "cost_basis": money_text(settlement.cost),
        "payout": money_text(settlement.payout),
        "payout_per_share": format(settlement.payout_per_share.normalize(), "f"),
        "realized_pnl": money_text(settlement.realized_pnl),
        "result": settlement.result,
        "settled_at": iso_text(settlement.settled_at),
    }
