"""What positions cost, are worth and are paid. Integers scaled by 10**6 unless said otherwise.

Cost is kept to a millionth of a dollar: a buy adds its exact price * shares, rounded half up; a
sell removes the sold part of the cost, rounded half up, and realises its proceeds less that part.
The cost of the last share sold is all that is left, so a closed position costs exactly nothing.
Fees are neither in the cost nor in the realised profit. Contract: trading-api 9.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from polysim.kernel.money import SCALE, divide_half_up, product_to_cents_half_up


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares of one outcome and what they were bought for."""

    quantity: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Sale:
    """A holding after a sale and the profit it realised (scaled to 10**6)."""

    holding: Holding
    realized: int


def apply_buy(holding: Holding, *, quantity: int, notional_product: int) -> Holding:
    """Add shares bought for the exact `notional_product` (scaled by 10**12)."""
    return Holding(
        quantity=holding.quantity + quantity,
        cost=holding.cost + divide_half_up(notional_product, SCALE),
    )


def apply_sell(holding: Holding, *, quantity: int, notional_product: int) -> Sale:
    """Remove shares sold; raises ValueError when more are sold than held (no shorting)."""
    if quantity > holding.quantity:
        raise ValueError("More shares sold than held.")
    removed = cost_of_part(holding, quantity)
    realized = divide_half_up(notional_product, SCALE) - removed
    return Sale(Holding(holding.quantity - quantity, holding.cost - removed), realized)


def cost_of_part(holding: Holding, quantity: int) -> int:
    """The cost of `quantity` of the shares: all of it for all of them."""
    if quantity == holding.quantity:
        return holding.cost
    return divide_half_up(holding.cost * quantity, holding.quantity)


def average_price(holding: Holding) -> tuple[int, int]:
    """The exact average entry price as (numerator, denominator); (0, 1) for no shares."""
    return (holding.cost, holding.quantity) if holding.quantity else (0, 1)


def market_value(quantity: int, mark: int) -> int:
    """Shares at a mark, scaled by 10**6, half up (shown to cents by whoever shows it)."""
    return divide_half_up(quantity * mark, SCALE)


def payout(quantity: int, payout_per_share: int) -> int:
    """What a resolution pays, in scaled whole cents, half up."""
    return product_to_cents_half_up(quantity * payout_per_share)


def settlement_result(payout_per_share: int, all_payouts: Sequence[int]) -> str:
    """won, lost, split (even share between outcomes) or partial (accounts-api 7.5)."""
    if payout_per_share == SCALE:
        return "won"
    if payout_per_share == 0:
        return "lost"
    return "split" if len(set(all_payouts)) == 1 else "partial"


def equity(cash: int, reserved: int, positions: Iterable[tuple[int, int | None, int]]) -> int:
    """Cash, reserved cash and positions as (quantity, mark, cost); without a mark at cost."""
    worth = sum(
        cost if mark is None else market_value(quantity, mark) for quantity, mark, cost in positions
    )
    return cash + reserved + worth


def is_on_tick(price: int, tick: int) -> bool:
    """Whether a limit price lies on the grid and in [tick, 1 - tick]."""
    return price % tick == 0 and tick <= price <= SCALE - tick
