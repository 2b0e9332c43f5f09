"""Resting orders: which of them fill against a book, in which order, and how much.

No queue position: an order fills as soon as the book crosses its limit, at its own limit price and
without fee. Within the taker window after its creation it is filled and charged like a taker.
Contract: trading-api 7.3 and 8.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from polysim.kernel.money import SCALE, product_to_cents_half_up
from trading.engine.fees import taker_fee
from trading.engine.matching import SHARE_QUANTUM
from trading.markets.pricing import Book, Levels


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """One open order; `created_ms` is unix milliseconds, the rest scaled.

    Orders of both outcomes compete for the same depth, so all stand in the first outcome's
    coordinates: a SELL of the second at 0.40 is a mirrored BUY at 0.60 here. `of` does that.
    """

    order_id: int
    side: str
    price: int
    remaining: int
    created_ms: int
    is_mirrored: bool = False

    @classmethod
    def of(
        cls,
        *,
        order_id: int,
        outcome_index: int,
        side: str,
        price: int,
        remaining: int,
        created_ms: int,
    ) -> "RestingOrder":
        """An order as its owner placed it, turned into the first outcome's coordinates."""
        if outcome_index == 0:
            return cls(order_id, side, price, remaining, created_ms)
        mirrored_side = "SELL" if side == "BUY" else "BUY"
        return cls(order_id, mirrored_side, SCALE - price, remaining, created_ms, True)


@dataclass(frozen=True, slots=True)
class RestingFill:
    """What one resting order gets now, in its own outcome's prices.

    Money is scaled whole cents, the product exact (10**12). `takes` are (price, quantity) pairs of
    the first outcome's book, as depletion is kept.
    """

    order_id: int
    quantity: int
    notional_product: int
    notional: int
    fee: int
    is_taker: bool
    takes: Levels


@dataclass(frozen=True, slots=True)
class TakerTerms:
    """Until when a young order still pays as taker, and the market's fee (millionths)."""

    window_ms: int
    fee_rate: int
    fee_exponent: int = 1


def by_priority(orders: Iterable[RestingOrder]) -> list[RestingOrder]:
    """Best limit first, then oldest, then lowest id (trading-api 7.3)."""

    def priority(order: RestingOrder) -> tuple[int, int, int]:
        price = -order.price if order.side == "BUY" else order.price
        return price, order.created_ms, order.order_id

    return sorted(orders, key=priority)


def match_resting(
    orders: Sequence[RestingOrder], book: Book, *, now_ms: int, terms: TakerTerms
) -> list[RestingFill]:
    """Fills of all crossed orders of one side against the first outcome's executable book.

    Orders share the crossing depth by priority; what one takes the next does not get.
    """
    fills: list[RestingFill] = []
    if not orders:
        return fills
    levels = list(book.asks if orders[0].side == "BUY" else book.bids)
    for order in by_priority(orders):
        takes = _take(levels, order)
        if not takes:
            continue
        fills.append(_fill_of(order, takes, now_ms=now_ms, terms=terms))
    return fills


def match_print(
    orders: Sequence[RestingOrder], *, price: int, size: int, now_ms: int, terms: TakerTerms
) -> list[RestingFill]:
    """Fills by a trade the venue printed at or through the limits, up to the printed size.

    `price` is the first outcome's; all orders are of one side.
    """
    fills: list[RestingFill] = []
    left = size
    for order in by_priority(orders):
        if left <= 0 or not _crosses(order, price):
            break
        quantity = _floor_to_quantum(min(order.remaining, left))
        if not quantity:
            break
        left -= quantity
        fills.append(_fill_of(order, ((price, quantity),), now_ms=now_ms, terms=terms))
    return fills


def _crosses(order: RestingOrder, price: int) -> bool:
    return price <= order.price if order.side == "BUY" else price >= order.price


def _floor_to_quantum(quantity: int) -> int:
    return quantity - quantity % SHARE_QUANTUM


def _take(levels: list[tuple[int, int]], order: RestingOrder) -> Levels:
    """Remove what the order gets from `levels`, best first, in whole share quanta."""
    depth = 0
    for price, size in levels:
        if depth >= order.remaining or not _crosses(order, price):
            break
        depth += size
    left = _floor_to_quantum(min(depth, order.remaining))
    takes: list[tuple[int, int]] = []
    while left > 0:
        price, size = levels[0]
        part = min(left, size)
        takes.append((price, part))
        left -= part
        if part == size:
            levels.pop(0)
        else:
            levels[0] = (price, size - part)
    return tuple(takes)


def _fill_of(order: RestingOrder, takes: Levels, *, now_ms: int, terms: TakerTerms) -> RestingFill:
    quantity = sum(part for _, part in takes)
    is_taker = now_ms - order.created_ms < terms.window_ms
    walked = sum(price * part for price, part in takes)
    product = walked if is_taker else order.price * quantity
    if order.is_mirrored:
        product = quantity * SCALE - product
    fee = 0
    if is_taker:
        fee = taker_fee(
            quantity=quantity,
            notional_product=product,
            rate=terms.fee_rate,
            exponent=terms.fee_exponent,
        )
    return RestingFill(
        order_id=order.order_id,
        quantity=quantity,
        notional_product=product,
        notional=product_to_cents_half_up(product),
        fee=fee,
        is_taker=is_taker,
        takes=takes,
    )
