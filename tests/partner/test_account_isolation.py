"""Every route about accounts with every kind of id of beta, under alpha's key.

The answer equals that for an id nobody has: body, code, and headers that do not change by time.
"""

import uuid
from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from tenants.models import Firm
from tests.partner.accounts import account_body, provision, register, trader_of
from tests.support.door import FirmServer, order_body
from tests.support.exchange import make_market, set_book

pytestmark = pytest.mark.django_db

VOLATILE_HEADERS = ("x-request-id", "x-ratelimit-re", "x-polysim-ratelimit-re", "date")


def seen(answer: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    """What a caller can compare: status, body without the request id, steady headers."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    headers = {
        name.lower(): value
        for name, value in answer.headers.items()
        if not name.lower().startswith(VOLATILE_HEADERS)
    }
    return answer.status_code, body, headers


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "accounts/{id}", None),
    ("PATCH", "accounts/{id}", {"rules": {}}),
    ("GET", "accounts/{id}/trades", None),
    ("POST", "accounts/{id}/close", {}),
    ("POST", "accounts/{id}/reset", {}),
    ("GET", "accounts/{id}/evaluation", None),
    ("GET", "accounts/{id}/evaluation/metrics", None),
    ("GET", "accounts/{id}/evaluation/breaches", None),
    ("GET", "accounts/{id}/orders", None),
    ("POST", "accounts/{id}/orders", "order"),
    ("DELETE", "accounts/{id}/orders", None),
    ("GET", "accounts/{id}/orders/{order}", None),
    ("DELETE", "accounts/{id}/orders/{order}", None),
)


@pytest.fixture
def strangers(beta: Any, alpha: Any) -> dict[str, str]:
    """Every kind of id that beta has: of its account, wallet, user, trader, order, trade."""
    Firm.objects.filter(pk__in=[alpha.pk, beta.pk]).update(
        has_server_orders=True, has_rule_engine=True
    )
    beta.refresh_from_db()
    server = FirmServer(beta)
    person = register(beta, external_id="beta-person")
    account = provision(server, person, external_id="beta-account", rules={"engine": "polysim"})
    market = make_market()
    set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)], now=utc_now())
    trader = trader_of(server, account)
    placed = trader.place(market, "BUY", quantity="10", price="0.62", now=utc_now())
    trade = server.get(f"accounts/{account['account_id']}/trades").json()["data"][0]
    return {
        "account": account["account_id"],
        "wallet": str(trader.wallet.pk),
        "user": str(person.pk),
        "external": "beta-account",
        "trade": trade["trade_id"],
        "order": str(placed["order_id"]),
    }


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=[f"{m} {p}" for m, p, _ in ROUTES])
def test_a_strangers_id_is_as_unknown_as_any(
    strangers: dict[str, str], alpha: Any, method: str, path: str, body: Any
) -> None:
    alpha.refresh_from_db()
    server = FirmServer(alpha)
    sent = order_body(make_market()) if body == "order" else body

    def ask(account: str, order: str) -> Any:
        return seen(server.send(method, path.format(id=account, order=order), sent))

    unknown = ask(str(uuid.uuid4()), "999999")
    assert (unknown[0], unknown[1]["error"]) == (404, "ACCOUNT_NOT_FOUND")
    for kind, value in strangers.items():
        assert ask(value, strangers["order"]) == unknown, kind
    assert ask(strangers["account"].upper(), "1") == unknown
    assert ask("not-an-id", "1") == unknown


def test_a_strangers_order_on_an_own_account_is_unknown(
    strangers: dict[str, str], alpha: Any
) -> None:
    alpha.refresh_from_db()
    server = FirmServer(alpha)
    own = provision(server, register(alpha))
    for method in ("GET", "DELETE"):
        path = f"accounts/{own['account_id']}/orders"
        theirs = seen(server.send(method, f"{path}/{strangers['order']}"))
        assert theirs == seen(server.send(method, f"{path}/999999"))


def test_filters_of_the_list_find_nothing_of_strangers(
    strangers: dict[str, str], server: FirmServer
) -> None:
    provision(server, register(server.firm))
    for query in (f"user_id={strangers['user']}", "external_id=beta-account"):
        answer = server.get(f"accounts?{query}").json()
        assert (answer["data"], answer["has_more"]) == ([], False)
    listed = server.get("accounts").json()["data"]
    assert [row["external_id"] for row in listed] == ["nw-ch-17"]


def test_a_strangers_trader_and_external_id_are_unknown_when_an_account_is_opened(
    strangers: dict[str, str], server: FirmServer
) -> None:
    person = register(server.firm)
    theirs = server.post("accounts", account_body(person) | {"user_id": int(strangers["user"])})
    nobodys = server.post("accounts", account_body(person) | {"user_id": 2**40})
    assert seen(theirs) == seen(nobodys)
    assert theirs.status_code == 404
    own = server.post("accounts", account_body(person, external_id="beta-account"))
    assert own.status_code == 201
    assert own.json()["account_id"] != strangers["account"]
