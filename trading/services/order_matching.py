"""Matching an order against the live book: one path for placing and for previewing (law 7)."""

import time
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.money import CENT, to_scaled
from trading.engine.book import depletion_of, executable_book
from trading.engine.cascade import BOOK_WALK, Tier, match_by_cascade, touch_tiers
from trading.engine.matching import FILLED, KILLED, REJECTED, MatchRequest, MatchResult, match_order
from trading.markets.books import (
    ABSENT,
    LiveMarket,
    note_page_interest,
    read_live_market,
)
from trading.markets.pricing import Book, midpoint
from trading.services.market_terms import MarketTerms, OutcomeTerms
from trading.services.order_checks import is_halted
from trading.services.order_request import PlaceOrder

# A market nobody watched becomes live within a second or two of the first look at it.
COLD_BOOK_WAIT_S = 1.5
COLD_BOOK_STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Matched:
    """What the book says to an order.

    `refusal` is the code of the matching stage or None. `takes` are depletion keys and scaled
    shares to take. `cash_needed` is what a buy must have free, scaled. `price_source` labels where
    a fill's price came from (trading-api 7.4).
    """

    result: MatchResult
    live: LiveMarket
    refusal: str | None
    takes: dict[str, int]
    cash_needed: int
    age_ms: int
    displayed: int | None
    executable: Book
    is_waiting_for_venue: bool = False
    price_source: str = BOOK_WALK


def read_fresh_market(condition_id: str, *, now: datetime) -> LiveMarket:
    """The live market; one that nobody watched is asked for and waited for briefly.

    Raises ServiceUnavailable when Valkey does not answer.
    """
    now_ms = to_milliseconds(now)
    live = read_live_market(condition_id)
    if _is_fresh(live, now_ms) or not live.feed.is_running(now_ms) or live.feed.is_halted:
        return live
    note_page_interest([condition_id])
    for _ in range(int(COLD_BOOK_WAIT_S / COLD_BOOK_STEP_S)):
        time.sleep(COLD_BOOK_STEP_S)
        live = read_live_market(condition_id, note_interest=False)
        if _is_fresh(live, now_ms):
            break
    return live


def _is_fresh(live: LiveMarket, now_ms: int) -> bool:
    return live.is_live and live.age_ms(now_ms) <= settings.TRADE_QUOTE_MAX_AGE_MS


def match_command(
    command: PlaceOrder,
    terms: MarketTerms,
    outcome: OutcomeTerms,
    live: LiveMarket,
    *,
    now: datetime,
) -> Matched:
    """Decide a valid order against `live`.

    While the venue is halted or the book is not trustworthy, orders that rest do so unmatched
    (trading-api 7.4, 7.5) and orders that cannot rest are refused.
    """
    now_ms = to_milliseconds(now)
    merged = live.merged_book(outcome.index)
    halted = is_halted(live, now_ms=now_ms)
    is_usable = _is_fresh(live, now_ms) and not halted
    book = executable_book(merged, live.taken, outcome.index) if is_usable else Book()
    request = _request(command, terms, book, live.displayed(outcome.index))
    if is_usable:
        request = replace(request, displayed_book=merged)
    result, price_source = match_order(request), BOOK_WALK
    if is_usable and not settings.TRADE_REQUIRE_BOOK_DEPTH:
        tiers = _later_tiers(command.side, outcome.index, live)
        result, source = match_by_cascade(request, tiers)
        price_source = source or BOOK_WALK
    refusal = _refusal(command, terms, result)
    if command.is_immediate and not is_usable:
        refusal = "NO_EXECUTABLE_DEPTH" if live.status == ABSENT else "STALE_QUOTE"
    return Matched(
        result=result,
        live=live,
        refusal=refusal,
        takes=depletion_of(outcome.index, command.side, result.takes),
        cash_needed=_cash_needed(request, result),
        age_ms=live.age_ms(now_ms),
        displayed=live.displayed(outcome.index),
        executable=book,
        is_waiting_for_venue=halted,
        price_source=price_source,
    )


def _later_tiers(side: str, outcome_index: int, live: LiveMarket) -> list[Tier]:
    """Prices that may fill an order without depth, as far as the live market has them."""
    merged = live.merged_book(outcome_index)
    token = live.books[outcome_index]
    others = [
        ("clob_midpoint_cached", midpoint(merged)),
        ("last_trade_only", live.last_trade(outcome_index)),
    ]
    return [
        *touch_tiers(side, token.book if token else Book(), merged),
        *[Tier(label, price) for label, price in others if price is not None],
    ]


def _request(
    command: PlaceOrder, terms: MarketTerms, book: Book, displayed: int | None
) -> MatchRequest:
    assert command.price is not None, "the price was checked before"
    amount = None
    if command.amount is not None:
        # Money is whole cents: a fraction of a cent is never spent.
        amount = to_scaled(command.amount) // CENT * CENT
    return MatchRequest(
        side=command.side,
        kind=command.order_type,
        time_in_force=command.time_in_force,
        price=to_scaled(command.price),
        book=book,
        quantity=None if command.quantity is None else to_scaled(command.quantity),
        amount=amount,
        is_post_only=command.post_only,
        displayed_price=displayed,
        price_band=terms.price_band,
        fee_rate=terms.fee_rate,
        fee_exponent=terms.fee_exponent,
    )


def _refusal(command: PlaceOrder, terms: MarketTerms, result: MatchResult) -> str | None:
    if result.status == REJECTED and command.order_type == "limit":
        # Only a post-only order is refused; another limit order without a fill is cancelled.
        return result.reject_code if command.post_only else None
    if result.status == REJECTED:
        return result.reject_code
    is_amount_too_small = command.amount is not None and (
        result.filled_quantity < terms.minimum_size
    )
    return "INVALID_ORDER_MIN_SIZE" if is_amount_too_small else None


def _cash_needed(request: MatchRequest, result: MatchResult) -> int:
    """Notional, fee and hold; of a market order that found no full match, what it could reach.

    So a wallet that could not have paid hears that first (funds come before matching).
    """
    if request.side != "BUY":
        return 0
    if result.status not in (REJECTED, KILLED):
        return result.notional + result.fee + result.hold
    if request.is_post_only:
        return match_order(
            replace(request, book=Book(), displayed_book=None, is_post_only=False)
        ).hold
    reachable = match_order(replace(request, time_in_force="IOC"))
    return reachable.notional + reachable.fee if reachable.status == FILLED else 0
