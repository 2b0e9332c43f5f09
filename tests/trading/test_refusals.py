"""Every refusal of an order has its code, its status, and moves nothing (trading-api 4.1)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.api.refusals import IdempotencyKeyReuse
from polysim.kernel.errors import PolysimError, ServiceUnavailable, ValidationFailed
from polysim.kernel.redis import get_redis
from polysim.kernel.tenancy import enter_building
from tenants.models import WalletKind
from tests.support.exchange import NOW, Trader, make_market, make_trader, make_user, set_book
from trading.markets.books.keys import feed_key
from trading.markets.models import Market, MarketResolution
from trading.models import Order
from trading.services import refusals
from trading.services.market_terms import forget_market_terms
from wallets.models import Wallet
from wallets.selectors import check_conservation
from wallets.services import WalletNotFound


def refused(trader: Trader, market: Market, side: str = "BUY", **body: Any) -> PolysimError:
    """The refusal of an order that must not have moved anything."""
    before = (trader.balance, trader.reserved)
    with pytest.raises(PolysimError) as caught:
        trader.place(market, side, **body)
    assert (trader.balance, trader.reserved) == before
    with enter_building(trader.schema):
        assert not Order.objects.exists()
        assert check_conservation().is_sound
    return caught.value


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"price": "0.68"}, "INVALID_REQUEST", 400),
        ({"price": "0.68", "quantity": "5", "amount": "5"}, "INVALID_REQUEST", 400),
        ({"price": "0.68", "amount": "5", "order_type": "limit"}, "INVALID_REQUEST", 400),
        ({"quantity": "10"}, "PRICE_REQUIRED", 400),
        ({"quantity": "0", "price": "0.68"}, "INVALID_QUANTITY", 400),
        ({"quantity": "-3", "price": "0.68"}, "INVALID_QUANTITY", 400),
        ({"quantity": "1000001", "price": "0.68"}, "INVALID_QUANTITY", 400),
        ({"amount": "0.00001", "price": "0.68"}, "INVALID_QUANTITY", 400),
        ({"quantity": "4.9999", "price": "0.68"}, "ORDER_BELOW_MIN_SIZE", 400),
        ({"amount": "1", "price": "0.68"}, "INVALID_ORDER_MIN_SIZE", 400),
        (
            {"quantity": "10", "price": "0.655", "order_type": "limit"},
            "INVALID_ORDER_MIN_TICK_SIZE",
            400,
        ),
        (
            {"quantity": "10", "price": "1", "order_type": "limit"},
            "INVALID_ORDER_MIN_TICK_SIZE",
            400,
        ),
        (
            {"quantity": "10", "price": "0.60", "order_type": "limit", "time_in_force": "GTD"},
            "INVALID_ORDER_EXPIRATION",
            400,
        ),
        (
            {
                "quantity": "10",
                "price": "0.60",
                "order_type": "limit",
                "time_in_force": "GTD",
                "expiration": str(int(NOW.timestamp())),
            },
            "INVALID_ORDER_EXPIRATION",
            400,
        ),
        (
            {"quantity": "10", "price": "0.68", "post_only": True},
            "INVALID_POST_ONLY_ORDER_TYPE",
            400,
        ),
        (
            {"quantity": "10", "price": "0.65", "order_type": "limit", "post_only": True},
            "POST_ONLY_WOULD_CROSS",
            400,
        ),
        ({"quantity": "100000", "price": "0.50"}, "FOK_ORDER_NOT_FILLED_ERROR", 400),
        ({"quantity": "70", "price": "0.99"}, "INSUFFICIENT_LIQUIDITY", 400),
        (
            {"quantity": "10", "price": "0.50", "time_in_force": "FAK"},
            "FOK_ORDER_NOT_FILLED_ERROR",
            400,
        ),
    ],
)
def test_a_broken_rule_is_named(
    market: Market, trader: Trader, body: dict[str, Any], code: str, status: int
) -> None:
    error = refused(trader, market, **body)
    # A book smaller than the order is named by that before its price is.
    accepted = {code, "INSUFFICIENT_LIQUIDITY"} if code == "FOK_ORDER_NOT_FILLED_ERROR" else {code}
    assert error.code in accepted or error.body_code in accepted
    assert error.status == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"quantity": "ten", "price": "0.68"}, "quantity"),
        ({"quantity": "NaN", "price": "0.68"}, "quantity"),
        ({"quantity": "1e99999", "price": "0.68"}, "quantity"),
        ({"quantity": "10.00001", "price": "0.68"}, "quantity"),
        ({"quantity": "10", "price": "abc"}, "price"),
        ({"quantity": "10", "price": "1.01"}, "price"),
        ({"quantity": "10", "price": "0"}, "price"),
        ({"quantity": "10", "price": "0.68", "order_type": "stop"}, "order_type"),
        ({"quantity": "10", "price": "0.68", "time_in_force": "DAY"}, "time_in_force"),
        ({"quantity": "10", "price": "0.68", "client_order_id": "x" * 257}, "client_order_id"),
        ({"quantity": "10", "price": "0.68", "client_order_id": "a\x00b"}, "client_order_id"),
        ({"quantity": "10", "price": "0.68", "post_only": "yes"}, "post_only"),
        ({"quantity": "10", "price": "0.68", "wallet_id": "none"}, "wallet_id"),
        ({"quantity": "10", "price": "0.68", "wallet_id": None}, "wallet_id"),
        ({"quantity": True, "price": "0.68"}, "quantity"),
        ({"quantity": ["1"], "price": {}}, "quantity"),
    ],
)
def test_a_malformed_body_names_its_field(
    market: Market, trader: Trader, body: dict[str, Any], field: str
) -> None:
    error = refused(trader, market, **body)
    assert isinstance(error, ValidationFailed)
    assert error.details is not None
    assert field in [problem["field"] for problem in error.details["fields"]]


def test_numbers_may_be_json_numbers(market: Market, trader: Trader) -> None:
    answer = trader.place(market, "BUY", quantity=10, price=Decimal("0.68"))
    assert answer["filled_quantity"] == "10.0000"


def test_a_missing_side_or_market_is_named(market: Market, trader: Trader) -> None:
    error = refused(trader, market, side="buy", quantity="10", price="0.68")
    assert error.code == "VALIDATION_FAILED"


def test_an_unknown_outcome_is_refused_and_labels_match_in_any_case(
    market: Market, trader: Trader
) -> None:
    error = refused(trader, market, outcome="Maybe", quantity="10", price="0.68")
    assert error.code == "INVALID_OUTCOME"
    answer = trader.place(market, "BUY", "YES", quantity="10", price="0.68")
    assert answer["outcome"] == "Yes"


def test_an_unknown_market_is_not_found(trader: Trader) -> None:
    error = refused(trader, Market(condition_id="0x" + "f" * 64), quantity="10", price="0.68")
    assert (error.code, error.status) == ("MARKET_NOT_FOUND", 404)


@pytest.mark.parametrize(
    "change",
    [
        {"is_closed": True},
        {"is_active": False},
        {"is_accepting_orders": False},
        {"is_order_book_enabled": False},
        {"is_archived": True},
    ],
)
def test_a_market_that_takes_no_orders_is_closed(
    market: Market, trader: Trader, change: dict[str, bool]
) -> None:
    Market.objects.filter(pk=market.pk).update(**change)
    forget_market_terms()
    assert refused(trader, market, quantity="10", price="0.68").code == "MARKET_CLOSED"


def test_a_market_past_its_end_that_the_venue_still_trades_is_open(
    market: Market, trader: Trader
) -> None:
    Market.objects.filter(pk=market.pk).update(ends_at=NOW - timedelta(days=1))
    forget_market_terms()
    assert trader.place(market, "BUY", quantity="10", price="0.68")["status"] == "FILLED"


def test_a_market_resolved_behind_the_memory_of_the_process_is_closed(
    market: Market, trader: Trader
) -> None:
    trader.place(market, "BUY", quantity="5", price="0.68")
    taken = get_redis().hgetall(f"polysim:taken:{market.condition_id}")
    MarketResolution.objects.create(
        market=market, version=1, payouts=["1", "0"], source="test", resolved_at=NOW
    )
    with pytest.raises(refusals.MarketClosed):
        trader.place(market, "BUY", quantity="5", price="0.68")
    assert get_redis().hgetall(f"polysim:taken:{market.condition_id}") == taken


def test_outcome_prices_that_add_up_to_more_than_one_and_a_half_are_no_market(
    trader: Trader,
) -> None:
    market = make_market()
    set_book(
        market,
        bids=[("0.79", 50)],
        asks=[("0.80", 50)],
        complement_bids=[("0.79", 50)],
        complement_asks=[("0.80", 50)],
    )
    assert refused(trader, market, quantity="10", price="0.90").code == "MARKET_CLOSED"


def test_too_little_cash_is_said_before_the_book_is(market: Market) -> None:
    poor = make_trader(cash="6.69")
    error = refused(poor, market, quantity="10", price="0.68")
    assert error.code == "INSUFFICIENT_BALANCE"
    # 16 of 60 shares within the price would cost 10.50: funds come before the missing depth.
    error = refused(poor, market, quantity="60", price="0.68")
    assert error.code == "INSUFFICIENT_BALANCE"


def test_cash_to_the_cent_is_enough(market: Market) -> None:
    exact = make_trader(cash="6.70")
    assert exact.place(market, "BUY", quantity="10", price="0.68")["account_balance"] == "0.00"


def test_a_resting_buy_needs_its_hold(market: Market) -> None:
    poor = make_trader(cash="5.99")
    error = refused(poor, market, quantity="10", price="0.60", order_type="limit")
    assert error.code == "INSUFFICIENT_BALANCE"


def test_nobody_sells_what_they_do_not_hold(market: Market, trader: Trader) -> None:
    error = refused(trader, market, side="SELL", quantity="5", price="0.10")
    assert error.code == "INSUFFICIENT_POSITION"


def test_shares_behind_a_resting_sell_are_not_free(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", quantity="16", price="0.68")
    trader.place(market, "SELL", quantity="10", price="0.90", order_type="limit")
    assert trader.position(market).reserved_quantity == Decimal(10)
    with pytest.raises(refusals.InsufficientPosition):
        trader.place(market, "SELL", quantity="7", price="0.90", order_type="limit")


def test_a_strangers_wallet_does_not_exist(market: Market, trader: Trader) -> None:
    stranger = make_trader()
    error = refused(trader, market, quantity="10", price="0.68", wallet_id=stranger.wallet.pk)
    assert isinstance(error, WalletNotFound)


@pytest.mark.parametrize("kind", [WalletKind.MAIN, WalletKind.COMPETITION, WalletKind.PROP_FIRM])
def test_keys_never_trade_these_kinds(market: Market, kind: WalletKind) -> None:
    trader = make_trader(kind=kind)
    error = refused(trader, market, quantity="10", price="0.68", is_key=True)
    assert (error.code, error.status) == ("WALLET_READ_ONLY", 403)
    assert trader.place(market, "BUY", quantity="10", price="0.68")["status"] == "FILLED"


def test_a_key_acts_on_the_api_wallet_when_it_names_none(market: Market) -> None:
    bot = make_trader(kind=WalletKind.API)
    answer = bot.place(market, "BUY", quantity="10", price="0.68", wallet_id=None, is_key=True)
    assert answer["wallet_id"] == bot.wallet.pk


def test_a_key_without_an_api_wallet_finds_none(market: Market, trader: Trader) -> None:
    error = refused(trader, market, quantity="10", price="0.68", wallet_id=None, is_key=True)
    assert error.code == "WALLET_NOT_FOUND"


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"status": "FROZEN"}, "WALLET_FROZEN", 409),
        ({"status": "ARCHIVED"}, "WALLET_FROZEN", 409),
        ({"status": "DELETED"}, "WALLET_NOT_FOUND", 404),
        ({"trading_state": "READ_ONLY"}, "ACCOUNT_READ_ONLY", 409),
        ({"trading_state": "CLOSED"}, "ACCOUNT_CLOSED", 409),
    ],
)
def test_the_state_of_the_wallet_decides(
    market: Market, trader: Trader, change: dict[str, str], code: str, status: int
) -> None:
    with enter_building("retail"):
        Wallet.objects.filter(pk=trader.wallet.pk).update(**change)
    # The wallet speaks before the market does.
    error = refused(trader, Market(condition_id="0xabc"), quantity="10", price="0.68")
    assert (error.code, error.status) == (code, status)


def test_the_plan_limits_orders_of_a_day(market: Market, trader: Trader) -> None:
    for _ in range(2):
        trader.place(market, "BUY", quantity="5", price="0.70", daily_order_limit=2)
    with pytest.raises(refusals.DailyOrderLimitExceeded) as caught:
        trader.place(market, "BUY", quantity="5", price="0.70", daily_order_limit=2)
    assert caught.value.status == 429
    assert caught.value.headers["Retry-After"] == "50399"
    tomorrow = NOW + timedelta(days=1)
    set_book(market, asks=[("0.65", 6)], last_trade="0.65", now=tomorrow)
    answer = trader.place(
        market, "BUY", quantity="5", price="0.70", daily_order_limit=2, now=tomorrow
    )
    assert answer["status"] == "FILLED"


def test_an_old_quote_fills_nothing(market: Market, trader: Trader) -> None:
    later = NOW + timedelta(milliseconds=60_001)
    assert refused(trader, market, quantity="10", price="0.68", now=later).code == "STALE_QUOTE"
    in_time = NOW + timedelta(milliseconds=60_000)
    assert trader.place(market, "BUY", quantity="10", price="0.68", now=in_time)["order_id"]


@pytest.mark.parametrize("status", ["syncing", "stale"])
def test_a_book_out_of_sync_fills_nothing(trader: Trader, status: str) -> None:
    market = make_market()
    set_book(market, asks=[("0.65", 60)], last_trade="0.65", status=status)
    assert refused(trader, market, quantity="10", price="0.68").code == "STALE_QUOTE"


def test_a_market_without_a_book_has_no_depth(trader: Trader) -> None:
    market = make_market()
    assert refused(trader, market, quantity="10", price="0.68").code == "NO_EXECUTABLE_DEPTH"


def test_a_limit_order_rests_on_a_book_that_is_not_to_be_trusted(trader: Trader) -> None:
    market = make_market()
    set_book(market, asks=[("0.65", 60)], last_trade="0.65", status="stale")
    answer = trader.place(market, "BUY", quantity="10", price="0.70", order_type="limit")
    assert (answer["status"], answer["filled_quantity"]) == ("PENDING", "0.0000")
    assert trader.reserved == Decimal("7.00")


def test_a_halt_refuses_orders_that_cannot_wait(market: Market, trader: Trader) -> None:
    get_redis().hset(feed_key(), mapping={"halted": "1", "mode": "live"})
    error = refused(trader, market, quantity="10", price="0.68")
    assert (error.code, error.status) == ("VENUE_UNAVAILABLE", 503)
    assert error.headers["Retry-After"] == "60"
    assert error.extra["retry_after"] == 60
    answer = trader.place(market, "BUY", quantity="10", price="0.68", order_type="limit")
    assert (answer["status"], answer["hold_reason"]) == ("PENDING", "venue_outage")


def test_a_price_outside_the_band_has_no_depth(trader: Trader) -> None:
    market = make_market()
    set_book(market, asks=[("0.58", 50)], last_trade="0.50")
    error = refused(trader, market, quantity="10", price="0.60")
    assert error.code == "NO_EXECUTABLE_DEPTH"


def test_without_required_depth_a_later_price_inside_the_band_fills(
    trader: Trader, settings: Any
) -> None:
    settings.TRADE_REQUIRE_BOOK_DEPTH = False
    market = make_market()
    set_book(market, asks=[("0.58", 50)], last_trade="0.50")
    answer = trader.place(market, "BUY", quantity="10", price="0.60")
    assert (answer["status"], answer["price"]) == ("FILLED", "0.5000")
    assert (answer["price_source"], answer["book_walk_levels"]) == ("last_trade_only", None)


def test_without_required_depth_an_order_may_still_find_no_price(
    trader: Trader, settings: Any
) -> None:
    settings.TRADE_REQUIRE_BOOK_DEPTH = False
    market = make_market()
    set_book(market, asks=[])
    error = refused(trader, market, quantity="10", price="0.60")
    assert error.code == "PRICE_UNAVAILABLE"


def test_without_required_depth_the_touch_price_fills(trader: Trader, settings: Any) -> None:
    settings.TRADE_REQUIRE_BOOK_DEPTH = False
    market = make_market()
    set_book(market, bids=[("0.60", 6)], asks=[("0.62", 6)])
    trader.place(market, "BUY", quantity="6", price="0.62")
    answer = trader.place(market, "BUY", quantity="10", price="0.65")
    assert (answer["price"], answer["price_source"]) == ("0.6200", "best_ask")
    assert answer["book_walk_levels"] is None


def test_without_valkey_orders_are_refused(
    market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ServiceUnavailable()

    monkeypatch.setattr("trading.services.order_prices.read_fresh_market", fail)
    error = refused(trader, market, quantity="10", price="0.68")
    assert (error.code, error.status) == ("SERVICE_UNAVAILABLE", 503)


def test_without_valkey_a_repeat_still_finds_its_order(
    market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trader.place(market, "BUY", quantity="10", price="0.68", key="k-1")

    def fail(*_: object, **__: object) -> None:
        raise ServiceUnavailable()

    monkeypatch.setattr("trading.services.order_prices.read_fresh_market", fail)
    again = trader.place(market, "BUY", quantity="10", price="0.68", key="k-1")
    assert (again["order_id"], again["is_replay"]) == (first["order_id"], True)


def test_a_limit_fok_without_a_fill_is_kept_as_cancelled(market: Market, trader: Trader) -> None:
    fok = trader.place(
        market, "BUY", quantity="10", price="0.65", order_type="limit", time_in_force="FOK"
    )
    assert (fok["status"], fok["cancelled_reason"]) == ("CANCELLED", "fok_not_filled")
    fak = trader.place(
        market, "BUY", quantity="10", price="0.50", order_type="limit", time_in_force="FAK"
    )
    assert (fak["status"], fak["cancelled_reason"]) == ("CANCELLED", "fak_not_filled")
    assert trader.balance == Decimal("10000.00")
    with enter_building("retail"):
        assert Order.objects.filter(status="CANCELLED").count() == 2


def test_the_same_key_answers_the_same_order(market: Market, trader: Trader) -> None:
    first = trader.place(market, "BUY", quantity="10", price="0.68", key="k-1")
    again = trader.place(market, "BUY", quantity="10.0", price="0.680", key="k-1")
    changed = {"is_replay", "spread_bps", "impact_bps", "book_walk_levels"}
    assert again["is_replay"] is True
    assert all(again[name] is None for name in changed - {"is_replay"})
    assert {k: v for k, v in again.items() if k not in changed} == {
        k: v for k, v in first.items() if k not in changed
    }
    assert trader.balance == Decimal("9993.30")


def test_a_replay_gives_its_depth_back(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", quantity="6", price="0.68", key="k-1")
    taken = get_redis().hgetall(f"polysim:taken:{market.condition_id}")
    trader.place(market, "BUY", quantity="6", price="0.68", key="k-1")
    assert get_redis().hgetall(f"polysim:taken:{market.condition_id}") == taken


def test_the_same_key_with_another_body_is_a_conflict(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", quantity="10", price="0.68", key="k-1")
    with pytest.raises(IdempotencyKeyReuse):
        trader.place(market, "BUY", quantity="11", price="0.68", key="k-1")


def test_a_replay_outlives_its_market(market: Market, trader: Trader) -> None:
    first = trader.place(market, "BUY", quantity="10", price="0.68", client_order_id="c-1")
    Market.objects.filter(pk=market.pk).update(is_closed=True)
    forget_market_terms()
    again = trader.place(market, "BUY", quantity="10", price="0.68", client_order_id="c-1")
    assert again["order_id"] == first["order_id"]


def test_a_client_order_id_exists_once(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", quantity="10", price="0.68", client_order_id="c-1", key="k-1")
    with pytest.raises(refusals.DuplicateClientOrderId):
        trader.place(market, "BUY", quantity="10", price="0.68", client_order_id="c-1", key="k-2")


def test_a_refused_order_frees_its_key(market: Market, trader: Trader) -> None:
    with pytest.raises(refusals.FokNotFilled):
        trader.place(market, "BUY", quantity="10", price="0.65", key="k-1")
    answer = trader.place(market, "BUY", quantity="10", price="0.68", key="k-1")
    assert answer["is_replay"] is False


def test_keys_belong_to_their_user(market: Market, trader: Trader) -> None:
    other = make_trader(user=make_user())
    first = trader.place(market, "BUY", quantity="5", price="0.70", key="k-1")
    second = other.place(market, "BUY", quantity="5", price="0.70", key="k-1")
    assert first["order_id"] != second["order_id"]
