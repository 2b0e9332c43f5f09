"""Prices of a simulated world: places on a board where one market after another plays.

A made-up market is a count of coin tosses: Yes wins when enough heads come up. Its price is the
exact chance of that, given the tosses seen so far, so nobody can earn by waiting; news reveals
many tosses at once, and towards the end single ones move the price a lot. A recorded market plays
the quotes as they were. Prices are scaled by 10**6, a step is an hour.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import comb
from random import Random

import numpy as np
import numpy.typing as npt

from polysim.kernel.money import SCALE, divide_half_up
from trading.markets.pricing import Book, Levels

Column = npt.NDArray[np.int64]

STEP_SECONDS = 3_600
STEPS_PER_DAY = 24
# Places on the board; two neighbours belong to one event.
PLACES = 240
LEVELS = 5
TICK = 10_000
FINE_TICK = 1_000
# Prices this near to 0 or 1 are quoted on the fine tick, as the venue does.
FINE_BELOW = 40_000
# Taker fees of made-up markets in millionths: crypto, other, politics, sports, geopolitics.
FEE_RATES = (70_000, 50_000, 40_000, 40_000, 30_000, 30_000, 0)
_SHARES_AT_BEST = (300, 800, 800, 2_000, 6_000)
_WIDTHS = (1, 1, 1, 2, 2, 3)
_TOSSES = (40, 320)
# Tosses that a quiet hour reveals, and one hour in so many has news.
_QUIET = (0, 0, 0, 1, 1, 1, 1, 2, 2, 2)
_NEWS_EVERY = 40
_NEWS = (6, 24)


@dataclass(frozen=True, slots=True)
class Recording:
    """Hourly (bid, ask) of one market's first outcome; `payout` a share, None: unknown."""

    name: str
    quotes: tuple[tuple[int, int], ...]
    payout: int | None
    fee_rate: int


@dataclass(frozen=True, slots=True)
class Play:
    """One market at one place: its hourly quotes, depth at the best price, and result."""

    quotes: tuple[tuple[int, int, int], ...]
    payout: int
    fee_rate: int


@dataclass(frozen=True, slots=True)
class World:
    """All quotes of a run, by place and step. `endings[step]` are paid before the step's quotes.

    `begins` and `ends` are the first step of the market playing at a place, and of the next one.
    """

    bid: Column
    ask: Column
    depth: Column
    begins: Column
    ends: Column
    fee_rate: Column
    endings: dict[int, list[tuple[int, int]]] = field(repr=False)
    markets: int

    @property
    def steps(self) -> int:
        """How many hours there are."""
        return int(self.bid.shape[1])

    @property
    def places(self) -> int:
        """How many markets play at once."""
        return int(self.bid.shape[0])

    def marks(self, step: int) -> Column:
        """The displayed price of every token: outcome 0 and 1 of place 0, of place 1 ..."""
        both = self.bid[:, step] + self.ask[:, step]
        marks = np.empty(2 * self.places, dtype=np.int64)
        marks[0::2] = (both + 1) // 2
        marks[1::2] = (2 * SCALE - both + 1) // 2
        return marks

    def mark(self, token: int, step: int) -> int:
        """The displayed price of one token."""
        place = token >> 1
        both = int(self.bid[place, step]) + int(self.ask[place, step])
        return (2 * SCALE - both + 1) // 2 if token & 1 else (both + 1) // 2

    def book(self, token: int, step: int) -> Book:
        """The order book of a token: five levels a side, deeper away from the best price."""
        place = token >> 1
        bid, ask = int(self.bid[place, step]), int(self.ask[place, step])
        depth = int(self.depth[place, step])
        if token & 1:
            bid, ask = SCALE - ask, SCALE - bid
        return Book(bids=_levels(bid, -1, depth), asks=_levels(ask, 1, depth))


def _levels(best: int, direction: int, depth: int) -> Levels:
    levels = []
    price = best
    for level in range(1, LEVELS + 1):
        if not 0 < price < SCALE:
            break
        levels.append((price, depth * level))
        price += direction * tick_at(price)
    return tuple(levels)


def tick_at(price: int) -> int:
    """The tick of a price: fine near 0 and 1."""
    return FINE_TICK if min(price, SCALE - price) < FINE_BELOW else TICK


@cache
def chances(tosses: int) -> tuple[int, ...]:
    """chances(n)[h]: the chance of at least h heads in n tosses, in millionths, half up."""
    whole = 1 << tosses
    tail, row = 0, []
    for heads in range(tosses, -1, -1):
        tail += comb(tosses, heads)
        row.append(divide_half_up(tail * SCALE, whole))
    return tuple(reversed(row))


