"""Reading and cancelling orders over HTTP (trading-api 4.4, 4.5)."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tests.support.door import Bot, Browser, order_body
from tests.support.exchange import make_market, set_book
from trading.markets.models import Market
from trading.models import Order
from trading.services.market_terms import forget_market_terms
from wallets.selectors import check_conservation


@pytest.fixture
def market(db: None) -> Market:
    forget_market_terms()
    made = make_market()
    set_book(made, asks=[("0.65", 6), ("0.66", 10)], last_trade="0.65", now=utc_now())
    return made


@pytest.fixture
def bot(db: None) -> Bot:
    return Bot(plan="enterprise")


def rest(bot: Bot, market: Market, price: str = "0.40", **fields: Any) -> int:
    body = order_body(market, order_type="limit", price=price, **fields)
    response = bot.post("orders", body)
    assert response.status_code == 200, response.content
    return response.json()["order_id"]


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response["X-Polysim-Code"]


def test_a_partly_filled_order_in_the_list(market: Market, bot: Bot) -> None:
    order_id = rest(bot, market, "0.65", quantity="20", client_order_id="mm-7")
    page = bot.get("orders").json()
    assert page["has_more"] is False
    assert (page["next_cursor"], page["total_hint"]) == (None, 1)
    row = page["orders"][0]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", row.pop("created_at"))
    assert row == {
        "order_id": order_id,
        "market_id": market.condition_id,
        "side": "BUY",
        "outcome": "Yes",
        "order_type": "limit",
        "limit_price": "0.6500",
        "quantity": "20.0000",
        "filled_quantity": "6.0000",
        "time_in_force": "GTC",
        "post_only": False,
        "expiration": None,
        "status": "PENDING",
        "hold_reason": None,
        "cancelled_reason": None,
        "client_order_id": "mm-7",
        "wallet_id": bot.api.wallet.pk,
        "filled_at": None,
        "fill_price": "0.6500",
        "fee": "0.10",
        "cancelled_at": None,
    }


def test_filters(market: Market, bot: Bot) -> None:
    other = make_market()
    set_book(other, asks=[("0.30", 100)], last_trade="0.30", now=utc_now())
    resting = rest(bot, market)
    filled = bot.post("orders", order_body(other, price="0.30")).json()["order_id"]
    sandbox = rest(bot, market, wallet_id=bot.sandbox.wallet.pk)

    def ids(query: str) -> list[int]:
        return [row["order_id"] for row in bot.get(f"orders?{query}").json()["orders"]]

    assert ids("") == ids("wallet_id=api") == [filled, resting]
    assert ids("status=OPEN") == ids("status=PENDING") == [resting]
    assert ids("status=FILLED") == ids(f"market_id={other.condition_id}") == [filled]
    assert ids("side=SELL") == ids("status=EXPIRED") == ids("market_id=0x0") == []
    assert ids("wallet_id=all") == [sandbox, filled, resting]
    assert ids(f"wallet_id={bot.sandbox.wallet.pk}") == [sandbox]
    assert (
        bot.get(f"orders?market_id={other.condition_id}").json()["orders"][0]["limit_price"] is None
    )


@pytest.mark.parametrize(
    "query",
    [
        "status=LATE",
        "side=HOLD",
        "limit=0",
        "limit=201",
        "limit=ten",
        "offset=-1",
        "cursor=%25%25",
        "cursor=bm9uc2Vuc2U",
        "wallet_id=mine",
        "wallet_id=-1",
        "wallet_id=0",
    ],
)
def test_unreadable_queries(bot: Bot, query: str) -> None:
    assert code(bot.get(f"orders?{query}")) == (422, "VALIDATION_FAILED")


@pytest.mark.parametrize("size", [1, 3, 7])
def test_pages_join_to_the_whole_list(market: Market, bot: Bot, size: int) -> None:
    placed = [rest(bot, market, quantity="5") for _ in range(7)]
    with enter_building("retail"):
        # Orders of one moment are told apart by their ids.
        Order.objects.update(created_at=utc_now())
    seen: list[int] = []
    cursor = "MA=="
    while True:
        page = bot.get(f"orders?limit={size}&cursor={cursor}").json()
        seen += [row["order_id"] for row in page["orders"]]
        assert page["has_more"] is (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        assert len(page["orders"]) == size
        cursor = page["next_cursor"]
    assert seen == placed[::-1]
    by_offset = bot.get("orders?limit=3&offset=3").json()["orders"]
    assert [row["order_id"] for row in by_offset] == placed[::-1][3:6]


def test_a_cursor_may_be_a_time(market: Market, bot: Bot) -> None:
    order_id = rest(bot, market)
    later = (utc_now() + timedelta(minutes=1)).isoformat()
    from urllib.parse import quote

    found = bot.get(f"orders?cursor={quote(later)}").json()["orders"]
    assert [row["order_id"] for row in found] == [order_id]


def test_one_order_can_be_read_by_every_client(market: Market, bot: Bot) -> None:
    expires = int(utc_now().timestamp()) + 3600
    order_id = rest(
        bot, market, "0.65", quantity="20", time_in_force="GTD", expiration=str(expires)
    )
    row = bot.get(f"orders/{order_id}").json()
    assert row["id"] == str(order_id)
    assert row["market"] == row["market_id"] == market.condition_id
    assert row["asset_id"] == market.outcomes.get(index=0).token_id
    assert (row["price"], row["original_size"], row["size_matched"]) == (
        "0.6500",
        "20.0000",
        "6.0000",
    )
    assert (row["owner"], row["maker_address"]) == ("", "")
    assert row["expiration"] == str(expires)
    assert re.fullmatch(r"\d{13}", row["created_at"])
    assert row["placed_at"].endswith("Z")
    assert len(row["associate_trades"]) == 1


def test_source_and_wallet_narrow_the_order(market: Market, bot: Bot) -> None:
    order_id = rest(bot, market)
    assert bot.get(f"orders/{order_id}?source=pending").status_code == 200
    assert code(bot.get(f"orders/{order_id}?source=filled")) == (404, "ORDER_NOT_FOUND")
    assert bot.get(f"orders/{order_id}?wallet_id=api").status_code == 200
    other = f"orders/{order_id}?wallet_id={bot.sandbox.wallet.pk}"
    assert code(bot.get(other)) == (404, "ORDER_NOT_FOUND")
    assert code(bot.get(f"orders/{order_id}?source=elsewhere")) == (422, "VALIDATION_FAILED")


def test_a_stranger_sees_404_everywhere(market: Market, bot: Bot) -> None:
    order_id = rest(bot, market)
    stranger = Bot(plan="pro")
    wallet_id = bot.api.wallet.pk
    for address in (f"orders/{order_id}", f"orders/{order_id}?wallet_id=all"):
        assert code(stranger.get(address)) == (404, "ORDER_NOT_FOUND")
    assert code(stranger.delete(f"orders/{order_id}")) == (404, "ORDER_NOT_FOUND")
    for address in ("orders", "me", "account/positions", "account/portfolio", "account/history"):
        found = stranger.get(f"{address}?wallet_id={wallet_id}")
        assert code(found) == (404, "WALLET_NOT_FOUND"), address
    found = stranger.get(f"account/settlements?wallet_id={wallet_id}")
    assert code(found) == (404, "WALLET_NOT_FOUND")
    for method, address, body in (
        ("GET", f"me/wallets/{wallet_id}", None),
        ("PATCH", f"me/wallets/{wallet_id}", {"label": "mine"}),
        ("DELETE", f"me/wallets/{bot.sandbox.wallet.pk}", None),
        ("POST", f"me/wallets/{bot.sandbox.wallet.pk}/reset", {}),
    ):
        assert code(stranger.send(method, address, body)) == (404, "WALLET_NOT_FOUND"), address
    cancelled = stranger.post("cancel-all?confirm=true").json()
    assert cancelled == {"canceled": [], "not_canceled": {}}
    assert bot.get(f"orders/{order_id}").json()["status"] == "PENDING"


@pytest.mark.parametrize("number", ["0", "99999999", "abc", "-1", "9" * 30, "1e3", "٣"])
def test_unknown_orders(bot: Bot, number: str) -> None:
    assert code(bot.get(f"orders/{number}")) == (404, "ORDER_NOT_FOUND")
    assert code(bot.delete(f"orders/{number}")) == (404, "ORDER_NOT_FOUND")


def test_cancelling_releases_exactly_the_rest(market: Market, bot: Bot) -> None:
    order_id = rest(bot, market, "0.65", quantity="20")
    assert bot.api.reserved == Decimal("9.10")
    answer = bot.delete(f"orders/{order_id}").json()
    assert (answer["status"], answer["cancelled_reason"]) == ("CANCELLED", "user")
    assert (answer["quantity"], answer["notional"], answer["fee"]) == ("14.0000", "9.10", "0")
    assert (answer["filled_quantity"], answer["error"]) == ("6.0000", None)
    assert bot.api.reserved == 0
    assert bot.api.balance == Decimal("9996.00")
    refused = bot.delete(f"orders/{order_id}")
    assert code(refused) == (400, "ORDER_NOT_CANCELLABLE")
    with enter_building("retail"):
        assert check_conservation().is_sound


def test_a_filled_order_cannot_be_cancelled(market: Market, bot: Bot) -> None:
    order_id = bot.post("orders", order_body(market)).json()["order_id"]
    refused = bot.delete(f"orders/{order_id}")
    assert code(refused) == (400, "ORDER_NOT_CANCELLABLE")
    assert refused.json()["message"] == "Cannot cancel order with status: FILLED"


def test_cancel_all_wants_to_be_confirmed(market: Market, bot: Bot) -> None:
    placed = [rest(bot, market) for _ in range(3)]
    main = Browser(bot.user)
    kept = main.post(
        "orders",
        order_body(market, order_type="limit", price="0.40", wallet_id=bot.main.wallet.pk),
    ).json()["order_id"]
    for query in ("", "?confirm=false", "?confirm=maybe"):
        assert code(bot.post(f"cancel-all{query}")) == (400, "CONFIRMATION_REQUIRED")
        assert code(bot.delete(f"cancel-all{query}")) == (400, "CONFIRMATION_REQUIRED")
    done = bot.post("cancel-all?confirm=true", "not even JSON")
    assert done.json() == {"canceled": [str(number) for number in placed], "not_canceled": {}}
    assert bot.get(f"orders/{placed[0]}").json()["cancelled_reason"] == "cancel_all"
    # A key does not reach the MAIN wallet; its owner's session does.
    assert main.get(f"orders/{kept}").json()["status"] == "PENDING"
    assert main.post("cancel-all?confirm=true").json()["canceled"] == [str(kept)]


def test_cancel_all_by_header_and_by_its_old_name(market: Market, bot: Bot) -> None:
    first = rest(bot, market)
    done = bot.post("cancel-all", {}, **{"X-Confirm-Cancel-All": "true"})
    assert done.json()["canceled"] == [str(first)]
    second = rest(bot, market)
    agent = {"User-Agent": "py_clob_client"}
    done = bot.delete("cancel-all", **agent)
    assert done.json()["canceled"] == [str(second)]
    assert done["X-Deprecation"]
    assert done["Sunset"].endswith("GMT")
    assert code(bot.post("cancel-all", {}, **agent)) == (400, "CONFIRMATION_REQUIRED")


def test_cancelling_by_market_and_token(market: Market, bot: Bot) -> None:
    other = make_market()
    set_book(other, asks=[("0.30", 100)], last_trade="0.30", now=utc_now())
    yes, no = rest(bot, market), rest(bot, market, "0.20", outcome="No")
    elsewhere = rest(bot, other, "0.10")
    token = market.outcomes.get(index=1).token_id
    path = "cancel-market-orders"
    assert code(bot.delete(path)) == (400, "INVALID_REQUEST")
    assert code(bot.delete(path, {"market": ""})) == (400, "INVALID_REQUEST")
    assert code(bot.delete(path, ["0x1"]))[0] == 422
    nothing = {"canceled": [], "not_canceled": {}}
    assert bot.delete(f"{path}?market=0x0").json() == nothing
    assert bot.delete(f"{path}?market={other.condition_id}&asset_id={token}").json() == nothing
    both = {"market": market.condition_id, "asset_id": token}
    assert bot.delete(path, both).json()["canceled"] == [str(no)]
    assert bot.delete(f"{path}?market={market.condition_id}").json()["canceled"] == [str(yes)]
    token = other.outcomes.get(index=0).token_id
    assert bot.delete(path, {"asset_id": token}).json()["canceled"] == [str(elsewhere)]
