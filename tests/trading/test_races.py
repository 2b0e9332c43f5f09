"""Orders, cancels and fills at the same moment, in threads with connections of their own."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from polysim.kernel.errors import PolysimError, ServiceUnavailable
from polysim.kernel.redis import get_redis
from polysim.kernel.tenancy import enter_building
from tests.support.exchange import NOW, make_market, make_trader, set_book
from trading.models import Fill, Order
from trading.services import cancel_order, statements
from trading.services.refusals import OutcomeUnknown
from trading.services.statements import call_once
from wallets.selectors import check_conservation

pytestmark = pytest.mark.usefixtures("transactional_db")


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(0..count-1)` at once; refusals are answered as they are raised."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        try:
            start.wait(timeout=10)
            return work(number)
        except PolysimError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def codes(results: list[Any]) -> set[str]:
    return {result.code for result in results if isinstance(result, PolysimError)}


def test_twenty_requests_with_one_key_make_one_fill(transactional_db: None) -> None:
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 6), ("0.66", 10)], last_trade="0.65")
    results = together(
        20, lambda _: trader.place(market, "BUY", quantity="10", price="0.68", key="k-1")
    )
    assert codes(results) <= {"IDEMPOTENCY_CONFLICT_PENDING"}
    answers = [result for result in results if isinstance(result, dict)]
    assert len({answer["order_id"] for answer in answers}) == 1
    assert [answer["is_replay"] for answer in answers].count(False) == 1
    assert trader.balance == Decimal("9993.30")
    with enter_building("retail"):
        assert Fill.objects.count() == 1
        assert check_conservation().is_sound


def test_one_wallet_never_spends_twice(transactional_db: None) -> None:
    trader = make_trader(cash="20.00")
    market = make_market()
    set_book(market, asks=[("0.65", 10_000)], last_trade="0.65")
    results = together(12, lambda _: trader.place(market, "BUY", quantity="10", price="0.65"))
    filled = [result for result in results if isinstance(result, dict)]
    # Ten shares cost 6.50 and a fee of 0.16: three of twelve orders fit into 20.00.
    assert len(filled) == 3
    assert codes(results) <= {"INSUFFICIENT_BALANCE", "LOCK_BUSY_RETRY"}
    assert trader.balance == Decimal("0.02")
    with enter_building("retail"):
        assert check_conservation().is_sound


def test_shares_are_never_sold_twice(transactional_db: None) -> None:
    trader = make_trader()
    market = make_market()
    set_book(market, bids=[("0.60", 10_000)], asks=[("0.62", 10_000)])
    trader.place(market, "BUY", quantity="25", price="0.62")
    results = together(8, lambda _: trader.place(market, "SELL", quantity="10", price="0.60"))
    assert len([result for result in results if isinstance(result, dict)]) == 2
    assert trader.position(market).quantity == Decimal(5)


def test_two_people_share_the_depth_of_a_level(transactional_db: None) -> None:
    people = [make_trader(), make_trader()]
    market = make_market()
    set_book(market, asks=[("0.65", 100)], last_trade="0.65")
    results = together(
        2, lambda number: people[number].place(market, "BUY", quantity="60", price="0.65")
    )
    filled = [result for result in results if isinstance(result, dict)]
    assert len(filled) == 1
    assert codes(results) <= {"FOK_ORDER_NOT_FILLED_ERROR", "INSUFFICIENT_LIQUIDITY"}
    late = make_trader().place(market, "BUY", quantity="60", price="0.65", time_in_force="FAK")
    assert late["filled_quantity"] == "40.0000"
    set_book(market, asks=[("0.65", 100)], last_trade="0.65")
    fresh = make_trader().place(market, "BUY", quantity="60", price="0.65")
    assert fresh["filled_quantity"] == "60.0000"


def test_many_small_orders_take_exactly_the_depth(transactional_db: None) -> None:
    people = [make_trader() for _ in range(8)]
    market = make_market()
    set_book(market, asks=[("0.65", 50)], last_trade="0.65")

    def buy(number: int) -> list[Any]:
        results: list[Any] = []
        for _ in range(3):
            try:
                results.append(people[number].place(market, "BUY", quantity="5", price="0.65"))
            except PolysimError as error:
                results.append(error)
        return results

    flat = [result for results in together(8, buy) for result in results]
    assert len([result for result in flat if isinstance(result, dict)]) == 10
    assert codes(flat) <= {
        "FOK_ORDER_NOT_FILLED_ERROR",
        "NO_EXECUTABLE_DEPTH",
        "INSUFFICIENT_LIQUIDITY",
    }


def fill_request(order_id: int, *, quantity: str, key: str) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "match_key": key,
        "quantity": quantity,
        "price": "0.60",
        "exact_notional": str(Decimal(quantity) * Decimal("0.60")),
        "fee": "0",
        "liquidity": "maker",
        "evidence": {},
        "now": NOW.isoformat(),
        "wait_ms": 2000,
    }


@pytest.mark.parametrize("round_number", range(6))
def test_a_cancel_and_a_fill_leave_exactly_one(transactional_db: None, round_number: int) -> None:
    trader = make_trader(cash="100.00")
    market = make_market()
    set_book(market, asks=[("0.62", 10)], last_trade="0.62")
    order = trader.place(market, "BUY", quantity="100", price="0.60", order_type="limit")
    assert trader.reserved == Decimal("60.00")

    def race(number: int) -> Any:
        with enter_building("retail"):
            if number == round_number % 2:
                return cancel_order(user_id=trader.user.pk, order_id=order["order_id"], now=NOW)
            request = fill_request(order["order_id"], quantity="100", key="book:1")
            return call_once("fill_resting_order", request)

    results = together(2, race)
    with enter_building("retail"):
        row = Order.objects.get(pk=order["order_id"])
        fills = Fill.objects.count()
        assert check_conservation().is_sound
    if row.status == "FILLED":
        assert (fills, trader.balance) == (1, Decimal("40.00"))
        assert codes(results) == {"ORDER_NOT_CANCELLABLE"}
    else:
        assert (row.status, fills, trader.balance) == ("CANCELLED", 0, Decimal("100.00"))
    assert trader.reserved == 0


def hold_lock(user_id: int) -> psycopg.Connection:
    """Another session that holds the user's lock until it is closed."""
    database = settings.DATABASES["default"]
    other = psycopg.connect(
        host=database["HOST"], dbname=connection.settings_dict["NAME"], user=database["USER"]
    )
    other.execute("SET search_path = retail, public")
    other.execute("SELECT lock_user(%s, 1000)", [user_id])
    return other


