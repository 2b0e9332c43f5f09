"""Immediate matching: market, FOK, FAK and the crossing part of resting limit orders.

Walks the executable book best price first, up to and including the order's price; improvement
belongs to the taker. Prices, shares and money are integers scaled by 10**6.
Contract: trading-api 4.2, 7.2, 7.4.
"""

from dataclasses import dataclass

from polysim.kernel.money import (
    SCALE,
    divide_half_up,
    product_to_cents_half_up,
    product_to_cents_up,
)
from trading.engine.fees import taker_fee
from trading.markets.pricing import Book, Levels, midpoint, spread

# A FOK is whole when at most one share is missing (trading-api 7.2).
SHORTFALL_ABSORBED_MAX = SCALE
# Share quantum 0.0001 (trading-api 0).
SHARE_QUANTUM = 100
HIGH_SLIPPAGE_BPS = 500
# A relative band alone would shut markets of a few cents, where one tick is over 15 %: prices
# this near to the displayed one always pass the guard of 7.4.
BAND_LEAST = 20_000

FILLED = "filled"
RESTING = "resting"
KILLED = "killed"
REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class MatchRequest:
    """One order against one executable book.

    Exactly one of `quantity` (shares) and `amount` (dollars, market buys) is set. `price` is the
    limit, or the worst price of a market order. `price_band` is the tolerance of trading-api 7.4
    in millionths (0.15 is 150_000), 0 switches the guard off.
    """

    side: str
    kind: str
    time_in_force: str
    price: int
    book: Book
    quantity: int | None = None
    amount: int | None = None
    is_post_only: bool = False
    displayed_price: int | None = None
    price_band: int = 0
    fee_rate: int = 0
    fee_exponent: int = 1

    @property
    def is_immediate(self) -> bool:
        """Decided inside the request; never rests."""
        return self.time_in_force in ("FOK", "FAK", "IOC")


@dataclass(frozen=True, slots=True)
class MatchResult:
    """What would happen. Money is scaled whole cents; `notional_product` is exact (10**12).

    `status`: filled (all or the part that counts), resting (a rest stays; `filled_quantity` may be
    above 0), killed (limit FOK/FAK without a fill) or rejected (`reject_code` names the reason).
    `takes` are the (price, quantity) pairs removed from the book; for a FOK whose shortfall was
    absorbed they add up to less than `filled_quantity`. `hold` is for the resting rest of a buy.
    """

    status: str
    reject_code: str | None = None
    takes: Levels = ()
    requested_quantity: int = 0
    filled_quantity: int = 0
    notional_product: int = 0
    notional: int = 0
    fee: int = 0
    remaining_quantity: int = 0
    hold: int = 0
    warnings: tuple[str, ...] = ()
    slippage_bps: int | None = None
    impact_bps: int | None = None
    spread_bps: int | None = None
    levels_taken: int = 0
    depth_within_price: int = 0

    @property
    def average_price(self) -> tuple[int, int]:
        """The exact VWAP as (numerator, denominator); (0, 1) without a fill."""
        if not self.filled_quantity:
            return 0, 1
        return self.notional_product, self.filled_quantity * SCALE


@dataclass(frozen=True, slots=True)
class _Walk:
    takes: Levels
    quantity: int
    product: int


def match_order(request: MatchRequest) -> MatchResult:
    """Decide an order against the book; never raises for what a market can look like."""
    levels = request.book.asks if request.side == "BUY" else request.book.bids
    usable = _within_price(levels, request)
    if request.is_post_only and usable:
        return _rejected(request, "INVALID_POST_ONLY_ORDER")
    if not request.is_immediate:
        return _match_resting_kind(request, usable)
    if not levels and request.kind == "market":
        return _rejected(request, "NO_EXECUTABLE_DEPTH")
    if _breaks_band(request, usable):
        return _rejected(request, "NO_EXECUTABLE_DEPTH")
    if request.amount is not None:
        return _match_amount(request, usable)
    return _match_quantity(request, levels, usable)


