"""Orders that the firm's server places for its traders (partner-api B2)."""

from typing import Any

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm
from tenants.models.partners import ACCOUNTS_READ
from tenants.office.models import FirmAuditEntry
from tests.partner.accounts import provision, read, register, trader_of
from tests.support.door import FirmServer, order_body
from tests.support.exchange import make_firm_trader, make_market, set_book
from trading.markets.models import Market

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(alpha: Any) -> FirmServer:
    """Alpha's server; alpha may place orders for its traders."""
    Firm.objects.filter(pk=alpha.pk).update(has_server_orders=True)
    alpha.refresh_from_db()
    return FirmServer(alpha)


@pytest.fixture
def account(server: FirmServer) -> dict[str, Any]:
    return provision(server, register(server.firm))


@pytest.fixture
def orders(account: dict[str, Any]) -> str:
    return f"accounts/{account['account_id']}/orders"


@pytest.fixture
def market() -> Market:
    made = make_market(fee_rate="0")
    set_book(made, bids=[("0.60", 500)], asks=[("0.62", 500)], now=utc_now())
    return made


def limit(market: Market, **fields: Any) -> dict[str, Any]:
    return order_body(market, order_type="limit", price="0.50", **fields)


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_market_order_fills_on_the_traders_account(
    server: FirmServer, account: dict[str, Any], orders: str, market: Market
) -> None:
    answer = server.post(orders, order_body(market, quantity="100"))
    body = answer.json()
    assert answer.status_code == 201
    assert (body["status"], body["placed_by"], body["notional"]) == ("FILLED", "partner", "62.00")
    assert read(server, account)["balance"] == "24938.00"
    row = server.get(f"accounts/{account['account_id']}/trades").json()["data"][0]
    assert (row["order_id"], row["placed_by"]) == (body["order_id"], "partner")
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.get(action="order.placed")
    assert (entry.object_id, entry.actor_name) == (
        str(body["order_id"]),
        server.key_row.key_prefix,
    )


def test_a_repeated_client_order_id_answers_the_first_order(
    server: FirmServer, orders: str, market: Market
) -> None:
    first = server.post(orders, limit(market, client_order_id="c-1"))
    again = server.post(orders, limit(market, client_order_id="c-1"))
    other = server.post(orders, limit(market, client_order_id="c-1", quantity="11"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["order_id"] == first.json()["order_id"]
    assert error_of(other) == (409, "DUPLICATE_CLIENT_ORDER_ID")
    assert len(server.get(orders).json()["data"]) == 1


def test_orders_are_listed_newest_first_read_and_cancelled(
    server: FirmServer, orders: str, market: Market
) -> None:
    ids = [server.post(orders, limit(market)).json()["order_id"] for _ in range(5)]
    first = server.get(f"{orders}?limit=3&status=PENDING").json()
    second = server.get(f"{orders}?limit=3&status=PENDING&cursor={first['next_cursor']}").json()
    shown = [row["order_id"] for row in first["data"] + second["data"]]
    assert shown == ids[::-1]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    assert first["data"][0]["placed_by"] == "partner"
    assert error_of(server.get(f"{orders}?cursor={first['next_cursor']}")) == (
        400,
        "INVALID_CURSOR",
    )
    one = server.get(f"{orders}/{ids[0]}").json()
    assert (one["order_id"], one["placed_by"], one["status"]) == (ids[0], "partner", "PENDING")
    assert server.delete(f"{orders}/{ids[0]}").json() == {"cancelled": [ids[0]]}
    assert error_of(server.delete(f"{orders}/{ids[0]}")) == (400, "ORDER_NOT_CANCELLABLE")
    assert server.delete(f"{orders}?market_id=0xnothing").json() == {"cancelled": []}
    done = server.delete(f"{orders}?market_id={market.condition_id}").json()
    assert sorted(done["cancelled"]) == ids[1:]
    assert server.delete(orders).json() == {"cancelled": []}


def test_the_contracts_refusals(
    server: FirmServer, account: dict[str, Any], orders: str, market: Market
) -> None:
    empty = make_market()
    refusals = {
        (400, "INSUFFICIENT_BALANCE"): limit(market, quantity="999999"),
        (400, "INSUFFICIENT_POSITION"): order_body(market, "SELL", price="0.60"),
        (400, "PRICE_REQUIRED"): order_body(market, price=None),
        (400, "INVALID_ORDER_MIN_TICK_SIZE"): limit(market) | {"price": "0.505"},
        (400, "FOK_ORDER_NOT_FILLED_ERROR"): order_body(market, price="0.61"),
        (400, "INSUFFICIENT_LIQUIDITY"): order_body(market, quantity="600"),
        (400, "NO_EXECUTABLE_DEPTH"): order_body(empty),
        (404, "MARKET_NOT_FOUND"): order_body(market) | {"market_id": "0xnothing"},
        (422, "VALIDATION_FAILED"): order_body(market, wallet_id=1),
    }
    for expected, body in refusals.items():
        assert error_of(server.post(orders, body)) == expected
    assert error_of(server.get(f"{orders}/1")) == (404, "ORDER_NOT_FOUND")
    assert error_of(server.get(f"{orders}/one")) == (404, "ORDER_NOT_FOUND")
    assert error_of(server.send("POST", orders, "[]")) == (400, "BAD_REQUEST")
    server.post(f"accounts/{account['account_id']}/close")
    assert error_of(server.post(orders, order_body(market))) == (409, "ACCOUNT_CLOSED")


def test_a_traders_own_order_can_be_seen_and_cancelled_but_no_other_accounts(
    server: FirmServer, account: dict[str, Any], orders: str, market: Market
) -> None:
    own = trader_of(server, account).place(
        market, "BUY", order_type="limit", quantity="10", price="0.50", now=utc_now()
    )
    sibling = provision(server, trader_of(server, account).user, external_id="sibling")
    other = f"accounts/{sibling['account_id']}/orders/{own['order_id']}"
    assert error_of(server.get(other)) == (404, "ORDER_NOT_FOUND")
    assert error_of(server.delete(other)) == (404, "ORDER_NOT_FOUND")
    assert server.get(f"{orders}/{own['order_id']}").json()["placed_by"] == "trader"
    assert server.delete(f"{orders}/{own['order_id']}").status_code == 200


def test_without_the_flag_there_are_no_such_addresses(
    server: FirmServer, orders: str, market: Market
) -> None:
    Firm.objects.filter(pk=server.firm.pk).update(has_server_orders=False)
    other = FirmServer(server.firm)
    for answer in (
        other.post(orders, order_body(market)),
        other.get(orders),
        other.get(f"{orders}/1"),
        other.delete(orders),
        other.delete(f"{orders}/1"),
    ):
        assert error_of(answer) == (404, "NOT_FOUND")


def test_a_reading_key_reads_orders_and_places_none(
    server: FirmServer, orders: str, market: Market
) -> None:
    reader = FirmServer(server.firm, permissions=(ACCOUNTS_READ,))
    assert reader.get(orders).status_code == 200
    refused = (403, "INSUFFICIENT_PERMISSION")
    assert error_of(reader.post(orders, order_body(market))) == refused
    assert error_of(reader.delete(orders)) == refused


def test_a_programs_account_takes_no_orders_of_the_server(
    server: FirmServer, market: Market
) -> None:
    path = f"accounts/{make_firm_trader(is_managed=True).wallet.account_id}/orders"
    assert error_of(server.post(path, order_body(market))) == (409, "MANAGED_BY_PROGRAM")
    assert error_of(server.delete(path)) == (409, "MANAGED_BY_PROGRAM")
    assert server.get(path).status_code == 200
