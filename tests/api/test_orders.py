"""Orders over HTTP: the contract's examples, refusals, idempotency, batches (trading-api 4)."""

from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tests.support.door import Bot, Browser, order_body
from tests.support.exchange import make_market, make_trader, set_book
from trading.markets.models import Market
from trading.models import Order
from trading.services.market_terms import forget_market_terms
from wallets.models import Wallet

ASKS_OF_M = [("0.65", 6), ("0.66", 10), ("0.70", 50)]


@pytest.fixture
def market(db: None) -> Market:
    """Market M of the contract: asks 0.65 x 6, 0.66 x 10, 0.70 x 50, displayed 0.65."""
    forget_market_terms()
    made = make_market()
    set_book(made, asks=ASKS_OF_M, last_trade="0.65", now=utc_now())
    return made


@pytest.fixture
def bot(db: None) -> Bot:
    return Bot()


def refusal(response: Any) -> tuple[int, str, str]:
    return response.status_code, response["X-Polysim-Code"], response.json()["error"]


def test_the_contracts_market_order(market: Market, bot: Bot) -> None:
    response = bot.post("orders", order_body(market, client_order_id="bot-1"))
    assert response.status_code == 200, response.content
    answer = response.json()
    assert answer["order_id"] > 0
    assert 0 <= answer.pop("quote_age_ms") < 5000
    expected = {
        "status": "FILLED",
        "order_type": "market",
        "side": "BUY",
        "outcome": "Yes",
        "market_id": market.condition_id,
        "price": "0.6540",
        "quantity": "10.0000",
        "requested_quantity": "10.0000",
        "filled_quantity": "10.0000",
        "notional": "6.54",
        "fee": "0.16",
        "fee_rate_bps": 700,
        "liquidity": "taker",
        "cancelled_reason": None,
        "price_source": "book_walk",
        "slippage_bps": 62,
        "impact_bps": 62,
        "book_walk_levels": 2,
        "account_balance": "9993.30",
        "position": {
            "market_id": market.condition_id,
            "outcome": "Yes",
            "quantity": "10.0000",
            "avg_entry_price": "0.6540",
            "status": "OPEN",
        },
        "client_order_id": "bot-1",
        "time_in_force": "FOK",
        "error": None,
        "error_message": None,
        "amount_interpreted_as": None,
        "is_replay": False,
        "warnings": [],
        "making_amount": "6.54",
        "taking_amount": "10.0000",
        "wallet_id": bot.api.wallet.pk,
    }
    assert {name: answer[name] for name in expected} == expected
    assert "message" not in answer
    assert "detail" not in answer
    assert all(isinstance(trade, str) for trade in answer["trade_ids"])
    assert bot.api.balance == Decimal("9993.30")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"price": "0.65", "time_in_force": "FAK"},
            {"status": "FILLED", "notional": "3.90", "fee": "0.10", "account_balance": "9996.00"},
        ),
        ({"quantity": "16.5"}, {"price": "0.6563", "notional": "10.83", "fee": "0.26"}),
        (
            {"quantity": None, "amount": 10},
            {
                "quantity": "15.2424",
                "notional": "10.00",
                "price": "0.6561",
                "fee": "0.24",
                "account_balance": "9989.76",
                "amount_interpreted_as": "usd_notional",
            },
        ),
        (
            {"order_type": "limit", "quantity": "20", "price": "0.66"},
            {
                "status": "PENDING",
                "filled_quantity": "16.0000",
                "notional": "10.50",
                "fee": "0.25",
                "account_balance": "9986.61",
                "time_in_force": "GTC",
            },
        ),
        (
            {"order_type": "limit", "quantity": "20", "price": "0.50", "time_in_force": "FAK"},
            {"status": "CANCELLED", "cancelled_reason": "fak_not_filled", "time_in_force": "IOC"},
        ),
    ],
)
def test_worked_examples(
    market: Market, bot: Bot, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = bot.post("orders", order_body(market, **fields)).json()
    assert {name: answer.get(name) for name in expected} == expected


def test_numbers_of_json_stay_exact(market: Market, bot: Bot) -> None:
    # 0.1 + 0.2 in binary would be 0.30000000000000004: 17 digits, and refused.
    body = order_body(market).copy()
    text = (
        f'{{"market_id":"{body["market_id"]}","side":"BUY","outcome":"yEs",'
        '"quantity":10.0001,"price":0.68}'
    )
    answer = bot.post("orders", text).json()
    assert answer["filled_quantity"] == "10.0001"
    assert answer["outcome"] == "Yes"


@pytest.mark.parametrize(
    ("fields", "status", "header", "error"),
    [
        ({"side": "HOLD"}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"side": None}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"market_id": "0" * 257}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"quantity": "ten"}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"quantity": "1.00001"}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"quantity": True}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"price": "1e400"}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"time_in_force": "DAY"}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"post_only": "yes"}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"wallet_id": "abc"}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"client_order_id": "x" * 257}, 422, "VALIDATION_FAILED", "VALIDATION_FAILED"),
        ({"amount": "5"}, 400, "INVALID_REQUEST", "INVALID_REQUEST"),
        ({"quantity": None}, 400, "INVALID_REQUEST", "INVALID_REQUEST"),
        ({"price": None}, 400, "PRICE_REQUIRED", "PRICE_REQUIRED"),
        ({"quantity": "0"}, 400, "INVALID_QUANTITY", "INVALID_QUANTITY"),
        ({"quantity": "-5"}, 400, "INVALID_QUANTITY", "INVALID_QUANTITY"),
        ({"quantity": "1000001"}, 400, "INVALID_QUANTITY", "INVALID_QUANTITY"),
        ({"outcome": "Maybe"}, 400, "INVALID_OUTCOME", "INVALID_OUTCOME"),
        (
            {"order_type": "limit", "price": "0.655"},
            400,
            "INVALID_ORDER_MIN_TICK_SIZE",
            "INVALID_ORDER_MIN_TICK_SIZE",
        ),
        (
            {"order_type": "limit", "price": "1"},
            400,
            "INVALID_ORDER_MIN_TICK_SIZE",
            "INVALID_ORDER_MIN_TICK_SIZE",
        ),
        ({"quantity": "4"}, 400, "ORDER_BELOW_MIN_SIZE", "INVALID_ORDER_MIN_SIZE"),
        (
            {"order_type": "limit", "time_in_force": "GTD"},
            400,
            "INVALID_ORDER_EXPIRATION",
            "INVALID_ORDER_EXPIRATION",
        ),
        (
            {"order_type": "limit", "time_in_force": "GTD", "expiration": 1_000_000_000},
            400,
            "INVALID_ORDER_EXPIRATION",
            "INVALID_ORDER_EXPIRATION",
        ),
        (
            {"order_type": "limit", "post_only": True},
            400,
            "POST_ONLY_WOULD_CROSS",
            "INVALID_POST_ONLY_ORDER",
        ),
        (
            {"post_only": True},
            400,
            "INVALID_POST_ONLY_ORDER_TYPE",
            "INVALID_POST_ONLY_ORDER_TYPE",
        ),
        (
            {"order_type": "limit", "quantity": "20000", "price": "0.60"},
            400,
            "INSUFFICIENT_BALANCE",
            "INSUFFICIENT_BALANCE",
        ),
        ({"side": "SELL"}, 400, "INSUFFICIENT_POSITION", "INSUFFICIENT_POSITION"),
        ({"price": "0.65"}, 400, "FOK_ORDER_NOT_FILLED_ERROR", "FOK_ORDER_NOT_FILLED_ERROR"),
        (
            {"quantity": "70", "price": "0.99"},
            400,
            "INSUFFICIENT_LIQUIDITY",
            "INSUFFICIENT_LIQUIDITY",
        ),
        ({"market_id": "0x12"}, 404, "MARKET_NOT_FOUND", "MARKET_NOT_FOUND"),
        ({"wallet_id": 987654}, 404, "WALLET_NOT_FOUND", "WALLET_NOT_FOUND"),
    ],
)
def test_refusals(
    market: Market, bot: Bot, fields: dict[str, Any], status: int, header: str, error: str
) -> None:
    response = bot.post("orders", order_body(market, **fields))
    assert refusal(response) == (status, header, error)
    assert set(response.json()) >= {"error", "message", "request_id"}
    assert bot.api.balance == Decimal("10000.00")
    with enter_building("retail"):
        assert not Order.objects.exists()


