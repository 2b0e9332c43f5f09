"""Whole stories through the real services: money is neither made nor lost (law 1)."""

import contextlib
import random
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from tenants.models import WalletKind
from tests.support.exchange import NOW, Trader, make_market, make_trader, set_book
from tests.trading.oracle import Oracle
from trading.models import Fill, Order, Position
from trading.services import (
    cancel_all_orders,
    cancel_market_orders,
    cancel_order,
    cancel_orders,
    reset_api_wallet,
)
from trading.services.refusals import (
    InsufficientBalance,
    InsufficientPosition,
    InvalidRequest,
    OrderNotCancellable,
    OrderNotFound,
)
from trading.services.statements import call_once
from wallets.models import Hold, LedgerEntry
from wallets.selectors import check_conservation

BID, ASK = Decimal("0.60"), Decimal("0.65")


def fill_resting(order_id: int, quantity: Decimal, price: Decimal, key: str) -> dict[str, Any]:
    return call_once(
        "fill_resting_order",
        {
            "order_id": order_id,
            "match_key": key,
            "quantity": str(quantity),
            "price": str(price),
            "exact_notional": str(quantity * price),
            "fee": "0",
            "liquidity": "maker",
            "evidence": {},
            "now": NOW.isoformat(),
            "wait_ms": 2000,
        },
    )


def test_example_f_a_resting_buy_fills_in_parts_at_its_own_limit(trader: Trader) -> None:
    market = make_market()
    set_book(market, asks=[("0.62", 100)], last_trade="0.62")
    order = trader.place(market, "BUY", quantity="100", price="0.60", order_type="limit")
    assert (order["status"], order["price"], order["quantity"]) == ("PENDING", "0.6000", "100.0000")
    assert (trader.balance, trader.reserved) == (Decimal("9940.00"), Decimal("60.00"))
    with enter_building("retail"):
        filled = fill_resting(order["order_id"], Decimal(50), Decimal("0.60"), "book:1")["fill"]
        assert (filled["order_status"], filled["fee"]) == ("PENDING", "0.000000")
        repeat = fill_resting(order["order_id"], Decimal(50), Decimal("0.60"), "book:1")
        assert repeat == {"refused": "already"}
        assert Hold.objects.get().amount == Decimal("30.00")
    assert (trader.balance, trader.reserved) == (Decimal("9940.00"), Decimal("30.00"))
    assert trader.position(market).average_price == Decimal("0.60")
    with enter_building("retail"):
        too_much = fill_resting(order["order_id"], Decimal(51), Decimal("0.60"), "book:2")
        assert too_much == {"refused": "less_left"}
        done = fill_resting(order["order_id"], Decimal(50), Decimal("0.60"), "book:3")["fill"]
        assert done["order_status"] == "FILLED"
        after = fill_resting(order["order_id"], Decimal(1), Decimal("0.60"), "book:4")
        assert after == {"refused": "not_open"}
        hold = Hold.objects.get()
        assert (hold.amount, hold.released_at) == (0, NOW)
        assert check_conservation().is_sound
    assert (trader.balance, trader.reserved) == (Decimal("9940.00"), 0)


def test_cancelling_releases_exactly_the_unfilled_hold(trader: Trader) -> None:
    market = make_market()
    set_book(market, asks=[("0.65", 6)], last_trade="0.65")
    order = trader.place(market, "BUY", quantity="20.5", price="0.65", order_type="limit")
    # Six shares fill for 3.90 and a fee of 0.10; 14.5 rest behind ceil(9.425) = 9.43.
    assert (trader.balance, trader.reserved) == (Decimal("9986.57"), Decimal("9.43"))
    with enter_building("retail"):
        body = cancel_order(user_id=trader.user.pk, order_id=order["order_id"], now=NOW)
    assert (body["status"], body["cancelled_reason"], body["fee"]) == ("CANCELLED", "user", "0")
    assert (body["quantity"], body["filled_quantity"]) == ("14.5000", "6.0000")
    assert body["account_balance"] == "9996.00"
    assert (trader.balance, trader.reserved) == (Decimal("9996.00"), 0)
    with enter_building("retail"), pytest.raises(OrderNotCancellable) as caught:
        cancel_order(user_id=trader.user.pk, order_id=order["order_id"], now=NOW)
    assert caught.value.message == "Cannot cancel order with status: CANCELLED"


