"""Account reads over HTTP: balance, positions, portfolio, history, settlements (accounts-api 7)."""

import base64
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tests.support.door import Bot, Browser, order_body
from tests.support.exchange import make_market, set_book
from trading.markets.models import Market, MarketResolution
from trading.services.market_terms import forget_market_terms
from trading.services.settlement import settle_resolved_positions


@pytest.fixture
def market(db: None) -> Market:
    forget_market_terms()
    made = make_market()
    set_book(made, asks=[("0.58", 500)], bids=[("0.56", 500)], last_trade="0.57", now=utc_now())
    return made


@pytest.fixture
def bot(db: None) -> Bot:
    return Bot()


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response["X-Polysim-Code"]


def test_a_new_account(bot: Bot) -> None:
    assert bot.get("account/balance").json() == {
        "balance": "10000.00",
        "currency": "USD",
        "starting_balance": "10000.00",
        "unrealized_pnl": "0.00",
        "total_value": "10000.00",
    }
    assert bot.get("account/positions").json() == []
    assert bot.get("account/positions?envelope=1").json() == {"data": [], "next_cursor": ""}
    assert bot.get("account/history").json() == []
    assert bot.get("account/settlements").json() == {"data": [], "next_cursor": ""}
    portfolio = bot.get("account/portfolio").json()
    assert (portfolio["total_trades"], portfolio["win_rate"]) == (0, None)


def test_a_position_with_its_mark(market: Market, bot: Bot) -> None:
    bot.post("orders", order_body(market, quantity="120", price="0.58"))
    # The midpoint of 0.60 and 0.62.
    set_book(market, asks=[("0.62", 50)], bids=[("0.60", 50)], now=utc_now())
    row = bot.get("account/positions").json()[0]
    assert row.pop("opened_at").endswith("Z")
    assert isinstance(row.pop("id"), int)
    assert row == {
        "market_id": market.condition_id,
        "outcome": "Yes",
        "quantity": "120.0",
        "avg_entry_price": "0.58",
        "current_price": "0.61",
        "market_value": "73.20",
        "unrealized_pnl": "3.60",
        "status": "OPEN",
        "market_question": market.question,
        "wallet_id": bot.api.wallet.pk,
        "closed_at": None,
    }
    # 120 x 0.07 x 0.58 x 0.42 = 2.04624: 10000 - 69.60 - 2.05 = 9928.35, and 73.20 in shares.
    balance = bot.get("account/balance").json()
    assert (balance["balance"], balance["total_value"]) == ("9928.35", "10001.55")
    assert balance["unrealized_pnl"] == "1.55"
    portfolio = bot.get("account/portfolio").json()
    assert portfolio["balance"] == balance
    assert [position["quantity"] for position in portfolio["positions"]] == ["120.0"]


def test_without_a_price_a_position_counts_at_cost(
    market: Market, bot: Bot, redis_client: Any
) -> None:
    from trading.markets.books.keys import book_key

    bot.post("orders", order_body(market, quantity="100", price="0.58"))
    redis_client.delete(book_key(market.condition_id))
    row = bot.get("account/positions").json()[0]
    assert [row[name] for name in ("current_price", "market_value", "unrealized_pnl")] == [None] * 3
    balance = bot.get("account/balance").json()
    assert Decimal(balance["total_value"]) == Decimal(balance["balance"]) + Decimal("58.00")


def test_reserved_cash_counts_as_worth(market: Market, bot: Bot) -> None:
    bot.post("orders", order_body(market, order_type="limit", price="0.50", quantity="100"))
    balance = bot.get("account/balance").json()
    assert (balance["balance"], balance["total_value"]) == ("9950.00", "10000.00")


def test_closed_positions(market: Market, bot: Bot) -> None:
    bot.post("orders", order_body(market, quantity="20", price="0.58"))
    bot.post("orders", order_body(market, "SELL", quantity="20", price="0.50"))
    assert bot.get("account/positions?status=OPEN").json() == []
    rows = bot.get("account/positions?status=CLOSED").json()
    assert rows == bot.get("account/positions?status=whatever").json()
    row = rows[0]
    assert (row["status"], row["quantity"], row["avg_entry_price"]) == ("CLOSED", "0", "0.58")
    assert [row[name] for name in ("current_price", "market_value", "unrealized_pnl")] == [None] * 3
    assert row["closed_at"].endswith("Z")
    portfolio = bot.get("account/portfolio").json()
    assert (portfolio["total_trades"], portfolio["win_rate"]) == (2, "0.0%")
    assert portfolio["positions"] == []


def test_all_wallets_together(market: Market, bot: Bot) -> None:
    bot.post("orders", order_body(market, quantity="10", price="0.58"))
    bot.post(
        "orders", order_body(market, quantity="20", price="0.58", wallet_id=bot.sandbox.wallet.pk)
    )
    Browser(bot.user).post(
        "orders", order_body(market, quantity="30", price="0.58", wallet_id=bot.main.wallet.pk)
    )
    assert len(bot.get("account/positions").json()) == 1
    everything = bot.get("account/positions?wallet_id=all").json()
    assert [row["quantity"] for row in everything] == ["30.0", "20.0", "10.0"]
    one = bot.get(f"account/positions?wallet_id={bot.sandbox.wallet.pk}").json()
    assert [row["quantity"] for row in one] == ["20.0"]
    portfolio = bot.get("account/portfolio?wallet_id=all").json()
    assert portfolio["total_trades"] == 3
    # Cash and baseline are the API wallet's, the total spans all wallets.
    alone = bot.get("account/balance").json()
    assert portfolio["balance"]["balance"] == alone["balance"]
    assert portfolio["balance"]["starting_balance"] == "10000.00"
    assert Decimal(portfolio["balance"]["total_value"]) > Decimal("20900")
    # The parameter means nothing to the balance.
    assert bot.get("account/balance?wallet_id=nonsense").json() == alone