def test_every_wrong_field_is_named(market: Market, bot: Bot) -> None:
    body = order_body(market, side="HOLD", quantity="ten", post_only=1)
    fields = bot.post("orders", body).json()["details"]["fields"]
    assert {field["field"] for field in fields} == {"side", "quantity", "post_only"}


def test_a_closed_market_takes_no_orders(market: Market, bot: Bot) -> None:
    Market.objects.update(is_closed=True)
    forget_market_terms()
    assert refusal(bot.post("orders", order_body(market)))[:2] == (400, "MARKET_CLOSED")


def test_an_old_book_fills_nothing(market: Market, bot: Bot) -> None:
    from datetime import timedelta

    long_ago = utc_now() - timedelta(seconds=61)
    set_book(market, asks=ASKS_OF_M, last_trade="0.65", now=utc_now(), confirmed_at=long_ago)
    assert refusal(bot.post("orders", order_body(market)))[:2] == (400, "STALE_QUOTE")


def test_during_a_halt_only_resting_orders_are_taken(
    market: Market, bot: Bot, redis_client: Any
) -> None:
    from trading.markets.books.keys import feed_key

    redis_client.hset(feed_key(), mapping={"mode": "live", "halted": "1", "halted_since_ms": 1})
    refused = bot.post("orders", order_body(market))
    assert refusal(refused)[:2] == (503, "VENUE_UNAVAILABLE")
    assert refused["Retry-After"] == "60"
    assert refused.json()["retry_after"] == 60
    resting = bot.post("orders", order_body(market, order_type="limit", price="0.66")).json()
    assert (resting["status"], resting["filled_quantity"]) == ("PENDING", "0.0000")
    row = bot.get(f"orders/{resting['order_id']}").json()
    assert row["hold_reason"] == "venue_outage"