def _within_price(levels: Levels, request: MatchRequest) -> Levels:
    if request.side == "BUY":
        return tuple(level for level in levels if level[0] <= request.price)
    return tuple(level for level in levels if level[0] >= request.price)


def _breaks_band(request: MatchRequest, usable: Levels) -> bool:
    """Whether the walk starts outside the band around the displayed price (7.4, tier 1)."""
    center = request.displayed_price
    if not usable or not center or not request.price_band:
        return False
    distance = abs(usable[0][0] - center)
    return distance > BAND_LEAST and distance * SCALE > center * request.price_band


def _walk(levels: Levels, quantity: int) -> _Walk:
    takes: list[tuple[int, int]] = []
    left = quantity
    product = 0
    for price, size in levels:
        if left <= 0:
            break
        part = min(left, size)
        takes.append((price, part))
        product += price * part
        left -= part
    return _Walk(tuple(takes), quantity - left, product)


def _match_quantity(request: MatchRequest, levels: Levels, usable: Levels) -> MatchResult:
    wanted = request.quantity or 0
    walk = _walk(usable, wanted)
    if request.time_in_force == "FOK":
        shortfall = wanted - walk.quantity
        if shortfall > SHORTFALL_ABSORBED_MAX or not walk.quantity:
            return _unfilled_fok(request, levels, wanted)
        return _filled(request, walk, filled=wanted, requested=wanted)
    if not walk.quantity:
        return _unfilled(request, "FOK_ORDER_NOT_FILLED_ERROR")
    return _filled(request, walk, filled=walk.quantity, requested=wanted)


def _unfilled_fok(request: MatchRequest, levels: Levels, wanted: int) -> MatchResult:
    whole_book = sum(size for _, size in levels)
    if request.kind == "market" and wanted - whole_book > SHORTFALL_ABSORBED_MAX:
        return _rejected(request, "INSUFFICIENT_LIQUIDITY")
    return _unfilled(request, "FOK_ORDER_NOT_FILLED_ERROR")


def _unfilled(request: MatchRequest, code: str) -> MatchResult:
    if request.kind == "market":
        return _rejected(request, code)
    return MatchResult(
        status=KILLED,
        requested_quantity=request.quantity or 0,
        remaining_quantity=request.quantity or 0,
        spread_bps=_spread_bps(request.book),
    )