def test_an_order_waits_for_the_one_before_and_then_says_so(
    transactional_db: None, settings: Any
) -> None:
    settings.LOCK_WAIT_MS = 300
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 10)], last_trade="0.65")
    other = hold_lock(trader.user.pk)
    results = together(1, lambda _: trader.place(market, "BUY", quantity="10", price="0.65"))
    assert codes(results) == {"LOCK_BUSY_RETRY"}
    assert results[0].body_code == "TRADE_IN_PROGRESS"
    assert (results[0].status, results[0].headers["Retry-After"]) == (409, "1")
    other.close()
    # What the refused order had taken from the book is there again.
    assert trader.place(market, "BUY", quantity="10", price="0.65")["status"] == "FILLED"


def test_after_a_long_wait_the_newest_book_counts(transactional_db: None) -> None:
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 10)], last_trade="0.65")
    other = hold_lock(trader.user.pk)

    def act(number: int) -> Any:
        if number == 0:
            return trader.place(market, "BUY", quantity="10", price="0.65")
        time.sleep(0.35)
        set_book(market, asks=[("0.63", 10)], last_trade="0.63")
        time.sleep(0.1)
        other.close()
        return None

    answer = together(2, act)[0]
    assert answer["price"] == "0.6300"


def test_a_locked_row_is_contention_and_places_nothing(
    transactional_db: None, settings: Any
) -> None:
    settings.LOCK_WAIT_MS = 300
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 10)], last_trade="0.65")
    database = settings.DATABASES["default"]
    other = psycopg.connect(
        host=database["HOST"], dbname=connection.settings_dict["NAME"], user=database["USER"]
    )
    other.execute(
        "SELECT 1 FROM retail.wallets_wallet WHERE id = %s FOR UPDATE", [trader.wallet.pk]
    )
    results = together(1, lambda _: trader.place(market, "BUY", quantity="10", price="0.65"))
    other.close()
    assert codes(results) == {"DB_CONTENTION_RETRY"}
    assert (results[0].status, results[0].body_code) == (503, "SERVER_BUSY")
    assert trader.balance == Decimal("10000.00")


