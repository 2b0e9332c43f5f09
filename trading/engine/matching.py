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
from trading.markets.pricing import Book, Levels

# A FOK is whole when at most one share is missing (trading-api 7.2).
SHORTFALL_ABSORBED_MAX = SCALE
# Share quantum 0.0001 (trading-api 0). Levels of the venue may be finer; fills are not, or a
# position would keep dust that no order can name.
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

    Exactly one of `quantity` (shares, multiples of 0.0001) and `amount` (whole cents, market buys)
    is set. `price` is the limit, or the worst price of a market order. `book` is what may still be
    taken, `displayed_book` what the venue shows (None: the same); it decides post-only, the spread
    and whether a FOK is bigger than the whole book. `price_band` is the tolerance of trading-api
    7.4 in millionths (0.15 is 150_000), 0 switches the guard off.
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
    displayed_book: Book | None = None

    @property
    def is_immediate(self) -> bool:
        """Decided inside the request; never rests."""
        return self.time_in_force in ("FOK", "FAK", "IOC")

    @property
    def levels(self) -> Levels:
        """The side of the executable book that this order takes from."""
        return self.book.asks if self.side == "BUY" else self.book.bids

    @property
    def shown_levels(self) -> Levels:
        """The same side as the venue shows it."""
        shown = self.displayed_book or self.book
        return shown.asks if self.side == "BUY" else shown.bids

    def accepts(self, price: int) -> bool:
        """Whether `price` is no worse than the order's own."""
        return price <= self.price if self.side == "BUY" else price >= self.price


