"""Firm accounts in the terminal: the switcher, the ticket, and where their trades never show."""

from decimal import Decimal

import pytest
from django.test import Client

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tests.support.exchange import Trader, make_firm_trader
from trading.markets.models import Market
from trading.models import Order
from wallets.models import Wallet
from wallets.services import set_trading_enabled


@pytest.fixture
def challenge(trader: Trader) -> Trader:
    """An account of $25,000 that Alpha Prop gave the trader."""
    return make_firm_trader(cash="25000.00", user=trader.user, external_id="nw-ch-17")


def choose(page: Client, account: Trader) -> str:
    page.post("/account/switch/", {"wallet": str(account.wallet.pk), "next": "/markets/"})
    return page.get("/markets/").content.decode()


def test_the_switcher_names_firm_stage_and_the_firms_own_id(
    page: Client, challenge: Trader
) -> None:
    html = page.get("/markets/").content.decode()
    assert "<h3>Alpha Prop</h3>" in html
    assert "Challenge nw-ch-17" in html
    assert "$25,000.00" in html


def test_switching_makes_badge_title_and_stripe_the_firms(page: Client, challenge: Trader) -> None:
    html = choose(page, challenge)
    assert "<title>Markets - Challenge nw-ch-17 - Polysim</title>" in html
    assert 'data-acct="challenge"' in html
    assert '<span class="badge badge--challenge">AP</span>' in html


def test_a_funded_account_has_a_badge_of_its_own(page: Client, trader: Trader) -> None:
    funded = make_firm_trader(user=trader.user, external_id="nw-f-1", stage="funded")
    assert 'data-acct="funded"' in choose(page, funded)


def test_orders_and_positions_of_a_firm_account_stand_in_its_building(
    page: Client, challenge: Trader, market: Market
) -> None:
    challenge.place(market, "BUY", quantity="10", price="0.70", now=utc_now())
    choose(page, challenge)
    html = page.get("/portfolio/").content.decode()
    assert "Will it happen" in html
    with enter_building("retail"):
        assert not Order.objects.exists()
        main = Wallet.objects.get(user=challenge.user, kind="MAIN")
    assert main.balance == Decimal("1000.00")
    choose(page, Trader(challenge.user, main))
    assert "No positions in Main." in page.get("/portfolio/").content.decode()


def test_a_read_only_account_says_why_and_is_folded_among_the_ended(
    page: Client, challenge: Trader, market: Market
) -> None:
    choose(page, challenge)
    with enter_building("alpha"):
        set_trading_enabled(
            wallet_id=challenge.wallet.pk,
            is_enabled=False,
            reason="Challenge failed on 3 May: daily loss",
            now=utc_now(),
        )
    html = page.get(f"/markets/{market.slug}/").content.decode()
    assert "Challenge failed on 3 May: daily loss. Open positions stay readable." in html
    assert "order-form" not in html
    assert "1 ended" in html
    assert 'data-acct="locked"' in html


def test_a_strangers_firm_account_cannot_be_chosen(page: Client) -> None:
    other = make_firm_trader(schema="beta")
    answer = page.post("/account/switch/", {"wallet": str(other.wallet.pk)})
    assert answer.status_code == 404


def test_accounts_of_two_firms_stand_under_their_own_names(
    page: Client, trader: Trader, challenge: Trader
) -> None:
    make_firm_trader(user=trader.user, schema="beta", external_id="b-1")
    html = page.get("/account/").content.decode()
    listed = html[html.index("<h2>Alpha Prop</h2>") :]
    assert listed.index("nw-ch-17") < listed.index("<h2>Beta Prop</h2>")
    assert "Challenge b-1" in listed[listed.index("<h2>Beta Prop</h2>") :]


def test_a_trader_who_has_firm_accounts_alone_lands_in_the_newest(
    challenge: Trader, market: Market
) -> None:
    alone = make_firm_trader(external_id="only-one")
    client = Client()
    client.force_login(alone.user)
    html = client.get("/markets/").content.decode()
    assert "Challenge only-one - Polysim" in html
    assert "<h3>Mine</h3>" not in html
