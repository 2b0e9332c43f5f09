"""Accounts of a firm's traders over the partner door: open, change, close, reset (4, 7, 8, 9)."""

from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.models import User
from tenants.office.models import FirmAuditEntry, WebhookEvent
from tenants.services import anonymise_user
from tests.partner.accounts import account_body, provision, read, register, trader_of
from tests.support.door import FirmServer
from tests.support.exchange import make_firm_trader, make_market, make_user, set_book
from trading.markets.models import Market, MarketResolution
from trading.models import Order, Position
from trading.services.refusals import AccountClosed
from trading.services.settlement import settle_resolved_positions
from wallets.models import FirmAccount, LedgerTransaction, Wallet
from wallets.selectors import check_conservation
from wallets.services import set_trading_enabled

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(alpha: Any) -> User:
    return register(alpha)


@pytest.fixture
def market() -> Market:
    made = make_market(fee_rate="0")
    set_book(made, bids=[("0.60", 500)], asks=[("0.62", 500)], now=utc_now())
    return made


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


# --- Opening ------------------------------------------------------------------------------------
def test_a_new_account_is_funded_and_active(server: FirmServer, person: User) -> None:
    rules = {"profit_target_pct": 8, "note": {"deep": [1.5, None, True]}}
    answer = server.post("accounts", account_body(person, rules=rules))
    body = answer.json()
    assert answer.status_code == 201
    assert body["starting_balance"] == body["balance"] == body["equity"] == "25000.00"
    assert body["available_balance"] == body["peak_equity"] == body["day_start_equity"]
    assert (body["status"], body["trading_enabled"], body["attempt"]) == ("active", True, 1)
    assert (body["user_id"], body["external_id"]) == (person.pk, "nw-ch-17")
    assert (body["rules"], body["metadata"], body["positions"]) == (rules, {}, [])
    assert body["drawdown"] == body["max_drawdown"] == body["day_pnl"] == "0.00"
    assert read(server, body) == body


def test_the_same_call_again_answers_the_first_account(server: FirmServer, person: User) -> None:
    first = server.post("accounts", account_body(person, rules={"a": 1}))
    again = server.post("accounts", account_body(person, rules={"b": 2}, starting_balance=25000))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


@pytest.mark.parametrize("field", ["user_id", "stage", "starting_balance"])
def test_the_same_external_id_with_other_defining_fields_is_a_conflict(
    server: FirmServer, person: User, field: str
) -> None:
    provision(server, person)
    other = {"user_id": register(server.firm).pk, "stage": "funded", "starting_balance": "1.00"}
    answer = server.post("accounts", account_body(person, **{field: other[field]}))
    assert error_of(answer) == (409, "EXTERNAL_ID_CONFLICT")


def test_a_trader_of_nobody_or_of_another_firm_is_not_found(server: FirmServer, beta: Any) -> None:
    stranger, foreign = make_user(), register(beta)
    for user in (stranger, foreign):
        answer = server.post("accounts", account_body(user))
        assert error_of(answer) == (404, "USER_NOT_FOUND")


def test_a_trader_has_at_most_fifty_active_accounts(server: FirmServer, person: User) -> None:
    for number in range(50):
        last = provision(server, person, external_id=f"n-{number}", starting_balance="10.00")
    answer = server.post("accounts", account_body(person))
    assert error_of(answer) == (409, "ACCOUNT_LIMIT_REACHED")
    server.post(f"accounts/{last['account_id']}/close")
    assert server.post("accounts", account_body(person)).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starting_balance", "0.00"),
        ("starting_balance", "10000000.01"),
        ("starting_balance", "100.001"),
        ("starting_balance", -5),
        ("stage", "Challenge"),
        ("stage", ""),
        ("stage", "x" * 33),
        ("external_id", ""),
        ("external_id", "x" * 256),
        ("external_id", "nul\x00"),
        ("external_id", "polysim:payer:1"),
        ("user_id", "80417"),
        ("user_id", True),
        ("rules", []),
        ("rules", {"deep": [[[[[[[[1]]]]]]]]}),
        ("metadata", {"text": "x" * 17_000}),
        ("unknown", 1),
        ("test_clock_id", "0d6f3a52-8f0e-4c1b-9b0a-3f1c5be7a910"),
    ],
)
def test_a_wrong_field_is_named(server: FirmServer, person: User, field: str, value: Any) -> None:
    body = account_body(person, **{field: value})
    answer = server.send("POST", "accounts", body, **{"X-Polysim-Verbose": "true"})
    assert error_of(answer) == (422, "VALIDATION_FAILED")
    assert field in [one["field"].split(".")[0] for one in answer.json()["details"]["fields"]]


def test_a_float_is_no_money(server: FirmServer, person: User) -> None:
    text = (
        f'{{"user_id": {person.pk}, "external_id": "a", "stage": "demo", "starting_balance": 25.5}}'
    )
    assert error_of(server.post("accounts", text)) == (422, "VALIDATION_FAILED")


