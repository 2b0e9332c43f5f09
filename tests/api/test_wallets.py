"""Wallets over HTTP: list, rename, archive, resets, their repeats (accounts-api 5.1, 6)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tests.support.door import Bot, Browser, order_body
from tests.support.exchange import make_firm_trader, make_market, make_trader, set_book
from trading.markets.models import Market
from trading.models import Order, Position
from trading.services.market_terms import forget_market_terms
from wallets.models import Wallet
from wallets.selectors import check_conservation


@pytest.fixture
def market(db: None) -> Market:
    forget_market_terms()
    made = make_market()
    set_book(made, asks=[("0.65", 100)], last_trade="0.65", now=utc_now())
    return made


@pytest.fixture
def bot(db: None) -> Bot:
    return Bot()


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response["X-Polysim-Code"]


def test_me(bot: Bot) -> None:
    body = bot.get("me").json()
    assert body == {
        "user_id": bot.user.pk,
        "id": bot.user.pk,
        "username": bot.user.handle,
        "email": bot.user.email,
        "auth_user_id": str(bot.user.auth_user_id),
        "balance": "10000.00",
        "api_balance": "10000.00",
        "currency": "USD",
        "tier": "pro",
        "permissions": ["read", "trade"],
        "key_count": 1,
    }
    assert bot.get(f"me?wallet_id={bot.main.wallet.pk}").json()["balance"] == "1000.00"
    assert bot.get("me?wallet_id=ALL").json()["balance"] == "21000.00"
    assert code(bot.get("me?wallet_id=none")) == (422, "VALIDATION_FAILED")


def test_the_wallet_object(bot: Bot) -> None:
    body = bot.get(f"me/wallets/{bot.sandbox.wallet.pk}").json()
    assert body.pop("created_at").endswith("Z")
    assert body == {
        "id": bot.sandbox.wallet.pk,
        "kind": "SANDBOX",
        "label": None,
        "balance": "10000.00",
        "baseline": "10000.00",
        "status": "ACTIVE",
        "generation": 1,
        "parent_wallet_id": None,
        "competition_id": None,
        "archived_at": None,
        "is_legacy": False,
        "managed_by": None,
        "b2b_account": None,
    }


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("999999", (404, "WALLET_NOT_FOUND")),
        ("0", (404, "WALLET_NOT_FOUND")),
        ("-5", (404, "WALLET_NOT_FOUND")),
        ("9" * 40, (404, "WALLET_NOT_FOUND")),
        ("api", (422, "VALIDATION_FAILED")),
        ("1.5", (422, "VALIDATION_FAILED")),
        ("٣", (422, "VALIDATION_FAILED")),
    ],
)
def test_wallets_that_are_not_there(bot: Bot, number: str, answer: tuple[int, str]) -> None:
    assert code(bot.get(f"me/wallets/{number}")) == answer
    assert code(bot.patch(f"me/wallets/{number}", {"label": "x"})) == answer
    assert code(bot.delete(f"me/wallets/{number}")) == answer
    assert code(bot.post(f"me/wallets/{number}/reset")) == answer


def test_the_list_has_every_wallet_in_order(bot: Bot, alpha: Any) -> None:
    account = make_firm_trader(user=bot.user, stage="funded")
    make_trader()
    deleted = make_trader(user=bot.user)
    with enter_building("retail"):
        Wallet.objects.filter(pk=deleted.wallet.pk).update(status="DELETED")
    listed = bot.get("me/wallets").json()
    assert [row["id"] for row in listed] == [
        bot.main.wallet.pk,
        bot.sandbox.wallet.pk,
        bot.api.wallet.pk,
        account.wallet.pk,
    ]
    assert listed[3]["managed_by"] == {"tenant_slug": "alpha", "display_name": "Alpha Prop"}
    assert listed[3]["b2b_account"] == {
        "account_id": str(account.wallet.account_id),
        "stage": "funded",
        "status": "active",
    }
    page = bot.get("me/wallets?limit=2&offset=1").json()
    assert [row["id"] for row in page] == [bot.sandbox.wallet.pk, bot.api.wallet.pk]
    assert code(bot.get("me/wallets?limit=201")) == (422, "VALIDATION_FAILED")
    one = f"me/wallets/{account.wallet.pk}"
    assert bot.get(one).json() == listed[3]
    assert code(bot.patch(one, {"label": "mine"})) == (404, "WALLET_NOT_FOUND")
    assert code(bot.delete(one)) == (409, "WALLET_NOT_ARCHIVABLE")
    assert code(bot.post(f"{one}/reset")) == (409, "WALLET_NOT_RESETTABLE")


def test_renaming(bot: Bot) -> None:
    address = f"me/wallets/{bot.main.wallet.pk}"
    assert bot.patch(address, {"label": "  grid test "}).json()["label"] == "grid test"
    assert bot.patch(address, {"label": ""}).json()["label"] is None
    assert bot.patch(address, {"label": None}).json()["label"] is None
    for wrong in ({"label": "x" * 65}, {"label": ["x"]}, {}, []):
        assert code(bot.patch(address, wrong)) == (422, "VALIDATION_FAILED"), wrong


def test_a_new_sandbox_and_its_limit(bot: Bot) -> None:
    made = bot.post("me/wallets", {"kind": "SANDBOX", "label": "grid test"})
    assert made.status_code == 201
    assert (made.json()["label"], made.json()["balance"]) == ("grid test", "10000.00")
    assert bot.post("me/wallets", {"kind": "SANDBOX"}).status_code == 201
    over = bot.post("me/wallets", {"kind": "SANDBOX"})
    assert code(over) == (402, "UPGRADE_REQUIRED")
    assert over.json()["feature_key"] == "wallets.max_sandbox"
    assert over.json()["upgrade_url"] == "/pricing"
    for kind in ("MAIN", "API", "COMPETITION", "PROP_FIRM", "", None, 5):
        assert code(bot.post("me/wallets", {"kind": kind})) == (422, "VALIDATION_FAILED")


def test_archiving_ends_orders_and_positions(market: Market, bot: Bot) -> None:
    wallet_id = bot.sandbox.wallet.pk
    bot.post("orders", order_body(market, wallet_id=wallet_id))
    resting = bot.post(
        "orders", order_body(market, wallet_id=wallet_id, order_type="limit", price="0.30")
    ).json()["order_id"]
    body = bot.delete(f"me/wallets/{wallet_id}").json()
    assert (body["status"], body["archived_at"][-1]) == ("ARCHIVED", "Z")
    order = bot.get(f"orders/{resting}").json()
    assert (order["status"], order["cancelled_reason"]) == ("CANCELLED", "wallet_reset")
    with enter_building("retail"):
        assert Position.objects.get().status == "CLOSED_BY_RESET"
        assert check_conservation().is_sound
    assert code(bot.delete(f"me/wallets/{wallet_id}")) == (409, "WALLET_ALREADY_ARCHIVED")
    assert bot.get(f"me/wallets/{wallet_id}").json()["status"] == "ARCHIVED"
    for other in (bot.main, bot.api):
        refused = bot.delete(f"me/wallets/{other.wallet.pk}")
        assert code(refused) == (409, "WALLET_NOT_ARCHIVABLE")


def test_resetting_a_sandbox_makes_its_successor(market: Market, bot: Bot) -> None:
    old = bot.sandbox.wallet.pk
    bot.patch(f"me/wallets/{old}", {"label": "grid test"})
    bot.post("orders", order_body(market, wallet_id=old))
    new = bot.post(f"me/wallets/{old}/reset").json()
    assert new["id"] != old
    assert (new["parent_wallet_id"], new["generation"], new["label"]) == (old, 2, "grid test")
    assert (new["balance"], new["status"]) == ("10000.00", "ACTIVE")
    assert bot.get(f"me/wallets/{old}").json()["status"] == "ARCHIVED"
    assert code(bot.post(f"me/wallets/{old}/reset")) == (409, "WALLET_ALREADY_ARCHIVED")
    # The new wallet trades at once.
    placed = bot.post("orders", order_body(market, wallet_id=new["id"]))
    assert placed.json()["account_balance"] == "9993.34"
    with enter_building("retail"):
        assert check_conservation().is_sound


def test_resetting_main_in_place_and_its_cap(market: Market, bot: Bot) -> None:
    address = f"me/wallets/{bot.main.wallet.pk}/reset"
    untouched = bot.post(address).json()
    assert (untouched["id"], untouched["generation"]) == (bot.main.wallet.pk, 1)
    browser = Browser(bot.user)
    for generation in range(2, 6):
        browser.post("orders", order_body(market, quantity="5", wallet_id=bot.main.wallet.pk))
        body = bot.post(address).json()
        assert (body["balance"], body["generation"]) == ("1000.00", generation)
    browser.post("orders", order_body(market, quantity="5", wallet_id=bot.main.wallet.pk))
    refused = bot.post(address)
    assert code(refused) == (429, "RESET_COOLDOWN")
    assert 29 * 86_400 < int(refused["Retry-After"]) <= 30 * 86_400 + 1
    assert code(bot.post(f"me/wallets/{bot.api.wallet.pk}/reset")) == (
        409,
        "WALLET_NOT_RESETTABLE",
    )


def test_resetting_the_api_wallet(market: Market, bot: Bot) -> None:
    bot.post("orders", order_body(market))
    bot.post("orders", order_body(market, order_type="limit", price="0.30", outcome="No"))
    answer = bot.post("account/reset-api-balance").json()
    assert answer == {
        "message": "API balance reset to $10,000.00",
        "new_api_balance": "10000.00",
        "positions_closed": 1,
        "cooldown_days": 0,
    }
    # The key goes on working, on the same wallet.
    assert bot.get("account/balance").json()["balance"] == "10000.00"
    assert bot.get("account/positions?status=OPEN").json() == []
    closed = bot.get("account/positions?status=closed").json()
    assert [(row["quantity"], row["status"]) for row in closed] == [("0", "CLOSED_BY_RESET")]
    assert bot.send("POST", "account/reset-api-balance").status_code == 200


def test_the_free_plan_resets_no_api_wallet(db: None) -> None:
    free = Bot(plan="free", cash="100.00")
    refused = free.post("account/reset-api-balance")
    assert code(refused) == (402, "UPGRADE_REQUIRED")
    assert refused.json()["feature_key"] == "wallets.api_reset"


def test_without_an_api_wallet(bot: Bot) -> None:
    with enter_building("retail"):
        Wallet.objects.filter(pk=bot.api.wallet.pk).update(status="ARCHIVED")
    assert code(bot.post("account/reset-api-balance")) == (404, "WALLET_NOT_FOUND")
    assert bot.get("account/balance").json() == {
        "balance": "0.00",
        "currency": "USD",
        "starting_balance": "0.00",
        "unrealized_pnl": "0.00",
        "total_value": "0.00",
    }


def test_the_cooldown_of_the_api_wallet(bot: Bot, settings: Any) -> None:
    settings.API_RESET_COOLDOWN_DAYS = 2
    assert bot.post("account/reset-api-balance").json()["cooldown_days"] == 2
    refused = bot.post("account/reset-api-balance")
    assert code(refused) == (429, "RESET_COOLDOWN")
    assert 86_400 < int(refused["Retry-After"]) <= 2 * 86_400 + 1


@pytest.mark.parametrize("address", ["me/wallets", "me/wallets/{sandbox}/reset"])
def test_a_repeat_with_its_key_gets_the_first_answer(bot: Bot, address: str) -> None:
    address = address.format(sandbox=bot.sandbox.wallet.pk)
    body = {"kind": "SANDBOX", "label": "once"} if address == "me/wallets" else {}
    key = {"Idempotency-Key": "a-1"}
    first = bot.post(address, body, **key)
    again = bot.post(address, body, **key)
    assert again.json() == first.json()
    assert again.status_code == first.status_code
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    other = bot.post(address, {**body, "label": "twice"}, **key)
    assert code(other) == (409, "IDEMPOTENCY_KEY_REUSE")
    with enter_building("retail"):
        assert Wallet.objects.filter(user=bot.user, kind="SANDBOX").count() == 2


def test_an_api_reset_happens_once_per_key(market: Market, bot: Bot) -> None:
    key = {"Idempotency-Key": "r-1"}
    bot.post("account/reset-api-balance", **key)
    bot.post("orders", order_body(market))
    again = bot.post("account/reset-api-balance", **key)
    assert again["Idempotent-Replayed"] == "true"
    assert bot.get("account/balance").json()["balance"] == "9993.34"


def test_own_writes_show_at_once(market: Market, bot: Bot) -> None:
    bot.get("me/wallets")
    bot.get("account/positions")
    bot.post("orders", order_body(market))
    assert bot.get(f"me/wallets/{bot.api.wallet.pk}").json()["balance"] == "9993.34"
    assert bot.get("account/positions").json()[0]["quantity"] == "10.0"
    with enter_building("retail"):
        assert Order.objects.get().created_at > utc_now() - timedelta(minutes=1)
        assert bot.api.balance == Decimal("9993.34")
