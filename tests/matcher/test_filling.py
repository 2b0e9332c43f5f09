"""Resting orders fill as books cross them (trading-api 7.3, 8)."""

from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.tenancy import enter_building
from tests.matcher.conftest import SteppedMatcher, Watch, make_matcher
from tests.support.exchange import Trader, make_trader, set_book
from trading.markets.models import Market
from trading.models import Fill, Order
from wallets.selectors import check_conservation


def rest(
    trader: Trader, market: Market, side: str = "BUY", *, price: str, quantity: str, **body: Any
) -> int:
    """Leave a limit order; the id."""
    answer = trader.place(market, side, price=price, quantity=quantity, order_type="limit", **body)
    assert answer["status"] == "PENDING", answer
    return answer["order_id"]


def order_of(order_id: int, schema: str = "retail") -> Order:
    with enter_building(schema):
        return Order.objects.get(pk=order_id)


def fills_of(order_id: int, schema: str = "retail") -> list[tuple[str, str, str]]:
    with enter_building(schema):
        rows = Fill.objects.filter(order_id=order_id).order_by("pk")
        return [(f"{row.price:.2f}", f"{row.quantity:.0f}", row.liquidity) for row in rows]


def sound(schema: str = "retail") -> bool:
    with enter_building(schema):
        return check_conservation().is_sound