# --- Changing -----------------------------------------------------------------------------------
def test_rules_and_metadata_are_replaced_as_a_whole(server: FirmServer, person: User) -> None:
    account = provision(server, person, rules={"a": 1, "b": 2}, metadata={"k": "v"})
    path = f"accounts/{account['account_id']}"
    first = server.patch(path, {"rules": {"a": 3}}).json()
    second = server.patch(path, {"metadata": None}).json()
    assert (first["rules"], first["metadata"]) == ({"a": 3}, {"k": "v"})
    assert (second["rules"], second["metadata"]) == ({"a": 3}, {})
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.filter(action="account.updated").order_by("id").first()
        assert entry is not None
        assert (entry.before, entry.after) == ({"rules": {"a": 1, "b": 2}}, {"rules": {"a": 3}})
        assert entry.actor_name == server.key_row.key_prefix
        assert entry.request_id


@pytest.mark.parametrize("body", [{}, {"stage": "funded"}, {"starting_balance": "1.00"}])
def test_nothing_else_can_be_patched(
    server: FirmServer, person: User, body: dict[str, Any]
) -> None:
    account = provision(server, person)
    answer = server.patch(f"accounts/{account['account_id']}", body)
    assert error_of(answer) == (422, "VALIDATION_FAILED")


# --- Closing ------------------------------------------------------------------------------------
def test_closing_frees_orders_and_freezes_the_envelope(
    server: FirmServer, person: User, market: Market
) -> None:
    account = provision(server, person)
    trader = trader_of(server, account)
    now = utc_now()
    trader.place(market, "BUY", quantity="100", price="0.62", now=now)
    trader.place(market, "BUY", order_type="limit", quantity="10", price="0.50", now=now)
    path = f"accounts/{account['account_id']}"
    closed = server.post(f"{path}/close", {"reason": "breach"})
    body = closed.json()
    assert closed.status_code == 200
    assert (body["status"], body["trading_enabled"], body["open_orders"]) == ("closed", False, 0)
    assert (body["reserved"], body["balance"], body["equity"]) == ("0.00", "24938.00", "24999.00")
    assert len(body["positions"]) == 1
    assert body["closed_at"] is not None
    # The price moves and the market resolves: nothing moves the closed account any more.
    set_book(market, bids=[("0.80", 500)], asks=[("0.82", 500)], now=utc_now())
    MarketResolution.objects.create(
        market=market, version=1, payouts=["1", "0"], source="test", resolved_at=utc_now()
    )
    with enter_building("alpha"):
        assert settle_resolved_positions(now=utc_now()).settled == 0
        order = Order.objects.get(type="limit")
        wallet = Wallet.objects.get(pk=trader.wallet.pk)
        position = Position.objects.get(wallet=wallet)
        assert check_conservation().is_sound
        assert FirmAccount.objects.get(pk=wallet.pk).close_reason == "breach"
    assert order.cancelled_reason == "account_closed"
    assert (wallet.status, wallet.trading_state) == ("ARCHIVED", "CLOSED")
    assert (position.status, position.quantity) == ("OPEN", 100)
    assert server.post(f"{path}/close", {"reason": "other"}).json() == body
    assert read(server, account) == body
    assert server.get("accounts?status=closed").json()["data"][0]["equity"] == "24999.00"


def test_a_closed_account_takes_no_order_change_or_reset_and_keeps_its_external_id(
    server: FirmServer, person: User, market: Market
) -> None:
    account = provision(server, person)
    path = f"accounts/{account['account_id']}"
    closed = server.post(f"{path}/close").json()
    with pytest.raises(AccountClosed):
        trader_of(server, account).place(market, "BUY", quantity="10", price="0.62", now=utc_now())
    assert error_of(server.patch(path, {"rules": {}})) == (409, "ACCOUNT_CLOSED")
    assert error_of(server.post(f"{path}/reset")) == (409, "ACCOUNT_CLOSED")
    again = server.post("accounts", account_body(person))
    assert (again.status_code, again.json()) == (200, closed)


@pytest.mark.django_db(transaction=True)
def test_deleting_the_native_user_closes_all_their_accounts(
    server: FirmServer, beta_server: FirmServer, person: User
) -> None:
    first = provision(server, person)
    register(beta_server.firm, user=person, external_id="at-beta")
    second = provision(beta_server, person)
    anonymise_user(user=person, actor=None, now=utc_now())
    for owner, account in ((server, first), (beta_server, second)):
        assert read(owner, account)["status"] == "closed"
        with enter_building(owner.firm.schema_name):
            reason = FirmAccount.objects.get(wallet__account_id=account["account_id"]).close_reason
        assert reason == "user_deleted"


