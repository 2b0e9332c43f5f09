"""The moment and the market that an order meets: the live ones, or those of a test clock.

An account on a test clock trades at the clock's time. Where the clock has a price for a market,
any quantity trades at exactly that price; elsewhere its orders meet the live book, whose times are
moved into the clock's, so that fresh stays fresh (partner-api B5).
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import SCALE
from trading.markets.books import FeedState, LiveMarket, TokenBook, give_back_depth, take_depth
from trading.markets.pricing import Book
from trading.selectors.clocks import AccountClock, find_clocks
from trading.services.market_terms import MarketTerms, get_market_terms
from trading.services.order_matching import read_fresh_market
from trading.services.refusals import ClockAdvancing

logger = logging.getLogger(__name__)

SCRIPTED = "scripted"
# More shares than any order asks for.
SCRIPTED_SHARES = 1_000_000_000 * SCALE


class Prices:
    """The live markets at `at`."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def read(self, condition_id: str) -> LiveMarket:
        """Both books of a market; raises ServiceUnavailable when Valkey does not answer."""
        return read_fresh_market(condition_id, now=self.at)

    def take(self, live: LiveMarket, takes: Mapping[str, int]) -> bool:
        """Take depth for a fill; False when another order was faster."""
        return take_depth(live, takes)

    def give_back(self, live: LiveMarket, takes: Mapping[str, int]) -> None:
        """Return depth that was taken for nothing."""
        try:
            give_back_depth(live.condition_id, takes)
        except ServiceUnavailable:
            logger.warning("Depth of %s stays taken until its next update.", live.condition_id)


class ClockPrices(Prices):
    """The markets as an account on a test clock meets them; `now` is the real moment."""

    def __init__(self, clock: AccountClock, now: datetime) -> None:
        super().__init__(clock.at)
        self._clock = clock
        self._now = now

    def read(self, condition_id: str) -> LiveMarket:
        scripted = self.read_scripted(condition_id)
        if scripted is not None:
            return scripted
        live = read_fresh_market(condition_id, now=self._now)
        return _moved(live, to_milliseconds(self.at) - to_milliseconds(self._now))

    def read_scripted(self, condition_id: str) -> LiveMarket | None:
        """The market at the clock's price, or None where the clock has none for it."""
        terms = get_market_terms(condition_id)
        if terms is None:
            return None
        price = self._clock.scaled_price(terms.outcomes[0].token_id)
        return None if price is None else _scripted(terms, price, to_milliseconds(self.at))

    def take(self, live: LiveMarket, takes: Mapping[str, int]) -> bool:
        """A scripted price has no depth to use up."""
        return is_scripted(live) or super().take(live, takes)

    def give_back(self, live: LiveMarket, takes: Mapping[str, int]) -> None:
        if not is_scripted(live):
            super().give_back(live, takes)


def find_prices(*, wallet_id: int | None, now: datetime) -> Prices:
    """What an account's order would meet now, advancing clocks included: for previews."""
    clock = None if wallet_id is None else find_clocks(wallet_ids=[wallet_id]).get(wallet_id)
    return Prices(now) if clock is None else ClockPrices(clock, now)


@contextmanager
def hold_prices(
    *, wallet_id: int | None, now: datetime, is_system: bool = False
) -> Iterator[Prices]:
    """What an account's order meets; its clock does not move before the block ends.

    Raises ClockAdvancing, but not for Polysim's own orders (`is_system`).
    """
    if wallet_id is None or not find_clocks(wallet_ids=[wallet_id]):
        yield Prices(now)
        return
    with transaction.atomic():
        clock = find_clocks(wallet_ids=[wallet_id], is_locked=True)[wallet_id]
        if clock.is_advancing and not is_system:
            raise ClockAdvancing()
        yield ClockPrices(clock, now)


def _scripted(terms: MarketTerms, price: int, at_ms: int) -> LiveMarket:
    """A market in which everything trades at one price of its first outcome."""
    level = ((price, SCRIPTED_SHARES),)
    first = TokenBook(
        token_id=terms.outcomes[0].token_id,
        book=Book(bids=level, asks=level),
        venue_ms=at_ms,
        tick=terms.tick,
    )
    second = TokenBook(
        token_id=terms.outcomes[1].token_id, book=Book(), venue_ms=at_ms, tick=terms.tick
    )
    return LiveMarket(
        condition_id=terms.condition_id,
        seq=0,
        books=(first, second),
        taken={},
        confirmed_at_ms=at_ms,
        feed=FeedState(mode=SCRIPTED, last_data_ms=at_ms, heartbeat_ms=at_ms),
    )


def is_scripted(live: LiveMarket) -> bool:
    """Whether these are a clock's prices: there is no depth to take or to give back."""
    return live.feed.mode == SCRIPTED


def _moved(live: LiveMarket, by_ms: int) -> LiveMarket:
    """The same books with every time that is set moved by `by_ms`."""

    def moved(at_ms: int) -> int:
        return at_ms + by_ms if at_ms else 0

    feed = replace(
        live.feed,
        last_data_ms=moved(live.feed.last_data_ms),
        heartbeat_ms=moved(live.feed.heartbeat_ms),
    )
    return replace(live, confirmed_at_ms=moved(live.confirmed_at_ms), feed=feed)
