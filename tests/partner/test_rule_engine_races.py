"""The rule engine beside another evaluator, and beside a reset (partner-api B4)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.models import AccountEvaluation
from prop.services.account_rules import evaluate_accounts
from tenants.models import Firm
from tenants.office.models import WebhookEvent
from tests.partner.accounts import read
from tests.partner.judged import Judged, mark
from tests.support.door import FirmServer
from tests.support.exchange import make_market
from trading.markets.models import Market

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(alpha: Any) -> FirmServer:
    """Alpha's server, with the engine on."""
    Firm.objects.filter(pk=alpha.pk).update(has_rule_engine=True)
    alpha.refresh_from_db()
    return FirmServer(alpha)


@pytest.fixture
def market(db: None) -> Market:
    """Without fees, so that equity follows the price alone."""
    return make_market(fee_rate="0")


@pytest.fixture
def two_at_once() -> Callable[[Any], list[Any]]:
    """Run the same work in two threads, begun together."""
    gate = threading.Barrier(2)

    def run(work: Any) -> list[Any]:
        def one(_: int) -> Any:
            gate.wait()
            try:
                return work()
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, range(2)))

    return run


def test_two_evaluators_at_once_write_one_breach(
    server: FirmServer, market: Market, two_at_once: Any
) -> None:
    accounts = [Judged(server, max_total_loss_pct=10) for _ in range(3)]
    for judged in accounts:
        judged.buy(market)
    mark(market, "0.39")

    def work() -> int:
        with enter_building("alpha"):
            return evaluate_accounts(now=utc_now()).ended

    assert sum(two_at_once(work)) == 3
    with enter_building("alpha"):
        assert WebhookEvent.objects.filter(type="account.breached").count() == 3
        rows = list(AccountEvaluation.objects.all())
    assert [(row.state, len(row.breaches), len(row.metrics)) for row in rows] == [
        ("failed", 1, 1)
    ] * 3


def test_a_verdict_that_meets_a_reset_never_stops_the_new_attempt(
    server: FirmServer, market: Market, two_at_once: Any
) -> None:
    judged = Judged(server, max_total_loss_pct=10)
    path = f"accounts/{judged.envelope['account_id']}"
    turns = iter(["judge", "reset"] * 4)
    for attempt in range(1, 5):
        judged.buy(market)
        mark(market, "0.39")

        def work() -> None:
            if next(turns) == "reset":
                assert server.post(f"{path}/reset").status_code == 200
                return
            with enter_building("alpha"):
                evaluate_accounts(now=utc_now())

        two_at_once(work)
        envelope = read(server, judged.envelope)
        assert (envelope["attempt"], envelope["trading_enabled"]) == (attempt + 1, True)
        assert judged.read()["state"] == "active"
