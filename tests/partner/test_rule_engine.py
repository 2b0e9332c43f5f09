"""The optional rule engine on a firm's own accounts (partner-api B4)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.models import AccountEvaluation
from prop.services.account_rules import evaluate_accounts
from prop.tasks import evaluate_accounts as evaluate_everywhere
from tenants.models import Firm
from tenants.office.models import FirmAuditEntry, WebhookEvent
from tests.partner.accounts import account_body, provision, read, register, trader_of
from tests.partner.judged import Judged, mark
from tests.support.door import FirmServer
from tests.support.exchange import make_market
from trading.markets.models import Market
from trading.models import Order
from trading.services.refusals import AccountReadOnly
from trading.services.test_clocks import step_clock
from wallets.models import FirmAccount
from wallets.services import transfer_money

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=2)


@pytest.fixture
def server(alpha: Any) -> FirmServer:
    """Alpha's server, with the engine on."""
    Firm.objects.filter(pk=alpha.pk).update(has_rule_engine=True)
    alpha.refresh_from_db()
    return FirmServer(alpha)


@pytest.fixture
def market(db: None) -> Market:
    """Without fees, so that equity follows the price alone."""
    return make_market(fee_rate="0")


def set_days(judged: Judged, days: int) -> None:
    with enter_building("alpha"):
        FirmAccount.objects.filter(pk=judged.trader.wallet.pk).update(trading_days=days)


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"max_total_loss_pct": 100.5}, "rules.max_total_loss_pct"),
        ({"max_total_loss_pct": -1}, "rules.max_total_loss_pct"),
        ({"max_total_loss_pct": "ten"}, "rules.max_total_loss_pct"),
        ({"max_total_loss_pct": None}, "rules.max_total_loss_pct"),
        ({"max_daily_loss_pct": True}, "rules.max_daily_loss_pct"),
        ({"max_daily_profit_pct": 1000.1}, "rules.max_daily_profit_pct"),
        ({"profit_target_pct": "8.0000001"}, "rules.profit_target_pct"),
        ({"min_trading_days": 1.5}, "rules.min_trading_days"),
        ({"min_trading_days": 3, "max_trading_days": 2}, "rules.max_trading_days"),
        ({"duration_days": 3651}, "rules.duration_days"),
        ({"max_positions": "3"}, "rules.max_positions"),
        ({"max_total_loss": 10}, "rules.max_total_loss"),
    ],
)
def test_rules_with_faults_are_refused_when_opened_and_changed(
    server: FirmServer, rules: dict[str, Any], field: str
) -> None:
    user = register(server.firm)
    account = provision(server, user)
    faulty = {"engine": "polysim", **rules}
    calls = [
        ("POST", "accounts", account_body(user, external_id="other", rules=faulty)),
        ("PATCH", f"accounts/{account['account_id']}", {"rules": faulty}),
    ]
    for method, path, body in calls:
        answer = server.send(method, path, body, **{"X-Polysim-Verbose": "true"})
        assert (answer.status_code, answer.json()["error"]) == (422, "VALIDATION_FAILED")
        assert [one["field"] for one in answer.json()["details"]["fields"]] == [field]
    assert read(server, account)["rules"] == {}
    assert server.get("accounts?external_id=other").json()["data"] == []


def test_sound_rules_are_stored_as_they_were_sent(server: FirmServer) -> None:
    rules = {
        "engine": "polysim",
        "max_total_loss_pct": 10,
        "max_daily_loss_pct": "5.125",
        "max_daily_profit_pct": 0,
        "profit_target_pct": 8.5,
        "min_trading_days": 3,
        "max_trading_days": 3,
        "duration_days": 30,
        "max_positions": 4,
    }
    account = provision(server, register(server.firm), rules=rules)
    assert account["rules"] == rules
    progress = server.get(f"accounts/{account['account_id']}/evaluation").json()["progress"]
    assert progress["daily_loss_limit_pct"] == "5.1250"
    assert progress["profit_target_pct"] == "8.5000"
    assert (progress["total_loss_floor"], progress["days_left"]) == ("22500.00", 30)