@pytest.mark.usefixtures("fresh_connections")
def test_a_lost_connection_is_opened_again_and_nothing_is_placed_twice() -> None:
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 100)], last_trade="0.65")

    def kill_then_place(_: int) -> Any:
        with enter_building("retail"), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = cursor.fetchone()[0]
            database = settings.DATABASES["default"]
            with psycopg.connect(
                host=database["HOST"],
                dbname=connection.settings_dict["NAME"],
                user=database["USER"],
                autocommit=True,
            ) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [backend])
        time.sleep(0.2)
        return trader.place(market, "BUY", quantity="10", price="0.65")

    answer = together(1, kill_then_place)[0]
    assert answer["status"] == "FILLED"
    with enter_building("retail"):
        assert Order.objects.count() == 1


def test_an_answer_lost_after_the_commit_is_found_again(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 100)], last_trade="0.65")
    losses = [1]
    execute = statements._execute

    def execute_and_lose(name: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = execute(name, request)
        if losses:
            losses.pop()
            raise statements._MaybeDone()
        return answer

    monkeypatch.setattr(statements, "_execute", execute_and_lose)
    answer = trader.place(market, "BUY", quantity="10", price="0.65")
    assert (answer["status"], answer["is_replay"]) == ("FILLED", False)
    assert answer["book_walk_levels"] == 1
    with enter_building("retail"):
        assert Order.objects.count() == Fill.objects.count() == 1
        assert check_conservation().is_sound
    assert get_redis().hget(f"polysim:taken:{market.condition_id}", "a:650000") == "10000000"


def test_an_outcome_that_stays_unknown_is_not_to_be_repeated_blindly(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 100)], last_trade="0.65")

    def lose(name: str, request: dict[str, Any]) -> dict[str, Any]:
        raise statements._MaybeDone()

    monkeypatch.setattr(statements, "_execute", lose)
    monkeypatch.setattr(statements, "RECONNECT_S_MAX", 0.2)
    with pytest.raises(OutcomeUnknown) as unknown:
        trader.place(market, "BUY", quantity="10", price="0.65")
    assert unknown.value.status == 500
    # With a key of its own the client may repeat safely, and is told to.
    with pytest.raises(ServiceUnavailable):
        trader.place(market, "BUY", quantity="10", price="0.65", key="k-1")


def test_a_market_order_takes_two_round_trips_at_most(transactional_db: None) -> None:
    trader = make_trader()
    market = make_market()
    set_book(market, asks=[("0.65", 100)], last_trade="0.65")
    trader.place(market, "BUY", quantity="5", price="0.65")
    with CaptureQueriesContext(connection) as captured:
        trader.place(market, "BUY", quantity="5", price="0.65")
    statements = [query["sql"] for query in captured.captured_queries]
    assert [statement.split("(")[0].split("=")[0].strip() for statement in statements] == [
        "SET search_path",
        "SELECT place_order",
    ]
