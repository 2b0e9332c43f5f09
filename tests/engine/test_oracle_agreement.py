"""Ten thousand random orders: the engine and the Decimal oracle give the same answer."""

from collections import Counter
from fractions import Fraction
from random import Random

import pytest

from tests.engine import oracle
from tests.engine.cases import Case, as_side, decimal, random_book, random_case, random_size
from trading.engine.matching import SHARE_QUANTUM, MatchResult, match_order
from trading.engine.resting import RestingOrder, TakerTerms, match_resting
from trading.markets.pricing import SCALE

CASES = 10_000
BATCHES = 20
SEED = 20_270_105


def assert_same(case: Case, result: MatchResult) -> None:
    expected = oracle.match(case.plain)
    assert result.status == expected["status"]
    assert result.reject_code == expected["code"]
    assert decimal(result.filled_quantity) == expected["filled"]
    assert decimal(result.hold) == expected.get("hold", 0)
    assert result.spread_bps == oracle.spread_bps(*case.plain["shown"].values())
    if result.status == "resting":
        assert decimal(result.remaining_quantity) == expected["rest"]
    if not result.filled_quantity:
        assert result.takes == ()
        return
    taken = [(decimal(price), decimal(quantity)) for price, quantity in result.takes]
    price = Fraction(*result.average_price)
    assert taken == expected["taken"]
    assert decimal(result.requested_quantity) == expected["asked"]
    assert int(price * 10_000 + Fraction(1, 2)) == expected["price"] * 10_000
    assert decimal(result.notional) == expected["notional"]
    assert decimal(result.fee) == expected["fee"]
    assert result.slippage_bps == expected["slippage"]
    assert result.impact_bps == expected["impact"]
    assert result.levels_taken == expected["levels"]
    assert list(result.warnings) == expected["warnings"]


def assert_invariants(case: Case, result: MatchResult) -> None:
    """trading-api 5, as far as one order shows them."""
    request = case.request
    available = dict(request.levels)
    assert all(0 < part <= available[price] for price, part in result.takes)
    assert all(request.accepts(price) for price, _ in result.takes)
    assert result.filled_quantity >= 0
    assert result.filled_quantity % SHARE_QUANTUM == 0
    if result.status == "resting":
        assert result.filled_quantity + result.remaining_quantity == request.quantity
    if result.filled_quantity:
        limit = request.price * result.filled_quantity
        is_no_worse = (
            result.notional_product <= limit
            if request.side == "BUY"
            else result.notional_product >= limit
        )
        assert is_no_worse
        assert result.filled_quantity <= result.requested_quantity
        assert 0 <= result.fee <= max(result.notional, 10_000)
    if request.amount is not None:
        assert result.notional <= request.amount
    if result.status in ("killed", "rejected"):
        assert result.notional == result.fee == result.hold == 0


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_orders_agree_with_the_oracle_and_keep_the_invariants(batch: int) -> None:
    random = Random(SEED + batch)
    for number in range(CASES // BATCHES):
        case = random_case(random)
        result = match_order(case.request)
        try:
            assert_same(case, result)
            assert_invariants(case, result)
        except AssertionError as error:
            raise AssertionError(f"case {number} of batch {batch}: {case.request}") from error


def test_the_random_orders_meet_every_outcome() -> None:
    random = Random(SEED)
    seen: Counter[str] = Counter()
    for _ in range(2_000):
        result = match_order(random_case(random).request)
        seen[result.reject_code or result.status] += 1
        seen["walked over several levels"] += result.levels_taken > 1
        seen["absorbed a shortfall"] += 0 < result.depth_within_price < result.filled_quantity
        seen["partial fill"] += any(w.startswith("partial_fill") for w in result.warnings)
        seen["part filled, part resting"] += (
            result.status == "resting" and result.filled_quantity > 0
        )

    assert min(seen.values()) >= 5, seen
    assert set(seen) >= {
        "filled",
        "resting",
        "killed",
        "INSUFFICIENT_LIQUIDITY",
        "FOK_ORDER_NOT_FILLED_ERROR",
        "NO_EXECUTABLE_DEPTH",
        "INVALID_POST_ONLY_ORDER",
    }


def test_the_same_request_gives_the_same_result() -> None:
    random = Random(SEED)
    cases = [random_case(random) for _ in range(200)]

    assert [match_order(case.request) for case in cases] == [
        match_order(case.request) for case in cases
    ]


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("batch", range(5))
def test_random_resting_orders_share_the_depth_as_the_oracle_says(side: str, batch: int) -> None:
    random = Random(SEED + batch)
    terms = TakerTerms(window_ms=3000, fee_rate=70_000)
    for _ in range(200):
        book = random_book(random, 10_000)
        levels = book.asks if side == "BUY" else book.bids
        orders = [
            RestingOrder(
                order_id=number,
                side=side,
                price=random.randrange(1, 100) * 10_000,
                remaining=max(SHARE_QUANTUM, random_size(random) // 100 * 100),
                created_ms=random.randrange(3),
            )
            for number in random.sample(range(1, 100), random.randrange(0, 8))
        ]
        fills = match_resting(orders, book, now_ms=60_000, terms=terms)
        plain = [
            {
                "id": order.order_id,
                "side": side,
                "price": decimal(order.price),
                "remaining": decimal(order.remaining),
                "created": order.created_ms,
            }
            for order in orders
        ]
        limits = {order.order_id: order.price for order in orders}

        assert {fill.order_id: decimal(fill.quantity) for fill in fills} == oracle.allocate(
            plain, as_side(levels)
        )
        for fill in fills:
            assert fill.notional_product == limits[fill.order_id] * fill.quantity
            assert fill.fee == 0
            assert sum(part for _, part in fill.takes) == fill.quantity
        taken: Counter[int] = Counter()
        for fill in fills:
            taken.update(dict(fill.takes))
        assert all(taken[price] <= size for price, size in levels)
        assert all(0 < price < SCALE for price in taken)