def test_a_key_trades_api_and_sandbox_wallets_only(market: Market, bot: Bot) -> None:
    inside = bot.post("orders", order_body(market, wallet_id=bot.sandbox.wallet.pk)).json()
    assert inside["wallet_id"] == bot.sandbox.wallet.pk
    refused = bot.post("orders", order_body(market, wallet_id=bot.main.wallet.pk))
    assert refusal(refused)[:2] == (403, "WALLET_READ_ONLY")
    stranger = make_trader()
    unknown = bot.post("orders", order_body(market, wallet_id=stranger.wallet.pk))
    assert refusal(unknown)[:2] == (404, "WALLET_NOT_FOUND")


def test_a_key_never_trades_a_firm_account(market: Market, bot: Bot, alpha: Any) -> None:
    from tenants.models import WalletKind

    account = make_trader(user=bot.user, kind=WalletKind.PROP_FIRM, schema="alpha")
    refused = bot.post("orders", order_body(market, wallet_id=account.wallet.pk))
    assert refusal(refused)[:2] == (403, "WALLET_READ_ONLY")
    read = bot.get(f"orders?wallet_id={account.wallet.pk}")
    assert refusal(read)[:2] == (403, "WALLET_READ_ONLY")


def test_a_session_trades_its_firm_account_by_wallet_id(
    market: Market, bot: Bot, alpha: Any
) -> None:
    from tenants.models import WalletKind

    account = make_trader(user=bot.user, kind=WalletKind.PROP_FIRM, schema="alpha")
    browser = Browser(bot.user)
    wallet_id = account.wallet.pk
    limit = order_body(market, order_type="limit", price="0.40", wallet_id=wallet_id)
    order_id = browser.post("orders", limit).json()["order_id"]
    assert account.balance == Decimal("9996.00")
    with enter_building("retail"):
        assert not Order.objects.exists()
    listed = browser.get(f"orders?wallet_id={wallet_id}").json()["orders"]
    assert [row["order_id"] for row in listed] == [order_id]
    assert browser.get(f"orders/{order_id}?wallet_id={wallet_id}").status_code == 200
    assert browser.delete(f"orders/{order_id}").status_code == 404
    assert browser.delete(f"orders/{order_id}?wallet_id={wallet_id}").status_code == 200
    assert account.balance == Decimal("10000.00")