def test_history(market: Market, bot: Bot) -> None:
    first = bot.post("orders", order_body(market, quantity="120", price="0.58")).json()
    second = bot.post("orders", order_body(market, "SELL", quantity="20", price="0.50")).json()
    bot.post("orders", order_body(market, order_type="limit", price="0.30"))
    rows = bot.get("account/history").json()
    assert [row["order_id"] for row in rows] == [second["order_id"], first["order_id"]]
    row = rows[1]
    assert row.pop("filled_at") == row.pop("created_at")
    assert 0 <= row.pop("price_age_ms") < 5000
    assert row == {
        "order_id": first["order_id"],
        "market_id": market.condition_id,
        "side": "BUY",
        "outcome": "Yes",
        "price": "0.58",
        "quantity": "120.0",
        "notional": "69.60",
        "fee": "2.05",
        "status": "FILLED",
        "price_source": "book_walk",
        "wallet_id": bot.api.wallet.pk,
    }
    assert [r["side"] for r in bot.get("account/history?side=sell").json()] == ["SELL"]
    assert bot.get(f"account/history?market_id={'0x' + '1' * 64}").json() == []
    assert bot.get("account/history?limit=1&envelope=true").json()["next_cursor"] == "1"
    last = bot.get("account/history?limit=3&envelope=true").json()
    assert (len(last["data"]), last["next_cursor"]) == (2, "")
    assert [r["order_id"] for r in bot.get("account/history?offset=1").json()] == [
        first["order_id"]
    ]


@pytest.mark.parametrize(
    "address",
    [
        "account/history?side=HOLD",
        "account/history?limit=0",
        "account/history?limit=201",
        "account/history?offset=-1",
        "account/history?envelope=maybe",
        "account/positions?wallet_id=x",
        "account/portfolio?wallet_id=1.5",
        "account/settlements?limit=501",
        "account/settlements?cursor=!!",
        "account/settlements?from=yesterday",
    ],
)
def test_unreadable_queries(bot: Bot, address: str) -> None:
    assert code(bot.get(address)) == (422, "VALIDATION_FAILED")


def test_settlements(bot: Bot) -> None:
    forget_market_terms()
    markets = [make_market() for _ in range(3)]
    for market in markets:
        set_book(market, asks=[("0.35", 100)], now=utc_now())
        bot.post("orders", order_body(market, quantity="40", price="0.35"))
        MarketResolution.objects.create(
            market=market, version=1, payouts=["1", "0"], source="test", resolved_at=utc_now()
        )
    now = utc_now()
    with enter_building("retail"):
        settle_resolved_positions(now=now)
    page = bot.get("account/settlements?limit=2").json()
    row = page["data"][0]
    position_id = row.pop("position_id")
    assert row.pop("settled_at").endswith("Z")
    assert row == {
        "market_id": markets[2].condition_id,
        "market_question": markets[2].question,
        "outcome": "Yes",
        "wallet_id": bot.api.wallet.pk,
        "quantity": "40.0",
        "avg_entry_price": "0.35",
        "cost_basis": "14.00",
        "payout": "40.00",
        "payout_per_share": "1",
        "realized_pnl": "26.00",
        "result": "won",
    }
    second_id = page["data"][1]["position_id"]
    assert second_id < position_id
    assert page["next_cursor"] == base64.b64encode(str(second_id).encode()).decode()
    rest = bot.get(f"account/settlements?cursor={page['next_cursor']}").json()
    assert [r["market_id"] for r in rest["data"]] == [markets[0].condition_id]
    assert rest["next_cursor"] == ""
    only = bot.get(f"account/settlements?market_id={markets[1].condition_id}").json()["data"]
    assert len(only) == 1
    today, tomorrow = now.date(), (now + timedelta(days=1)).date()
    assert len(bot.get(f"account/settlements?from={today}&to={today}").json()["data"]) == 3
    assert bot.get(f"account/settlements?from={tomorrow}").json()["data"] == []
    assert bot.get(f"account/settlements?from={tomorrow}&to={today}").json()["data"] == []
    below = bot.get(f"account/settlements?cursor={second_id}").json()["data"]
    assert below == rest["data"]
    stats = bot.get("account/portfolio").json()
    assert stats["win_rate"] == "100.0%"


def test_rows_of_the_k_kind_refuse_access_tokens(bot: Bot) -> None:
    """Positions, portfolio, history and settlements take a key or the site's own session."""
    browser = Browser(bot.user)
    for name in ("positions", "portfolio", "history", "settlements", "balance"):
        assert browser.get(f"account/{name}").status_code == 200
    nobody = Bot()
    nobody.headers.clear()
    for name in ("positions", "portfolio", "history", "settlements"):
        assert code(nobody.get(f"account/{name}")) == (401, "MISSING_API_KEY")
    assert code(nobody.get("account/balance")) == (401, "MISSING_AUTH")
