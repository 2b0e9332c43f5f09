"""Portfolio, settings, switcher, theme, CSV."""

import csv
import io
from decimal import Decimal

import pytest
from django.test import Client

from polysim.kernel.clock import utc_now
from tenants.models import User, WalletKind
from tests.support.exchange import Trader, make_trader, make_user
from trading.markets.models import Market


@pytest.fixture
def invested(page: Client, trader: Trader, market: Market) -> Client:
    """Ten Yes bought for 6.54 and 0.16 fee, and a bid of 12 dollars waiting."""
    trader.place(market, "BUY", quantity="10", price="0.70", now=utc_now())
    trader.place(market, "BUY", quantity="20", price="0.60", order_type="limit", now=utc_now())
    return page


def test_the_portfolio_adds_up(invested: Client) -> None:
    answer = invested.get("/portfolio/")
    account = answer.context["account"]
    assert account.wallet.balance == Decimal("981.30")
    assert account.wallet.reserved == Decimal(12)
    assert account.positions_value == Decimal("6.30")
    assert account.equity == Decimal("999.60")
    html = answer.content.decode()
    assert "−$0.40" in html
    assert "Will it happen" in html


@pytest.mark.parametrize(
    ("tab", "words"),
    [
        ("orders", "until cancelled"),
        ("history", "Bought"),
        ("ledger", "Deposit"),
        ("nonsense", "1 position"),
    ],
)
def test_every_tab_reads(invested: Client, tab: str, words: str) -> None:
    assert words in invested.get(f"/portfolio/?tab={tab}").content.decode()
    assert words in invested.get(f"/portfolio/tab/?tab={tab}").content.decode()


def test_an_unreadable_place_in_the_history_is_refused_in_words(invested: Client) -> None:
    assert invested.get("/portfolio/?tab=history&after=%%%").status_code == 422
    assert invested.get("/portfolio/?tab=ledger&after=x").status_code == 200


def test_empty_tabs_name_the_account_and_the_next_step(page: Client) -> None:
    html = page.get("/portfolio/").content.decode()
    assert "No positions in Main." in html
    assert "Browse markets" in html


def test_a_filter_that_hides_everything_says_so(invested: Client) -> None:
    html = invested.get("/portfolio/?q=cup").content.decode()
    assert "Nothing matches “cup”." in html
    assert "The filter hides 1 position." in html


def test_csv_has_plain_numbers(invested: Client, market: Market) -> None:
    answer = invested.get("/portfolio/export.csv?tab=history")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert rows[0]["kind"] == "fill"
    assert Decimal(rows[0]["fee"]) == Decimal("0.16")
    assert Decimal(rows[0]["cash"]) == Decimal("6.54")


def test_csv_cells_never_run_as_formulas(invested: Client, market: Market) -> None:
    Market.objects.filter(pk=market.pk).update(question='=HYPERLINK("x")')
    text = invested.get("/portfolio/export.csv?tab=positions").content.decode()
    assert "'=HYPERLINK" in text


def test_the_ledger_as_csv_sums_to_the_balance(invested: Client) -> None:
    text = invested.get("/portfolio/export.csv?tab=ledger").content.decode()
    amounts = [Decimal(row["amount"]) for row in csv.DictReader(io.StringIO(text))]
    assert sum(amounts) == Decimal("981.30")


def test_switching_changes_badge_title_and_stripe(page: Client, trader: Trader) -> None:
    sandbox = make_trader(cash="500.00", kind=WalletKind.SANDBOX, user=trader.user)
    fields = {"wallet": str(sandbox.wallet.pk), "next": "/markets/"}
    answer = page.post("/account/switch/", fields)
    assert (answer.status_code, answer["Location"]) == (303, "/markets/")
    html = page.get("/markets/").content.decode()
    assert "<title>Markets - Sandbox - Polysim</title>" in html
    assert 'data-acct="sandbox"' in html
    assert "$500.00" in html


def test_a_strangers_account_cannot_be_chosen(page: Client) -> None:
    stranger = make_trader(cash="500.00")
    answer = page.post("/account/switch/", {"wallet": str(stranger.wallet.pk)})
    assert answer.status_code == 404


def test_switching_never_leads_to_another_site(page: Client, trader: Trader) -> None:
    fields = {"wallet": str(trader.wallet.pk), "next": "https://elsewhere.example/"}
    assert page.post("/account/switch/", fields)["Location"] == "/markets/"


def test_many_accounts_have_a_page_of_their_own(page: Client, trader: Trader) -> None:
    for _ in range(13):
        make_trader(cash="1.00", kind=WalletKind.SANDBOX, user=trader.user)
    assert "2 more accounts" in page.get("/markets/").content.decode()
    assert page.get("/account/").content.decode().count('name="wallet"') == 12 + 14


