"""Orders with broken bodies, and many at the same moment (trading-api 4.1, accounts-api 2.3)."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tests.support.door import Bot, order_body
from tests.support.exchange import make_market, set_book
from tests.trading.test_races import hold_lock
from trading.markets.models import Market
from trading.models import Fill, Order
from trading.services.market_terms import forget_market_terms
from wallets.billing.models import PlanTerms
from wallets.billing.selectors import clear_plan_terms
from wallets.selectors import check_conservation


def make_open_market() -> Market:
    forget_market_terms()
    market = make_market()
    set_book(market, asks=[("0.65", 1000)], last_trade="0.65", now=utc_now())
    return market


def at_once(count: int, work: Any) -> list[Any]:
    """`work(0)` to `work(count - 1)`, all started at one moment, sixteen at a time."""
    start = threading.Barrier(min(count, 16))

    def run(number: int) -> Any:
        try:
            if number < 16:
                start.wait(timeout=10)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        return list(threads.map(run, range(count)))


@pytest.fixture
def bot(db: None) -> Bot:
    return Bot()


@pytest.fixture
def busy_bot(transactional_db: None) -> Iterator[Bot]:
    """Its writes are committed, so that many threads see them; hardly limited."""
    PlanTerms.objects.filter(plan="pro").update(requests_per_second=500)
    clear_plan_terms()
    yield Bot()
    PlanTerms.objects.filter(plan="pro").update(requests_per_second=30)
    clear_plan_terms()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 422, "VALIDATION_FAILED"),
        ("{", 400, "BAD_REQUEST"),
        ("[]", 422, "VALIDATION_FAILED"),
        ('"order"', 422, "VALIDATION_FAILED"),
        ("null", 422, "VALIDATION_FAILED"),
        (b"\xff\xfe", 400, "BAD_REQUEST"),
        ('{"quantity": NaN}', 400, "BAD_REQUEST"),
        ('{"quantity": Infinity}', 400, "BAD_REQUEST"),
        ('{"side": "BUY", "side": "SELL"}', 400, "BAD_REQUEST"),
        ("[" * 5000 + "]" * 5000, 400, "BAD_REQUEST"),
        ('{"a":' * 40 + "1" + "}" * 40, 400, "BAD_REQUEST"),
        ('{"quantity": 1' + "0" * 200 + "}", 400, "BAD_REQUEST"),
        ('{"a": "' + "x" * 300_000 + '"}', 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_broken_bodies(bot: Bot, body: Any, status: int, code: str) -> None:
    for address in ("orders", "orders/batch", "orders/preview"):
        response = bot.send("POST", address, body)
        assert (response.status_code, response["X-Polysim-Code"]) == (status, code), address
        assert response["Content-Type"] == "application/json"
        assert set(response.json()) >= {"error", "message", "request_id"}


def test_a_market_that_cannot_be_named_is_not_found(bot: Bot) -> None:
    market = make_open_market()
    answer = bot.post("orders", order_body(market, market_id="a\u0000b", client_order_id="\ud800"))
    assert (answer.status_code, answer["X-Polysim-Code"]) == (404, "MARKET_NOT_FOUND")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_bodies_must_be_announced_as_json(bot: Bot, content_type: str) -> None:
    answer = bot.client.generic(
        "POST", "/v1/orders", data=b"{}", content_type=content_type, headers=bot.headers
    )
    assert (answer.status_code, answer["X-Polysim-Code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_methods_that_are_not_there(bot: Bot) -> None:
    for method, address in (("PUT", "orders"), ("POST", "orders/5"), ("GET", "cancel-all")):
        answer = bot.send(method, address)
        assert (answer.status_code, answer["X-Polysim-Code"]) == (405, "METHOD_NOT_ALLOWED")


def test_twenty_posts_with_one_key_place_one_order(busy_bot: Bot) -> None:
    market = make_open_market()
    body = order_body(market, client_order_id="once")
    answers = at_once(20, lambda _: busy_bot.post("orders", body))
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) <= {200, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer["X-Polysim-Code"] == "IDEMPOTENCY_CONFLICT_PENDING"
            assert answer["Retry-After"] == "1"
    placed = [answer.json() for answer in answers if answer.status_code == 200]
    assert len({answer["order_id"] for answer in placed}) == 1
    assert [answer["is_replay"] for answer in placed].count(False) == 1
    with enter_building("retail"):
        assert (Order.objects.count(), Fill.objects.count()) == (1, 1)
        assert check_conservation().is_sound


def test_many_orders_at_once_are_each_placed_or_refused(busy_bot: Bot) -> None:
    market = make_open_market()
    answers = at_once(
        40,
        lambda number: busy_bot.post("orders", order_body(market, client_order_id=str(number))),
    )
    placed = [answer.json() for answer in answers if answer.status_code == 200]
    others = {answer["X-Polysim-Code"] for answer in answers if answer.status_code != 200}
    assert others <= {"LOCK_BUSY_RETRY", "DB_CONTENTION_RETRY"}
    # 10 shares at 0.65 with a fee of 0.16.
    assert busy_bot.api.balance == Decimal("10000.00") - len(placed) * Decimal("6.66")
    with enter_building("retail"):
        assert Order.objects.count() == len(placed)
        assert check_conservation().is_sound


def test_an_order_that_meets_another_in_progress(busy_bot: Bot, settings: Any) -> None:
    settings.LOCK_WAIT_MS = 200
    market = make_open_market()
    resting = busy_bot.post("orders", order_body(market, order_type="limit", price="0.30")).json()
    holder = hold_lock(busy_bot.user.pk)
    for answer in (
        busy_bot.post("orders", order_body(market)),
        busy_bot.delete(f"orders/{resting['order_id']}"),
        busy_bot.post("cancel-all?confirm=true"),
        busy_bot.post("account/reset-api-balance"),
    ):
        assert (answer.status_code, answer["X-Polysim-Code"]) == (409, "LOCK_BUSY_RETRY")
        assert answer.json()["error"] == "TRADE_IN_PROGRESS"
        assert answer["Retry-After"] == "1"
    holder.close()
    assert busy_bot.post("orders", order_body(market)).status_code == 200


def test_a_reset_with_one_key_runs_once_however_often_it_is_sent(busy_bot: Bot) -> None:
    market = make_open_market()
    address = f"me/wallets/{busy_bot.sandbox.wallet.pk}/reset"
    busy_bot.post("orders", order_body(market, wallet_id=busy_bot.sandbox.wallet.pk))
    answers = at_once(10, lambda _: busy_bot.post(address, {}, **{"Idempotency-Key": "r-1"}))
    done = [answer for answer in answers if answer.status_code == 200]
    assert done
    assert len({answer.json()["id"] for answer in done}) == 1
    assert {answer["X-Polysim-Code"] for answer in answers if answer.status_code != 200} <= {
        "IDEMPOTENCY_CONFLICT_PENDING"
    }


def test_of_400_calls_exactly_the_limit_passes(busy_bot: Bot) -> None:
    PlanTerms.objects.filter(plan="pro").update(requests_per_second=9999, requests_per_minute=100)
    clear_plan_terms()
    left_s = 60 - time.time() % 60
    if left_s < 10:
        time.sleep(left_s)
    try:
        answers = at_once(400, lambda _: busy_bot.get("orders"))
    finally:
        PlanTerms.objects.filter(plan="pro").update(requests_per_minute=1800)
        clear_plan_terms()
    passed = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(passed), len(refused)) == (100, 300)
    remaining = sorted(int(answer["X-RateLimit-Remaining"]) for answer in passed)
    assert remaining == list(range(100))
    for answer in refused:
        assert answer["X-Polysim-Code"] == "RATE_LIMIT_EXCEEDED"
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert answer["X-RateLimit-Limit"] == answer["X-Polysim-RateLimit-Limit"] == "100"
        assert answer["X-RateLimit-Tier"] == "pro"


def test_without_valkey_orders_are_refused_and_reads_go_on(bot: Bot, monkeypatch: Any) -> None:
    import redis

    from trading.markets.books import store

    market = make_open_market()

    def gone() -> Any:
        raise redis.ConnectionError("connection refused")

    monkeypatch.setattr(store, "get_redis", gone)
    answer = bot.post("orders", order_body(market))
    assert (answer.status_code, answer["X-Polysim-Code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer["Retry-After"] == "1"
    assert bot.get("account/balance").json()["balance"] == "10000.00"
    assert bot.get("orders").json()["orders"] == []