def test_a_session_must_name_its_wallet(market: Market, bot: Bot) -> None:
    browser = Browser(bot.user)
    refused = browser.post("orders", order_body(market))
    assert refusal(refused)[0] == 422
    assert refused.json()["details"]["fields"][0]["field"] == "wallet_id"
    placed = browser.post("orders", order_body(market, wallet_id=bot.main.wallet.pk))
    assert placed.json()["account_balance"] == "993.30"


def test_a_session_needs_its_csrf_token(market: Market, bot: Bot) -> None:
    browser = Browser(bot.user)
    browser.headers.clear()
    body = order_body(market, wallet_id=bot.main.wallet.pk)
    assert refusal(browser.post("orders", body))[:2] == (403, "CSRF_FAILED")


def test_who_may_place(market: Market) -> None:
    reader = Bot(permissions=("read",))
    refused = reader.post("orders", order_body(market))
    assert refusal(refused)[:2] == (403, "INSUFFICIENT_PERMISSION")
    assert refused.json()["message"] == "API key missing required permission: trade"
    assert reader.get("orders").status_code == 200
    reader.headers.clear()
    assert refusal(reader.post("orders", order_body(market)))[:2] == (401, "MISSING_API_KEY")
    reader.headers["X-API-Key"] = "ps_test_" + "0" * 64
    assert refusal(reader.post("orders", order_body(market)))[:2] == (401, "INVALID_KEY")


@pytest.mark.parametrize("status", [Wallet.Status.FROZEN, Wallet.Status.ARCHIVED])
def test_a_frozen_wallet_takes_no_orders(market: Market, bot: Bot, status: str) -> None:
    with enter_building("retail"):
        Wallet.objects.filter(pk=bot.sandbox.wallet.pk).update(status=status)
    refused = bot.post("orders", order_body(market, wallet_id=bot.sandbox.wallet.pk))
    assert refusal(refused)[:2] == (409, "WALLET_FROZEN")


def test_the_same_key_and_body_is_the_same_order(market: Market, bot: Bot) -> None:
    body = order_body(market, client_order_id="c-1")
    first = bot.post("orders", body).json()
    again = bot.post("orders", {**body, "price": 0.68, "quantity": 10.0}).json()
    assert again["order_id"] == first["order_id"]
    assert (first["is_replay"], again["is_replay"]) == (False, True)
    assert [again[name] for name in ("spread_bps", "impact_bps", "book_walk_levels")] == [None] * 3
    assert bot.api.balance == Decimal("9993.30")


def test_the_same_key_with_another_body_is_refused(market: Market, bot: Bot) -> None:
    key = {"Idempotency-Key": "k-1"}
    bot.post("orders", order_body(market, quantity="5"), **key)
    refused = bot.post("orders", order_body(market, quantity="6"), **key)
    assert refusal(refused) == (409, "IDEMPOTENCY_KEY_REUSE", "IDEMPOTENCY_KEY_REUSE")


def test_the_header_wins_and_a_used_client_order_id_is_refused(market: Market, bot: Bot) -> None:
    body = order_body(market, quantity="5", client_order_id="c-1")
    first = bot.post("orders", body, **{"Idempotency-Key": "k-1"}).json()
    other = bot.post("orders", body, **{"Idempotency-Key": "k-2"})
    assert refusal(other)[:2] == (409, "DUPLICATE_CLIENT_ORDER_ID")
    replay = bot.post("orders", body, **{"Idempotency-Key": "k-1"}).json()
    assert replay["order_id"] == first["order_id"]


