"""Positions are paid at their market's result, once per version of it (trading-api 9)."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.tenancy import enter_building
from tests.support.exchange import NOW, Trader, make_market, make_trader, set_book
from trading.markets.books.keys import user_channel
from trading.markets.models import Market, MarketResolution
from trading.models import Order, Position, Settlement
from trading.services.market_terms import forget_market_terms
from trading.services.settlement import settle_resolved_positions
from wallets.models import LedgerTransaction
from wallets.selectors import check_conservation

LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _fresh_exchange(redis_client: Any) -> Iterator[None]:
    forget_market_terms()
    yield
    forget_market_terms()


@pytest.fixture
def market(transactional_db: None) -> Market:
    """The contract's book: 16.5 shares cost 10.83, of which 16 at 0.65625 cost 10.50."""
    made = make_market()
    set_book(made, asks=[("0.65", 6), ("0.66", 10)], bids=[("0.64", 40)])
    return made


@pytest.fixture
def trader(transactional_db: None) -> Trader:
    return make_trader()


def resolve(market: Market, payouts: list[str], version: int = 1) -> None:
    MarketResolution.objects.create(
        market=market, version=version, payouts=payouts, source="test", resolved_at=LATER
    )
    Market.objects.filter(pk=market.pk).update(is_closed=True, is_accepting_orders=False)
    forget_market_terms()


def settle(schema: str = "retail", now: Any = LATER) -> tuple[int, int]:
    with enter_building(schema):
        report = settle_resolved_positions(now=now)
    return report.settled, report.waiting


def settlements(schema: str = "retail") -> list[tuple[int, str, str, str]]:
    with enter_building(schema):
        rows = Settlement.objects.order_by("position_id", "version")
        return [
            (row.version, f"{row.payout:.2f}", f"{row.realized_pnl:.2f}", row.result)
            for row in rows
        ]


def sound(schema: str = "retail") -> bool:
    with enter_building(schema):
        return check_conservation().is_sound


@pytest.mark.parametrize(
    ("payouts", "payout", "realized", "result"),
    [
        (["1", "0"], "16.00", "5.50", "won"),
        (["0", "1"], "0.00", "-10.50", "lost"),
        (["0.5", "0.5"], "8.00", "-2.50", "split"),
        (["0.3", "0.7"], "4.80", "-5.70", "partial"),
    ],
)
def test_the_contracts_sixteen_shares(
    market: Market, trader: Trader, payouts: list[str], payout: str, realized: str, result: str
) -> None:
    trader.place(market, "BUY", price="0.66", quantity="16")
    before = trader.balance
    resolve(market, payouts)
    assert settle() == (1, 0)
    assert settlements() == [(1, payout, realized, result)]
    assert trader.balance == before + Decimal(payout)
    with enter_building("retail"):
        position = Position.objects.get()
        assert (position.status, position.quantity, position.closed_at) == ("CLOSED", 0, LATER)
        assert position.realized_pnl == Decimal(realized)
    assert settle() == (0, 0)
    assert trader.balance == before + Decimal(payout)
    assert sound()


