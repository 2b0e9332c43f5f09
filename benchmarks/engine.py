"""A market order against 50 levels: the engine beside the Decimal oracle of the tests.

    python -m benchmarks.engine [--rounds 7]

Pure computation: needs no database, Valkey or settings. Both answers are compared first, then
batches of both alternate, so that other load on the machine meets both alike. Prints both columns
and their ratio; passes when the engine is at least 1.8 times as fast.
"""

import argparse
import sys
import timeit
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.engine import oracle
from tests.engine.cases import as_side, decimal
from trading.engine.matching import FILLED, MatchRequest, match_order
from trading.markets.pricing import Book, Levels

RATIO_LEAST = 1.8
LEVELS = 50
CALLS = 500


def make_book() -> Book:
    """50 levels a side around 0.50 on a tick of 0.001, sizes as uneven as the venue's."""
    asks: Levels = tuple(
        (501_000 + 1_000 * step, 10_000 * (137 + step * 7_919 % 90_000)) for step in range(LEVELS)
    )
    bids: Levels = tuple(
        (499_000 - 1_000 * step, 10_000 * (211 + step * 6_469 % 90_000)) for step in range(LEVELS)
    )
    return Book(bids=bids, asks=asks)


def make_order(book: Book) -> tuple[MatchRequest, dict[str, Any]]:
    """A market FOK that walks all 50 levels, for the engine and for the oracle."""
    whole = sum(size for _, size in book.asks) - 1_000_000
    request = MatchRequest(
        side="BUY",
        kind="market",
        time_in_force="FOK",
        price=990_000,
        book=book,
        quantity=whole,
        displayed_price=500_000,
        price_band=150_000,
        fee_rate=70_000,
    )
    sides = {"bids": as_side(book.bids), "asks": as_side(book.asks)}
    plain: dict[str, Any] = {
        "side": "BUY",
        "kind": "market",
        "tif": "FOK",
        "price": Decimal("0.99"),
        "quantity": decimal(whole),
        "amount": None,
        "post_only": False,
        "displayed": Decimal("0.5"),
        "band": Decimal("0.15"),
        "rate": Decimal("0.07"),
        "exponent": 1,
        "shown": sides,
        "executable": sides,
    }
    return request, plain


def microseconds_per_call(call: Callable[[], object]) -> float:
    """The best of one batch of calls, in microseconds."""
    return timeit.timeit(call, number=CALLS) / CALLS * 1_000_000


def main() -> int:
    """Print the comparison; exit status 1 when the ratio is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="batches of calls, best counts")
    rounds = parser.parse_args().rounds
    request, plain = make_order(make_book())
    ours, theirs = match_order(request), oracle.match(plain)
    assert ours.status == FILLED
    assert ours.levels_taken == LEVELS
    assert decimal(ours.notional) == theirs["notional"]
    assert decimal(ours.fee) == theirs["fee"]
    times = [
        (
            microseconds_per_call(lambda: match_order(request)),
            microseconds_per_call(lambda: oracle.match(plain)),
        )
        for _ in range(rounds)
    ]
    engine_us, oracle_us = (min(column) for column in zip(*times, strict=True))
    ratio = oracle_us / engine_us
    print(f"market order against {LEVELS} levels, best of {rounds} x {CALLS} calls")
    print(f"{'':10}{'engine':>12}{'oracle':>12}{'ratio':>9}")
    print(f"{'us/order':10}{engine_us:12.1f}{oracle_us:12.1f}{ratio:9.2f}")
    print(f"{'orders/s':10}{1e6 / engine_us:12.0f}{1e6 / oracle_us:12.0f}")
    print(f"required ratio {RATIO_LEAST}: {'kept' if ratio >= RATIO_LEAST else 'MISSED'}")
    return 0 if ratio >= RATIO_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