def test_a_refused_request_frees_its_key(market: Market, bot: Bot) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert bot.post("orders", order_body(market, price="0.65"), **key).status_code == 400
    assert bot.post("orders", order_body(market), **key).json()["status"] == "FILLED"


def test_the_free_plan_has_a_number_of_orders_a_day(market: Market) -> None:
    from wallets.billing.models import PlanTerms
    from wallets.billing.selectors import clear_plan_terms

    PlanTerms.objects.filter(plan="free").update(daily_order_limit=2, requests_per_second=30)
    clear_plan_terms()
    free = Bot(plan="free")
    body = order_body(market, order_type="limit", price="0.10", quantity="5")
    assert [free.post("orders", body).status_code for _ in range(2)] == [200, 200]
    refused = free.post("orders", body, **{"X-Request-Id": "mine"})
    assert refusal(refused)[:2] == (429, "DAILY_ORDER_LIMIT_EXCEEDED")
    assert 0 < int(refused["Retry-After"]) <= 86_400
    assert refused["X-Request-Id"] == refused.json()["request_id"] == "mine"
    clear_plan_terms()


def test_a_preview_says_what_placing_does_and_moves_nothing(market: Market, bot: Bot) -> None:
    shown = bot.post("orders/preview", order_body(market)).json()
    assert (shown["order_id"], shown["status"]) == (0, "FILLED")
    assert bot.api.balance == Decimal("10000.00")
    placed = bot.post("orders", order_body(market)).json()
    same = ("price", "notional", "fee", "account_balance", "book_walk_levels", "impact_bps")
    assert {name: shown[name] for name in same} == {name: placed[name] for name in same}
    assert shown["preview"]["levels"] == [["0.65", "6.0"], ["0.66", "4.0"]]
    refused = bot.post("orders/preview", order_body(market, quantity="500"))
    assert refusal(refused)[:2] == (400, "INSUFFICIENT_LIQUIDITY")


def test_a_batch_is_executed_in_order_and_each_for_itself(market: Market, bot: Bot) -> None:
    response = bot.post(
        "orders/batch",
        {
            "orders": [
                order_body(market, quantity="6", client_order_id="b-1"),
                order_body(market, side="SELL", quantity="500", client_order_id="b-2"),
                order_body(market, quantity={"odd": 1}, client_order_id="b-3"),
                "nonsense",
                order_body(market, quantity="10", client_order_id="b-5"),
            ]
        },
    )
    assert response.status_code == 200
    body = response.json()
    results = body["results"]
    assert (body["succeeded"], body["failed"]) == (2, 3)
    assert [row["status"] for row in results] == [
        "FILLED",
        "REJECTED",
        "REJECTED",
        "REJECTED",
        "FILLED",
    ]
    assert results[1] == {
        **results[1],
        "order_id": 0,
        "order_type": "market",
        "side": "SELL",
        "outcome": "Yes",
        "price": "0",
        "quantity": "500",
        "notional": "0",
        "fee": "0",
        "client_order_id": "b-2",
        "error": "INSUFFICIENT_POSITION",
    }
    assert [row["error"] for row in results[2:4]] == ["VALIDATION_FAILED"] * 2
    # 6 at 0.65 by the first order, so the last one starts at 0.66.
    assert results[4]["price"] == "0.6600"


def test_a_batch_has_the_tiers_size(market: Market, bot: Bot) -> None:
    orders = [order_body(market) for _ in range(6)]
    refused = bot.post("orders/batch", {"orders": orders})
    assert refusal(refused)[:2] == (400, "BATCH_LIMIT_EXCEEDED")
    for empty in ({"orders": []}, {"orders": "x"}, {}, []):
        assert refusal(bot.post("orders/batch", empty))[0] == 422
    with enter_building("retail"):
        assert not Order.objects.exists()
