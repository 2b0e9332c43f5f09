"""The matcher against owners, other matchers, lost connections; the real loop in a thread."""

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from tests.matcher.conftest import Watch, make_matcher
from tests.matcher.test_filling import fills_of, order_of, rest, sound
from tests.support.exchange import Trader, make_market, make_trader, set_book
from trading.markets.models import Market
from trading.matcher.loop import Matcher
from trading.models import Fill
from trading.services import cancel_order

ROUNDS = 12


def in_threads(*works: Any) -> list[Any]:
    """Run all at the same moment on connections of their own; their results in order."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(number: int, work: Any) -> None:
        try:
            start.wait(timeout=10)
            results[number] = work()
        except PolysimError as error:
            results[number] = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(number, work)) for number, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


def test_a_cancel_racing_a_fill_leaves_exactly_one_of_the_two(
    trader: Trader, market: Market, watch: Watch
) -> None:
    outcomes = set()
    for number in range(ROUNDS):
        set_book(market, asks=[("0.70", 100)], now=watch.now)
        before = trader.balance
        order_id = rest(trader, market, price="0.60", quantity="10", now=watch.now)
        now = watch.move(seconds=10)
        matcher = make_matcher(watch)
        matcher.reload()
        set_book(market, asks=[("0.60", 10)], now=now)

        def cancel(order_id: int = order_id, wait_s: float = 0.004 * (number % 4)) -> Any:
            time.sleep(wait_s)
            with enter_building("retail"):
                return cancel_order(user_id=trader.user.pk, order_id=order_id, now=watch.now)

        _, cancelled = in_threads(matcher.round, cancel)
        # A fill that found the user's lock taken looks again in its next turn.
        matcher.round()
        order = order_of(order_id)
        if order.status == "FILLED":
            assert cancelled.code == "ORDER_NOT_CANCELLABLE"
            assert trader.balance == before - Decimal("6.00")
        else:
            assert (order.status, order.filled_quantity) == ("CANCELLED", 0)
            assert trader.balance == before
        assert trader.reserved == 0
        outcomes.add(order.status)
    assert outcomes <= {"FILLED", "CANCELLED"}
    assert sound()


def test_two_matchers_at_once_do_no_harm(trader: Trader, market: Market, watch: Watch) -> None:
    people = [trader, make_trader(), make_trader()]
    set_book(market, asks=[("0.70", 100)])
    orders = [rest(person, market, price="0.60", quantity="50", now=watch.now) for person in people]
    matchers = [make_matcher(watch), make_matcher(watch)]
    for matcher in matchers:
        matcher.reload()
    filled = 0
    for number in range(8):
        now = watch.move(seconds=5)
        set_book(market, asks=[("0.60", 15)], now=now)
        for matcher in matchers:
            matcher.hear_print(market, "0.60", "4", identity=f"print-{number}")
        in_threads(*(matcher.round for matcher in matchers))
        total = sum(order_of(order_id).filled_quantity for order_id in orders)
        # At most the level and the print, and each of them once.
        assert total - filled <= 19
        filled = total
    set_book(market, asks=[("0.60", 500)], now=watch.move(seconds=5))
    in_threads(*(matcher.round for matcher in matchers))
    matchers[0].round()
    total = sum(order_of(order_id).filled_quantity for order_id in orders)
    with enter_building("retail"):
        assert total == sum(Fill.objects.values_list("quantity", flat=True))
    assert total == 150
    assert sound()


def test_an_order_that_cannot_be_written_does_not_stop_the_others(
    trader: Trader, market: Market, watch: Watch
) -> None:
    from wallets.models import Hold

    other = make_trader()
    set_book(market, asks=[("0.70", 100)])
    broken = rest(trader, market, price="0.61", quantity="10")
    fine = rest(other, market, price="0.60", quantity="10")
    with enter_building("retail"):
        Hold.objects.filter(reference=f"order:{broken}").delete()
    set_book(market, asks=[("0.60", 100)], now=watch.move(seconds=10))
    make_matcher(watch).round()
    assert order_of(broken).filled_quantity == 0
    assert order_of(fine).status == "FILLED"


def test_what_was_not_written_is_given_back_when_the_database_goes(
    trader: Trader, market: Market, watch: Watch, monkeypatch: Any
) -> None:
    from django.db import OperationalError

    from trading.markets.books import read_live_market
    from trading.services import resting

    other = make_trader()
    set_book(market, asks=[("0.70", 100)])
    rest(trader, market, price="0.61", quantity="10")
    rest(other, market, price="0.60", quantity="10")
    set_book(market, asks=[("0.60", 100)], now=watch.move(seconds=10))

    def lose_connection(name: str, request: Any) -> Any:
        raise OperationalError("the connection was lost")

    monkeypatch.setattr(resting, "call_once", lose_connection)
    matcher = make_matcher(watch)
    with pytest.raises(OperationalError):
        matcher.round()
    assert read_live_market(market.condition_id).taken == {"a:600000": 10_000_000}


@pytest.fixture
def running(transactional_db: None) -> Iterator[Matcher]:
    """The real loop with the real clock, in a thread."""
    matcher = Matcher()

    def run() -> None:
        try:
            matcher.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield matcher
    matcher.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()


def wait_for(condition: Any, *, seconds: float) -> float:
    """Seconds until the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - began


def test_the_running_matcher_fills_within_two_seconds(running: Matcher) -> None:
    trader, market = make_trader(), make_market()
    set_book(market, asks=[("0.70", 100)], now=utc_now())
    order_id = rest(trader, market, price="0.60", quantity="100", now=utc_now())
    wait_for(lambda: len(running.index) == 1, seconds=2)
    set_book(market, asks=[("0.60", 60)], now=utc_now())
    wait_for(lambda: order_of(order_id).filled_quantity == 60, seconds=2)
    set_book(market, asks=[("0.60", 60)], now=utc_now())
    wait_for(lambda: order_of(order_id).status == "FILLED", seconds=2)
    assert sum(int(quantity) for _, quantity, _ in fills_of(order_id)) == 100
    expiring = rest(
        trader,
        market,
        price="0.50",
        quantity="10",
        now=utc_now(),
        time_in_force="GTD",
        expiration=int(time.time()) + 2,
    )
    wait_for(lambda: order_of(expiring).cancelled_reason == "gtd_expired", seconds=4.5)
    assert sound()


@pytest.mark.usefixtures("fresh_connections")
def test_the_running_matcher_survives_the_loss_of_its_connections(
    running: Matcher, redis_client: Any
) -> None:
    trader, market = make_trader(), make_market()
    set_book(market, asks=[("0.70", 100)], now=utc_now())
    order_id = rest(trader, market, price="0.60", quantity="10", now=utc_now())
    wait_for(lambda: len(running.index) == 1, seconds=2)
    with enter_building("retail"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    redis_client.client_kill_filter(_type="pubsub")
    # Placed while nobody listens: found by reading everything again.
    second = rest(trader, market, price="0.61", quantity="10", now=utc_now())
    wait_for(lambda: len(running.index) == 2, seconds=8)
    set_book(market, asks=[("0.60", 100)], now=utc_now())
    wait_for(lambda: order_of(order_id).status == order_of(second).status == "FILLED", seconds=4)
    assert sound()
