"""Ordering and cancelling by plain forms: preview, confirm, place, result (ui.md, Order ticket)."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from polysim.kernel.clock import utc_now
from tenants.models import User, WalletKind
from tests.pages.conftest import run_feed
from tests.support.exchange import Trader, make_trader
from trading.markets.models import Market
from trading.models import Order

SCRIPT = {"X-Requested-With": "fetch"}


def form_of(trader: Trader, on: Market, /, **fields: str) -> dict[str, str]:
    return {
        "wallet": str(trader.wallet.pk),
        "market": on.condition_id,
        "side": "BUY",
        "type": "market",
        "outcome": "0",
        "size": "10",
        "unit": "shares",
        "client_order_id": "web-1",
        "confirmed": "1",
        **fields,
    }


def orders_of(trader: Trader) -> int:
    return Order.objects.filter(wallet=trader.wallet).count()


@pytest.fixture(autouse=True)
def _in_retail(in_retail: Any) -> None:
    """The rows looked at stand in the retail building."""


def preview_of(page: Client, form: dict[str, str]) -> Any:
    return page.post("/orders/preview/", form, headers=SCRIPT).context["preview"]


def test_the_preview_shows_what_the_engine_would_do(
    page: Client, trader: Trader, market: Market
) -> None:
    shown = preview_of(page, form_of(trader, market))
    assert (shown.average, shown.cost, shown.fee) == (
        Decimal("0.654"),
        Decimal("6.54"),
        Decimal("0.16"),
    )
    assert (shown.total, shown.available_after) == (Decimal("6.70"), Decimal("993.30"))
    assert (shown.payout, shown.profit) == (Decimal(10), Decimal("3.30"))
    assert shown.worst == Decimal("0.67")
    assert shown.button == "Buy 10 Yes in Main"
    assert shown.can_place
    assert orders_of(trader) == 0


def test_dollars_are_spent_along_the_levels(page: Client, trader: Trader, market: Market) -> None:
    shown = preview_of(page, form_of(trader, market, unit="usd", size="$10", worst="68"))
    assert shown.fill_quantity == Decimal("15.2424")
    assert shown.total == Decimal("10.24")


def test_a_steep_price_is_named_and_has_to_be_accepted(
    page: Client, trader: Trader, market: Market
) -> None:
    form = form_of(trader, market, size="66", worst="70")
    shown = preview_of(page, form)
    assert shown.must_accept
    assert shown.level_count == 3
    refused = page.post("/orders/place/", form, headers=SCRIPT)
    assert refused.status_code == 400
    assert "Tick that you accept the price" in refused.content.decode()
    assert orders_of(trader) == 0
    placed = page.post("/orders/place/", {**form, "accept": "1"}, headers=SCRIPT)
    assert placed.status_code == 200
    assert orders_of(trader) == 1


def test_a_book_too_thin_says_how_much_there_is(
    page: Client, trader: Trader, market: Market
) -> None:
    shown = preview_of(page, form_of(trader, market, size="40", worst="66"))
    assert not shown.can_place
    assert "The book has 16 Yes up to 66¢." in shown.thin_words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": "ten"}, "is not a number"),
        ({"size": "-5"}, "is not a number"),
        ({"size": "0"}, "must be above zero"),
        ({"size": "1e9"}, "is not a number"),
        ({"size": "1.23456"}, "more than 4 decimal places"),
        ({"size": "9" * 80}, "too long"),
        ({"type": "limit", "limit": ""}, "Give a limit price"),
        ({"type": "limit", "limit": "60.5"}, "price grid"),
        ({"type": "limit", "limit": "60", "size": "2"}, "minimum size"),
        ({"type": "limit", "limit": "60", "tif": "GTD", "until": "soon"}, "Say until when"),
        ({"type": "limit", "limit": "60", "tif": "GTD", "until": "2020-01-01T10:00"}, "future"),
        ({"type": "limit", "limit": "66", "post_only": "1"}, "must not fill at once"),
        ({"worst": "101"}, "at most 100¢"),
        ({"size": "5000", "worst": "99"}, "fewer shares"),
        ({"type": "limit", "limit": "60", "size": "5000"}, "Not enough cash: $1,000.00"),
        ({"side": "SELL"}, "does not hold"),
        ({"market": "0x00"}, "out of date"),
        ({"outcome": "1", "size": "9", "type": "limit", "limit": "0"}, "must be above zero"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_nothing_moves(
    page: Client, trader: Trader, market: Market, fields: dict[str, str], words: str
) -> None:
    form = form_of(trader, market, **fields)
    assert words in preview_of(page, form).error
    answer = page.post("/orders/place/", form, headers=SCRIPT)
    assert answer.status_code >= 400
    assert orders_of(trader) == 0
    assert trader.balance == Decimal(1000)


def test_the_whole_journey_without_script(page: Client, trader: Trader, market: Market) -> None:
    form = form_of(trader, market)
    review = page.post("/orders/review/", form)
    html = review.content.decode()
    assert "Confirm order" in html
    assert "Buy 10 Yes in Main" in html
    assert 'name="confirmed" value="1"' in html
    placed = page.post("/orders/place/", form)
    assert placed.status_code == 303
    after = page.get(placed["Location"]).content.decode()
    assert "Filled. Bought 10 Yes at 65.4¢, fee $0.16." in after
    assert "you hold 10 Yes" in after
    assert trader.balance == Decimal("993.30")


def test_an_unconfirmed_order_is_shown_for_confirmation(
    page: Client, trader: Trader, market: Market
) -> None:
    form = form_of(trader, market, confirmed="")
    assert "Confirm order" in page.post("/orders/place/", form).content.decode()
    assert orders_of(trader) == 0


def test_the_confirm_step_can_be_limited_to_large_orders(
    page: Client, trader: Trader, market: Market
) -> None:
    User.objects.filter(pk=trader.user.pk).update(
        order_confirmation="above", confirm_above_usd=Decimal(5)
    )
    small = form_of(trader, market, size="5", confirmed="", client_order_id="small")
    assert not preview_of(page, small).needs_confirmation
    page.post("/orders/place/", small)
    assert orders_of(trader) == 1
    large = form_of(trader, market, size="9", confirmed="", client_order_id="large")
    assert preview_of(page, large).needs_confirmation
    page.post("/orders/place/", large)
    assert orders_of(trader) == 1


def test_a_double_click_fills_once(page: Client, trader: Trader, market: Market) -> None:
    form = form_of(trader, market)
    first = page.post("/orders/place/", form, headers=SCRIPT).content.decode()
    again = page.post("/orders/place/", form, headers=SCRIPT).content.decode()
    assert "Placed before." in again
    assert "Placed before." not in first
    assert orders_of(trader) == 1
    assert trader.balance == Decimal("993.30")


def test_a_limit_order_waits_is_listed_and_can_be_cancelled(
    page: Client, trader: Trader, market: Market
) -> None:
    form = form_of(trader, market, type="limit", limit="60", size="20")
    answer = page.post("/orders/place/", form, headers=SCRIPT).content.decode()
    assert "20 Yes wait at 60¢ in Open orders." in answer
    html = page.get(f"/markets/{market.slug}/").content.decode()
    assert "◆ yours 20" in html
    assert "$12.00" in html
    assert "0 of 20" in page.get("/portfolio/?tab=orders").content.decode()
    order = Order.objects.get(wallet=trader.wallet)
    fields = {"wallet": str(trader.wallet.pk), "next": "/portfolio/?tab=orders"}
    told = page.post(f"/orders/{order.pk}/cancel/", fields)
    assert (told.status_code, told["Location"]) == (303, "/portfolio/?tab=orders")
    assert "20 Yes taken back." in page.get(told["Location"]).content.decode()
    assert trader.balance == Decimal(1000)
    again = page.post(f"/orders/{order.pk}/cancel/", fields, headers=SCRIPT)
    assert again.status_code == 400


def test_all_orders_of_a_market_are_cancelled_at_once(
    page: Client, trader: Trader, market: Market
) -> None:
    for number in range(3):
        form = form_of(
            trader, market, type="limit", limit="50", client_order_id=f"web-{number}", size="5"
        )
        page.post("/orders/place/", form)
    fields = {"wallet": str(trader.wallet.pk), "market": market.condition_id}
    answer = page.post("/orders/cancel-all/", fields, headers=SCRIPT)
    assert answer.json() == {"words": "3 orders cancelled."}
    assert trader.reserved == 0


def test_an_order_goes_to_the_account_of_its_form_or_nowhere(
    page: Client, trader: Trader, market: Market
) -> None:
    sandbox = make_trader(cash="500.00", kind=WalletKind.SANDBOX, user=trader.user)
    page.post("/account/switch/", {"wallet": str(sandbox.wallet.pk), "next": "/markets/"})
    page.post("/orders/place/", form_of(trader, market))
    assert orders_of(trader) == 1
    assert orders_of(sandbox) == 0
    stranger = make_trader(cash="500.00")
    foreign = page.post("/orders/place/", form_of(stranger, market))
    assert foreign.status_code == 404
    assert orders_of(stranger) == 0


def test_the_api_wallet_is_for_keys_only(page: Client, trader: Trader, market: Market) -> None:
    api = make_trader(cash="500.00", kind=WalletKind.API, user=trader.user)
    page.post("/account/switch/", {"wallet": str(api.wallet.pk)})
    html = page.get(f"/markets/{market.slug}/").content.decode()
    assert "No orders in API" in html
    assert "order-form" not in html
    answer = page.post("/orders/place/", form_of(api, market), headers=SCRIPT)
    assert answer.status_code == 400
    assert orders_of(api) == 0


def test_during_a_halt_limits_wait_and_market_orders_are_refused(
    page: Client, trader: Trader, market: Market
) -> None:
    run_feed(halted=1)
    refused = page.post("/orders/place/", form_of(trader, market), headers=SCRIPT)
    assert refused.status_code == 503
    assert "no money moved" in refused.content.decode()
    waiting = form_of(trader, market, type="limit", limit="66")
    assert "Order placed." in page.post("/orders/place/", waiting, headers=SCRIPT).content.decode()


def test_selling_shows_proceeds_and_profit(page: Client, trader: Trader, market: Market) -> None:
    trader.place(market, "BUY", quantity="10", price="0.70", now=utc_now())
    shown = preview_of(page, form_of(trader, market, side="SELL", size="10"))
    assert shown.button == "Sell 10 Yes in Main"
    assert shown.cost == Decimal("6.10")
    assert shown.realised is not None
    assert shown.realised < 0


def test_forms_without_their_token_are_refused(trader: Trader, market: Market) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(trader.user)
    answer = client.post("/orders/place/", form_of(trader, market))
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()
    assert orders_of(trader) == 0


def test_a_firm_account_trades_in_its_own_building(
    page: Client, trader: Trader, market: Market, in_building: Any, alpha: Any
) -> None:
    account = make_trader(
        cash="50000.00", kind=WalletKind.PROP_FIRM, schema="alpha", user=trader.user
    )
    User.objects.filter(pk=trader.user.pk).update(order_confirmation="never")
    page.post("/account/switch/", {"wallet": str(account.wallet.pk)})
    html = page.get(f"/markets/{market.slug}/").content.decode()
    assert f"<h3>{alpha.name}</h3>" in html
    assert '<span class="badge badge--challenge">AP</span>' in html
    assert "$50,000.00</span> available" in html
    # The first trade of a session in a firm account is always confirmed.
    form = form_of(account, market, confirmed="")
    assert "Confirm order" in page.post("/orders/place/", form).content.decode()
    page.post("/orders/place/", {**form, "confirmed": "1"})
    second = form_of(account, market, confirmed="", client_order_id="web-2", size="5")
    page.post("/orders/place/", second)
    assert orders_of(trader) == 0
    with in_building("alpha"):
        assert Order.objects.filter(wallet_id=account.wallet.pk).count() == 2
    assert "you hold 15 Yes" in page.get(f"/markets/{market.slug}/").content.decode()
    assert "Bought" in page.get("/portfolio/?tab=history").content.decode()