def test_the_contracts_example_f(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.62", 100)])
    order_id = rest(trader, market, price="0.60", quantity="100")
    assert (trader.balance, trader.reserved) == (Decimal("9940.00"), Decimal("60.00"))
    now = watch.move(seconds=10)
    set_book(market, asks=[("0.59", 30), ("0.60", 20)], now=now)
    matcher.round()
    order = order_of(order_id)
    assert (order.status, order.filled_quantity, order.fee) == ("PENDING", 50, 0)
    assert fills_of(order_id) == [("0.60", "50", "maker")]
    assert (trader.balance, trader.reserved) == (Decimal("9940.00"), Decimal("30.00"))
    # The same snapshot in the next cycle: its depth is used up.
    matcher.round()
    assert order_of(order_id).filled_quantity == 50
    set_book(market, asks=[("0.60", 500)], now=watch.move(seconds=1))
    matcher.round()
    assert order_of(order_id).status == "FILLED"
    assert (trader.balance, trader.reserved) == (Decimal("9940.00"), Decimal(0))
    assert trader.position(market).quantity == 100
    assert len(matcher.index) == 0
    assert sound()


def test_within_three_seconds_the_fill_is_a_takers(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="10")
    set_book(market, asks=[("0.55", 100)], now=watch.move(milliseconds=2900))
    matcher.round()
    assert fills_of(order_id) == [("0.55", "10", "taker")]
    # 10 x 0.07 x 0.55 x 0.45 = 0.17325; what the hold had more came back.
    assert trader.balance == Decimal("10000.00") - Decimal("5.50") - Decimal("0.17")
    assert trader.reserved == 0
    assert sound()


def test_a_takers_fee_is_capped_at_free_cash(
    market: Market, matcher: SteppedMatcher, watch: Watch
) -> None:
    poor = make_trader(cash="6.00")
    set_book(market, asks=[("0.70", 100)])
    rest(poor, market, price="0.60", quantity="10")
    assert poor.balance == 0
    set_book(market, asks=[("0.60", 100)], now=watch.move(seconds=1))
    matcher.round()
    assert (poor.balance, poor.reserved) == (0, 0)
    assert poor.position(market).quantity == 10
    assert sound()


def test_a_sell_fills_at_its_limit_when_the_bid_reaches_it(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, bids=[("0.50", 100)], asks=[("0.52", 100)])
    trader.place(market, "BUY", price="0.52", quantity="20")
    before = trader.balance
    order_id = rest(trader, market, "SELL", price="0.55", quantity="20")
    set_book(market, bids=[("0.56", 12)], asks=[("0.58", 10)], now=watch.move(seconds=10))
    matcher.round()
    assert fills_of(order_id) == [("0.55", "12", "maker")]
    assert trader.balance == before + Decimal("6.60")
    position = trader.position(market)
    assert (position.quantity, position.reserved_quantity) == (8, 8)
    assert sound()


def test_best_limit_first_then_oldest(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    late = make_trader()
    first = rest(trader, market, price="0.60", quantity="10")
    second = rest(trader, market, price="0.60", quantity="10", now=watch.move(seconds=1))
    best = rest(late, market, price="0.61", quantity="10", now=watch.move(seconds=1))
    set_book(market, asks=[("0.60", 25)], now=watch.move(seconds=10))
    matcher.round()
    assert order_of(best).filled_quantity == 10
    assert order_of(first).filled_quantity == 10
    assert order_of(second).filled_quantity == 5


def test_both_outcomes_share_the_depth_of_one_level(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    # Buying Yes at 0.60 and selling No at 0.40 take the same asks of Yes.
    set_book(market, bids=[("0.55", 200)], asks=[("0.62", 200)])
    other = make_trader()
    other.place(market, "BUY", "No", price="0.45", quantity="30")
    yes = rest(trader, market, price="0.60", quantity="30", now=watch.move(seconds=1))
    no = rest(other, market, "SELL", price="0.40", outcome="No", quantity="30")
    set_book(market, bids=[("0.55", 200)], asks=[("0.60", 40)], now=watch.move(seconds=10))
    matcher.round()
    assert order_of(no).filled_quantity + order_of(yes).filled_quantity == 40
    # The sell of No is older, so it went first.
    assert (order_of(no).filled_quantity, order_of(yes).filled_quantity) == (30, 10)
    assert fills_of(no) == [("0.40", "30", "maker")]
    assert sound()


def test_buildings_share_the_depth_and_nothing_else(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch, alpha: Any
) -> None:
    from tenants.models import WalletKind

    firm = make_trader(kind=WalletKind.PROP_FIRM, schema="alpha")
    set_book(market, asks=[("0.70", 100)])
    one = rest(trader, market, price="0.60", quantity="20")
    two = rest(firm, market, price="0.60", quantity="20", now=watch.move(seconds=1))
    set_book(market, asks=[("0.60", 30)], now=watch.move(seconds=10))
    matcher.round()
    assert order_of(one).filled_quantity == 20
    assert order_of(two, "alpha").filled_quantity == 10
    assert sound()
    assert sound("alpha")


def test_a_market_order_takes_what_a_resting_one_then_misses(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="10")
    now = watch.move(seconds=10)
    set_book(market, asks=[("0.60", 10)], now=now)
    make_trader().place(market, "BUY", price="0.60", quantity="10", now=now)
    matcher.round()
    assert order_of(order_id).filled_quantity == 0


@pytest.mark.parametrize("reason", ["halted", "stale", "old", "absent"])
def test_resting_orders_wait(
    market: Market,
    trader: Trader,
    matcher: SteppedMatcher,
    watch: Watch,
    redis_client: Any,
    reason: str,
) -> None:
    from trading.markets.books.keys import book_key, feed_key

    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="10")
    now = watch.move(seconds=10)
    set_book(market, asks=[("0.60", 100)], now=now, status="stale" if reason == "stale" else "live")
    if reason == "halted":
        redis_client.hset(feed_key(), "halted", "1")
    if reason == "old":
        watch.move(seconds=61)
    if reason == "absent":
        redis_client.delete(book_key(market.condition_id))
    matcher.round()
    assert order_of(order_id).filled_quantity == 0
    # It resumes by itself.
    redis_client.delete(feed_key())
    set_book(market, asks=[("0.60", 100)], now=watch.now)
    matcher.round()
    assert order_of(order_id).status == "FILLED"


def test_a_print_fills_up_to_its_size(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, bids=[("0.55", 10)], asks=[("0.70", 100)])
    first = rest(trader, market, price="0.60", quantity="20")
    second = rest(trader, market, price="0.58", quantity="20")
    matcher.round()
    watch.move(seconds=10)
    matcher.hear_print(market, "0.58", "25")
    matcher.round()
    assert fills_of(first) == [("0.60", "20", "maker")]
    assert fills_of(second) == [("0.58", "5", "maker")]
    # The same trade heard again, by this matcher and by another one, fills nothing.
    matcher.hear_print(market, "0.58", "25")
    matcher.round()
    another = make_matcher(watch)
    another.reload()
    another.hear_print(market, "0.58", "25")
    another.round()
    assert order_of(second).filled_quantity == 5
    assert sound()


def test_a_print_beyond_the_limit_or_before_the_order_fills_nothing(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, bids=[("0.55", 10)], asks=[("0.70", 100)])
    old = rest(trader, market, price="0.60", quantity="20")
    matcher.round()
    watch.move(seconds=5)
    matcher.hear_print(market, "0.61", "25", identity="above")
    matcher.hear_print(market, "0.59", "25", identity="before")
    young = rest(trader, market, price="0.60", quantity="20", now=watch.move(seconds=1))
    matcher.round()
    assert order_of(old).filled_quantity == 20
    assert order_of(young).filled_quantity == 0


def test_a_print_of_the_other_outcome_is_mirrored(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, bids=[("0.55", 10)], asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="20")
    matcher.round()
    watch.move(seconds=10)
    matcher.hear_print(market, "0.41", "7", outcome=1)
    matcher.round()
    assert fills_of(order_id) == [("0.60", "7", "maker")]


def test_a_restart_loses_nothing_and_fills_nothing_twice(
    market: Market, trader: Trader, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="100")
    set_book(market, asks=[("0.60", 40)], now=watch.move(seconds=10))
    for _ in range(3):
        restarted = make_matcher(watch)
        restarted.round()
        assert len(restarted.index) == 1
        assert order_of(order_id).filled_quantity == 40
    set_book(market, asks=[("0.60", 60)], now=watch.move(seconds=1))
    make_matcher(watch).round()
    assert order_of(order_id).status == "FILLED"
    assert len(fills_of(order_id)) == 2
    assert sound()


def test_a_matcher_with_an_old_index_learns_from_the_refusal(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="100")
    matcher.round()
    now = watch.move(seconds=10)
    set_book(market, asks=[("0.60", 60)], now=now)
    make_matcher(watch).round()
    set_book(market, asks=[("0.60", 100)], now=watch.move(seconds=1))
    # It believes in 100 shares, 40 are left: the first try is refused, the second one fits.
    matcher._due = dict.fromkeys(matcher._due, float("inf"))
    matcher._dirty.add(market.condition_id)
    matcher.work(watch())
    matcher._dirty.add(market.condition_id)
    matcher.work(watch())
    assert order_of(order_id).status == "FILLED"
    assert sound()


def test_a_new_order_is_noticed_by_its_message(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch, redis_client: Any
) -> None:
    from trading.markets.books.keys import held_interest_key, orders_channel

    matcher.round()
    matcher._due = dict.fromkeys(matcher._due, float("inf"))
    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="10")
    redis_client.delete(held_interest_key("orders"))
    matcher.note(orders_channel(), f'{{"schema":"retail","order_id":{order_id},"op":"open"}}')
    matcher.work(watch())
    assert [order.order_id for order in matcher.index] == [order_id]
    # Its market stays live for it.
    assert redis_client.smembers(held_interest_key("orders")) == {market.condition_id}
    matcher.note(orders_channel(), f'{{"schema":"retail","order_id":{order_id},"op":"closed"}}')
    assert len(matcher.index) == 0


def test_a_frozen_wallet_does_not_fill(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch
) -> None:
    from wallets.models import Wallet

    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="10")
    with enter_building("retail"):
        Wallet.objects.filter(pk=trader.wallet.pk).update(status="FROZEN")
    set_book(market, asks=[("0.60", 10)], now=watch.move(seconds=10))
    matcher.round()
    assert order_of(order_id).filled_quantity == 0
    # The depth it took is there for others.
    other = make_trader()
    filled = other.place(market, "BUY", price="0.60", quantity="10", now=watch.now)
    assert filled["status"] == "FILLED"


def test_the_owner_hears_of_the_fill(
    market: Market, trader: Trader, matcher: SteppedMatcher, watch: Watch, redis_client: Any
) -> None:
    import json

    from trading.markets.books.keys import user_channel

    set_book(market, asks=[("0.70", 100)])
    order_id = rest(trader, market, price="0.60", quantity="100", client_order_id="mm-7")
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(user_channel(trader.user.pk))
    listener.get_message(timeout=1)
    set_book(market, asks=[("0.60", 50)], now=watch.move(seconds=10))
    matcher.round()
    message = listener.get_message(timeout=2)
    frame = json.loads(message["data"])
    listener.close()
    assert isinstance(frame.pop("seq"), int)
    assert frame.pop("trade_id").isdigit()
    assert frame == {
        "type": "fill",
        "order_id": order_id,
        "market_id": market.condition_id,
        "side": "BUY",
        "outcome": "Yes",
        "price": "0.6000",
        "quantity": "50.0000",
        "filled_at": "2027-01-05T10:00:12Z",
        "client_order_id": "mm-7",
        "wallet_id": trader.wallet.pk,
        "fee": "0.00",
        "liquidity": "maker",
        "order_status": "PENDING",
        "filled_quantity": "50.0000",
    }
