"""The executable book: what the venue shows less what simulated fills took from it.

Depletion is kept per market in the first outcome's coordinates, as both books mirror each other:
"a:650000" is the ask of outcome 0 at 0.65 and likewise the bid of outcome 1 at 0.35.
Contract: trading-api 7.1 and 7.3.
"""

from collections.abc import Iterable, Mapping

from polysim.kernel.money import SCALE
from trading.markets.pricing import Book, Levels

ASK = "a"
BID = "b"


def depletion_key(outcome_index: int, side_taken: str, price: int) -> str:
    """The key of one level: `side_taken` is "a" for asks (a buy takes them) or "b" for bids."""
    if outcome_index == 0:
        return f"{side_taken}:{price}"
    mirrored = BID if side_taken == ASK else ASK
    return f"{mirrored}:{SCALE - price}"


def side_taken_by(side: str) -> str:
    """Which side of the book an order of `side` ("BUY" or "SELL") takes from."""
    return ASK if side == "BUY" else BID


def depletion_of(outcome_index: int, side: str, takes: Iterable[tuple[int, int]]) -> dict[str, int]:
    """Depletion keys and quantities of the (price, quantity) pairs an order of `side` took."""
    taken_from = side_taken_by(side)
    quantities: dict[str, int] = {}
    for price, quantity in takes:
        name = depletion_key(outcome_index, taken_from, price)
        quantities[name] = quantities.get(name, 0) + quantity
    return quantities


def executable_book(merged: Book, taken: Mapping[str, int], outcome_index: int) -> Book:
    """The merged book of an outcome without what was taken; emptied levels are gone."""
    if not taken:
        return merged
    depleted = {ASK: dict[int, int](), BID: dict[int, int]()}
    for name, quantity in taken.items():
        side, price = _read_key(name, outcome_index)
        depleted[side][price] = quantity
    return Book(
        bids=_deplete(merged.bids, depleted[BID]),
        asks=_deplete(merged.asks, depleted[ASK]),
    )


def _read_key(name: str, outcome_index: int) -> tuple[str, int]:
    """Side and price of a depletion key in the coordinates of an outcome."""
    side, price = name[0], int(name[2:])
    if outcome_index == 0:
        return side, price
    return BID if side == ASK else ASK, SCALE - price


def _deplete(levels: Levels, taken: Mapping[int, int]) -> Levels:
    if not taken:
        return levels
    left = [(price, size - taken.get(price, 0)) for price, size in levels]
    return tuple([level for level in left if level[1] > 0])
