"""Filling and expiring resting orders. Called by the matcher for one market or sweep at a time.

Contract: trading-api 4.2, 7.3, 8, 9. The engine decides what fills against a book; depth is taken
in Valkey before, and each order is then filled by one statement in its building, which decides
again under the user's lock. A repeat of the same match finds its own fill and moves nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError, InternalError

from polysim.kernel.clock import iso_text, to_milliseconds
from polysim.kernel.money import (
    SCALE,
    divide_half_up,
    four_places_text,
    from_scaled,
    money_text,
)
from polysim.kernel.tenancy import enter_building
from trading.engine.book import ASK, BID, depletion_key, executable_book
from trading.engine.resting import (
    RestingFill,
    RestingOrder,
    TakerTerms,
    match_print,
    match_resting,
)
from trading.events import tell_evaluator, tell_user
from trading.markets.books import (
    LiveMarket,
    claim_print,
    give_back_depth,
    read_live_market,
    take_depth,
)
from trading.matcher.index import OpenOrder
from trading.services.measures import measure_after_fill
from trading.services.order_prices import Prices, is_scripted
from trading.services.refusals import ServerBusy
from trading.services.statements import call_once

logger = logging.getLogger(__name__)

# Another order may take the same depth between reading and taking: read and match again.
MATCH_TRIES_MAX = 5
# A fill gives way to its user's own orders: it is tried again in the next cycle.
FILL_LOCK_WAIT_MS = 250

# Refusals after which the order is no longer open; the index forgets it.
ENDED_REFUSALS = {"gone", "not_open", "wallet_not_active", "market_closed", "defect"}

SideOrders = list[tuple[OpenOrder, RestingOrder]]
Match = tuple[OpenOrder, RestingOrder, RestingFill]


@dataclass(frozen=True, slots=True)
class VenuePrint:
    """A trade the venue printed, scaled, in the prices of `outcome_index`.

    `seen_ms` is when we heard of it (unix ms): younger orders have no part in it.
    """

    outcome_index: int
    price: int
    size: int
    identity: str
    seen_ms: int


@dataclass(frozen=True, slots=True)
class FillReport:
    """What became of one order: shares filled, or why it was refused."""

    order: OpenOrder
    quantity: int
    refused: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the order no longer rests."""
        return self.quantity >= self.order.remaining or self.refused in ENDED_REFUSALS


def fill_crossed_orders(
    *, condition_id: str, orders: Sequence[OpenOrder], now: datetime
) -> list[FillReport]:
    """Fill all orders of one market that its live book crosses.

    Does nothing while the venue is halted or the book is not live or too old: resting orders
    wait (trading-api 7.4, 7.5). Raises ServiceUnavailable when Valkey does not answer.
    """
    now_ms = to_milliseconds(now)
    orders = [order for order in orders if not order.is_due(now_ms)]
    if not orders:
        return []
    for _ in range(MATCH_TRIES_MAX):
        live = read_live_market(condition_id, note_interest=False)
        if not can_match(live, now_ms):
            return []
        matches = _match_book(live, orders, now_ms)
        if not matches:
            return []
        if take_depth(live, _depletion(matches)):
            return _write_fills(live, matches, now=now)
    return []


def fill_clock_orders(
    *, condition_id: str, orders: Sequence[OpenOrder], prices: Prices
) -> list[FillReport]:
    """The same for orders of accounts on one test clock, at its time and prices."""
    now_ms = to_milliseconds(prices.at)
    orders = [order for order in orders if not order.is_due(now_ms)]
    for _ in range(MATCH_TRIES_MAX if orders else 0):
        live = prices.read(condition_id)
        if not can_match(live, now_ms):
            return []
        matches = _match_book(live, orders, now_ms)
        if not matches:
            return []
        if prices.take(live, _depletion(matches)):
            return _write_fills(live, matches, now=prices.at)
    return []


def fill_printed_orders(
    *, condition_id: str, orders: Sequence[OpenOrder], printed: VenuePrint, now: datetime
) -> list[FillReport]:
    """Fill orders at or beyond a price the venue traded at, up to the printed size.

    A print is used once by one matcher, however often it is heard.
    """
    now_ms = to_milliseconds(now)
    orders = [
        order
        for order in orders
        if order.created_ms <= printed.seen_ms and not order.is_due(now_ms)
    ]
    live = read_live_market(condition_id, note_interest=False)
    if not orders or not can_match(live, now_ms):
        return []
    price = printed.price if printed.outcome_index == 0 else SCALE - printed.price
    left = printed.size
    matches: list[Match] = []
    for side_orders in _by_side(orders).values():
        fills = match_print(
            [resting for _, resting in side_orders],
            price=price,
            size=left,
            now_ms=now_ms,
            terms=_terms(orders[0]),
        )
        left -= sum(fill.quantity for fill in fills)
        matches += _joined(side_orders, fills)
    if not matches or not claim_print(printed.identity):
        return []
    return _write_fills(live, matches, now=now, printed=printed)


