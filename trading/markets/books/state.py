"""What a reader of the live books gets: frozen values, prices and shares scaled by 10**6."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from trading.markets.pricing import Book, displayed_price, merge_complement

SCALE = 1_000_000

LIVE = "live"
SYNCING = "syncing"
STALE = "stale"
ABSENT = "absent"
# A market is as good as the worse of its two books.
STATUS_ORDER = (LIVE, SYNCING, STALE, ABSENT)

# The owner writes its heartbeat every second; its lease lasts this long (polymarket-feed 5.4).
OWNER_LEASE_S = 15


@dataclass(frozen=True, slots=True)
class TokenBook:
    """One token's book as the venue has it. `venue_ms` is the venue's own unix time in ms."""

    token_id: str
    book: Book
    status: str = LIVE
    venue_ms: int = 0
    venue_hash: str = ""
    tick: int = 10_000
    minimum_size: int = 5 * SCALE
    last_trade: int | None = None
    last_trade_side: str | None = None
    last_trade_size: int | None = None
    last_trade_ms: int = 0


@dataclass(frozen=True, slots=True)
class FeedState:
    """The feed as a whole. All times are unix milliseconds, 0 = never."""

    mode: str = "off"
    label: str = ""
    is_halted: bool = False
    halted_since_ms: int = 0
    is_lagging: bool = False
    last_data_ms: int = 0
    heartbeat_ms: int = 0
    lag_ms: int = 0
    connections: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)

    def is_running(self, now_ms: int) -> bool:
        """Whether the owner of the feed has shown a sign of life within its lease."""
        return now_ms - self.heartbeat_ms <= OWNER_LEASE_S * 1000


@dataclass(frozen=True)
class LiveMarket:
    """Both books of a market, what simulated fills took from them, and how fresh they are.

    `seq` names this state of the books: `take_depth` succeeds only while it is the current one.
    """

    condition_id: str
    seq: int
    books: tuple[TokenBook | None, TokenBook | None]
    taken: Mapping[str, int]
    confirmed_at_ms: int
    feed: FeedState

    @property
    def status(self) -> str:
        """The worse of both tokens' states; `absent` when a book is missing."""
        states = [book.status if book else ABSENT for book in self.books]
        return max(states, key=STATUS_ORDER.index)

    @property
    def is_live(self) -> bool:
        """Whether orders may fill against it: both books are in sync (polymarket-feed 5.1)."""
        return self.status == LIVE

    def age_ms(self, now_ms: int) -> int:
        """Milliseconds since the feed last confirmed these books (trading-api 7.4)."""
        return max(0, now_ms - self.confirmed_at_ms)

    @cached_property
    def _merged(self) -> tuple[Book, Book]:
        return merge_pair(self.books)

    def merged_book(self, outcome_index: int) -> Book:
        """The book of the outcome joined with its complement (trading-api 7.1), undepleted."""
        return self._merged[outcome_index]

    def last_trade(self, outcome_index: int) -> int | None:
        """The market's newest trade, seen from this outcome."""
        return last_trade_of(self.books, outcome_index)

    def displayed(self, outcome_index: int, settlement: int | None = None) -> int | None:
        """Displayed price and mark (contracts/README 15)."""
        return displayed_price(
            self.merged_book(outcome_index), self.last_trade(outcome_index), settlement
        )

    def level_sizes(self) -> dict[str, int]:
        """Depletion key -> size of that level in the merged book, in outcome 0's coordinates."""
        first = self.merged_book(0)
        sizes = {f"a:{price}": size for price, size in first.asks}
        sizes.update({f"b:{price}": size for price, size in first.bids})
        return sizes


@dataclass(frozen=True, slots=True)
class Quote:
    """The short form for lists: prices per outcome, merged top of outcome 0."""

    condition_id: str
    prices: tuple[int | None, int | None]
    best_bid: int | None
    best_ask: int | None
    last_trade: int | None
    last_trade_side: str | None
    status: str
    seq: int
    confirmed_at_ms: int

    def age_ms(self, now_ms: int) -> int:
        """Milliseconds since the feed last confirmed it."""
        return max(0, now_ms - self.confirmed_at_ms)

    def top(self, outcome_index: int) -> tuple[int | None, int | None]:
        """(best bid, best ask) of an outcome; outcome 1 mirrors outcome 0."""
        if outcome_index == 0:
            return self.best_bid, self.best_ask
        return _mirror(self.best_ask), _mirror(self.best_bid)


@dataclass(frozen=True, slots=True)
class Mark:
    """A price to value a position with, and when the feed last confirmed it."""

    price: int
    at_ms: int

    def age_ms(self, now_ms: int) -> int:
        """Milliseconds since the feed last confirmed it."""
        return max(0, now_ms - self.at_ms)


def merge_pair(books: tuple[TokenBook | None, TokenBook | None]) -> tuple[Book, Book]:
    """Both outcomes' books joined with their complement; the second mirrors the first."""
    own, other = (token.book if token else None for token in books)
    first = merge_complement(own or Book(), other)
    return first, mirror_book(first)


def mirror_book(book: Book) -> Book:
    """The same resting orders seen from the other outcome: a bid at p is an ask at 1 - p."""
    return Book(
        bids=tuple([(SCALE - price, size) for price, size in book.asks]),
        asks=tuple([(SCALE - price, size) for price, size in book.bids]),
    )


def _mirror(price: int | None) -> int | None:
    return None if price is None else SCALE - price


def newest_trade(
    books: tuple[TokenBook | None, TokenBook | None],
) -> tuple[int, TokenBook] | None:
    """(outcome index, book) whose last trade is the market's newest; ties go to outcome 0."""
    traded = [
        (index, book)
        for index, book in enumerate(books)
        if book is not None and book.last_trade is not None
    ]
    return max(traded, key=lambda pair: (pair[1].last_trade_ms, -pair[0]), default=None)


def last_trade_of(
    books: tuple[TokenBook | None, TokenBook | None], outcome_index: int
) -> int | None:
    """One trade for both outcomes, so that their displayed prices always add up to 1."""
    newest = newest_trade(books)
    if newest is None or newest[1].last_trade is None:
        return None
    index, book = newest
    return book.last_trade if index == outcome_index else _mirror(book.last_trade)
