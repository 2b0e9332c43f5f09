"""Accounts under races: real threads, each on a connection of its own (partner-api 4, 8, 9)."""

import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from tests.partner.accounts import account_body, provision, read, register, trader_of
from tests.support.door import FirmServer
from tests.support.exchange import make_market, set_book
from trading.markets.models import Market
from trading.models import Trade
from wallets.models import FirmAccount
from wallets.selectors import check_conservation

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 6


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment; results or refusals in their order."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            start.wait(timeout=10)
            results[number] = work()
        except PolysimError as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.fixture
def market() -> Market:
    made = make_market(fee_rate="0")
    set_book(made, bids=[("0.60", 100_000)], asks=[("0.62", 100_000)], now=utc_now())
    return made


def test_twenty_identical_calls_open_one_account(server: FirmServer) -> None:
    body = account_body(register(server.firm), rules={"a": 1})
    answers = at_once(*[lambda: server.post("accounts", body)] * 20)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    assert len({answer.content for answer in answers}) == 1
    with enter_building("alpha"):
        assert FirmAccount.objects.count() == 1
        assert check_conservation().is_sound


def test_two_traders_racing_for_an_external_id_give_one_account_and_one_conflict(
    server: FirmServer,
) -> None:
    bodies = [account_body(register(server.firm)) for _ in range(2)]
    answers = at_once(*[lambda body=body: server.post("accounts", body) for body in bodies])
    assert sorted(answer.status_code for answer in answers) == [201, 409]


def test_a_close_racing_an_order_leaves_it_booked_before_or_not_at_all(
    server: FirmServer, market: Market
) -> None:
    person = register(server.firm)
    for number in range(ROUNDS):
        account = provision(server, person, external_id=f"close-{number}")
        trader = trader_of(server, account)
        closed, placed = at_once(
            lambda account=account: server.post(f"accounts/{account['account_id']}/close"),
            lambda trader=trader: trader.place(
                market, "BUY", quantity="100", price="0.62", now=utc_now()
            ),
        )
        body = closed.json()
        assert closed.status_code == 200
        if isinstance(placed, PolysimError):
            assert placed.code == "ACCOUNT_CLOSED"
            assert (body["balance"], body["positions"]) == ("25000.00", [])
        else:
            assert (body["balance"], body["trades_count"]) == ("24938.00", 1)
            assert body["positions"][0]["quantity"] == "100.0000"
        assert read(server, account) == body
    with enter_building("alpha"):
        assert check_conservation().is_sound


def test_a_reset_racing_a_fill_books_it_wholly_in_one_attempt(
    server: FirmServer, market: Market
) -> None:
    person = register(server.firm)
    attempts = set()
    for number in range(ROUNDS):
        account = provision(server, person, external_id=f"reset-{number}")
        trader = trader_of(server, account)
        reset, placed = at_once(
            lambda account=account: server.post(f"accounts/{account['account_id']}/reset"),
            lambda trader=trader: trader.place(
                market, "BUY", quantity="100", price="0.62", now=utc_now()
            ),
        )
        assert (reset.status_code, placed["status"]) == (200, "FILLED")
        with enter_building("alpha"):
            trade = Trade.objects.get(wallet=trader.wallet)
        body = read(server, account)
        if trade.attempt == 1:
            assert reset.json()["reset"]["positions_closed"] == 1
            assert (body["balance"], body["positions"]) == ("25000.00", [])
            assert (body["trades_count"], body["realized_pnl"]) == (0, "0.00")
        else:
            assert reset.json()["reset"]["positions_closed"] == 0
            assert (body["balance"], len(body["positions"])) == ("24938.00", 1)
            assert body["trades_count"] == 1
        assert body["attempt"] == 2
        attempts.add(trade.attempt)
    assert attempts <= {1, 2}
    with enter_building("alpha"):
        assert check_conservation().is_sound


def test_two_resets_at_once_are_two_attempts_and_one_with_the_same_key(
    server: FirmServer, market: Market
) -> None:
    account = provision(server, register(server.firm))
    trader_of(server, account).place(market, "BUY", quantity="100", price="0.62", now=utc_now())
    path = f"accounts/{account['account_id']}/reset"
    answers = at_once(*[lambda: server.post(path)] * 2)
    assert sorted(answer.json()["attempt"] for answer in answers) == [2, 3]
    assert sum(answer.json()["reset"]["positions_closed"] for answer in answers) == 1
    answers = at_once(*[lambda: server.send("POST", path, {}, **{"Idempotency-Key": "k"})] * 2)
    good = [answer for answer in answers if answer.status_code == 200]
    others = [answer.json()["error"] for answer in answers if answer.status_code != 200]
    assert {answer.json()["attempt"] for answer in good} == {4}
    assert others in ([], ["IDEMPOTENCY_CONFLICT_PENDING"])
    with enter_building("alpha"):
        assert FirmAccount.objects.get().attempt == 4
        assert check_conservation().is_sound


def test_the_feed_is_read_exactly_once_while_fills_go_on(
    server: FirmServer, market: Market
) -> None:
    account = provision(server, register(server.firm))
    trader = trader_of(server, account)
    fills, seen = 24, []
    is_done = threading.Event()

    def write() -> None:
        try:
            for _ in range(fills // 2):
                trader.place(market, "BUY", quantity="5", price="0.62", now=utc_now())
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    cursor = ""
    for _ in range(2000):
        if not any(writer.is_alive() for writer in writers):
            is_done.set()
        page = server.get(f"accounts/{account['account_id']}/trades?limit=3&cursor={cursor}").json()
        assert page["next_cursor"]
        if not page["data"]:
            assert page["next_cursor"] == cursor or not cursor
        seen += [row["seq"] for row in page["data"]]
        cursor = page["next_cursor"]
        if is_done.is_set() and not page["data"]:
            break
    assert seen == list(range(1, fills + 1))
    balance = Decimal(read(server, account)["balance"])
    assert balance == Decimal("25000.00") - fills * Decimal("3.10")