def test_nobody_cancels_a_strangers_order(trader: Trader) -> None:
    market = make_market()
    order = trader.place(market, "BUY", quantity="10", price="0.50", order_type="limit")
    stranger = make_trader()
    with enter_building("retail"):
        with pytest.raises(OrderNotFound):
            cancel_order(user_id=stranger.user.pk, order_id=order["order_id"], now=NOW)
        with pytest.raises(OrderNotFound):
            cancel_order(
                user_id=trader.user.pk,
                order_id=order["order_id"],
                now=NOW,
                wallet_ids=[stranger.wallet.pk],
            )
        named = [str(order["order_id"]), "999999", "0xabc"]
        done = cancel_orders(user_id=stranger.user.pk, order_ids=named, now=NOW)
        assert done.cancelled == []
        assert set(done.not_cancelled) == set(named)


def test_bulk_cancels_take_what_they_name(trader: Trader) -> None:
    first, second = make_market(), make_market()
    resting = {"price": "0.50", "quantity": "10", "order_type": "limit"}
    ids = [trader.place(first, "BUY", **resting)["order_id"] for _ in range(2)]
    other = trader.place(second, "BUY", "No", **resting)["order_id"]
    token = second.outcomes.get(label="No").token_id
    with enter_building("retail"):
        with pytest.raises(InvalidRequest):
            cancel_market_orders(user_id=trader.user.pk, now=NOW)
        both = {"condition_id": first.condition_id, "token_id": token}
        assert cancel_market_orders(user_id=trader.user.pk, now=NOW, **both).cancelled == []
        by_token = cancel_market_orders(user_id=trader.user.pk, now=NOW, token_id=token)
        assert by_token.cancelled == [str(other)]
        done = cancel_orders(user_id=trader.user.pk, order_ids=[str(ids[0]), str(other)], now=NOW)
        assert done.cancelled == [str(ids[0])]
        assert done.not_cancelled == {str(other): "Cannot cancel order with status: CANCELLED"}
        assert cancel_all_orders(user_id=trader.user.pk, now=NOW).cancelled == [str(ids[1])]
        assert check_conservation().is_sound
    assert (trader.balance, trader.reserved) == (Decimal("10000.00"), 0)


def test_a_taker_fee_of_a_resting_order_is_capped_at_free_cash(db: None) -> None:
    trader = make_trader(cash="60.00")
    market = make_market()
    set_book(market, asks=[("0.62", 100)], last_trade="0.62")
    order = trader.place(market, "BUY", quantity="100", price="0.60", order_type="limit")
    with enter_building("retail"):
        request_fee = call_once(
            "fill_resting_order",
            {
                "order_id": order["order_id"],
                "match_key": "book:1",
                "quantity": "100",
                "price": "0.599",
                "exact_notional": "59.90",
                "fee": "1.68",
                "liquidity": "taker",
                "evidence": {},
                "now": NOW.isoformat(),
                "wait_ms": 2000,
            },
        )["fill"]
        # The improvement of 0.10 comes back first and is all that is free.
        assert Decimal(request_fee["fee"]) == Decimal("0.10")
        assert check_conservation().is_sound
    assert (trader.balance, trader.reserved) == (0, 0)


def test_a_story_of_many_people_conserves_all_money(db: None) -> None:
    chance = random.Random(20270105)
    people = [make_trader(cash="500.00") for _ in range(6)]
    markets = [make_market(tick_size="0.001", min_order_size="1") for _ in range(3)]
    for step in range(300):
        person, market = chance.choice(people), chance.choice(markets)
        middle = chance.randint(150, 850)
        set_book(
            market,
            bids=[(f"0.{middle - gap:03d}", f"{chance.randint(1, 90)}.37") for gap in (5, 9, 20)],
            asks=[(f"0.{middle + gap:03d}", f"{chance.randint(1, 90)}.91") for gap in (5, 8, 30)],
        )
        body: dict[str, Any] = {
            "quantity": f"{chance.randint(1, 60)}.{chance.randint(0, 9999):04d}",
            "price": f"0.{middle + chance.randint(-40, 40):03d}",
            "order_type": chance.choice(["market", "limit"]),
            "time_in_force": chance.choice(["GTC", "FOK", "FAK"]),
        }
        with contextlib.suppress(PolysimError):
            person.place(
                market, chance.choice(["BUY", "SELL"]), chance.choice(["Yes", "No"]), **body
            )
        if step % 40 == 39:
            with enter_building("retail"):
                cancel_all_orders(user_id=person.user.pk, now=NOW)
                assert check_conservation().is_sound
    with enter_building("retail"):
        assert Fill.objects.count() > 40
        assert check_conservation().is_sound
        cash = sum(LedgerEntry.objects.filter(account="CASH").values_list("amount", flat=True))
        held = sum(LedgerEntry.objects.filter(account="RESERVED").values_list("amount", flat=True))
        house = sum(
            LedgerEntry.objects.exclude(account__in=["CASH", "RESERVED"]).values_list(
                "amount", flat=True
            )
        )
        assert cash + held == -house
        for position in Position.objects.filter(status="OPEN"):
            bought = sum(
                fill.quantity if fill.side == "BUY" else -fill.quantity
                for fill in Fill.objects.filter(
                    wallet_id=position.wallet_id, outcome_id=position.outcome_id
                )
            )
            assert position.quantity == bought
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