def test_a_replay_ignores_its_rules(server: FirmServer) -> None:
    user = register(server.firm)
    provision(server, user)
    body = account_body(user, rules={"engine": "polysim", "max_positions": -1})
    assert server.post("accounts", body).status_code == 200


def test_without_the_engine_rules_are_anything(beta_server: FirmServer, server: FirmServer) -> None:
    free = {"max_total_loss_pct": "whatever", "engine": "own"}
    account = provision(server, register(server.firm), rules=free)
    answer = server.get(f"accounts/{account['account_id']}/evaluation")
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
    other = provision(
        beta_server, register(beta_server.firm), rules={"engine": "polysim", "max_positions": -1}
    )
    for path in ("", "/metrics", "/breaches"):
        answer = beta_server.get(f"accounts/{other['account_id']}/evaluation{path}")
        assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


# 1,000 shares at 50 cents in an account of 1,000 dollars: a cent of the mark is 10 dollars, 1 %.
@pytest.mark.parametrize(
    ("rules", "price", "state", "rule"),
    [
        ({"max_total_loss_pct": 10}, "0.4001", "active", ""),
        ({"max_total_loss_pct": 10}, "0.40", "failed", "max_total_loss_pct"),
        ({"max_total_loss_pct": 10}, "0.3999", "failed", "max_total_loss_pct"),
        ({"max_daily_loss_pct": "5"}, "0.4501", "active", ""),
        ({"max_daily_loss_pct": "5"}, "0.45", "failed", "max_daily_loss_pct"),
        ({"max_daily_loss_pct": "5"}, "0.4499", "failed", "max_daily_loss_pct"),
        ({"max_daily_profit_pct": 6}, "0.5599", "active", ""),
        ({"max_daily_profit_pct": 6}, "0.56", "failed", "max_daily_profit_pct"),
        ({"max_daily_profit_pct": 6}, "0.5601", "failed", "max_daily_profit_pct"),
        ({"profit_target_pct": 8}, "0.5799", "active", ""),
        ({"profit_target_pct": 8}, "0.58", "passed", ""),
        ({"profit_target_pct": 8}, "0.5801", "passed", ""),
        ({"max_total_loss_pct": 0, "max_daily_loss_pct": 0}, "0.01", "active", ""),
    ],
)
def test_limits_on_equity_break_when_they_are_reached(
    server: FirmServer,
    market: Market,
    rules: dict[str, Any],
    price: str,
    state: str,
    rule: str,
) -> None:
    judged = Judged(server, **rules)
    judged.buy(market)
    assert judged.judge() == "active"
    mark(market, price)
    assert judged.judge() == state
    breach = judged.read()["latest_breach"]
    assert (breach["rule"] if breach else "") == rule


def test_money_moved_in_and_out_shifts_what_the_total_is_counted_from(
    server: FirmServer, market: Market
) -> None:
    judged = Judged(server, max_total_loss_pct=10)
    judged.buy(market)
    with enter_building("alpha"):
        transfer_money(
            wallet_id=judged.trader.wallet.pk,
            type="TRANSFER",
            amount=Decimal("-200.00"),
            reference="out",
            now=utc_now(),
        )
    assert judged.judge() == "active"
    mark(market, "0.4201")
    assert judged.judge() == "active"
    mark(market, "0.42")
    assert judged.judge() == "failed"
    assert judged.read()["latest_breach"]["basis_value"] == "800.00"


