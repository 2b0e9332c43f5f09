"""A firm account in the trader's own lists, and nowhere in retail figures (Invariants 1 and 2)."""

from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tests.support.door import Bot, Browser, FirmServer
from tests.support.exchange import make_firm_trader, make_market, set_book
from trading.services import record_building_equity
from wallets.models import EquityPoint, LedgerEntry

pytestmark = pytest.mark.django_db


def test_a_firms_trades_stay_out_of_retail_figures_and_exports(alpha: Any) -> None:
    bot = Bot()
    account = make_firm_trader(user=bot.user)
    market = make_market()
    now = utc_now()
    set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)], now=now)
    account.place(market, "BUY", quantity="100", price="0.62", now=now)
    assert bot.get("account/portfolio?wallet_id=all").json()["positions"] == []
    for path in ("positions", "history", "settlements"):
        answer = bot.get(f"account/{path}?wallet_id=all").json()
        assert not (answer["data"] if isinstance(answer, dict) else answer)
    with enter_building("retail"):
        record_building_equity(now=now)
        points = {point.wallet_id: point for point in EquityPoint.objects.all()}
        assert account.wallet.pk not in points
        assert points[bot.main.wallet.pk].position_value == 0
        assert not LedgerEntry.objects.filter(wallet_id=account.wallet.pk).exists()
    client = Browser(bot.user).client
    client.post("/account/switch/", {"wallet": bot.main.wallet.pk})
    for tab in ("open", "history"):
        text = client.get(f"/portfolio/export.csv?tab={tab}")
        assert market.question not in text.content.decode()


def test_a_closed_account_says_so_in_the_traders_list(alpha: Any) -> None:
    bot = Bot()
    account = make_firm_trader(user=bot.user)
    FirmServer(alpha).post(f"accounts/{account.wallet.account_id}/close")
    listed = bot.get("me/wallets").json()[-1]
    assert (listed["status"], listed["b2b_account"]["status"]) == ("ARCHIVED", "closed")


def test_a_key_of_the_trader_reaches_no_firm_account(alpha: Any) -> None:
    bot = Bot()
    account = make_firm_trader(user=bot.user)
    answer = bot.get(f"account/portfolio?wallet_id={account.wallet.pk}")
    assert (answer.status_code, answer.json()["error"]) == (403, "WALLET_READ_ONLY")
