"""What staff do: each one call to a service, with a reason, audited with before and after."""

from typing import Any

import pytest
from django.test import Client

from polysim.kernel.tenancy import enter_building
from tenants.models import LoginLink, Participant, RedirectOrigin
from tenants.office.models import FirmAuditEntry
from tests.support.exchange import Trader, make_firm_trader
from wallets.models import FirmAccount, Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader(alpha: Any) -> Trader:
    """A trader of alpha with an account of $10,000.00."""
    return make_firm_trader(external_id="acc-1")


def do(client: Client, path: str, **form: str) -> Any:
    return client.post(f"/backoffice/{path}", form)


def latest() -> FirmAuditEntry:
    with enter_building("alpha"):
        return FirmAuditEntry.objects.latest("id")


def state_of(trader: Trader) -> tuple[str, str]:
    with enter_building("alpha"):
        account = FirmAccount.objects.select_related("wallet").get(pk=trader.wallet.pk)
        return account.wallet.trading_state, account.status


def test_an_account_is_made_read_only_and_may_trade_again(owner: Client, trader: Trader) -> None:
    path = f"accounts/{trader.wallet.pk}/do"
    asked = owner.get(f"/backoffice/{path}/read-only/")
    assert b"Positions stay." in asked.content
    without_reason = do(owner, f"{path}/read-only/", reason=" ")
    assert without_reason.status_code == 200
    assert state_of(trader)[0] == Wallet.TradingState.OPEN
    assert do(owner, f"{path}/read-only/", reason="Under review").status_code == 302
    assert state_of(trader)[0] == Wallet.TradingState.READ_ONLY
    entry = latest()
    assert entry.before == {"trading_enabled": True}
    assert entry.after == {
        "trading_enabled": False,
        "reason": "Under review",
        "orders_cancelled": 0,
    }
    assert (entry.actor_name, entry.role) == ("admin@alpha.example", "admin")
    again = do(owner, f"{path}/read-only/", reason="Again")
    assert b"read-only already" in again.content
    assert do(owner, f"{path}/enable/", reason="Cleared").status_code == 302
    assert state_of(trader)[0] == Wallet.TradingState.OPEN


def test_an_account_is_reset_and_closed_for_good(owner: Client, trader: Trader) -> None:
    path = f"accounts/{trader.wallet.pk}/do"
    assert do(owner, f"{path}/reset/", reason="Second try").status_code == 302
    assert latest().action == "account.reset"
    assert do(owner, f"{path}/close/", reason="Left").status_code == 302
    assert latest().action == "account.closed"
    assert state_of(trader)[1] == FirmAccount.Status.CLOSED
    late = do(owner, f"{path}/reset/", reason="Back")
    assert b"The account is closed." in late.content


def test_an_account_of_a_program_is_decided_on_its_challenge(owner: Client, alpha: Any) -> None:
    managed = make_firm_trader(external_id="run-1", is_managed=True)
    for name in ("read-only", "reset", "close"):
        answer = do(owner, f"accounts/{managed.wallet.pk}/do/{name}/", reason="x")
        assert b"decide on its challenge" in answer.content
    assert state_of(managed) == (Wallet.TradingState.OPEN, FirmAccount.Status.ACTIVE)


def test_a_login_link_is_sent_again_five_times_an_hour(owner: Client, trader: Trader) -> None:
    person = Participant.objects.get(user=trader.user)
    path = f"traders/{person.pk}/do/resend/"
    for _ in range(5):
        assert do(owner, path).status_code == 302
    assert b"5 links in the last hour" in do(owner, path).content
    assert LoginLink.objects.filter(participant=person).count() == 5
    assert latest().action == "login_link.requested"


def test_redirects_are_allowed_and_removed(owner: Client, alpha: Any) -> None:
    refused = do(owner, "redirects/new/", origin="http://portal.example")
    assert b"must be https" in refused.content
    assert do(owner, "redirects/new/", origin="https://portal.example").status_code == 302
    row = RedirectOrigin.objects.get(firm=alpha)
    assert (row.origin, latest().action) == ("https://portal.example", "redirect.allowed")
    assert do(owner, f"redirects/{row.pk}/do/remove/").status_code == 302
    assert not RedirectOrigin.objects.filter(firm=alpha).exists()
    assert latest().before == {"origin": "https://portal.example"}
    assert owner.get(f"/backoffice/redirects/{row.pk}/").status_code == 404
