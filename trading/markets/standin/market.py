"""Events and markets as the stand-in venue keeps them: identity, state of life and one order book.

The book is kept once, in prices of the first outcome; the second outcome's book is its mirror
(polymarket-feed 4.4), so the two can never disagree. Times are unix milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from trading.markets.standin.figures import SCALE

BUY: Final = "BUY"
SELL: Final = "SELL"
TAPE_LENGTH: Final = 100

Levels = list[tuple[int, int]]
#: (side, price, new total size) in prices of the first outcome; BUY names the bids.
Change = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Fees:
    """What takers pay: `rate` x (p x (1 - p)) ** `exponent` per share."""

    rate: float
    exponent: int = 1
    rebate: float = 0.25


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade of a token, in that token's own price."""

    outcome_index: int
    price: int
    size: int
    side: str
    timestamp_ms: int
    transaction_hash: str


@dataclass(slots=True, eq=False)
class Market:
    """One binary question. `describe` makes the Gamma row without the fields that move."""

    condition_id: str
    gamma_id: str
    slug: str
    question: str
    token_ids: tuple[str, str]
    outcomes: tuple[str, str]
    tick: int
    describe: Callable[[Market], dict[str, Any]]
    event: Event | None = None
    min_size: int = 5 * SCALE
    is_neg_risk: bool = False
    fees: Fees | None = None
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    timestamp_ms: int = 0
    last_prices: tuple[int, int] | None = None
    last_side: str = BUY
    starts_ms: int = 0
    ends_ms: int | None = None
    is_accepting: bool = True
    closed_ms: int | None = None
    payouts: tuple[str, str] | None = None
    uma_status: str = ""
    volume_24h: float = 0.0
    volume_total: float = 0.0
    liquidity: float = 0.0
    #: The first outcome's price at a unix millisecond, for the price history.
    price_at: Callable[[int], float | None] | None = None
    tape: deque[Print] = field(default_factory=lambda: deque(maxlen=TAPE_LENGTH))
    #: A hook holds the book as it is: the simulation and the recording leave it alone.
    is_held: bool = False
    #: `describe` answers a whole recorded row, so only what moved since stands above it.
    is_recorded: bool = False

    @property
    def is_closed(self) -> bool:
        return self.closed_ms is not None

    @property
    def has_book(self) -> bool:
        """Whether the order book exists at all; a closed market has none."""
        return not self.is_closed and (bool(self.bids or self.asks) or self.timestamp_ms > 0)

    def levels(self, outcome_index: int) -> tuple[Levels, Levels]:
        """Bids and asks of one outcome, WORST FIRST as the venue writes them (3.1)."""
        bids, asks = sorted(self.bids.items()), sorted(self.asks.items(), reverse=True)
        if outcome_index == 0:
            return bids, asks
        return _mirror(asks), _mirror(bids)

    def top(self, outcome_index: int) -> tuple[int | None, int | None]:
        """Best bid and best ask of one outcome; None where that side is empty."""
        bid = max(self.bids) if self.bids else None
        ask = min(self.asks) if self.asks else None
        if outcome_index == 0:
            return bid, ask
        return _complement(ask), _complement(bid)

    def apply(self, changes: list[Change]) -> None:
        """Set or remove (size 0) levels of the first outcome's book."""
        for side, price, size in changes:
            levels = self.bids if side == BUY else self.asks
            if size:
                levels[price] = size
            else:
                levels.pop(price, None)

    def index_of(self, token_id: str) -> int:
        """0 or 1; raises ValueError for a token of another market."""
        return self.token_ids.index(token_id)

    def middle(self) -> int | None:
        """The first outcome's midpoint, or its one side, or its last trade."""
        bid, ask = self.top(0)
        if bid is not None and ask is not None:
            return (bid + ask) // 2
        if self.last_prices is not None:
            return self.last_prices[0]
        return bid if bid is not None else ask


def _mirror(levels: Levels) -> Levels:
    return [(SCALE - price, size) for price, size in levels]


def _complement(price: int | None) -> int | None:
    return None if price is None else SCALE - price


def mirrored(changes: list[Change]) -> list[Change]:
    """The same changes seen from the other outcome: a bid becomes an ask at 1 - p."""
    return [(SELL if side == BUY else BUY, SCALE - price, size) for side, price, size in changes]


@dataclass(slots=True, eq=False)
class Event:
    """A group of markets. `describe` makes the Gamma row without markets and moving fields."""

    gamma_id: str
    slug: str
    title: str
    describe: Callable[[Event], dict[str, Any]]
    tags: tuple[tuple[str, str, str], ...] = ()
    markets: list[Market] = field(default_factory=list)
    starts_ms: int = 0
    ends_ms: int | None = None
    is_featured: bool = False
    series_slug: str = ""

    @property
    def is_closed(self) -> bool:
        return bool(self.markets) and all(market.is_closed for market in self.markets)

    @property
    def volume_24h(self) -> float:
        return sum(market.volume_24h for market in self.markets)

    @property
    def volume_total(self) -> float:
        return sum(market.volume_total for market in self.markets)

    @property
    def liquidity(self) -> float:
        return sum(market.liquidity for market in self.markets)

    def tag_names(self) -> Iterator[str]:
        """Slugs and ids of the tags, for filters."""
        for identifier, _label, slug in self.tags:
            yield identifier
            yield slug
