"""The matcher's memory: open orders of all buildings by market. Rebuilt from the database.

Pure. The database decides every fill; a stale entry here costs a refused statement, nothing more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A resting order as the matcher needs it. Price and shares are scaled by 10**6.

    `expires_ms` is its own end (GTD), `clears_ms` when the venue empties the market's book.
    """

    schema: str
    order_id: int
    user_id: int
    market_id: int
    condition_id: str
    outcome_index: int
    outcome_label: str
    side: str
    price: int
    remaining: int
    created_ms: int
    expires_ms: int | None
    clears_ms: int | None
    fee_rate: int
    fee_exponent: int

    @property
    def identity(self) -> tuple[str, int]:
        """Unique over all buildings."""
        return self.schema, self.order_id

    def is_due(self, now_ms: int) -> bool:
        """Whether a GTD order's time has come."""
        return self.expires_ms is not None and self.expires_ms <= now_ms


class OrderIndex:
    """Open orders by market; `identity` finds one, `condition_id` those of a market."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, int], OpenOrder] = {}
        self._by_market: dict[str, set[tuple[str, int]]] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[OpenOrder]:
        return iter(list(self._orders.values()))

    def put(self, order: OpenOrder) -> None:
        """Add the order, or take its newer state."""
        self._orders[order.identity] = order
        self._by_market.setdefault(order.condition_id, set()).add(order.identity)

    def drop(self, identity: tuple[str, int]) -> None:
        """Forget an order; unknown ones are fine."""
        order = self._orders.pop(identity, None)
        if order is None:
            return
        remaining = self._by_market[order.condition_id]
        remaining.discard(identity)
        if not remaining:
            del self._by_market[order.condition_id]

    def reduce(self, identity: tuple[str, int], quantity: int) -> None:
        """Take filled shares off; a whole fill drops the order."""
        order = self._orders.get(identity)
        if order is None:
            return
        if order.remaining <= quantity:
            self.drop(identity)
        else:
            self._orders[identity] = replace(order, remaining=order.remaining - quantity)

    def of_market(self, condition_id: str) -> list[OpenOrder]:
        """Open orders of one market, in no order."""
        return [self._orders[identity] for identity in self._by_market.get(condition_id, ())]

    def condition_ids(self) -> set[str]:
        """Markets that have open orders."""
        return set(self._by_market)

    def due(self, now_ms: int) -> list[OpenOrder]:
        """GTD orders whose time has come."""
        return [order for order in self._orders.values() if order.is_due(now_ms)]

    def cleared(self, now_ms: int) -> list[OpenOrder]:
        """Orders of markets whose book the venue has emptied since they were placed."""
        return [
            order
            for order in self._orders.values()
            if order.clears_ms is not None and order.clears_ms <= now_ms
        ]

    def replace_building(self, schema: str, orders: Iterable[OpenOrder]) -> None:
        """Make one building's part equal to what the database says."""
        fresh = {order.identity: order for order in orders}
        for identity in [known for known in self._orders if known[0] == schema]:
            if identity not in fresh:
                self.drop(identity)
        for order in fresh.values():
            self.put(order)
