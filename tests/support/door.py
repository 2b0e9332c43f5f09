"""Callers of the public API: with a key, or with the site's session and its CSRF token."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.test import Client

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm, User, WalletKind
from tenants.models.partners import TENANT_PERMISSIONS
from tenants.office.services import system_actor
from tenants.services.keys import create_api_key
from tenants.services.tenant_keys import create_tenant_key
from tests.support.exchange import Trader, make_user
from wallets.services import open_wallet


class Door:
    """Sends JSON below `/v1` and answers Django's response, whose `.json()` is the body."""

    def __init__(self, client: Client, headers: dict[str, str]) -> None:
        self.client = client
        self.headers = headers

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        text = body if isinstance(body, str | bytes) else json.dumps(body, default=str)
        return self.client.generic(
            method,
            f"/v1/{path}",
            data=b"" if body is None else text,
            content_type="application/json",
            headers={**self.headers, **headers},
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("DELETE", path, body, **headers)


class Bot(Door):
    """Somebody on a plan with MAIN, API and SANDBOX wallets, calling by key."""

    def __init__(
        self,
        *,
        plan: str = "pro",
        cash: str = "10000.00",
        permissions: tuple[str, ...] = ("read", "trade"),
    ) -> None:
        self.user: User = make_user(plan=plan)
        self.key_row, raw_key = create_api_key(
            user=self.user, tier=plan, permissions=permissions, now=utc_now(), actor=None
        )
        super().__init__(Client(), {"X-API-Key": raw_key})
        self.main = self._open(WalletKind.MAIN, "1000.00")
        self.api = self._open(WalletKind.API, cash)
        self.sandbox = self._open(WalletKind.SANDBOX, cash)

    def _open(self, kind: WalletKind, cash: str) -> Trader:
        with enter_building("retail"):
            wallet = open_wallet(user=self.user, kind=kind, baseline=Decimal(cash), now=utc_now())
        return Trader(self.user, wallet)


class Browser(Door):
    """The site's own pages: a signed-in session with its CSRF token."""

    def __init__(self, user: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        token = "t" * 32
        client.cookies["csrftoken"] = token
        super().__init__(client, {"X-CSRFToken": token})


class FirmServer(Door):
    """A firm's server, calling below `/v1/partner/` with a tenant key of its own.

    `permissions` as in `tenants.models.partners`; by default all of them.
    """

    def __init__(
        self, firm: Firm, *, permissions: Sequence[str] = TENANT_PERMISSIONS, **options: Any
    ) -> None:
        self.firm = firm
        with enter_building(firm.schema_name):
            self.key_row, self.raw_key = create_tenant_key(
                firm=firm,
                name="server",
                permissions=permissions,
                actor=system_actor("tests"),
                now=utc_now(),
                **options,
            )
        super().__init__(Client(raise_request_exception=False), {"X-API-Key": self.raw_key})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return super().send(method, f"partner/{path}", body, **headers)


def order_body(market: Any, side: str = "BUY", **fields: Any) -> dict[str, Any]:
    """A 4.1 body on the market's first outcome; None removes a field."""
    body = {
        "market_id": market.condition_id,
        "side": side,
        "outcome": "Yes",
        "quantity": "10",
        "price": "0.68",
        **fields,
    }
    return {name: value for name, value in body.items() if value is not None}
