"""Test clocks of sandbox firms: their own time and prices (partner-api B5)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from polysim.kernel.clock import iso_micro_text, utc_now
from polysim.kernel.tenancy import enter_building
from tenants.api.partner_admission import LIMITS
from tenants.models import Firm
from tenants.office.models import FirmAuditEntry, WebhookEvent
from tests.support.door import FirmServer
from tests.support.exchange import Trader, make_firm_trader, make_market, set_book
from trading import clock_ticks
from trading.markets.models import Market, MarketResolution
from trading.models import Order, Trade
from trading.selectors.open_orders import list_open_orders
from trading.services import test_clocks as clocks
from trading.services.cancelling import cancel_all_orders, cancel_order
from trading.services.firm_accounts import liquidate_positions
from trading.services.market_terms import forget_market_terms
from trading.services.refusals import ClockAdvancing, StaleQuote
from trading.services.settlement import settle_resolved_positions
from wallets.models import FirmAccount, TestClock

pytestmark = pytest.mark.django_db

START = datetime(2030, 3, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def sandbox(alpha: Firm, monkeypatch: pytest.MonkeyPatch) -> FirmServer:
    """The server of alpha as a sandbox firm, which a fast machine may let call often."""
    monkeypatch.setitem(LIMITS, "sandbox", (1_000, 60_000))
    Firm.objects.filter(pk=alpha.pk).update(is_sandbox=True)
    alpha.refresh_from_db()
    return FirmServer(alpha)


@pytest.fixture
def clock_id(sandbox: FirmServer) -> str:
    """A clock that stands on 1 March 2030, 9:00 UTC."""
    answer = sandbox.post("test-clocks", {"name": "spring", "frozen_time": "2030-03-01T09:00:00Z"})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["test_clock_id"])


@pytest.fixture
def market(db: None) -> Market:
    return make_market()


def account_on(clock_id: str, **options: Any) -> Trader:
    with enter_building("alpha"):
        clock = TestClock.objects.get(pk=clock_id)
    return make_firm_trader(test_clock=clock, **options)


def token_of(market: Market, index: int = 0) -> str:
    return str(market.outcomes.get(index=index).token_id)


def set_price(sandbox: FirmServer, clock_id: str, market: Market, price: str) -> Any:
    answer = sandbox.send("PUT", f"test-clocks/{clock_id}/prices", {token_of(market): price})
    assert answer.status_code == 200, answer.content
    return answer.json()


def arrive(clock_id: str) -> int:
    """What the worker does; answers in how many steps."""
    steps = 0
    with enter_building("alpha"):
        while clocks.step_clock(clock_id=clock_id, now=utc_now()):  # type: ignore[arg-type]
            steps += 1
    return steps


def advance(sandbox: FirmServer, clock_id: str, to: datetime) -> int:
    answer = sandbox.post(f"test-clocks/{clock_id}/advance", {"to": iso_micro_text(to)})
    assert (answer.status_code, answer.json()["status"]) == (202, "advancing")
    return arrive(clock_id)


def account_of(trader: Trader) -> FirmAccount:
    with enter_building("alpha"):
        return FirmAccount.objects.get(pk=trader.wallet.pk)


def test_a_clock_is_made_shown_and_deleted(sandbox: FirmServer, clock_id: str) -> None:
    shown = sandbox.get(f"test-clocks/{clock_id}").json()
    assert shown["frozen_time"] == "2030-03-01T09:00:00.000000Z"
    assert (shown["name"], shown["status"], shown["prices"]) == ("spring", "ready", {})
    assert sandbox.delete(f"test-clocks/{clock_id}").status_code == 204
    assert sandbox.get(f"test-clocks/{clock_id}").status_code == 404
    with enter_building("alpha"):
        actions = list(FirmAuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions[-2:] == ["test_clock.created", "test_clock.deleted"]


def test_a_clock_with_an_active_account_is_not_deleted(sandbox: FirmServer, clock_id: str) -> None:
    account_on(clock_id)
    answer = sandbox.delete(f"test-clocks/{clock_id}")
    assert (answer.status_code, answer.json()["error"]) == (409, "CLOCK_IN_USE")


def test_firms_that_are_no_sandbox_find_nothing_here(
    sandbox: FirmServer, clock_id: str, beta: Firm
) -> None:
    other = FirmServer(beta)
    for method, path in [
        ("POST", "test-clocks"),
        ("GET", f"test-clocks/{clock_id}"),
        ("DELETE", f"test-clocks/{clock_id}"),
        ("POST", f"test-clocks/{clock_id}/advance"),
        ("PUT", f"test-clocks/{clock_id}/prices"),
    ]:
        answer = other.send(method, path, {})
        assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


def test_another_sandbox_finds_none_of_alphas_clocks(
    sandbox: FirmServer, clock_id: str, beta: Firm
) -> None:
    Firm.objects.filter(pk=beta.pk).update(is_sandbox=True)
    beta.refresh_from_db()
    other = FirmServer(beta)
    foreign = other.get(f"test-clocks/{clock_id}").json() | {"request_id": ""}
    unknown = other.get(f"test-clocks/{uuid4()}").json() | {"request_id": ""}
    assert foreign == unknown


def test_an_order_fills_at_the_clocks_price_and_time(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id)
    set_price(sandbox, clock_id, market, "0.61")
    answer = trader.place(market, "BUY", quantity="5000", price="0.65", now=utc_now())
    assert (answer["status"], answer["price"]) == ("FILLED", "0.6100")
    sale = trader.place(market, "SELL", quantity="1000", price="0.60", now=utc_now())
    assert sale["price"] == "0.6100"
    no = trader.place(market, "BUY", "No", quantity="10", price="0.40", now=utc_now())
    assert no["price"] == "0.3900"
    with enter_building("alpha"):
        rows = list(Trade.objects.order_by("seq"))
    assert {row.filled_at for row in rows} == {START}
    assert rows[0].local_date.isoformat() == "2030-03-01"


def test_without_a_scripted_price_the_live_book_fills(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id)
    now = utc_now()
    set_book(market, bids=[("0.50", 100)], asks=[("0.52", 100)], now=now)
    assert trader.place(market, "BUY", quantity="10", price="0.60", now=now)["price"] == "0.5200"
    with pytest.raises(StaleQuote):
        trader.place(market, "BUY", quantity="10", price="0.60", now=now + timedelta(minutes=5))


def test_new_prices_fill_resting_orders_and_move_the_figures(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id, cash="1000.00")
    set_price(sandbox, clock_id, market, "0.60")
    resting = trader.place(
        market, "BUY", order_type="limit", quantity="100", price="0.50", now=utc_now()
    )
    assert resting["status"] == "PENDING"
    set_price(sandbox, clock_id, market, "0.55")
    assert trader.position(market) is None
    set_price(sandbox, clock_id, market, "0.48")
    assert trader.position(market).quantity == 100
    set_price(sandbox, clock_id, market, "0.90")
    assert account_of(trader).peak_equity > Decimal("1035")
    set_price(sandbox, clock_id, market, "0.30")
    assert account_of(trader).max_drawdown == Decimal("60.00")


def test_the_matcher_leaves_orders_on_clocks_alone(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    on_clock, plain = account_on(clock_id), make_firm_trader()
    set_price(sandbox, clock_id, market, "0.60")
    now = utc_now()
    set_book(market, bids=[("0.50", 100)], asks=[("0.62", 100)], now=now)
    for trader in (on_clock, plain):
        trader.place(market, "BUY", order_type="limit", quantity="10", price="0.40", now=now)
    with enter_building("alpha"):
        assert [order.user_id for order in list_open_orders()] == [plain.user.pk]


def test_an_order_expires_when_the_clock_comes_by(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id)
    set_price(sandbox, clock_id, market, "0.60")
    expiration = int((START + timedelta(hours=2)).timestamp())
    trader.place(
        market,
        "BUY",
        order_type="limit",
        quantity="100",
        price="0.50",
        time_in_force="GTD",
        expiration=expiration,
        now=utc_now(),
    )
    assert advance(sandbox, clock_id, START + timedelta(hours=1, minutes=59)) == 1
    assert trader.reserved == Decimal("50.00")
    assert advance(sandbox, clock_id, START + timedelta(hours=3)) == 2
    assert trader.reserved == 0
    with enter_building("alpha"):
        order = Order.objects.get()
    assert (order.status, order.cancelled_reason) == ("CANCELLED", "gtd_expired")
    assert order.cancelled_at == START + timedelta(hours=2)


def test_days_pass_one_by_one_in_the_accounts_own_zone(
    sandbox: FirmServer,
    clock_id: str,
    market: Market,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[datetime] = []
    monkeypatch.setattr(clock_ticks, "_ticks", [lambda ids, now: seen.append(now)])
    trader = account_on(clock_id, cash="1000.00", time_zone="America/New_York")
    set_price(sandbox, clock_id, market, "0.50")
    trader.place(market, "BUY", quantity="100", price="0.60", now=utc_now())
    seen.clear()
    # Clocks in New York go forward on 10 March 2030.
    assert advance(sandbox, clock_id, datetime(2030, 3, 12, tzinfo=UTC)) == 11
    assert [moment.hour for moment in seen] == [5] * 9 + [4, 0]
    assert seen == sorted(seen)
    account = account_of(trader)
    assert account.day is not None
    assert account.day.isoformat() == "2030-03-11"


def test_arriving_is_told_once(sandbox: FirmServer, clock_id: str) -> None:
    account_on(clock_id)
    target = START + 400 * DAY
    assert advance(sandbox, clock_id, target) == 401
    shown = sandbox.get(f"test-clocks/{clock_id}").json()
    assert (shown["status"], shown["target_time"]) == ("ready", None)
    assert shown["frozen_time"] == iso_micro_text(target)
    with enter_building("alpha"):
        event = WebhookEvent.objects.get(type="test_clock.ready")
    assert event.data["test_clock_id"] == clock_id
    assert arrive(clock_id) == 0


@pytest.mark.parametrize(
    ("to", "is_good"),
    [
        (START, False),
        (START - DAY, False),
        (START + timedelta(microseconds=1), True),
        (START + 400 * DAY, True),
        (START + 400 * DAY + timedelta(microseconds=1), False),
    ],
)
def test_a_clock_goes_forward_and_at_most_400_days(
    sandbox: FirmServer, clock_id: str, to: datetime, is_good: bool
) -> None:
    answer = sandbox.post(f"test-clocks/{clock_id}/advance", {"to": iso_micro_text(to)})
    assert answer.status_code == (202 if is_good else 422)


def test_while_it_advances_nothing_is_written_on_its_accounts(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id)
    set_price(sandbox, clock_id, market, "0.60")
    now = utc_now()
    resting = trader.place(market, "BUY", order_type="limit", quantity="10", price="0.5", now=now)
    sandbox.post(f"test-clocks/{clock_id}/advance", {"to": iso_micro_text(START + DAY)})
    with pytest.raises(ClockAdvancing):
        trader.place(market, "BUY", quantity="10", price="0.65", now=now)
    with enter_building("alpha"):
        with pytest.raises(ClockAdvancing):
            cancel_order(user_id=trader.user.pk, order_id=resting["order_id"], now=now)
        with pytest.raises(ClockAdvancing):
            cancel_all_orders(user_id=trader.user.pk, now=now)
    for method, path, body in [
        ("POST", "advance", {"to": iso_micro_text(START + 2 * DAY)}),
        ("PUT", "prices", {token_of(market): "0.5"}),
        ("DELETE", "", None),
    ]:
        answer = sandbox.send(method, f"test-clocks/{clock_id}/{path}".rstrip("/"), body)
        assert (answer.status_code, answer.json()["error"]) == (409, "CLOCK_ADVANCING")
    arrive(clock_id)
    with enter_building("alpha"):
        done = cancel_all_orders(user_id=trader.user.pk, now=now)
        order = Order.objects.get()
    assert done.cancelled == [str(resting["order_id"])]
    assert order.cancelled_at == START + DAY


def test_a_worker_that_dies_on_the_way_is_followed_by_another(
    sandbox: FirmServer, clock_id: str
) -> None:
    account_on(clock_id)
    sandbox.post(f"test-clocks/{clock_id}/advance", {"to": iso_micro_text(START + 3 * DAY)})
    with enter_building("alpha"):
        assert clocks.step_clock(clock_id=clock_id, now=utc_now())  # type: ignore[arg-type]
        clock = TestClock.objects.get()
    assert (clock.status, clock.frozen_time) == ("advancing", datetime(2030, 3, 2, tzinfo=UTC))
    assert arrive(clock_id) == 3


@pytest.mark.parametrize(
    ("prices", "is_good"),
    [
        ({0: "0.61"}, True),
        ({0: "0.61", 1: "0.39"}, True),
        ({0: "0.61", 1: "0.40"}, False),
        ({0: "0"}, False),
        ({0: "1"}, False),
        ({0: "0.61234"}, False),
        ({0: 0.61}, False),
        ({0: "abc"}, False),
        ({0: None}, False),
    ],
)
def test_prices_are_exact_and_both_outcomes_add_up_to_one(
    sandbox: FirmServer, clock_id: str, market: Market, prices: dict[int, Any], is_good: bool
) -> None:
    body = {token_of(market, index): price for index, price in prices.items()}
    answer = sandbox.send("PUT", f"test-clocks/{clock_id}/prices", body)
    assert answer.status_code == (200 if is_good else 422), answer.content
    if is_good:
        both = {token_of(market): "0.6100", token_of(market, 1): "0.3900"}
        assert answer.json()["prices"] == both


def test_an_unknown_token_and_a_list_are_refused(sandbox: FirmServer, clock_id: str) -> None:
    path = f"test-clocks/{clock_id}/prices"
    assert sandbox.send("PUT", path, {"999": "0.5"}).status_code == 422
    assert sandbox.send("PUT", path, ["0.5"]).status_code == 400
    assert sandbox.send("PUT", path, {}).status_code == 200


def test_an_account_opened_on_a_clock_lives_on_it(sandbox: FirmServer, clock_id: str) -> None:
    trader = make_firm_trader()
    body = {
        "user_id": trader.user.pk,
        "external_id": "on-the-clock",
        "stage": "demo",
        "starting_balance": "1000.00",
    }
    opened = sandbox.post("accounts", {**body, "test_clock_id": clock_id})
    assert opened.status_code == 201, opened.content
    envelope = opened.json()
    assert (envelope["created_at"], envelope["day"]) == (
        "2030-03-01T09:00:00.000000Z",
        "2030-03-01",
    )
    unknown = sandbox.post(
        "accounts", {**body, "external_id": "other", "test_clock_id": str(uuid4())}
    )
    assert unknown.status_code == 422
    path = f"accounts/{envelope['account_id']}"
    sandbox.post(f"test-clocks/{clock_id}/advance", {"to": iso_micro_text(START + DAY)})
    calls = [
        ("PATCH", path, {"metadata": {"a": 1}}),
        ("POST", f"{path}/reset", {}),
        ("POST", f"{path}/close", {}),
        ("POST", "accounts", {**body, "external_id": "late", "test_clock_id": clock_id}),
    ]
    for method, address, sent in calls:
        answer = sandbox.send(method, address, sent)
        assert (answer.status_code, answer.json()["error"]) == (409, "CLOCK_ADVANCING"), address
    assert sandbox.get(path).status_code == 200
    arrive(clock_id)
    assert sandbox.post(f"{path}/reset").json()["reset_at"] == iso_micro_text(START + DAY)
    assert sandbox.post(f"{path}/close").json()["closed_at"] == iso_micro_text(START + DAY)
    assert sandbox.delete(f"test-clocks/{clock_id}").status_code == 204


def work(clock_id: str, now: datetime) -> int:
    """What the sweep does for the orders on a clock."""
    with enter_building("alpha"):
        return clocks.work_orders(clock_id=clock_id, now=now)  # type: ignore[arg-type]


def resolve(market: Market) -> None:
    MarketResolution.objects.create(
        market=market, version=1, payouts=["1", "0"], source="test", resolved_at=utc_now()
    )
    Market.objects.filter(pk=market.pk).update(is_closed=True, is_accepting_orders=False)
    forget_market_terms()


def test_a_resting_order_without_a_script_meets_the_live_book_at_the_clocks_time(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id)
    now = utc_now()
    set_book(market, bids=[("0.50", 100)], asks=[("0.60", 100)], now=now)
    trader.place(market, "BUY", order_type="limit", quantity="10", price="0.55", now=now)
    assert work(clock_id, now) == 0
    set_book(market, bids=[("0.50", 100)], asks=[("0.54", 100)], now=now)
    assert work(clock_id, now) == 1
    assert trader.position(market).quantity == 10
    with enter_building("alpha"):
        assert Trade.objects.get().filled_at == START


def test_orders_of_an_ended_market_end_on_the_clock_too(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id)
    set_price(sandbox, clock_id, market, "0.60")
    trader.place(market, "BUY", order_type="limit", quantity="10", price="0.5", now=utc_now())
    resolve(market)
    assert work(clock_id, utc_now()) == 1
    with enter_building("alpha"):
        order = Order.objects.get()
    assert (order.status, order.cancelled_reason) == ("EXPIRED", "market_closed")


def test_a_result_is_paid_at_the_clocks_time_once_the_clock_stands(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id, cash="1000.00")
    set_price(sandbox, clock_id, market, "0.60")
    trader.place(market, "BUY", quantity="100", price="0.65", now=utc_now())
    resolve(market)
    sandbox.post(f"test-clocks/{clock_id}/advance", {"to": iso_micro_text(START + DAY)})
    with enter_building("alpha"):
        assert settle_resolved_positions(now=utc_now()).waiting == 1
    arrive(clock_id)
    with enter_building("alpha"):
        assert settle_resolved_positions(now=utc_now()).settled == 1
        row = Trade.objects.get(kind="settlement")
    assert (row.filled_at, row.cash_delta) == (START + DAY, Decimal("100.00"))


def test_polysim_itself_sells_out_an_account_whose_clock_advances(
    sandbox: FirmServer, clock_id: str, market: Market
) -> None:
    trader = account_on(clock_id)
    set_price(sandbox, clock_id, market, "0.60")
    trader.place(market, "BUY", quantity="100", price="0.65", now=utc_now())
    sandbox.post(f"test-clocks/{clock_id}/advance", {"to": iso_micro_text(START + DAY)})
    with enter_building("alpha"):
        done = liquidate_positions(wallet_id=trader.wallet.pk, now=utc_now())
    assert (done.closed, done.left) == (1, 0)