# --- Resetting ----------------------------------------------------------------------------------
def test_a_reset_begins_the_next_attempt_with_the_starting_balance(
    server: FirmServer, person: User, market: Market
) -> None:
    account = provision(server, person, rules={"a": 1})
    trader = trader_of(server, account)
    now = utc_now()
    trader.place(market, "BUY", quantity="100", price="0.62", now=now)
    trader.place(market, "BUY", order_type="limit", quantity="10", price="0.50", now=now)
    set_book(market, bids=[("0.30", 500)], asks=[("0.32", 500)], now=utc_now())
    assert read(server, account)["max_drawdown"] == "31.00"
    with enter_building("alpha"):
        set_trading_enabled(wallet_id=trader.wallet.pk, is_enabled=False, now=now, reason="x")
    answer = server.post(f"accounts/{account['account_id']}/reset", {"reason": "second chance"})
    body = answer.json()
    assert body["reset"] == {"attempt": 2, "positions_closed": 1, "orders_cancelled": 1}
    assert body["balance"] == body["equity"] == body["peak_equity"] == "25000.00"
    assert body["drawdown"] == body["max_drawdown"] == body["day_pnl"] == "0.00"
    assert (body["trades_count"], body["trading_days"], body["last_trade_at"]) == (0, 0, None)
    assert body["realized_pnl"] == body["fees_paid"] == "0.00"
    assert (body["trading_enabled"], body["attempt"]) == (True, 2)
    assert body["reset_at"] is not None
    assert (body["rules"], body["external_id"]) == ({"a": 1}, "nw-ch-17")
    with enter_building("alpha"):
        assert check_conservation().is_sound
        assert Order.objects.get(type="limit").cancelled_reason == "account_reset"
        entry = LedgerTransaction.objects.get(type="RESET")
        assert entry.memo == "1 positions written off"
    trader.place(market, "BUY", quantity="10", price="0.62", now=utc_now())
    assert read(server, account)["trades_count"] == 1


def test_a_repeated_idempotency_key_resets_once(server: FirmServer, person: User) -> None:
    account = provision(server, person)
    path = f"accounts/{account['account_id']}/reset"
    headers = {"Idempotency-Key": "reset-1"}
    first = server.send("POST", path, {}, **headers)
    again = server.send("POST", path, {}, **headers)
    other = server.send("POST", path, {"reason": "x"}, **headers)
    third = server.send("POST", path, {})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert error_of(other) == (409, "IDEMPOTENCY_KEY_REUSE")
    assert third.json()["attempt"] == 3


# --- Program accounts, audit, events, lists ------------------------------------------------------
def test_a_programs_account_can_be_read_and_labelled_but_not_ended(
    server: FirmServer,
) -> None:
    trader = make_firm_trader(is_managed=True)
    path = f"accounts/{trader.wallet.account_id}"
    assert server.get(path).status_code == 200
    assert server.patch(path, {"metadata": {"k": 1}}).status_code == 200
    assert error_of(server.patch(path, {"rules": {}})) == (409, "MANAGED_BY_PROGRAM")
    assert error_of(server.post(f"{path}/close")) == (409, "MANAGED_BY_PROGRAM")
    assert error_of(server.post(f"{path}/reset")) == (409, "MANAGED_BY_PROGRAM")


def test_every_write_is_audited_and_told_to_the_outbox(server: FirmServer, person: User) -> None:
    account = provision(server, person, metadata={"k": 1})
    path = f"accounts/{account['account_id']}"
    server.patch(path, {"rules": {"a": 1}})
    server.post(f"{path}/reset")
    server.post(f"{path}/close")
    server.post(f"{path}/close")
    names = ["account.created", "account.updated", "account.reset", "account.closed"]
    with enter_building("alpha"):
        audited = FirmAuditEntry.objects.filter(object_id=account["account_id"]).order_by("id")
        assert list(audited.values_list("action", flat=True)) == names
        assert {entry.actor_name for entry in audited} == {server.key_row.key_prefix}
        events = list(WebhookEvent.objects.filter(type__startswith="account.").order_by("id"))
    assert [event.type for event in events] == names
    assert all("positions" not in event.data for event in events)
    assert events[-1].data["status"] == "closed"


def test_accounts_are_listed_oldest_first_with_filters_and_cursor(
    server: FirmServer, person: User
) -> None:
    other = register(server.firm)
    for number in range(5):
        provision(server, person, external_id=f"a-{number}", starting_balance="10.00")
    provision(server, other, external_id="b", stage="funded")
    first = server.get("accounts?limit=4").json()
    second = server.get(f"accounts?limit=4&cursor={first['next_cursor']}").json()
    names = [row["external_id"] for row in first["data"] + second["data"]]
    assert names == ["a-0", "a-1", "a-2", "a-3", "a-4", "b"]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert "positions" not in first["data"][0]
    assert [row["external_id"] for row in server.get("accounts?stage=funded").json()["data"]] == [
        "b"
    ]
    assert len(server.get(f"accounts?user_id={person.pk}").json()["data"]) == 5
    assert server.get("accounts?external_id=a-3").json()["data"][0]["external_id"] == "a-3"
    assert server.get("accounts?external_id=nothing").json()["data"] == []
    foreign = server.get(f"accounts?stage=funded&cursor={first['next_cursor']}")
    assert error_of(foreign) == (400, "INVALID_CURSOR")
