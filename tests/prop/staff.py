"""Staff of a firm at the manager door: by access token, or with the BackOffice's session."""

import json
from typing import Any

from django.test import Client

from polysim.kernel.clock import utc_now
from tenants.credentials import AccessClaims, sign_access_token
from tenants.models import Firm, StaffMembership, User
from tenants.passwords import password_mark
from tests.support.exchange import make_user

TOKEN = "t" * 32


def make_staff(role: str = "admin", schema: str = "alpha") -> User:
    """A person with a role at the firm."""
    person = make_user()
    firm = Firm.objects.get(schema_name=schema)
    StaffMembership.objects.create(user=person, firm=firm, role=role)
    return person


class ManagerDoor:
    """Sends commands and REST calls to a firm's host."""

    def __init__(
        self,
        role: str = "admin",
        *,
        schema: str = "alpha",
        user: User | None = None,
        host: str | None = None,
    ) -> None:
        self.user = user or make_staff(role, schema)
        self.host = host or f"{schema}.localhost"
        claims = AccessClaims(self.user.pk, schema, password_mark(self.user))
        token = sign_access_token(claims, now=utc_now())
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = Client()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        text = body if isinstance(body, str | bytes) else json.dumps(body, default=str)
        return self.client.generic(
            method,
            f"/v1/manager/{path}",
            data=b"" if body is None else text,
            content_type="application/json",
            headers={"Host": self.host, **self.headers, **headers},
        )

    def command(self, name: str, data: Any = None, /, **envelope: Any) -> Any:
        """The envelope of a command's answer as it came, with its HTTP status checked."""
        answer = self.send("POST", "command", {"command": name, "data": data or {}, **envelope})
        body = answer.json()
        assert body["status"] == answer.status_code, body
        return body

    def run(self, name: str, /, **data: Any) -> Any:
        """The data of a command that must succeed."""
        body = self.command(name, data)
        assert body["status"] == 200, body
        return body["data"]

    def refuse(self, name: str, data: Any = None) -> tuple[int, str, int]:
        """(status, error, code) of a command that must fail."""
        body = self.command(name, data)
        assert body["status"] != 200, body
        assert body["message"]
        assert body["request_id"]
        assert isinstance(body["fields"], dict)
        return body["status"], body["error"], body["code"]


class ManagerSession(ManagerDoor):
    """The same with a browser session and its CSRF token."""

    def __init__(self, user: User, *, host: str = "alpha.localhost", csrf: bool = True) -> None:
        self.user, self.host = user, host
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user)
        self.client.cookies["csrftoken"] = TOKEN
        self.headers = {"X-CSRFToken": TOKEN} if csrf else {}


def program_body(**fields: Any) -> dict[str, Any]:
    """A MngCreatePropProgram with two steps; groups EVAL_USD and FUNDED_USD must exist."""
    return {
        "brand": "default",
        "name": "Starter 10K",
        "price": 99,
        "price_currency": "USD",
        "steps": [evaluation_step(), funded_step()],
        **fields,
    }


def evaluation_step(**fields: Any) -> dict[str, Any]:
    """The first step."""
    return {
        "phase_index": 1,
        "name": "Evaluation",
        "account_group": "EVAL_USD",
        "duration_days": 30,
        "max_daily_loss_pct": 5,
        "max_total_loss_pct": 10,
        "profit_target_pct": 8,
        "min_trading_days": 3,
        "max_trading_days": 20,
        "max_positions": 5,
        **fields,
    }


def funded_step(**fields: Any) -> dict[str, Any]:
    """The last step."""
    return {
        "phase_index": 2,
        "phase_type": 1,
        "name": "Funded",
        "account_group": "FUNDED_USD",
        "profit_split": 0.75,
        **fields,
    }
