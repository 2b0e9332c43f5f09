"""What a market order may fill at without book depth: the later tiers of the price cascade.

Only used with `TRADE_REQUIRE_BOOK_DEPTH` off: an order whose walk (tier 1) found nothing to take
or broke the guard fills whole at the first later tier inside the band. Such a fill takes no depth.
Contract: trading-api 7.4.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from polysim.kernel.money import SCALE
from trading.engine.matching import (
    FILLED,
    REJECTED,
    MatchRequest,
    MatchResult,
    match_order,
    price_breaks_band,
)
from trading.markets.pricing import Book

BOOK_WALK = "book_walk"


@dataclass(frozen=True, slots=True)
class Tier:
    """A price (scaled by 10**6) and its `price_source` label."""

    label: str
    price: int


def touch_tiers(side: str, own: Book, merged: Book) -> list[Tier]:
    """Tier 2: the best opposite price, first without the complement, then merged."""
    if side == "BUY":
        label, prices = "best_ask", (own.best_ask, merged.best_ask)
    else:
        label, prices = "best_bid", (own.best_bid, merged.best_bid)
    return [Tier(label, price) for price in prices if price is not None]


def match_by_cascade(
    request: MatchRequest, tiers: Iterable[Tier]
) -> tuple[MatchResult, str | None]:
    """The result and its `price_source`; None for an order that got no price.

    Everything but a market order without executable depth is left to the walk. PRICE_UNAVAILABLE
    when no tier's price is inside the band, FOK_ORDER_NOT_FILLED_ERROR when it is worse than the
    order's own.
    """
    walked = match_order(request)
    if walked.reject_code != "NO_EXECUTABLE_DEPTH":
        return walked, BOOK_WALK if walked.filled_quantity else None
    for tier in tiers:
        if not price_breaks_band(request, tier.price, 1):
            return _fill_whole(request, tier, walked)
    return replace(walked, reject_code="PRICE_UNAVAILABLE"), None


def _fill_whole(
    request: MatchRequest, tier: Tier, walked: MatchResult
) -> tuple[MatchResult, str | None]:
    """The whole order at one price: the walk over a level that is deep enough."""
    if not request.accepts(tier.price):
        code = "FOK_ORDER_NOT_FILLED_ERROR"
        return replace(walked, status=REJECTED, reject_code=code), None
    endless = ((tier.price, (request.quantity or 0) + (request.amount or 0) * SCALE),)
    book = Book(asks=endless) if request.side == "BUY" else Book(bids=endless)
    filled = match_order(replace(request, book=book, displayed_book=None))
    if filled.status != FILLED:
        return filled, None
    return (
        replace(filled, takes=(), impact_bps=None, levels_taken=0, spread_bps=walked.spread_bps),
        tier.label,
    )
