"""A slow, obvious account book in Decimal, beside which the real one must stay to the cent."""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def up_to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_CEILING)


def fee_of(shares: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    raw = shares * rate * price * (1 - price)
    return to_cents(raw.quantize(Decimal("0.00001"), ROUND_HALF_UP))


@dataclass
class OracleOrder:
    """A resting order."""

    side: str
    price: Decimal
    remaining: Decimal
    hold: Decimal = Decimal(0)


@dataclass
class Oracle:
    """One wallet and one outcome against a book of one level a side."""

    cash: Decimal
    rate: Decimal = Decimal("0.07")
    shares: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    orders: dict[int, OracleOrder] = field(default_factory=dict)

    @property
    def reserved(self) -> Decimal:
        return sum((order.hold for order in self.orders.values()), Decimal(0))

    @property
    def reserved_shares(self) -> Decimal:
        selling = (order for order in self.orders.values() if order.side == "SELL")
        return sum((order.remaining for order in selling), Decimal(0))

    def trade_now(self, side: str, shares: Decimal, price: Decimal) -> bool:
        """A market order that fills whole at one price; False when it cannot be paid."""
        notional = to_cents(shares * price)
        fee = fee_of(shares, price, self.rate)
        if side == "BUY":
            if self.cash < notional + fee:
                return False
            self.cash -= notional + fee
            self._gain(shares, price)
            return True
        if self.shares - self.reserved_shares < shares:
            return False
        self.cash += notional - fee
        self._lose(shares, price)
        return True

    def rest(self, number: int, side: str, shares: Decimal, price: Decimal) -> bool:
        """A limit order that does not cross."""
        hold = up_to_cents(shares * price) if side == "BUY" else Decimal(0)
        if side == "BUY" and self.cash < hold:
            return False
        if side == "SELL" and self.shares - self.reserved_shares < shares:
            return False
        self.cash -= hold
        self.orders[number] = OracleOrder(side, price, shares, hold)
        return True

    def fill(self, number: int, shares: Decimal) -> None:
        """A maker fill of part or all at the own limit."""
        order = self.orders[number]
        notional = to_cents(shares * order.price)
        order.remaining -= shares
        if order.side == "BUY":
            new_hold = up_to_cents(order.remaining * order.price)
            back = order.hold - new_hold - notional
            if back < 0 and self.cash < -back:
                back = Decimal(0)
            self.cash += back
            order.hold = new_hold
            self._gain(shares, order.price)
        else:
            self.cash += notional
            self._lose(shares, order.price)
        if not order.remaining:
            del self.orders[number]

    def cancel(self, number: int) -> None:
        self.cash += self.orders.pop(number).hold

    def reset(self, baseline: Decimal) -> None:
        self.orders.clear()
        self.cash = baseline
        self.shares = self.cost = Decimal(0)

    def _gain(self, shares: Decimal, price: Decimal) -> None:
        self.shares += shares
        self.cost += (shares * price).quantize(MICRO, ROUND_HALF_UP)

    def _lose(self, shares: Decimal, price: Decimal) -> None:
        part = (self.cost * shares / self.shares).quantize(MICRO, ROUND_HALF_UP)
        removed = self.cost if shares == self.shares else part
        self.realized += (shares * price).quantize(MICRO, ROUND_HALF_UP) - removed
        self.shares -= shares
        self.cost -= removed