def test_nobody_is_paid_before_the_venue_says_a_result(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", price="0.66", quantity="16")
    Market.objects.filter(pk=market.pk).update(is_closed=True)
    assert settle() == (0, 0)
    assert trader.position(market).quantity == 16


def test_payouts_are_rounded_half_up_to_cents(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", price="0.66", quantity="5.01")
    before = trader.balance
    resolve(market, ["0.5", "0.5"])
    settle()
    # 2.505 dollars.
    assert trader.balance == before + Decimal("2.51")
    assert sound()


def test_both_outcomes_held_are_settled_each_for_itself(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", price="0.66", quantity="10")
    trader.place(market, "BUY", "No", price="0.36", quantity="8")
    before = trader.balance
    resolve(market, ["0", "1"])
    assert settle() == (2, 0)
    assert trader.balance == before + Decimal("8.00")
    assert [row[3] for row in settlements()] == ["lost", "won"]
    assert sound()


def test_resting_orders_are_released_before_the_shares_are_paid(
    market: Market, trader: Trader
) -> None:
    trader.place(market, "BUY", price="0.66", quantity="16")
    free = trader.balance
    buy = trader.place(market, "BUY", price="0.40", quantity="10", order_type="limit")
    sell = trader.place(market, "SELL", price="0.90", quantity="16", order_type="limit")
    assert trader.reserved == Decimal("4.00")
    resolve(market, ["1", "0"])
    settle()
    assert (trader.balance, trader.reserved) == (free + Decimal("16.00"), 0)
    with enter_building("retail"):
        states = Order.objects.filter(pk__in=[buy["order_id"], sell["order_id"]])
        assert set(states.values_list("status", "cancelled_reason")) == {
            ("EXPIRED", "market_closed")
        }
        assert Position.objects.get().reserved_quantity == 0
    assert sound()


def test_every_building_is_settled_by_the_task(market: Market, trader: Trader, alpha: Any) -> None:
    from tenants.models import WalletKind
    from trading.tasks import settle_resolved_markets

    firm = make_trader(kind=WalletKind.PROP_FIRM, schema="alpha")
    trader.place(market, "BUY", price="0.66", quantity="8")
    firm.place(market, "BUY", price="0.66", quantity="8")
    resolve(market, ["1", "0"])
    settle_resolved_markets()
    assert [row[3] for row in settlements()] == ["won"]
    assert [row[3] for row in settlements("alpha")] == ["won"]
    assert sound("alpha")


def test_sweeps_at_the_same_time_pay_once(market: Market) -> None:
    set_book(market, asks=[("0.65", 1000)])
    people = [make_trader() for _ in range(6)]
    for person in people:
        person.place(market, "BUY", price="0.65", quantity="10")
    before = [person.balance for person in people]
    resolve(market, ["1", "0"])
    start = threading.Barrier(4)
    reports: list[tuple[int, int]] = []

    def sweep() -> None:
        start.wait(timeout=10)
        try:
            reports.append(settle())
        finally:
            connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sum(settled for settled, _ in reports) == 6
    gained = [person.balance - was for person, was in zip(people, before, strict=True)]
    assert gained == [Decimal("10.00")] * 6
    assert len(settlements()) == 6
    assert sound()


def test_a_busy_user_waits_for_the_next_sweep(
    market: Market, trader: Trader, settings: Any
) -> None:
    from tests.trading.test_races import hold_lock

    settings.LOCK_WAIT_MS = 200
    other = make_trader()
    set_book(market, asks=[("0.65", 1000)])
    trader.place(market, "BUY", price="0.65", quantity="10")
    other.place(market, "BUY", price="0.65", quantity="10")
    resolve(market, ["1", "0"])
    holder = hold_lock(trader.user.pk)
    assert settle() == (1, 1)
    holder.close()
    assert settle() == (1, 0)


def test_a_bad_row_keeps_nobody_else_from_being_paid(market: Market, trader: Trader) -> None:
    other = make_trader()
    set_book(market, asks=[("0.65", 1000)])
    trader.place(market, "BUY", price="0.65", quantity="10")
    other.place(market, "BUY", price="0.65", quantity="10")
    resolve(market, ["1", "0"])
    with enter_building("retail"):
        position = Position.objects.get(wallet=trader.wallet)
        # The reference of its payment is taken already, so paying it cannot work.
        LedgerTransaction.objects.create(
            wallet=trader.wallet,
            type="SETTLEMENT",
            reference=f"settlement:{position.pk}:v1",
            created_at=NOW,
        )
    before = other.balance
    assert settle() == (1, 0)
    assert other.balance == before + Decimal("10.00")


def test_a_correction_upwards_is_a_second_version(market: Market, trader: Trader) -> None:
    trader.place(market, "BUY", price="0.66", quantity="16")
    before = trader.balance
    resolve(market, ["0", "1"])
    settle()
    resolve(market, ["1", "0"], version=2)
    assert settle() == (1, 0)
    assert settle() == (0, 0)
    assert trader.balance == before + Decimal("16.00")
    assert settlements() == [(1, "0.00", "-10.50", "lost"), (2, "16.00", "5.50", "won")]
    with enter_building("retail"):
        assert Position.objects.get().realized_pnl == Decimal("5.50")
    assert sound()


def test_a_correction_downwards_takes_at_most_what_is_there(market: Market, trader: Trader) -> None:
    poor = make_trader(cash="11.00")
    poor.place(market, "BUY", price="0.66", quantity="16")
    start = poor.balance
    resolve(market, ["1", "0"])
    settle()
    other = make_market()
    set_book(other, asks=[("0.50", 100)])
    poor.place(other, "BUY", price="0.50", quantity="20")
    left = poor.balance
    assert Decimal(0) < left < Decimal("16.00")
    resolve(market, ["0", "1"], version=2)
    settle()
    assert poor.balance == 0
    # Back again: what was taken is given back, not the whole payout a second time.
    resolve(market, ["1", "0"], version=3)
    settle()
    assert poor.balance == left
    assert start + Decimal("16.00") - left == Decimal("10.35")
    assert sound()


def test_a_correction_after_a_reset_moves_no_money(market: Market) -> None:
    from tenants.models import WalletKind
    from trading.services import reset_main_wallet

    person = make_trader(cash="1000.00", kind=WalletKind.MAIN)
    person.place(market, "BUY", price="0.66", quantity="16")
    resolve(market, ["0", "1"])
    settle()
    reset_main_wallet(user=person.user, now=LATER + timedelta(minutes=1))
    assert person.balance == Decimal("1000.00")
    for version, payouts in ((2, ["1", "0"]), (3, ["0", "1"]), (4, ["1", "0"])):
        resolve(market, payouts, version=version)
        assert settle(now=LATER + timedelta(minutes=1 + version)) == (1, 0)
        assert person.balance == Decimal("1000.00")
    assert sound()


def test_a_correction_reaches_no_archived_sandbox(market: Market, trader: Trader) -> None:
    from trading.services import reset_sandbox_wallet

    trader.place(market, "BUY", price="0.66", quantity="16")
    resolve(market, ["0", "1"])
    settle()
    reset_sandbox_wallet(
        user=trader.user, wallet_id=trader.wallet.pk, now=LATER + timedelta(minutes=1)
    )
    resolve(market, ["1", "0"], version=2)
    settle(now=LATER + timedelta(minutes=2))
    assert trader.balance == 0
    assert sound()


def test_positions_closed_by_a_reset_are_not_paid(market: Market) -> None:
    from tenants.models import WalletKind
    from trading.services import reset_main_wallet

    person = make_trader(cash="1000.00", kind=WalletKind.MAIN)
    person.place(market, "BUY", price="0.66", quantity="16")
    reset_main_wallet(user=person.user, now=NOW + timedelta(minutes=1))
    resolve(market, ["1", "0"])
    assert settle() == (0, 0)
    assert person.balance == Decimal("1000.00")


def test_the_owner_hears_of_the_payment(market: Market, trader: Trader, redis_client: Any) -> None:
    trader.place(market, "BUY", price="0.66", quantity="16")
    resolve(market, ["1", "0"])
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(user_channel(trader.user.pk))
    listener.get_message(timeout=1)
    settle()
    frame = json.loads(listener.get_message(timeout=2)["data"])
    listener.close()
    assert (frame["type"], frame["payout"], frame["result"]) == ("settlement", "16.00", "won")
    assert (frame["wallet_id"], frame["outcome"]) == (trader.wallet.pk, "Yes")


@pytest.mark.parametrize("signal_name", ["market_resolved", "market_closed"])
def test_a_result_starts_the_settlement_at_once(
    market: Market, trader: Trader, signal_name: str
) -> None:
    from polysim.celery import app
    from trading.markets import signals

    app.conf.task_always_eager = True
    try:
        trader.place(market, "BUY", price="0.66", quantity="16")
        resolve(market, ["1", "0"])
        news = {"market_id": market.pk, "version": 1, "market_ids": [market.pk], "now": LATER}
        getattr(signals, signal_name).send(sender=Market, **news)
        assert [row[3] for row in settlements()] == ["won"]
    finally:
        app.conf.task_always_eager = False


def test_a_missing_broker_only_delays_the_settlement(
    market: Market, caplog: Any, monkeypatch: Any
) -> None:
    from kombu.exceptions import OperationalError

    from trading import receivers
    from trading.markets.signals import market_resolved

    class NoBroker:
        @staticmethod
        def apply_async(**_: Any) -> None:
            raise OperationalError("connection refused")

    monkeypatch.setattr(receivers, "settle_resolved_markets", NoBroker)
    market_resolved.send(sender=Market, market_id=market.pk, version=1, now=LATER)
    assert "waits for its next sweep" in caplog.text
