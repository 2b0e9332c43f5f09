"""A firm account under the rule engine, for the tests of this folder."""

from datetime import datetime
from typing import Any

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.models import AccountEvaluation
from prop.services.account_rules import evaluate_accounts
from tests.partner.accounts import provision, register, trader_of
from tests.support.door import FirmServer
from tests.support.exchange import Trader, set_book
from trading.markets.models import Market


class Judged:
    """An account of 1,000 dollars under rules; holding shares it is worth what the mark says."""

    def __init__(
        self, server: FirmServer, *, test_clock_id: str | None = None, **rules: Any
    ) -> None:
        self.server = server
        user = register(server.firm)
        self.envelope = provision(
            server,
            user,
            external_id=f"judged-{user.pk}",
            starting_balance="1000.00",
            rules={"engine": "polysim", **rules},
            **({"test_clock_id": test_clock_id} if test_clock_id else {}),
        )
        self.trader: Trader = trader_of(server, self.envelope)

    @property
    def path(self) -> str:
        return f"accounts/{self.envelope['account_id']}/evaluation"

    def buy(self, market: Market, quantity: str = "1000", *, now: datetime | None = None) -> None:
        """At 50 cents, where the mark stays afterwards."""
        moment = now or utc_now()
        mark(market, "0.50", now=moment)
        self.trader.place(market, "BUY", quantity=quantity, price="0.50", now=moment)

    def judge(self, now: datetime | None = None) -> str:
        """One pass over the building; the account's state afterwards."""
        with enter_building(self.server.firm.schema_name):
            evaluate_accounts(now=now or utc_now())
        return str(self.read()["state"])

    def read(self) -> dict[str, Any]:
        answer = self.server.get(self.path)
        assert answer.status_code == 200, answer.content
        body: dict[str, Any] = answer.json()
        return body

    def row(self) -> AccountEvaluation:
        with enter_building(self.server.firm.schema_name):
            rows = AccountEvaluation.objects.order_by("-attempt")
            return rows.filter(account_id=self.trader.wallet.pk)[0]


def mark(market: Market, price: str, *, now: datetime | None = None) -> None:
    """Offers and bids at one price: that is the mark."""
    set_book(market, bids=[(price, 100_000)], asks=[(price, 100_000)], now=now or utc_now())
