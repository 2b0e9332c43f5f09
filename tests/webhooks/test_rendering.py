"""Fills and ended orders as they arrive at a firm's receiver (partner-api B3, 6)."""

import json
from typing import Any

import pytest

from polysim.kernel.tenancy import enter_building
from tenants.office.services import EndpointWithSecret
from tenants.office.services.delivering import deliver_due
from tenants.office.services.dispatching import dispatch_events
from tests.support.exchange import NOW, make_firm_trader, make_market, set_book
from tests.webhooks.receiver import Receiver
from trading.services.cancelling import cancel_all_orders

pytestmark = pytest.mark.django_db


def arrived(receiver: Receiver) -> dict[str, Any]:
    """Data by type of what a worker sends now."""
    with enter_building("alpha"):
        dispatch_events(now=NOW)
        deliver_due(now=NOW)
    messages = [json.loads(request.body) for request in receiver.requests]
    return {message["type"]: message["data"] for message in messages}


def test_a_fill_arrives_with_the_row_of_the_feed_and_a_cancel_with_its_order(
    endpoint: EndpointWithSecret, receiver: Receiver
) -> None:
    trader, market = make_firm_trader(), make_market()
    set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)])
    filled = trader.place(market, "BUY", quantity="100", price="0.62")
    resting = trader.place(market, "BUY", order_type="limit", quantity="50", price="0.40")
    with enter_building("alpha"):
        cancel_all_orders(user_id=trader.user.pk, now=NOW)
    data = arrived(receiver)
    trade, order = data["trade.filled"], data["order.cancelled"]
    assert trade["account_id"] == order["account_id"] == str(trader.wallet.account_id)
    assert (trade["seq"], trade["side"], trade["price"]) == (1, "BUY", "0.6200")
    assert (trade["quantity"], trade["notional"]) == ("100.0000", "62.00")
    assert trade["order_id"] == filled["order_id"]
    assert trade["market_id"] == market.condition_id
    assert (order["order_id"], order["status"]) == (resting["order_id"], "CANCELLED")
    assert order["cancelled_reason"] == "cancel_all"