def can_match(live: LiveMarket, now_ms: int) -> bool:
    """Whether resting orders may fill against this state of the market."""
    return (
        live.is_live
        and not live.feed.is_halted
        and live.age_ms(now_ms) <= settings.TRADE_QUOTE_MAX_AGE_MS
    )


def expire_due_orders(*, orders: Iterable[OpenOrder], now: datetime) -> list[OpenOrder]:
    """Cancel GTD orders whose time has come (`gtd_expired`); answers those that are over."""
    return _end_orders(
        orders, status="CANCELLED", reason="gtd_expired", due_at=iso_text(now), now=now
    )


def cancel_cleared_orders(*, orders: Iterable[OpenOrder], now: datetime) -> list[OpenOrder]:
    """Cancel orders of games that have begun, as the venue does (polymarket-feed 5.5)."""
    return _end_orders(orders, status="CANCELLED", reason="market_closed", due_at=None, now=now)


def expire_orders_of_ended_markets(
    *, orders: Iterable[OpenOrder], now: datetime
) -> list[OpenOrder]:
    """End resting orders of markets that take no more orders (`market_closed`)."""
    return _end_orders(orders, status="EXPIRED", reason="market_closed", due_at=None, now=now)


def _terms(order: OpenOrder) -> TakerTerms:
    return TakerTerms(
        window_ms=settings.TRADE_TAKER_WINDOW_SECONDS * 1000,
        fee_rate=order.fee_rate,
        fee_exponent=order.fee_exponent,
    )


def _by_side(orders: Sequence[OpenOrder]) -> dict[str, SideOrders]:
    """Orders in the first outcome's coordinates, by the side they then have."""
    sides: dict[str, SideOrders] = defaultdict(list)
    oldest_first = sorted(orders, key=lambda order: (order.created_ms, order.identity))
    for number, order in enumerate(oldest_first):
        # Order ids are unique in a building only: the engine gets the place in this list.
        resting = RestingOrder.of(
            order_id=number,
            outcome_index=order.outcome_index,
            side=order.side,
            price=order.price,
            remaining=order.remaining,
            created_ms=order.created_ms,
        )
        sides[resting.side].append((order, resting))
    return sides


def _joined(side_orders: SideOrders, fills: Sequence[RestingFill]) -> list[Match]:
    by_number = {resting.order_id: (order, resting) for order, resting in side_orders}
    return [(*by_number[fill.order_id], fill) for fill in fills]


def _match_book(live: LiveMarket, orders: Sequence[OpenOrder], now_ms: int) -> list[Match]:
    book = executable_book(live.merged_book(0), live.taken, 0)
    matches: list[Match] = []
    for side_orders in _by_side(orders).values():
        resting = [resting for _, resting in side_orders]
        fills = match_resting(resting, book, now_ms=now_ms, terms=_terms(orders[0]))
        matches += _joined(side_orders, fills)
    return matches


def _depletion(matches: Iterable[Match]) -> dict[str, int]:
    quantities: dict[str, int] = defaultdict(int)
    for _, resting, fill in matches:
        side_taken = ASK if resting.side == "BUY" else BID
        for price, quantity in fill.takes:
            quantities[depletion_key(0, side_taken, price)] += quantity
    return dict(quantities)


def _write_fills(
    live: LiveMarket,
    matches: Sequence[Match],
    *,
    now: datetime,
    printed: VenuePrint | None = None,
) -> list[FillReport]:
    reports: list[FillReport] = []
    holds_depth = printed is None and not is_scripted(live)
    for number, match in enumerate(matches):
        order, _, fill = match
        try:
            answer = _write_fill(live, order, fill, now=now, printed=printed)
        except Exception:
            # Whether this one was written is unknown; those after it were not.
            if holds_depth:
                give_back_depth(live.condition_id, _depletion(matches[number + 1 :]))
            raise
        if "refused" in answer:
            if holds_depth:
                give_back_depth(live.condition_id, _depletion([match]))
            reports.append(FillReport(order, 0, str(answer["refused"])))
            continue
        reports.append(FillReport(order, fill.quantity))
        _tell_of_fill(order, answer["fill"], now=now)
    return reports