def test_profile_and_display_are_kept(page: Client, trader: Trader) -> None:
    page.post("/settings/profile/", {"display_name": "  Ines  K. ", "time_zone": "Europe/Vienna"})
    page.post(
        "/settings/display/",
        {"theme": "dark", "order_confirmation": "above", "confirm_above_usd": "$50"},
    )
    user = User.objects.get(pk=trader.user.pk)
    assert (user.display_name, user.time_zone) == ("Ines K.", "Europe/Vienna")
    assert (user.theme, user.order_confirmation) == ("dark", "above")
    assert user.confirm_above_usd == Decimal(50)
    assert not user.has_single_key_shortcuts
    html = page.get("/markets/").content.decode()
    assert '<html lang="en" data-theme="dark">' in html
    assert 'data-shortcuts="off"' in html


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("profile", {"display_name": "x" * 65, "time_zone": "UTC"}),
        ("profile", {"display_name": "x", "time_zone": "Mars/Olympus"}),
        ("display", {"theme": "pink", "order_confirmation": "always"}),
        (
            "display",
            {"theme": "dark", "order_confirmation": "above", "confirm_above_usd": "much"},
        ),
    ],
)
def test_wrong_settings_change_nothing(
    page: Client, trader: Trader, path: str, fields: dict[str, str]
) -> None:
    page.post(f"/settings/{path}/", fields)
    user = User.objects.get(pk=trader.user.pk)
    assert (user.theme, user.time_zone, user.display_name) == ("system", "UTC", "")


def test_the_theme_button_works_without_script(page: Client, trader: Trader) -> None:
    answer = page.post("/theme/", headers={"Referer": "http://testserver/portfolio/"})
    assert (answer.status_code, answer["Location"]) == (303, "/portfolio/")
    assert User.objects.get(pk=trader.user.pk).theme == "dark"


def test_the_theme_button_does_not_lead_to_another_host(page: Client) -> None:
    answer = page.post("/theme/", headers={"Referer": "http://testserver//evil.example/"})
    assert (answer.status_code, answer["Location"]) == (303, "/markets/")


def test_a_null_character_in_a_querys_text_is_400(page: Client) -> None:
    assert page.get("/live/?market=%00").status_code == 400


def test_main_starts_over_as_often_as_the_plan_allows(
    invested: Client, trader: Trader, market: Market
) -> None:
    User.objects.filter(pk=trader.user.pk).update(plan="free")
    fields = {"wallet": str(trader.wallet.pk), "understood": "1"}
    assert "1 free reset left" in invested.get("/settings/").content.decode()
    told = invested.post("/settings/wallets/reset/", fields, follow=True).content.decode()
    assert "Main starts over with $1,000.00. 1 position closed without a sale." in told
    assert "No free reset left" in told
    trader.place(market, "BUY", quantity="5", price="0.70", now=utc_now())
    told = invested.post("/settings/wallets/reset/", fields, follow=True).content.decode()
    assert "Main was not reset." in told


def test_a_reset_needs_its_box(invested: Client, trader: Trader) -> None:
    fields = {"wallet": str(trader.wallet.pk)}
    told = invested.post("/settings/wallets/reset/", fields, follow=True).content.decode()
    assert "Tick the box to reset; nothing was changed." in told
    assert trader.balance == Decimal("981.30")


def test_sandboxes_are_opened_named_reset_and_archived(page: Client, trader: Trader) -> None:
    told = page.post("/settings/wallets/open/", {"label": "grid test"}, follow=True)
    assert "grid test opened with $10,000.00." in told.content.decode()
    sandbox = told.context["sandboxes"][0]
    page.post("/settings/wallets/rename/", {"wallet": str(sandbox.id), "label": "ladder"})
    fields = {"wallet": str(sandbox.id), "understood": "1"}
    told = page.post("/settings/wallets/reset/", fields, follow=True)
    successor = told.context["sandboxes"][0]
    assert (successor.name, successor.wallet.generation) == ("ladder", 2)
    fields["wallet"] = str(successor.id)
    told = page.post("/settings/wallets/archive/", fields, follow=True)
    assert told.context["sandboxes"] == []


def test_the_free_plan_says_what_sandboxes_need(page: Client, trader: Trader) -> None:
    User.objects.filter(pk=trader.user.pk).update(plan="free")
    assert "Sandboxes come with the Pro plan" in page.get("/settings/").content.decode()
    told = page.post("/settings/wallets/open/", {"label": ""}, follow=True).content.decode()
    assert "No sandbox was opened." in told


def test_somebody_without_any_wallet_reads_everything_but_a_portfolio(market: Market) -> None:
    client = Client()
    client.force_login(make_user())
    for path in ("/markets/", f"/markets/{market.slug}/", "/settings/", "/status/", "/account/"):
        assert client.get(path).status_code == 200, path
    assert client.get("/account/bar/").status_code == 204
    assert client.get("/portfolio/").status_code == 404
