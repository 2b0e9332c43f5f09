"""Prices from order books: merging with the complement, midpoint, spread, displayed price.

Pure integers: prices and sizes are scaled by 10**6 (0.65 is 650_000). Levels are best first.
Contracts: trading-api 7.1, contracts/README 15.
"""

from dataclasses import dataclass

SCALE = 1_000_000

# A wider book says little about the price: the last trade is shown instead (contracts/README 15).
SPREAD_SHOWN_BY_MIDPOINT_MAX = 100_000

Levels = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Book:
    """Resting orders of one outcome: (price, size) pairs, best price first on both sides."""

    bids: Levels = ()
    asks: Levels = ()

    @property
    def best_bid(self) -> int | None:
        """The highest price somebody pays."""
        return self.bids[0][0] if self.bids else None

    @property
    def best_ask(self) -> int | None:
        """The lowest price somebody sells at."""
        return self.asks[0][0] if self.asks else None


def merge_complement(own: Book, complement: Book | None) -> Book:
    """The outcome's book with its complement's mirrored in, the larger size per price winning.

    A complement bid at b is an ask at 1 - b. The venue mirrors both books, so summing would count
    the same liquidity twice (trading-api 7.1).
    """
    if complement is None or not (complement.bids or complement.asks):
        return own
    bids = _merge_levels(own.bids, complement.asks)
    asks = _merge_levels(own.asks, complement.bids)
    return Book(
        bids=tuple(sorted(bids.items(), reverse=True)),
        asks=tuple(sorted(asks.items())),
    )


def _merge_levels(own: Levels, mirrored: Levels) -> dict[int, int]:
    sizes = dict(own)
    for price, size in mirrored:
        mirror = SCALE - price
        if size > sizes.get(mirror, 0):
            sizes[mirror] = size
    return sizes


def spread(book: Book) -> int | None:
    """Best ask less best bid; None when a side is missing."""
    if not book.bids or not book.asks:
        return None
    return book.asks[0][0] - book.bids[0][0]


def midpoint(book: Book) -> int | None:
    """Half way between the best prices, rounded half up; None when a side is missing."""
    if not book.bids or not book.asks:
        return None
    return (book.bids[0][0] + book.asks[0][0] + 1) // 2


def displayed_price(
    book: Book, last_trade: int | None, settlement: int | None = None
) -> int | None:
    """The price shown and used as mark everywhere (contracts/README 15).

    `book` is the merged one. Once resolved the settlement value; else the midpoint; the last trade
    where the spread is over 0.10 or a side is missing. Without a trade a wide book still shows its
    midpoint; a one-sided book shows nothing.
    """
    if settlement is not None:
        return settlement
    middle = midpoint(book)
    width = spread(book)
    if middle is not None and width is not None and width <= SPREAD_SHOWN_BY_MIDPOINT_MAX:
        return middle
    return last_trade if last_trade is not None else middle