def test_a_breach_ends_trading_is_told_and_written_down(server: FirmServer, market: Market) -> None:
    judged = Judged(server, max_total_loss_pct=10, max_daily_loss_pct=5)
    judged.buy(market)
    resting = judged.trader.place(
        market, "BUY", order_type="limit", quantity="100", price="0.30", now=utc_now()
    )
    mark(market, "0.39")
    assert judged.judge() == "failed"

    found = judged.read()
    breach = found["latest_breach"]
    assert (breach["rule"], breach["limit_value"]) == ("max_total_loss_pct", "10.0000")
    assert (breach["actual_value"], breach["basis_value"]) == ("11.0000", "1000.00")
    assert (breach["equity"], breach["is_primary"]) == ("890.00", True)
    assert found["latest_metric"]["total_loss_pct"] == "11.0000"
    assert found["progress"]["total_loss_pct"] == "11.0000"
    listed = server.get(f"{judged.path}/breaches").json()
    assert [one["rule"] for one in listed["data"]] == ["max_total_loss_pct", "max_daily_loss_pct"]

    envelope = read(server, judged.envelope)
    assert (envelope["trading_enabled"], envelope["open_orders"]) == (False, 0)
    assert (envelope["status"], len(envelope["positions"])) == ("active", 1)
    with pytest.raises(AccountReadOnly):
        judged.trader.place(market, "BUY", quantity="10", price="0.50", now=utc_now())
    with enter_building("alpha"):
        order = Order.objects.get(pk=resting["order_id"])
        account = FirmAccount.objects.get(pk=judged.trader.wallet.pk)
        event = WebhookEvent.objects.get(type="account.breached")
        entry = FirmAuditEntry.objects.get(action="account.breached")
    assert (order.status, order.cancelled_reason) == ("CANCELLED", "account_read_only")
    assert "Total loss 11 % reached the limit of 10 %" in account.read_only_reason
    assert event.data["account_id"] == judged.envelope["account_id"]
    assert event.data["breach"] == breach
    assert (event.data["equity"], event.data["trading_enabled"]) == ("890.00", False)
    assert (event.data["reserved"], event.data["open_orders"]) == ("0.00", 0)
    assert entry.after["orders_cancelled"] == 1


def test_a_repeated_run_changes_nothing(server: FirmServer, market: Market) -> None:
    judged = Judged(server, max_total_loss_pct=10)
    judged.buy(market)
    mark(market, "0.39")
    assert judged.judge() == "failed"
    first = judged.read()
    mark(market, "0.10")
    assert judged.judge(utc_now() + LATER) == "failed"
    evaluate_everywhere()
    assert judged.read() == first
    with enter_building("alpha"):
        assert WebhookEvent.objects.filter(type="account.breached").count() == 1


def test_the_target_waits_for_the_trading_days_then_trading_ends(
    server: FirmServer, market: Market
) -> None:
    judged = Judged(server, profit_target_pct=8, min_trading_days=3)
    judged.buy(market)
    judged.trader.place(
        market, "BUY", order_type="limit", quantity="10", price="0.30", now=utc_now()
    )
    mark(market, "0.58")
    assert judged.judge() == "active"
    set_days(judged, 2)
    assert judged.judge() == "active"
    set_days(judged, 3)
    assert judged.judge() == "passed"
    found = judged.read()
    assert found["latest_breach"] is None
    assert found["progress"]["profit_target_progress_pct"] == "100.0000"
    envelope = read(server, judged.envelope)
    assert (envelope["trading_enabled"], envelope["open_orders"]) == (False, 0)
    assert (envelope["stage"], envelope["status"]) == ("challenge", "active")
    with enter_building("alpha"):
        assert not WebhookEvent.objects.filter(type="account.breached").exists()
        assert FirmAuditEntry.objects.filter(action="account.passed").count() == 1
    mark(market, "0.10")
    assert judged.judge() == "passed"


def test_counts_break_when_they_are_exceeded(server: FirmServer) -> None:
    judged = Judged(server, max_positions=2)
    for _ in range(2):
        judged.buy(make_market(fee_rate="0"), "10")
    assert judged.judge() == "active"
    judged.buy(make_market(fee_rate="0"), "10")
    assert judged.judge() == "failed"
    breach = judged.read()["latest_breach"]
    assert (breach["rule"], breach["limit_value"]) == ("max_positions", "2")
    assert (breach["actual_value"], breach["basis_value"]) == ("3", "0.00")


@pytest.mark.parametrize(("days", "state"), [(1, "active"), (2, "active"), (3, "failed")])
def test_trading_days_at_most(server: FirmServer, days: int, state: str) -> None:
    judged = Judged(server, max_trading_days=2)
    set_days(judged, days)
    assert judged.judge() == state