@dataclass(frozen=True, slots=True)
class MatchResult:
    """What would happen. Money is scaled whole cents; `notional_product` is exact (10**12).

    `status`: filled (all or the part that counts), resting (a rest stays; `filled_quantity` may be
    above 0), killed (limit FOK/FAK without a fill) or rejected (`reject_code` names the reason).
    `takes` are the (price, quantity) pairs removed from the book; for a FOK whose shortfall was
    absorbed they add up to less than `filled_quantity`. `hold` is for the resting rest of a buy.
    Slippage is measured against the displayed price, impact against the best level walked.
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


@dataclass(slots=True)
class _Walk:
    """Levels taken so far, best first, their shares and their exact price * shares."""

    takes: list[tuple[int, int]]
    quantity: int
    product: int

    def floor_to_quantum(self) -> None:
        """Give back from the worst levels what is finer than the share quantum."""
        excess = self.quantity % SHARE_QUANTUM
        self.quantity -= excess
        while excess:
            price, size = self.takes.pop()
            part = min(size, excess)
            excess -= part
            self.product -= price * part
            if part < size:
                self.takes.append((price, size - part))


def match_order(request: MatchRequest) -> MatchResult:
    """Decide an order against the book; never raises for what a market can look like.

    A market order that finds the side empty is NO_EXECUTABLE_DEPTH. So is one whose VWAP (the
    price of tier 1 of trading-api 7.4, `book_walk`) lies outside the band around the displayed
    price; a limit FOK or FAK is killed there. Limit orders that may rest are not guarded: what
    did not cross now would be filled by the next look at the same book.
    """
    if request.is_post_only and _is_marketable(request):
        return _rejected(request, "INVALID_POST_ONLY_ORDER")
    if request.amount is not None:
        return _match_amount(request, request.amount)
    walk = _walk_quantity(request, request.quantity or 0)
    if not request.is_immediate:
        return _match_resting_kind(request, walk)
    if request.time_in_force == "FOK":
        return _match_fok(request, walk)
    walk.floor_to_quantum()
    if not walk.quantity:
        return _unfilled(request, "FOK_ORDER_NOT_FILLED_ERROR")
    return _filled(request, walk, filled=walk.quantity, requested=request.quantity or 0)


def price_breaks_band(request: MatchRequest, product: int, quantity: int) -> bool:
    """Whether the price product / quantity lies outside the band of trading-api 7.4."""
    center = request.displayed_price
    if not center or not request.price_band:
        return False
    distance = abs(product - center * quantity)
    is_near = distance <= BAND_LEAST * quantity
    return not is_near and distance * SCALE > center * request.price_band * quantity


def _is_marketable(request: MatchRequest) -> bool:
    levels = request.shown_levels
    return bool(levels) and request.accepts(levels[0][0])


def _walk_quantity(request: MatchRequest, quantity: int) -> _Walk:
    limit, is_buy = request.price, request.side == "BUY"
    takes: list[tuple[int, int]] = []
    left = quantity
    product = 0
    for level in request.levels:
        price, size = level
        if price > limit if is_buy else price < limit:
            break
        if size >= left:
            takes.append((price, left))
            return _Walk(takes, quantity, product + price * left)
        takes.append(level)
        product += price * size
        left -= size
    return _Walk(takes, quantity - left, product)


def _match_fok(request: MatchRequest, walk: _Walk) -> MatchResult:
    wanted = request.quantity or 0
    if walk.quantity and wanted - walk.quantity <= SHORTFALL_ABSORBED_MAX:
        return _filled(request, walk, filled=wanted, requested=wanted)
    whole_book = sum(size for _, size in request.shown_levels)
    if wanted - whole_book > SHORTFALL_ABSORBED_MAX:
        return _unfilled(request, "INSUFFICIENT_LIQUIDITY")
    return _unfilled(request, "FOK_ORDER_NOT_FILLED_ERROR")


def _match_resting_kind(request: MatchRequest, walk: _Walk) -> MatchResult:
    """GTC and GTD: the crossing part fills now as taker, the rest rests as maker."""
    wanted = request.quantity or 0
    walk.floor_to_quantum()
    rest = wanted - walk.quantity
    hold = product_to_cents_up(request.price * rest) if request.side == "BUY" else 0
    if walk.quantity:
        return _filled(request, walk, filled=walk.quantity, requested=wanted, rest=rest, hold=hold)
    return MatchResult(
        status=RESTING,
        requested_quantity=wanted,
        remaining_quantity=rest,
        hold=hold,
        spread_bps=_spread_bps(request),
    )


def _walk_amount(request: MatchRequest, budget: int) -> tuple[_Walk, int]:
    """Spend `budget` (scaled by 10**12) along the walk; answers also what no level could take."""
    takes: list[tuple[int, int]] = []
    left = budget
    for level in request.levels:
        price, size = level
        if not request.accepts(price):
            break
        worth = price * size
        if worth > left:
            if affordable := left // price:
                takes.append((price, affordable))
            left = 0
            break
        takes.append(level)
        left -= worth
    quantity = sum(size for _, size in takes)
    product = sum(price * size for price, size in takes)
    return _Walk(takes, quantity, product), left


def _match_amount(request: MatchRequest, amount: int) -> MatchResult:
    """Spend dollars along the walk; shares are floored to the quantum (7.2, "amount")."""
    walk, unspent = _walk_amount(request, amount * SCALE)
    if not walk.takes:
        code = _amount_reject_code(request, amount) if unspent else "INVALID_QUANTITY"
        return _unfilled(request, code)
    last_price = walk.takes[-1][0]
    walk.floor_to_quantum()
    if request.time_in_force == "FOK" and unspent > last_price * SHORTFALL_ABSORBED_MAX:
        return _unfilled(request, _amount_reject_code(request, amount))
    if not walk.quantity:
        code = "FOK_ORDER_NOT_FILLED_ERROR" if unspent else "INVALID_QUANTITY"
        return _unfilled(request, code)
    requested = walk.quantity
    if request.time_in_force != "FOK":
        # What the unspent rest would have bought at the last price names the missing part.
        requested += unspent // last_price // SHARE_QUANTUM * SHARE_QUANTUM
    return _filled(request, walk, filled=walk.quantity, requested=requested)


def _amount_reject_code(request: MatchRequest, amount: int) -> str:
    levels = request.shown_levels
    if request.time_in_force == "FOK" and levels:
        missing = amount * SCALE - sum(price * size for price, size in levels)
        if missing > levels[-1][0] * SHORTFALL_ABSORBED_MAX:
            return "INSUFFICIENT_LIQUIDITY"
    return "FOK_ORDER_NOT_FILLED_ERROR"


def _unfilled(request: MatchRequest, code: str) -> MatchResult:
    if request.kind == "market":
        return _rejected(request, code if request.levels else "NO_EXECUTABLE_DEPTH")
    return MatchResult(
        status=KILLED,
        requested_quantity=request.quantity or 0,
        remaining_quantity=request.quantity or 0,
        spread_bps=_spread_bps(request),
    )


def _rejected(request: MatchRequest, code: str) -> MatchResult:
    return MatchResult(
        status=REJECTED,
        reject_code=code,
        requested_quantity=request.quantity or 0,
        spread_bps=_spread_bps(request),
    )


def _filled(
    request: MatchRequest,
    walk: _Walk,
    *,
    filled: int,
    requested: int,
    rest: int = 0,
    hold: int = 0,
) -> MatchResult:
    if request.is_immediate and price_breaks_band(request, walk.product, walk.quantity):
        return _unfilled(request, "NO_EXECUTABLE_DEPTH")
    product, walked = walk.product, walk.quantity
    # An absorbed shortfall fills at the walked VWAP: the product grows in the same proportion.
    total = product if filled == walked else divide_half_up(product * filled, walked)
    displayed = request.displayed_price
    slippage = _basis_points(product, walked, displayed) if displayed else None
    return MatchResult(
        status=RESTING if rest else FILLED,
        takes=tuple(walk.takes),
        requested_quantity=requested,
        filled_quantity=filled,
        notional_product=total,
        notional=product_to_cents_half_up(total),
        fee=taker_fee(
            quantity=filled,
            notional_product=total,
            rate=request.fee_rate,
            exponent=request.fee_exponent,
        ),
        remaining_quantity=rest,
        hold=hold,
        warnings=_warnings(request, filled, requested, slippage),
        slippage_bps=slippage,
        impact_bps=_basis_points(product, walked, walk.takes[0][0]),
        spread_bps=_spread_bps(request),
        levels_taken=len(walk.takes),
        depth_within_price=walked,
    )


def _warnings(
    request: MatchRequest, filled: int, requested: int, slippage: int | None
) -> tuple[str, ...]:
    warnings: list[str] = []
    if filled < requested and request.is_immediate:
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


def _spread_bps(request: MatchRequest) -> int | None:
    """(ask - bid) / mid x 10**4, half up; 0 for crossed books, None when a side is missing."""
    shown = request.displayed_book or request.book
    if not shown.bids or not shown.asks:
        return None
    bid, ask = shown.bids[0][0], shown.asks[0][0]
    return divide_half_up(max(ask - bid, 0) * 20_000, ask + bid)