def chance_of(tosses: int, heads: int) -> int:
    """The chance that `heads` more come up in `tosses`."""
    if heads <= 0:
        return SCALE
    return chances(tosses)[heads] if heads <= tosses else 0


def make_play(chance: Random) -> Play:
    """One made-up market from its first quote until its result is certain."""
    tosses = chance.randrange(*_TOSSES)
    wanted = chance.randrange(120_000, 880_000)
    # The row falls with the number of heads; bisect wants it rising.
    heads = bisect_left([-value for value in chances(tosses)], -wanted)
    shares = chance.choice(_SHARES_AT_BEST) * SCALE * chance.randrange(50, 150) // 100
    width = chance.choice(_WIDTHS)
    quotes = []
    while 0 < heads <= tosses:
        bid, ask = _quote(chance_of(tosses, heads), width)
        quotes.append((bid, ask, shares))
        is_news = not chance.randrange(_NEWS_EVERY)
        seen = chance.randrange(*_NEWS) if is_news else chance.choice(_QUIET)
        seen = min(seen, tosses)
        heads -= chance.getrandbits(seen).bit_count() if seen else 0
        tosses -= seen
    return Play(tuple(quotes), SCALE if heads <= 0 else 0, chance.choice(FEE_RATES))


def _quote(price: int, width: int) -> tuple[int, int]:
    """Bid and ask around a chance, `width` ticks apart, inside the open interval."""
    tick = tick_at(price)
    bid = (2 * price - width * tick) // (2 * tick) * tick
    bid = max(tick, min(bid, SCALE - tick * (width + 1)))
    return bid, bid + width * tick


def demo_world(*, seed: int, steps: int, places: int = PLACES) -> World:
    """Made-up markets at every place for so many hours."""

    def plays(chance: Random) -> Iterator[Play]:
        while True:
            yield make_play(chance)

    return _lay_out([plays(Random(f"{seed}:demo:{place}")) for place in range(places)], steps=steps)


def recorded_world(
    recordings: Sequence[Recording], *, seed: int, steps: int, places: int = PLACES
) -> World:
    """Recorded markets, drawn again and again in an order of the seed's, half of them mirrored.

    A market whose result is not known pays its last price. The first at each place is joined
    somewhere in its middle, so that not all end together. Raises ValueError without recordings.
    """
    if not recordings:
        raise ValueError("There are no recorded prices to play")

    def plays(chance: Random) -> Iterator[Play]:
        skipped = chance.randrange(10**6)
        while True:
            recording = recordings[chance.randrange(len(recordings))]
            play = _replayed(recording, chance)
            start = skipped % max(1, len(play.quotes) - 1)
            yield Play(play.quotes[start:], play.payout, play.fee_rate)
            skipped = 0

    return _lay_out(
        [plays(Random(f"{seed}:recorded:{place}")) for place in range(places)], steps=steps
    )


def _replayed(recording: Recording, chance: Random) -> Play:
    shares = chance.choice(_SHARES_AT_BEST) * SCALE
    last_bid, last_ask = recording.quotes[-1]
    payout = recording.payout
    if payout is None:
        payout = (last_bid + last_ask + 1) // 2
    if chance.getrandbits(1):
        quotes = tuple((SCALE - ask, SCALE - bid, shares) for bid, ask in recording.quotes)
        return Play(quotes, SCALE - payout, recording.fee_rate)
    quotes = tuple((bid, ask, shares) for bid, ask in recording.quotes)
    return Play(quotes, payout, recording.fee_rate)


def _lay_out(sources: Sequence[Iterator[Play]], *, steps: int) -> World:
    shape = (len(sources), steps)
    bid, ask, depth, begins, ends, fees = (np.zeros(shape, dtype=np.int64) for _ in range(6))
    endings: dict[int, list[tuple[int, int]]] = {}
    markets = 0
    for place, plays in enumerate(sources):
        step = 0
        while step < steps:
            play = next(plays)
            markets += 1
            end = step + len(play.quotes)
            shown = slice(step, min(end, steps))
            rows = np.array(play.quotes, dtype=np.int64)[: shown.stop - step]
            bid[place, shown], ask[place, shown], depth[place, shown] = rows.T
            begins[place, shown], ends[place, shown] = step, end
            fees[place, shown] = play.fee_rate
            endings.setdefault(end, []).append((place, play.payout))
            step = end
    return World(bid, ask, depth, begins, ends, fees, endings, markets)