@pytest.mark.parametrize(("seconds", "state"), [(-2, "active"), (1, "failed"), (60, "failed")])
def test_the_duration_ends_it(server: FirmServer, seconds: int, state: str) -> None:
    judged = Judged(server, duration_days=30, profit_target_pct=8)
    with enter_building("alpha"):
        began = FirmAccount.objects.get(pk=judged.trader.wallet.pk).created_at
    assert judged.judge(began + timedelta(days=30, seconds=seconds)) == state


def test_old_prices_suspend_the_rules_on_equity_alone(server: FirmServer, market: Market) -> None:
    judged = Judged(server, max_total_loss_pct=10, max_positions=5)
    judged.buy(market)
    now = utc_now()
    mark(market, "0.30", now=now)
    assert judged.judge(now + timedelta(seconds=301)) == "active"
    assert judged.row().latest_metric["is_price_stale"] is True
    set_days(judged, 1)
    assert judged.judge(now + timedelta(seconds=299)) == "failed"


def test_a_metric_a_minute_and_one_at_once_with_the_verdict(
    server: FirmServer, market: Market
) -> None:
    judged = Judged(server, max_total_loss_pct=10)
    judged.buy(market)
    now = utc_now()
    prices = ((0, "0.50"), (59, "0.49"), (60, "0.48"), (130, "0.48"), (140, "0.47"), (141, "0.40"))
    for seconds, price in prices:
        moment = now + timedelta(seconds=seconds)
        mark(market, price, now=moment)
        judged.judge(moment)
    page = server.get(f"{judged.path}/metrics?limit=2").json()
    assert [one["equity"] for one in page["data"]] == ["900.00", "970.00"]
    assert page["has_more"] is True
    rest = server.get(f"{judged.path}/metrics?limit=2&cursor={page['next_cursor']}").json()
    assert [one["equity"] for one in rest["data"]] == ["980.00", "1000.00"]
    assert (rest["has_more"], rest["next_cursor"]) == (False, None)
    assert [one["seq"] for one in page["data"] + rest["data"]] == [4, 3, 2, 1]
    wrong = server.get(f"{judged.path}/breaches?cursor={page['next_cursor']}")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "INVALID_CURSOR")


def test_a_reset_begins_anew(server: FirmServer, market: Market) -> None:
    judged = Judged(server, max_total_loss_pct=10)
    judged.buy(market)
    mark(market, "0.39")
    assert judged.judge() == "failed"
    path = f"accounts/{judged.envelope['account_id']}"
    assert server.post(f"{path}/reset").status_code == 200
    fresh = judged.read()
    assert (fresh["state"], fresh["attempt"], fresh["latest_breach"]) == ("active", 2, None)
    assert server.get(f"{judged.path}/breaches").json()["data"] == []
    former = server.get(f"{judged.path}/breaches?attempt=1").json()["data"]
    assert [one["rule"] for one in former] == ["max_total_loss_pct"]
    judged.buy(market)
    assert judged.judge() == "active"
    mark(market, "0.40")
    assert judged.judge() == "failed"
    with enter_building("alpha"):
        states = AccountEvaluation.objects.order_by("attempt").values_list("attempt", "state")
        assert list(states) == [(1, "failed"), (2, "failed")]


