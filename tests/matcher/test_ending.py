"""Resting orders end: by their time, with their market (trading-api 4.2, 9)."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.tenancy import enter_building
from tests.matcher.conftest import SteppedMatcher, Watch
from tests.matcher.test_filling import order_of, rest, sound
from tests.support.exchange import NOW, Trader, set_book
from trading.markets.books.keys import catalogue_channel, user_channel
from trading.markets.models import Market, MarketResolution
from trading.models import Fill

NOW_S = int(NOW.timestamp())


def rest_until(trader: Trader, market: Market, seconds: int) -> int:
    return rest(
        trader,
        market,
        price="0.60",
        quantity="10",
        time_in_force="GTD",
        expiration=str(NOW_S + seconds),
    )


def test_gtd_ends_within_two_seconds_and_releases_its_hold(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch, redis_client: Any
) -> None:
    set_book(market, asks=[("0.70", 100)])
    order_id = rest_until(trader, market, 30)
    watch.move(seconds=29)
    matcher.round()
    assert order_of(order_id).status == "PENDING"
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(user_channel(trader.user.pk))
    listener.get_message(timeout=1)
    watch.move(seconds=1)
    matcher.round()
    order = order_of(order_id)
    assert (order.status, order.cancelled_reason) == ("CANCELLED", "gtd_expired")
    assert (trader.balance, trader.reserved) == (Decimal("10000.00"), 0)
    frame = json.loads(listener.get_message(timeout=2)["data"])
    listener.close()
    assert (frame["type"], frame["status"], frame["cancelled_reason"], frame["outcome"]) == (
        "order",
        "CANCELLED",
        "gtd_expired",
        "Yes",
    )
    assert len(matcher.index) == 0
    assert sound()


def test_gtd_never_fills_from_its_timestamp_on(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    order_id = rest_until(trader, market, 30)
    matcher.round()
    now = watch.move(seconds=30)
    set_book(market, asks=[("0.60", 100)], now=now)
    # Only the fill is due in this turn, not the sweep of expired orders.
    matcher._due = dict.fromkeys(matcher._due, float("inf"))
    matcher._dirty.add(market.condition_id)
    matcher.hear_print(market, "0.60", "100")
    matcher.work(now)
    assert order_of(order_id).filled_quantity == 0
    matcher.round()
    assert order_of(order_id).cancelled_reason == "gtd_expired"


def test_the_database_itself_refuses_a_late_fill(
    market: Market, trader: Trader, watch: Watch
) -> None:
    from trading.services.statements import call_once

    set_book(market, asks=[("0.70", 100)])
    order_id = rest_until(trader, market, 30)
    request = {
        "order_id": order_id,
        "match_key": "book:1:1",
        "quantity": "10",
        "price": "0.6",
        "exact_notional": "6",
        "fee": "0",
        "liquidity": "maker",
        "evidence": {},
        "now": watch.move(seconds=30).isoformat(),
        "wait_ms": 1000,
    }
    with enter_building("retail"):
        assert call_once("fill_resting_order", request) == {"refused": "expired"}


@pytest.mark.parametrize("ending", ["closed", "archived", "resolved"])
def test_orders_of_an_ended_market_expire(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch, ending: str
) -> None:
    set_book(market, bids=[("0.50", 50)], asks=[("0.52", 50)])
    trader.place(market, "BUY", price="0.52", quantity="20")
    before = trader.balance
    buy = rest(trader, market, price="0.40", quantity="10")
    sell = rest(trader, market, "SELL", price="0.80", quantity="20")
    matcher.round()
    if ending == "resolved":
        MarketResolution.objects.create(
            market=market, version=1, payouts=["1", "0"], source="test", resolved_at=NOW
        )
    else:
        Market.objects.filter(pk=market.pk).update(**{f"is_{ending}": True})
    watch.move(seconds=10)
    # The news makes the look at ended markets due at once.
    matcher._due = dict.fromkeys(matcher._due, float("inf"))
    matcher.note(catalogue_channel(), "{}")
    matcher.work(watch())
    for order_id in (buy, sell):
        order = order_of(order_id)
        assert (order.status, order.cancelled_reason) == ("EXPIRED", "market_closed")
    assert (trader.balance, trader.reserved) == (before, 0)
    assert trader.position(market).reserved_quantity == 0
    assert sound()


def test_a_paused_market_keeps_its_orders_and_fills_none(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="10")
    Market.objects.filter(pk=market.pk).update(is_accepting_orders=False)
    set_book(market, asks=[("0.60", 100)], now=watch.move(seconds=10))
    matcher.round()
    assert order_of(order_id).status == "PENDING"
    with enter_building("retail"):
        assert not Fill.objects.exists()
    Market.objects.filter(pk=market.pk).update(is_accepting_orders=True)
    matcher.round()
    assert order_of(order_id).status == "FILLED"


def test_orders_end_when_the_venue_clears_the_book_for_a_game(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    Market.objects.filter(pk=market.pk).update(book_clears_at=NOW + timedelta(minutes=1))
    early = rest(trader, market, price="0.60", quantity="10")
    matcher.round()
    assert order_of(early).status == "PENDING"
    now = watch.move(minutes=1)
    set_book(market, asks=[("0.70", 100)], now=now)
    during_the_game = rest(trader, market, price="0.50", quantity="10", now=now)
    matcher.round()
    assert (order_of(early).status, order_of(early).cancelled_reason) == (
        "CANCELLED",
        "market_closed",
    )
    assert order_of(during_the_game).status == "PENDING"
    assert trader.reserved == Decimal("5.00")
    assert sound()
