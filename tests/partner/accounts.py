"""A firm with a trader, and its server's calls about accounts, for the tests of this folder."""

from typing import Any

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm, Participant, User
from tests.support.door import FirmServer
from tests.support.exchange import Trader, make_user
from wallets.models import Wallet


def register(firm: Firm, *, external_id: str = "", user: User | None = None) -> User:
    """A trader of the firm, without accounts."""
    person = user or make_user()
    Participant.objects.create(
        firm=firm,
        user=person,
        external_id=external_id or f"person-{person.pk}",
        email=person.email,
        created_at=utc_now(),
    )
    return person


def account_body(user: User, **fields: Any) -> dict[str, Any]:
    """A body of section 4."""
    return {
        "user_id": user.pk,
        "external_id": "nw-ch-17",
        "stage": "challenge",
        "starting_balance": "25000.00",
        **fields,
    }


def provision(server: FirmServer, user: User, **fields: Any) -> dict[str, Any]:
    """An account opened by the server: its envelope."""
    answer = server.post("accounts", account_body(user, **fields))
    assert answer.status_code == 201, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def trader_of(server: FirmServer, envelope: dict[str, Any]) -> Trader:
    """The account's owner, who trades it as in the terminal."""
    schema = server.firm.schema_name
    with enter_building(schema):
        wallet = Wallet.objects.get(account_id=envelope["account_id"])
    return Trader(User.objects.get(pk=envelope["user_id"]), wallet, schema)


def read(server: FirmServer, envelope: dict[str, Any]) -> dict[str, Any]:
    """The account's envelope now."""
    answer = server.get(f"accounts/{envelope['account_id']}")
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body
