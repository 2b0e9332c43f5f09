"""Writing live books: both tokens, seq, depletion reset and frames in one script call."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from polysim.kernel.redis import get_redis
from trading.markets.books import keys, scripts
from trading.markets.books.codec import encode_quote, encode_token
from trading.markets.books.state import ABSENT, STATUS_ORDER, TokenBook, merge_pair
from trading.markets.pricing import Book


@dataclass(frozen=True, slots=True)
class MarketWrite:
    """A new state of one market.

    `renewed_levels` are the depletion keys that the venue updated; `is_fresh_snapshot` renews all
    of them (trading-api 7.3). `connection` names the venue connection that vouches for both books
    or is empty. `price_frame` is kept for the snapshots of new subscribers; `frames` are published
    to the market's channel after the state is in place. `merged` saves computing it again.
    """

    condition_id: str
    books: tuple[TokenBook | None, TokenBook | None]
    confirmed_at_ms: int
    connection: str = ""
    is_fresh_snapshot: bool = False
    renewed_levels: frozenset[str] = frozenset()
    price_frame: str = ""
    frames: tuple[str, ...] = ()
    merged: tuple[Book, Book] | None = None

    @property
    def status(self) -> str:
        """The worse of both tokens' states."""
        states = [book.status if book else ABSENT for book in self.books]
        return max(states, key=STATUS_ORDER.index)


def write_command(
    write: MarketWrite, *, owner_token: str, now_ms: int
) -> tuple[list[str], list[str | int]]:
    """(keys, arguments) of `scripts.WRITE_MARKET`."""
    renewed: Iterable[str] = () if write.is_fresh_snapshot else sorted(write.renewed_levels)
    fields = list(renewed)
    first, second = write.books
    arguments: list[str | int] = [
        owner_token,
        now_ms,
        encode_token(first) if first else "",
        encode_token(second) if second else "",
        encode_quote(write.books, write.status, write.merged or merge_pair(write.books)),
        write.confirmed_at_ms,
        write.connection,
        keys.BOOK_TTL_S,
        write.price_frame,
        -1 if write.is_fresh_snapshot else len(fields),
        *fields,
        keys.tick_channel(write.condition_id),
        *write.frames,
    ]
    names = [
        keys.book_key(write.condition_id),
        keys.taken_key(write.condition_id),
        keys.owner_key(),
    ]
    return names, arguments


def write_market(write: MarketWrite, *, now_ms: int | None = None) -> int:
    """Write a market outside the feed's process (seeds, tests) and answer its new seq.

    It takes no lease: while `stream_prices` runs, only that process writes books.
    """
    if now_ms is None:
        now_ms = time.time_ns() // 1_000_000
    names, arguments = write_command(write, owner_token="", now_ms=now_ms)
    return int(get_redis().register_script(scripts.WRITE_MARKET)(keys=names, args=arguments))
