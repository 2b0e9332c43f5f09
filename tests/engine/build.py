"""Short ways to write scaled integers, books and orders in the engine's tests."""

from decimal import Decimal
from typing import Any

from trading.engine.matching import MatchRequest
from trading.markets.pricing import Book


def scaled(text: str | int) -> int:
    """ "0.65" -> 650_000, exactly."""
    number = Decimal(text) * 1_000_000
    assert number == int(number)
    return int(number)


def levels(text: str) -> tuple[tuple[int, int], ...]:
    """ "0.65x6 0.66x10" -> price and size pairs in that order."""
    pairs = (level.split("x") for level in text.split())
    return tuple((scaled(price), scaled(size)) for price, size in pairs)


def book(*, bids: str = "", asks: str = "") -> Book:
    """A book from text, best level first on both sides."""
    return Book(bids=levels(bids), asks=levels(asks))


# The market M of trading-api 7.2: crypto, 700 bps, displayed price 0.65.
ASKS_OF_M = "0.65x6 0.66x10 0.70x50"
CASH_OF_M = scaled(10_000)


def order(side: str = "BUY", **fields: Any) -> MatchRequest:
    """A market FOK against market M, every number as text; `fields` change it."""
    texts = ("price", "quantity", "amount", "displayed_price", "price_band", "fee_rate")
    values: dict[str, Any] = {
        "kind": "market",
        "time_in_force": "FOK",
        "price": "0.68",
        "book": book(asks=ASKS_OF_M),
        "displayed_price": "0.65",
        "price_band": "0.15",
        "fee_rate": "0.07",
        **fields,
    }
    for name in texts:
        if values.get(name) is not None:
            values[name] = scaled(values[name])
    return MatchRequest(side=side, **values)
