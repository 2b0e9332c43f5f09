"""Random orders against random books, from a seed; the same case for the engine and its oracle."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from trading.engine.book import depletion_key, executable_book
from trading.engine.matching import MatchRequest
from trading.markets.pricing import SCALE, Book, displayed_price, merge_complement

from . import oracle

TICKS = (10_000, 10_000, 1_000, 2_500, 100)
RATES = (70_000, 50_000, 40_000, 30_000, 0, 250_000, 17_500)


@dataclass(frozen=True, slots=True)
class Case:
    """One order as the engine reads it, and as the oracle does."""

    request: MatchRequest
    plain: dict[str, Any]


def decimal(scaled: int) -> Decimal:
    return Decimal(scaled) / SCALE


def as_side(levels: tuple[tuple[int, int], ...]) -> oracle.Side:
    return {decimal(price): decimal(size) for price, size in levels}


def random_size(random: Random) -> int:
    """Mostly venue-like sizes, some finer than the share quantum, some a mere crumb."""
    grain = random.choice((1_000_000, 10_000, 10_000, 100, 1))
    most = random.choice((50, 5_000_000, 60_000_000, 900_000_000))
    return max(1, random.randint(1, most) // grain * grain)


def random_book(random: Random, tick: int) -> Book:
    """An uncrossed book around a random middle; sides may be short or empty."""
    middle = random.randrange(2, SCALE // tick - 1)
    ask_prices = range(middle + random.choice((1, 1, 1, 2, 5)), SCALE // tick)
    bid_prices = range(middle, 0, -1)
    sides = []
    for prices in (bid_prices, ask_prices):
        near = list(prices)[:60]
        count = random.choice((0, 1, 2, 3, 5, 8, 20, 50))
        chosen = sorted(random.sample(near, min(count, len(near))), key=near.index)
        sides.append(tuple((price * tick, random_size(random)) for price in chosen))
    return Book(bids=sides[0], asks=sides[1])


def _random_depletion(random: Random, merged: Book, outcome_index: int) -> dict[str, int]:
    taken: dict[str, int] = {}
    for side, levels in (("b", merged.bids), ("a", merged.asks)):
        for price, size in levels:
            if random.random() < 0.2:
                part = random.choice((size, size // 2, size + 1, random.randint(1, size)))
                taken[depletion_key(outcome_index, side, price)] = part
    return taken


def _random_quantity(random: Random, depth: int) -> int:
    """Around what the book has, often just at the edge of the one share that a FOK absorbs."""
    edges = (depth, depth + SCALE, depth + SCALE + 100, depth + SCALE - 100, depth // 2, depth * 2)
    wanted = random.choice((*edges, random_size(random), 5 * SCALE))
    return max(100, wanted // 100 * 100)


def random_case(random: Random) -> Case:
    """One order of any kind against a merged and partly taken book."""
    tick = random.choice(TICKS)
    own = random_book(random, tick)
    complement = random_book(random, tick) if random.random() < 0.3 else None
    if random.random() < 0.3:
        complement = Book(
            bids=tuple((SCALE - price, random_size(random)) for price, _ in own.asks),
            asks=tuple((SCALE - price, random_size(random)) for price, _ in own.bids),
        )
    merged = merge_complement(own, complement)
    outcome_index = random.randrange(2)
    taken = _random_depletion(random, merged, outcome_index) if random.random() < 0.5 else {}
    executable = executable_book(merged, taken, outcome_index)
    request = _random_request(random, tick, merged, executable)
    return Case(request, _plain(request, own, complement, taken, outcome_index))


def _random_request(random: Random, tick: int, merged: Book, executable: Book) -> MatchRequest:
    side = random.choice(("BUY", "SELL"))
    kind = random.choice(("market", "market", "limit"))
    immediate = ("FOK", "FOK", "IOC", "FAK")
    time_in_force = random.choice(immediate if kind == "market" else (*immediate, "GTC", "GTD"))
    levels = executable.asks if side == "BUY" else executable.bids
    near = [price for price, _ in levels]
    prices = (*near, tick, SCALE - tick, random.randrange(1, SCALE // tick) * tick)
    price = random.choice(prices)
    depth = sum(
        size for level, size in levels if (level <= price if side == "BUY" else level >= price)
    )
    amount = None
    if kind == "market" and side == "BUY" and random.random() < 0.4:
        spendable = sum(level * size for level, size in levels) // SCALE
        amount = random.choice((spendable, spendable // 2, spendable + SCALE, 10 * SCALE, 10_000))
        amount = max(10_000, amount // 10_000 * 10_000)
    last_trade = random.choice((None, random.randrange(1, SCALE // tick) * tick))
    displayed = random.choice((displayed_price(merged, last_trade), price, None, 0))
    return MatchRequest(
        side=side,
        kind=kind,
        time_in_force=time_in_force,
        price=price,
        book=executable,
        quantity=_random_quantity(random, depth) if amount is None else None,
        amount=amount,
        is_post_only=time_in_force in ("GTC", "GTD") and random.random() < 0.3,
        displayed_price=displayed,
        price_band=random.choice((0, 150_000, 250_000, 500_000)),
        fee_rate=random.choice(RATES),
        fee_exponent=random.choice((1, 1, 1, 2)),
        displayed_book=merged,
    )


def _plain(
    request: MatchRequest,
    own: Book,
    complement: Book | None,
    taken: dict[str, int],
    outcome_index: int,
) -> dict[str, Any]:
    """The same case in Decimals, merged and depleted by the oracle's own means."""
    other = complement or Book()
    shown = {
        "bids": oracle.merge(as_side(own.bids), as_side(other.asks)),
        "asks": oracle.merge(as_side(own.asks), as_side(other.bids)),
    }
    depleted: dict[str, oracle.Side] = {"bids": {}, "asks": {}}
    for name, quantity in taken.items():
        letter, price = name.split(":")
        if outcome_index == 0:
            side, own_price = ("asks" if letter == "a" else "bids"), decimal(int(price))
        else:
            side, own_price = ("bids" if letter == "a" else "asks"), 1 - decimal(int(price))
        depleted[side][own_price] = decimal(quantity)
    executable = {side: oracle.subtract(shown[side], depleted[side]) for side in shown}
    displayed = request.displayed_price
    return {
        "side": request.side,
        "kind": request.kind,
        "tif": request.time_in_force,
        "price": decimal(request.price),
        "quantity": None if request.quantity is None else decimal(request.quantity),
        "amount": None if request.amount is None else decimal(request.amount),
        "post_only": request.is_post_only,
        "displayed": None if displayed is None else decimal(displayed),
        "band": decimal(request.price_band),
        "rate": decimal(request.fee_rate),
        "exponent": request.fee_exponent,
        "shown": shown,
        "executable": executable,
    }