CENT_PRICES = st.integers(min_value=1, max_value=59).map(lambda n: Decimal(n) / 100)
DEAR_PRICES = st.integers(min_value=66, max_value=99).map(lambda n: Decimal(n) / 100)
SHARES = st.integers(min_value=10_000, max_value=900_000).map(lambda n: Decimal(n) / 10_000)
SIDES = st.sampled_from(["BUY", "SELL"])


class WalletMachine(RuleBasedStateMachine):
    """Random orders, fills, cancels and resets against the Decimal oracle."""

    def __init__(self) -> None:
        super().__init__()
        self.trader = make_trader(cash="200.00", kind=WalletKind.API, plan="pro")
        self.market = make_market(min_order_size="1")
        self.oracle = Oracle(Decimal("200.00"))
        self.fills = 0
        self._renew_book()

    def _renew_book(self) -> None:
        set_book(self.market, bids=[(str(BID), 5000)], asks=[(str(ASK), 5000)])

    def _place(self, side: str, **body: Any) -> dict[str, Any] | None:
        self._renew_book()
        try:
            return self.trader.place(self.market, side, **body)
        except (InsufficientBalance, InsufficientPosition):
            return None

    @rule(side=SIDES, shares=SHARES)
    def trade_now(self, side: str, shares: Decimal) -> None:
        price = ASK if side == "BUY" else BID
        done = self._place(side, quantity=str(shares), price=str(price))
        assert (done is not None) == self.oracle.trade_now(side, shares, price)

    @rule(shares=SHARES, price=CENT_PRICES)
    def rest_a_buy(self, shares: Decimal, price: Decimal) -> None:
        self._rest("BUY", shares, price)

    @rule(shares=SHARES, price=DEAR_PRICES)
    def rest_a_sell(self, shares: Decimal, price: Decimal) -> None:
        self._rest("SELL", shares, price)

    def _rest(self, side: str, shares: Decimal, price: Decimal) -> None:
        done = self._place(side, quantity=str(shares), price=str(price), order_type="limit")
        number = done["order_id"] if done else 0
        assert (done is not None) == self.oracle.rest(number, side, shares, price)

    @precondition(lambda self: self.oracle.orders)
    @rule(data=st.data())
    def fill_a_part(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.oracle.orders)))
        order = self.oracle.orders[number]
        quanta = int(order.remaining * 10_000)
        part = Decimal(data.draw(st.integers(min_value=1, max_value=quanta))) / 10_000
        self.fills += 1
        with enter_building("retail"):
            done = fill_resting(number, part, order.price, f"book:{self.fills}")
        assert "fill" in done
        self.oracle.fill(number, part)

    @precondition(lambda self: self.oracle.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.oracle.orders)))
        with enter_building("retail"):
            cancel_order(user_id=self.trader.user.pk, order_id=number, now=NOW)
        self.oracle.cancel(number)

    @rule()
    def reset(self) -> None:
        reset_api_wallet(user=self.trader.user, now=NOW)
        self.oracle.reset(Decimal("10000.00"))

    @invariant()
    def the_books_agree(self) -> None:
        assert self.trader.balance == self.oracle.cash
        assert self.trader.reserved == self.oracle.reserved
        position = self.trader.position(self.market)
        quantity = position.quantity if position else Decimal(0)
        assert quantity == self.oracle.shares
        if position is not None:
            assert position.cost == self.oracle.cost
            assert position.reserved_quantity == self.oracle.reserved_shares
        with enter_building("retail"):
            open_ids = Order.objects.filter(status="PENDING").values_list("pk", flat=True)
            assert set(open_ids) == set(self.oracle.orders)
            assert check_conservation().is_sound


@pytest.mark.slow
def test_random_flows_agree_with_the_oracle(db: None) -> None:
    class Isolated(WalletMachine):
        """Each run stands in a savepoint of its own and does not see the rows of others."""

        def __init__(self) -> None:
            self._savepoint = transaction.savepoint()
            super().__init__()

        def teardown(self) -> None:
            transaction.savepoint_rollback(self._savepoint)

    run_state_machine_as_test(
        Isolated,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