def test_a_pass_asks_as_often_for_many_accounts_as_for_one(
    server: FirmServer, market: Market, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        Judged(server, max_total_loss_pct=10).buy(market, "10")
    with enter_building("alpha"), django_assert_max_num_queries(8):
        assert evaluate_accounts(now=utc_now()).judged == 5


def test_other_accounts_are_left_alone(
    server: FirmServer, beta_server: FirmServer, market: Market
) -> None:
    rules = {"engine": "polysim", "max_total_loss_pct": 10}
    off = provision(
        beta_server, register(beta_server.firm), starting_balance="1000.00", rules=rules
    )
    plain = provision(
        server,
        register(server.firm),
        starting_balance="1000.00",
        rules={"max_total_loss_pct": 10},
    )
    closed = Judged(server, max_total_loss_pct=10)
    mark(market, "0.50")
    for trader in (trader_of(beta_server, off), trader_of(server, plain), closed.trader):
        trader.place(market, "BUY", quantity="1000", price="0.50", now=utc_now())
    mark(market, "0.20")
    server.post(f"accounts/{closed.envelope['account_id']}/close")
    evaluate_everywhere()
    for schema in ("alpha", "beta"):
        with enter_building(schema):
            evaluate_accounts(now=utc_now())
            assert not AccountEvaluation.objects.exists()
    assert closed.read()["state"] == "active"


class Clock:
    """A test clock of alpha as a sandbox, and what its worker does."""

    def __init__(self, server: FirmServer) -> None:
        Firm.objects.filter(pk=server.firm.pk).update(is_sandbox=True)
        self.server = server
        body = {"name": "spring", "frozen_time": "2030-03-01T09:00:00Z"}
        self.id = server.post("test-clocks", body).json()["test_clock_id"]

    def advance(self, to: str) -> None:
        assert self.server.post(f"test-clocks/{self.id}/advance", {"to": to}).status_code == 202
        with enter_building("alpha"):
            while step_clock(clock_id=self.id, now=utc_now()):
                pass

    def set_price(self, market: Market, price: str) -> None:
        token = market.outcomes.get(index=0).token_id
        answer = self.server.send("PUT", f"test-clocks/{self.id}/prices", {token: price})
        assert answer.status_code == 200, answer.content


def test_accounts_on_a_clock_are_judged_at_each_step(server: FirmServer, market: Market) -> None:
    clock = Clock(server)
    judged = Judged(server, test_clock_id=clock.id, duration_days=3, profit_target_pct=50)
    clock.set_price(market, "0.50")
    judged.trader.place(
        market, "BUY", order_type="limit", quantity="100", price="0.30", now=utc_now()
    )
    clock.advance("2030-03-08T12:00:00Z")
    found = judged.read()
    assert found["state"] == "failed"
    # The first step at or after 4 March, 9:00.
    assert found["latest_breach"]["breached_at"] == "2030-03-05T00:00:00.000000Z"
    with enter_building("alpha"):
        order = Order.objects.get()
    assert (order.cancelled_reason, order.cancelled_at) == (
        "account_read_only",
        datetime(2030, 3, 5, tzinfo=UTC),
    )


def test_the_daily_loss_counts_anew_each_day(server: FirmServer, market: Market) -> None:
    clock = Clock(server)
    judged = Judged(server, test_clock_id=clock.id, max_daily_loss_pct=5)
    clock.set_price(market, "0.50")
    judged.trader.place(market, "BUY", quantity="1000", price="0.50", now=utc_now())
    clock.set_price(market, "0.46")
    clock.advance("2030-03-02T09:00:00Z")
    # The new day began with 960 dollars, of which 5 % are 48.
    clock.set_price(market, "0.4121")
    assert judged.read()["state"] == "active"
    clock.set_price(market, "0.412")
    breach = judged.read()["latest_breach"]
    assert (breach["rule"], breach["actual_value"]) == ("max_daily_loss_pct", "5.0000")
    assert breach["basis_value"] == "960.00"


def test_rules_with_faults_from_before_the_engine_judge_nothing(
    server: FirmServer, market: Market
) -> None:
    judged = Judged(server, max_total_loss_pct=10)
    judged.buy(market)
    with enter_building("alpha"):
        rules = {"engine": "polysim", "max_total_loss_pct": "ten"}
        FirmAccount.objects.filter(pk=judged.trader.wallet.pk).update(rules=rules)
        mark(market, "0.01")
        assert evaluate_accounts(now=utc_now()).judged == 0
    assert server.get(judged.path).json()["error"] == "NOT_FOUND"


def test_reading_needs_the_permission_and_strangers_see_nothing(
    server: FirmServer, beta: Firm, market: Market
) -> None:
    judged = Judged(server, max_total_loss_pct=10)
    writer = FirmServer(server.firm, permissions=["accounts:write"])
    assert writer.get(judged.path).json()["error"] == "INSUFFICIENT_PERMISSION"
    Firm.objects.filter(pk=beta.pk).update(has_rule_engine=True)
    beta.refresh_from_db()
    for end in ("", "/metrics", "/breaches"):
        answer = FirmServer(beta).get(judged.path + end)
        assert (answer.status_code, answer.json()["error"]) == (404, "ACCOUNT_NOT_FOUND")
