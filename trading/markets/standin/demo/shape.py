"""What a book looks like around a fair price, and how it follows when the price moves.

Everything is counted in ticks of the market; the caller's generator is the only randomness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from trading.markets.standin.figures import SCALE
from trading.markets.standin.market import BUY, SELL, Change, Market

LEVELS_MIN: Final = 8
LEVELS_MAX: Final = 30
SHARES: Final = SCALE
CENT: Final = SCALE // 100
# So many ticks behind the top a book has hardly a hole for long.
DENSE_TICKS: Final = 10


@dataclass(slots=True)
class Shape:
    """`depth` is the usual size at the top in shares; `spread` the distance of the tops."""

    depth: float
    spread: int
    levels: int

    def targets(self, fair: float, tick: int) -> tuple[int, int]:
        """Best bid and best ask in ticks; 0 and the tick count of 1.00 mean no such side."""
        last = SCALE // tick
        middle = fair * last
        bid = math.floor(middle - self.spread / 2 + 0.5)
        bid = max(0, min(bid, last - 1))
        return bid, min(last, max(bid + self.spread, 1))

    def size(self, distance: int, tick: int, random: Random) -> int:
        """A size for a level so many ticks behind the top, scaled by 10**6."""
        far = min(distance * tick / CENT, 14.0)
        shares = self.depth * (0.45 + 0.22 * far) * math.exp(random.gauss(0.0, 0.6))
        if random.random() < 0.05:
            shares = round(shares * 5, -2)
        if random.random() < 0.55:
            return max(5, round(shares)) * SHARES
        return max(500, round(shares * 100)) * CENT


def fresh_book(
    shape: Shape, fair: float, tick: int, random: Random
) -> tuple[dict[int, int], dict[int, int]]:
    """A whole book around the fair price: bids and asks by scaled price."""
    last = SCALE // tick
    bid, ask = shape.targets(fair, tick)
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for book, start, step in ((bids, bid, -1), (asks, ask, 1)):
        place = start
        while 0 < place < last and len(book) < shape.levels:
            book[place * tick] = shape.size(abs(place - start), tick, random)
            place += step * _gap(len(book), tick, random)
    return bids, asks


def _gap(count: int, tick: int, random: Random) -> int:
    """Ticks to the next level: near the top every tick, further out with holes."""
    if tick >= CENT:
        return 1 if random.random() < 0.88 else 2
    return 1 if count < 4 else random.randint(1, 2 + count // 3)


def follow(market: Market, shape: Shape, fair: float, random: Random) -> list[Change]:
    """The level changes that bring the book to the fair price, or a little life if it is there.

    Levels that would cross go first, so that no state in between is crossed.
    """
    tick = market.tick
    bid, ask = shape.targets(fair, tick)
    removed: list[Change] = [(BUY, p, 0) for p in market.bids if p > bid * tick]
    removed += [(SELL, p, 0) for p in market.asks if p < ask * tick]
    added = _new_top(market, shape, BUY, bid, random)
    added += _new_top(market, shape, SELL, ask, random)
    if not removed and not added:
        return _flutter(market, shape, random)
    changes = removed + added
    return (
        changes
        + _trim(market, shape, BUY, bid, changes, random)
        + _trim(market, shape, SELL, ask, changes, random)
    )


def _new_top(market: Market, shape: Shape, side: str, top: int, random: Random) -> list[Change]:
    """Levels between the former best and the new one, the new best always."""
    tick, last = market.tick, SCALE // market.tick
    levels = market.bids if side == BUY else market.asks
    if not 0 < top < last:
        return []
    kept = [p for p in levels if (p <= top * tick if side == BUY else p >= top * tick)]
    former = (max(kept) if side == BUY else min(kept)) // tick if kept else None
    changes: list[Change] = []
    step = -1 if side == BUY else 1
    place = top
    while 0 < place < last and place != former and len(changes) < 8:
        if place == top or random.random() < 0.8:
            size = shape.size(abs(place - top), tick, random)
            changes.append((side, place * tick, size))
        place += step
    return changes


def _trim(
    market: Market, shape: Shape, side: str, top: int, changes: list[Change], random: Random
) -> list[Change]:
    """Keep the number of levels near the shape's: cut the far end, or grow it."""
    tick, last = market.tick, SCALE // market.tick
    levels = dict(market.bids if side == BUY else market.asks)
    levels |= {price: size for changed, price, size in changes if changed == side}
    prices = sorted((p for p, size in levels.items() if size), reverse=side == SELL)
    surplus = len(prices) - shape.levels
    if surplus > 0:
        return [(side, price, 0) for price in prices[:surplus]]
    if not prices or not surplus:
        return []
    step = -1 if side == BUY else 1
    place, added = prices[0] // tick, []
    for _count in range(min(-surplus, 4)):
        place += step * _gap(len(prices), tick, random)
        if not 0 < place < last:
            break
        added.append((side, place * tick, shape.size(abs(place - top), tick, random)))
    return added


def _flutter(market: Market, shape: Shape, random: Random) -> list[Change]:
    """One or two orders come, grow or go while the price stands still."""
    changes: list[Change] = []
    for _count in range(1 if random.random() < 0.7 else 2):
        side = BUY if random.random() < 0.5 else SELL
        levels = market.bids if side == BUY else market.asks
        if not levels:
            continue
        prices = sorted(levels, reverse=side == BUY)
        hole = _nearest_hole(prices, side, market.tick)
        if hole is not None and random.random() < 0.6:
            distance = abs(hole - prices[0]) // market.tick
            changes.append((side, hole, shape.size(distance, market.tick, random)))
            continue
        rank = min(int(random.expovariate(0.3)), len(prices) - 1)
        if rank and len(prices) > LEVELS_MIN and random.random() < 0.12:
            changes.append((side, prices[rank], 0))
        else:
            size = shape.size(abs(prices[rank] - prices[0]) // market.tick, market.tick, random)
            changes.append((side, prices[rank], size))
    return list({(side, price): (side, price, size) for side, price, size in changes}.values())


def _nearest_hole(prices: list[int], side: str, tick: int) -> int | None:
    """The best price near the top without an order: where the next one will be put."""
    step = -tick if side == BUY else tick
    taken = set(prices[:DENSE_TICKS])
    for distance in range(1, min(DENSE_TICKS, len(prices))):
        price = prices[0] + distance * step
        if 0 < price < SCALE and price not in taken:
            return price
    return None