def _match_amount(request: MatchRequest, usable: Levels) -> MatchResult:
    """Spend dollars along the walk; shares are floored to the quantum (7.2, "amount")."""
    budget = (request.amount or 0) * SCALE
    takes: list[tuple[int, int]] = []
    product = 0
    for price, size in usable:
        affordable = (budget - product) // price
        part = min(size, affordable // SHARE_QUANTUM * SHARE_QUANTUM)
        if part <= 0:
            break
        takes.append((price, part))
        product += price * part
        if part < size:
            break
    quantity = sum(part for _, part in takes)
    if not quantity:
        code = "INVALID_QUANTITY" if usable else "FOK_ORDER_NOT_FILLED_ERROR"
        return _rejected(request, code)
    unspent = budget - product
    is_short = unspent > takes[-1][0] * SHORTFALL_ABSORBED_MAX
    if request.time_in_force == "FOK" and is_short:
        return _rejected(request, _amount_reject_code(request))
    # An unspent rest below one quantum at the last price is the floor of 7.2, not a part fill.
    is_part = unspent >= takes[-1][0] * SHARE_QUANTUM
    requested = quantity + unspent // takes[-1][0] if is_part else quantity
    return _filled(
        request, _Walk(tuple(takes), quantity, product), filled=quantity, requested=requested
    )


def _amount_reject_code(request: MatchRequest) -> str:
    worth = sum(price * size for price, size in request.book.asks)
    dearest = request.book.asks[-1][0]
    missing = (request.amount or 0) * SCALE - worth
    if missing > dearest * SHORTFALL_ABSORBED_MAX:
        return "INSUFFICIENT_LIQUIDITY"
    return "FOK_ORDER_NOT_FILLED_ERROR"


def _match_resting_kind(request: MatchRequest, usable: Levels) -> MatchResult:
    """GTC and GTD: the crossing part fills now as taker, the rest rests as maker."""
    wanted = request.quantity or 0
    if _breaks_band(request, usable):
        usable = ()
    walk = _walk(usable, wanted)
    if walk.quantity == wanted:
        return _filled(request, walk, filled=wanted, requested=wanted)
    rest = wanted - walk.quantity
    hold = product_to_cents_up(request.price * rest) if request.side == "BUY" else 0
    if not walk.quantity:
        return MatchResult(
            status=RESTING,
            requested_quantity=wanted,
            remaining_quantity=rest,
            hold=hold,
            spread_bps=_spread_bps(request.book),
        )
    return _filled(request, walk, filled=walk.quantity, requested=wanted, rest=rest, hold=hold)


def _filled(
    request: MatchRequest,
    walk: _Walk,
    *,
    filled: int,
    requested: int,
    rest: int = 0,
    hold: int = 0,
) -> MatchResult:
    # An absorbed shortfall fills at the walked VWAP: the product grows in the same proportion.
    product = divide_half_up(walk.product * filled, walk.quantity)
    impact = _basis_points(walk.product, walk.quantity, walk.takes[0][0])
    slippage = (
        _basis_points(walk.product, walk.quantity, request.displayed_price)
        if request.displayed_price
        else None
    )
    return MatchResult(
        status=RESTING if rest else FILLED,
        takes=walk.takes,
        requested_quantity=requested,
        filled_quantity=filled,
        notional_product=product,
        notional=product_to_cents_half_up(product),
        fee=taker_fee(
            quantity=filled,
            notional_product=product,
            rate=request.fee_rate,
            exponent=request.fee_exponent,
        ),
        remaining_quantity=rest,
        hold=hold,
        warnings=_warnings(request, filled, requested, slippage),
        slippage_bps=slippage,
        impact_bps=impact,
        spread_bps=_spread_bps(request.book),
        levels_taken=len(walk.takes),
        depth_within_price=walk.quantity,
    )


def _warnings(
    request: MatchRequest, filled: int, requested: int, slippage: int | None
) -> tuple[str, ...]:
    warnings: list[str] = []
    if request.is_immediate and filled < requested:
        warnings.append(
            f"partial_fill:filled={_four_places(filled)},requested={_four_places(requested)}"
        )
    if slippage is not None and slippage >= HIGH_SLIPPAGE_BPS:
        warnings.append(f"high_slippage_bps_{slippage}")
    return tuple(warnings)


def _four_places(scaled: int) -> str:
    whole, fraction = divmod(divide_half_up(scaled, SHARE_QUANTUM), 10_000)
    return f"{whole}.{fraction:04d}"


def _basis_points(product: int, quantity: int, reference: int) -> int:
    """|VWAP - reference| / reference x 10**4, half up, from the exact VWAP product / quantity."""
    distance = abs(product - reference * quantity)
    return divide_half_up(distance * 10_000, reference * quantity)


def _spread_bps(book: Book) -> int | None:
    width = spread(book)
    middle = midpoint(book)
    if width is None or not middle:
        return None
    # The midpoint doubled is exact where the midpoint itself was rounded.
    doubled = book.bids[0][0] + book.asks[0][0]
    return divide_half_up(max(width, 0) * 20_000, doubled)


def _rejected(request: MatchRequest, code: str) -> MatchResult:
    return MatchResult(
        status=REJECTED,
        reject_code=code,
        requested_quantity=request.quantity or 0,
        spread_bps=_spread_bps(request.book),
    )