def _write_fill(
    live: LiveMarket,
    order: OpenOrder,
    fill: RestingFill,
    *,
    now: datetime,
    printed: VenuePrint | None,
) -> dict[str, Any]:
    """One statement, one transaction. The match key makes a repeat find its own fill: a print
    fills an order once, a state of the book once for what remained of it.
    """
    occasion = f"book:{live.seq}:{order.remaining}"
    request = {
        "order_id": order.order_id,
        "match_key": f"print:{printed.identity}"[:80] if printed else occasion,
        "quantity": str(from_scaled(fill.quantity)),
        "price": str(Decimal(_exact_price(fill)).scaleb(-12)),
        "exact_notional": str(Decimal(fill.notional_product).scaleb(-12)),
        "fee": str(from_scaled(fill.fee)),
        "liquidity": "taker" if fill.is_taker else "maker",
        "evidence": _evidence(live, fill, now=now, printed=printed),
        "now": now.isoformat(),
        "wait_ms": FILL_LOCK_WAIT_MS,
    }
    return _call("fill_resting_order", order.schema, request)


def _exact_price(fill: RestingFill) -> int:
    """The fill's volume weighted price scaled by 10**12."""
    return divide_half_up(fill.notional_product * SCALE, fill.quantity)


def _evidence(
    live: LiveMarket, fill: RestingFill, *, now: datetime, printed: VenuePrint | None
) -> dict[str, Any]:
    """What the fill can be replayed from (architecture law 9)."""
    evidence: dict[str, Any] = {
        "source": "print" if printed else "book_walk",
        "book_seq": live.seq,
        "quote_age_ms": live.age_ms(to_milliseconds(now)),
        "levels_of_first_outcome": [
            [str(from_scaled(price)), str(from_scaled(quantity))] for price, quantity in fill.takes
        ],
    }
    if printed is not None:
        evidence["print"] = printed.identity
    return evidence


def _call(function: str, schema: str, request: dict[str, Any]) -> dict[str, Any]:
    """Call a function in a building; contention and defects of one order are its refusal."""
    with enter_building(schema):
        try:
            return call_once(function, request)
        except ServerBusy:
            return {"refused": "busy"}
        except (IntegrityError, DataError, InternalError):
            # One bad row must not keep everybody else's orders from filling.
            logger.exception("%s failed in %s for %s", function, schema, request)
            return {"refused": "defect"}


def _tell_of_fill(order: OpenOrder, fill: dict[str, Any], *, now: datetime) -> None:
    """The `fill` frame of trading-api 10.2."""
    frame = {
        "type": "fill",
        "order_id": order.order_id,
        "market_id": order.condition_id,
        "side": order.side,
        "outcome": order.outcome_label,
        "price": four_places_text(Decimal(fill["price"])),
        "quantity": four_places_text(Decimal(fill["quantity"])),
        "filled_at": iso_text(now),
        "client_order_id": fill["client_order_id"],
        "wallet_id": fill["wallet_id"],
        "fee": money_text(Decimal(fill["fee"])),
        "liquidity": fill["liquidity"],
        "trade_id": str(fill["trade_id"]),
        "order_status": fill["order_status"],
        "filled_quantity": four_places_text(Decimal(fill["filled_quantity"])),
    }
    measure_after_fill(schema=order.schema, wallet_id=fill["wallet_id"], now=now)
    tell_evaluator(schema=order.schema, wallet_id=fill["wallet_id"])
    tell_user(user_id=order.user_id, frame=frame, now=now)


def _end_orders(
    orders: Iterable[OpenOrder],
    *,
    status: str,
    reason: str,
    due_at: str | None,
    now: datetime,
) -> list[OpenOrder]:
    """End orders user by user; those of a busy user stay for the next sweep."""
    by_user: dict[tuple[str, int], list[OpenOrder]] = defaultdict(list)
    for order in orders:
        by_user[order.schema, order.user_id].append(order)
    over: list[OpenOrder] = []
    for (schema, user_id), owned in by_user.items():
        request = {
            "user_id": user_id,
            "order_ids": [order.order_id for order in owned],
            "due_at": due_at,
            "status": status,
            "reason": reason,
            "now": now.isoformat(),
            "wait_ms": FILL_LOCK_WAIT_MS,
        }
        answer = _call("end_orders", schema, request)
        if "refused" in answer:
            continue
        over += owned
        for ended in answer["ended"]:
            _tell_of_end(user_id, ended, status=status, reason=reason, owned=owned, now=now)
    return over


def _tell_of_end(
    user_id: int,
    ended: dict[str, Any],
    *,
    status: str,
    reason: str,
    owned: Sequence[OpenOrder],
    now: datetime,
) -> None:
    """The `order` frame of trading-api 10.2 for an order that ended by itself."""
    order = next(one for one in owned if one.order_id == ended["order_id"])
    frame = {
        "type": "order",
        "order_id": ended["order_id"],
        "market_id": order.condition_id,
        "side": ended["side"],
        "outcome": order.outcome_label,
        "status": status,
        "cancelled_reason": reason,
        "wallet_id": ended["wallet_id"],
        "client_order_id": ended["client_order_id"],
        "price": ended["price"],
        "quantity": ended["quantity"],
        "filled_quantity": ended["filled_quantity"],
        "at": iso_text(now),
    }
    tell_user(user_id=user_id, frame=frame, now=now)
