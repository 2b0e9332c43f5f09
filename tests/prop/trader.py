"""A trader of a firm at the `/prop/` door, and money on a payer account."""

import itertools
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.test import Client

from polysim.kernel.tenancy import enter_building
from prop.models import AccountGroup, AccountMode, PropAccount, PropSettings
from prop.services.payers import add_balance
from tenants.models import Firm, Participant, User
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_group
from tests.support.exchange import make_user
from wallets.services import open_firm_account

_numbers = itertools.count(1)
CSRF = "c" * 32


def make_customer(schema: str = "alpha", user: User | None = None) -> User:
    """A person whom the firm has registered."""
    person = user or make_user()
    number = next(_numbers)
    Participant.objects.create(
        firm=Firm.objects.get(schema_name=schema),
        user=person,
        external_id=f"customer-{number}",
        email=person.email,
        created_at=NOW,
    )
    return person


def make_payer_group(name: str = "PAYERS", **fields: Any) -> AccountGroup:
    """A REAL group that traders may open themselves, without a first deposit."""
    values = {"mode": AccountMode.REAL, "deposit": "0", "public_opening": True}
    return make_group(name, **{**values, **fields})


def set_payer_group(group: AccountGroup | None) -> None:
    """Make it the firm's payer group."""
    PropSettings.objects.all().delete()
    PropSettings.objects.create(payer_group=group)


def make_payer(
    customer: User,
    cash: str = "250",
    *,
    group: AccountGroup | None = None,
    now: datetime = NOW,
) -> PropAccount:
    """A payer account with money on it, in the current building."""
    number = next(_numbers)
    chosen = group or make_payer_group()
    account = open_firm_account(
        user=customer,
        external_id=f"payer-{number}",
        stage="payer",
        starting_balance=Decimal(0),
        now=now,
        is_managed=True,
    )
    payer = PropAccount.objects.create(
        wallet=account.wallet,
        customer=customer,
        group=chosen,
        purpose=PropAccount.Purpose.PAYER,
        key=f"test-payer:{number}",
        created_at=now,
    )
    if Decimal(cash):
        give(payer.pk, cash, now=now)
    return payer


def give(login: int, cash: str, *, now: datetime = NOW) -> None:
    """Book money on a payer account."""
    add_balance(
        login=login,
        amount=Decimal(cash),
        comment="for a test",
        idempotency_key=f"give-{next(_numbers)}",
        actor=system_actor("tests"),
        now=now,
    )


@dataclass
class PropDoor:
    """A browser on a firm's host, signed in as `user` (None: nobody)."""

    user: User | None
    host: str = "alpha.localhost"
    query: str = ""

    def __post_init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)
        if self.user is not None:
            self.client.force_login(self.user)
        self.client.cookies["csrftoken"] = CSRF

    def get(self, path: str, **headers: str) -> Any:
        """GET /prop/{path}."""
        return self.client.get(self._address(path), headers={"host": self.host, **headers})

    def post(self, path: str, body: Any = None, *, csrf: str = CSRF, **headers: str) -> Any:
        """POST /prop/{path} with a JSON body."""
        text = body if isinstance(body, str) else json.dumps({} if body is None else body)
        sent = {"host": self.host, **headers}
        if csrf:
            sent["X-CSRFToken"] = csrf
        return self.client.post(
            self._address(path), data=text, content_type="application/json", headers=sent
        )

    def buy(self, program_id: int, payer_login: int, key: str | None = None) -> Any:
        """Buy with an optional idempotency key."""
        body = {"program_id": program_id, "payer_login": payer_login}
        return self.post("challenge/buy", body if key is None else {**body, "idempotency_key": key})

    def _address(self, path: str) -> str:
        joined = "&" if "?" in path else "?"
        return f"/prop/{path}" + (f"{joined}{self.query}" if self.query else "")


def balance_of(login: int, schema: str = "alpha") -> Decimal:
    """Free cash of an account now."""
    from wallets.models import Wallet

    with enter_building(schema):
        return Wallet.objects.get(pk=login).balance
