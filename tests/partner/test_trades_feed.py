"""The trades feed over the partner door: order, filters, cursors (partner-api 6)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.office.models import WebhookEvent
from tenants.office.rendering import render_data
from tests.partner.accounts import provision, read, register, trader_of
from tests.support.door import FirmServer
from tests.support.exchange import NOW, Trader, make_market, set_book
from trading.markets.models import Market, MarketResolution
from trading.services.settlement import settle_resolved_positions

pytestmark = pytest.mark.django_db


class Desk:
    """An account with two markets and seven rows in its feed, a minute apart."""

    def __init__(self, server: FirmServer) -> None:
        self.server = server
        self.account = provision(server, register(server.firm))
        self.trader: Trader = trader_of(server, self.account)
        self.first: Market = make_market(fee_rate="0.04")
        self.second: Market = make_market(fee_rate="0.04")
        for number, (market, side) in enumerate(
            [
                (self.first, "BUY"),
                (self.second, "BUY"),
                (self.first, "SELL"),
                (self.second, "BUY"),
                (self.first, "BUY"),
                (self.second, "SELL"),
            ]
        ):
            at = NOW + timedelta(minutes=number)
            set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)], now=at)
            price = "0.62" if side == "BUY" else "0.60"
            self.trader.place(market, side, quantity="10", price=price, now=at)
        MarketResolution.objects.create(
            market=self.first, version=1, payouts=["1", "0"], source="test", resolved_at=NOW
        )
        with enter_building("alpha"):
            settle_resolved_positions(now=NOW + timedelta(minutes=6))

    def page(self, **query: Any) -> Any:
        answer = self.server.get(f"accounts/{self.account['account_id']}/trades?{urlencode(query)}")
        assert answer.status_code == 200, answer.json()
        return answer.json()

    def seqs(self, **query: Any) -> list[int]:
        return [row["seq"] for row in self.page(**query)["data"]]


@pytest.fixture
def desk(server: FirmServer) -> Desk:
    return Desk(server)


def minute(number: int) -> str:
    return (NOW + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")


def test_a_row_says_what_was_traded_and_what_it_moved(desk: Desk) -> None:
    row = desk.page(limit=1)["data"][0]
    assert (row["seq"], row["kind"], row["attempt"]) == (1, "fill", 1)
    assert row["market_id"] == desk.first.condition_id
    assert (row["side"], row["outcome"], row["price"]) == ("BUY", "Yes", "0.6200")
    assert (row["quantity"], row["notional"], row["fee"]) == ("10.0000", "6.20", "0.09")
    assert (row["realized_pnl"], row["cash_delta"]) == ("-0.09", "-6.29")
    assert row["balance_after"] == "24993.71"
    assert (row["liquidity"], row["placed_by"]) == ("taker", "trader")
    assert row["filled_at"] == "2027-01-05T10:00:02.000000Z"
    assert isinstance(row["order_id"], int)


def test_fills_come_by_default_settlements_and_all_when_asked(desk: Desk) -> None:
    assert desk.seqs() == [1, 2, 3, 4, 5, 6]
    assert desk.seqs(kind="all") == [1, 2, 3, 4, 5, 6, 7]
    settled = desk.page(kind="settlement")["data"]
    assert [(row["seq"], row["price"], row["fee"]) for row in settled] == [(7, "1.0000", "0.00")]
    assert (settled[0]["order_id"], settled[0]["liquidity"]) == (None, None)


def test_the_rows_add_up_to_the_balance(desk: Desk) -> None:
    rows = desk.page(kind="all")["data"]
    total = Decimal("25000.00") + sum(Decimal(row["cash_delta"]) for row in rows)
    assert total == Decimal(rows[-1]["balance_after"])
    body = read(desk.server, desk.account)
    assert Decimal(body["balance"]) == total
    realized = sum(Decimal(row["realized_pnl"]) for row in rows)
    assert Decimal(body["realized_pnl"]) == realized


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"side": "SELL"}, [3, 6]),
        ({"since": minute(2)}, [3, 4, 5, 6]),
        ({"until": minute(2)}, [1, 2]),
        ({"since": minute(1), "until": minute(4)}, [2, 3, 4]),
        ({"attempt": 1, "side": "BUY"}, [1, 2, 4, 5]),
        ({"attempt": 2}, []),
        ({"market_id": "0xnothing"}, []),
    ],
)
def test_filters(desk: Desk, query: dict[str, Any], expected: list[int]) -> None:
    assert desk.seqs(**query) == expected


def test_one_market(desk: Desk) -> None:
    assert desk.seqs(market_id=desk.second.condition_id) == [2, 4, 6]


def test_a_cursor_continues_and_an_empty_page_repeats_it(desk: Desk) -> None:
    first = desk.page(limit=4)
    second = desk.page(limit=4, cursor=first["next_cursor"])
    third = desk.page(limit=4, cursor=second["next_cursor"])
    assert [row["seq"] for row in first["data"] + second["data"]] == [1, 2, 3, 4, 5, 6]
    assert (first["has_more"], second["has_more"], third["has_more"]) == (True, False, False)
    assert third == {"data": [], "next_cursor": second["next_cursor"], "has_more": False}


def test_a_cursor_counts_for_its_account_and_filters_only(desk: Desk) -> None:
    other = provision(desk.server, register(desk.server.firm), external_id="other")
    cursor = desk.page(limit=2, side="BUY")["next_cursor"]
    assert desk.seqs(cursor=cursor, side="BUY") == [4, 5]
    mine, others = desk.account["account_id"], other["account_id"]
    for path in (
        f"accounts/{mine}/trades?cursor={cursor}",
        f"accounts/{mine}/trades?cursor={cursor}&side=SELL",
        f"accounts/{others}/trades?cursor={cursor}&side=BUY",
        f"accounts/{mine}/trades?cursor=eyJzIjoxfQ",
        f"accounts/{mine}/trades?cursor=%F0%9F%8E%B2",
        f"accounts/{mine}/trades?cursor=" + "A" * 900,
    ):
        answer = desk.server.get(path)
        assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_CURSOR"), path


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "kind=both", "side=HOLD", "since=yesterday", "attempt=0"],
)
def test_a_wrong_filter_is_refused(desk: Desk, query: str) -> None:
    answer = desk.server.get(f"accounts/{desk.account['account_id']}/trades?{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "VALIDATION_FAILED")


def test_the_feed_stays_readable_after_reset_and_close(desk: Desk) -> None:
    path = f"accounts/{desk.account['account_id']}"
    desk.server.post(f"{path}/reset")
    at = utc_now()
    set_book(desk.second, bids=[("0.60", 500)], asks=[("0.62", 500)], now=at)
    desk.trader.place(desk.second, "BUY", quantity="10", price="0.62", now=at)
    desk.server.post(f"{path}/close")
    rows = desk.page(kind="all")["data"]
    assert [row["seq"] for row in rows] == list(range(1, 9))
    assert [row["attempt"] for row in rows] == [1] * 7 + [2]


def test_events_of_the_outbox_carry_the_row(desk: Desk) -> None:
    desk.trader.place(
        desk.second,
        "BUY",
        order_type="limit",
        quantity="10",
        price="0.50",
        now=NOW + timedelta(minutes=5),
    )
    desk.server.post(f"accounts/{desk.account['account_id']}/reset")
    rows = {str(row["trade_id"]): row for row in desk.page(kind="all")["data"]}
    with enter_building("alpha"):
        events = list(WebhookEvent.objects.order_by("id"))
        data = {event.type: render_data(event.type, event.data) for event in events}
    account_id = desk.account["account_id"]
    for kind in ("trade.filled", "position.settled"):
        row = rows[data[kind]["trade_id"]]
        assert data[kind] == {"account_id": account_id, **row}
    ended = data["order.cancelled"]
    assert (ended["account_id"], ended["cancelled_reason"]) == (account_id, "account_reset")


def test_rows_whose_booking_waited_for_the_lock_are_found_by_time(desk: Desk) -> None:
    """`filled_at` is the moment the order began with; `seq` the order of booking."""
    late: datetime = NOW + timedelta(minutes=9)
    for at in (late, late - timedelta(seconds=2)):
        set_book(desk.second, bids=[("0.60", 500)], asks=[("0.62", 500)], now=at)
        desk.trader.place(desk.second, "BUY", quantity="10", price="0.62", now=at)
    assert desk.seqs(since=minute(9)) == [8]
    assert desk.seqs(since=minute(7)) == [8, 9]
