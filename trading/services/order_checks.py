"""The rules of an order that need no rows, in the contract's order (trading-api 4.1)."""

from datetime import datetime
from decimal import Decimal

from polysim.kernel.clock import from_milliseconds
from polysim.kernel.money import NotExact, parse_decimal, to_scaled
from trading.engine.valuation import is_on_tick
from trading.markets.books import LiveMarket
from trading.markets.pricing import displayed_price
from trading.services.market_terms import MarketTerms
from trading.services.order_request import PlaceOrder

QUANTITY_MAX = 1_000_000
# Prices of both outcomes that add up to more than this are no market (trading-api 7.5).
PRICE_SUM_MAX = 1_500_000
# README 17 of the contracts: a halt is noticed at the latest so long after the last good data.
HALT_AFTER_MS = 120_000
YEAR_9999_S = 253_402_300_799


def find_refusal(
    command: PlaceOrder, terms: MarketTerms | None, live: LiveMarket | None, *, now: datetime
) -> str | None:
    """The code of the first rule that the order breaks before funds and matching, or None.

    `live` None means that Valkey did not answer: nothing can be decided about prices.
    """
    if terms is None:
        return "MARKET_NOT_FOUND"
    if not terms.is_open or (live is not None and _price_sum(live) > PRICE_SUM_MAX):
        return "MARKET_CLOSED"
    if terms.find_outcome(command.outcome) is None:
        return "INVALID_OUTCOME"
    refusal = _refuse_kind(command, now=now) or _refuse_price(command, terms, live)
    refusal = refusal or _refuse_size(command, terms)
    if refusal is not None:
        return refusal
    if live is None:
        return "SERVICE_UNAVAILABLE"
    if command.is_immediate and is_halted(live, now_ms=int(now.timestamp() * 1000)):
        return "VENUE_UNAVAILABLE"
    return None


def is_halted(live: LiveMarket, *, now_ms: int) -> bool:
    """Whether the venue is down, or its feed has been silent beyond doubt (trading-api 7.5)."""
    feed = live.feed
    is_silent = 0 < feed.last_data_ms < now_ms - HALT_AFTER_MS
    return feed.is_halted or is_silent


def _price_sum(live: LiveMarket) -> int:
    prices = [
        displayed_price(token.book, token.last_trade) if token is not None else None
        for token in live.books
    ]
    return sum(price for price in prices if price is not None)


def _refuse_kind(command: PlaceOrder, *, now: datetime) -> str | None:
    has_quantity, has_amount = command.quantity is not None, command.amount is not None
    if has_quantity == has_amount:
        return "INVALID_REQUEST"
    if has_amount and (command.side == "SELL" or command.order_type == "limit"):
        return "INVALID_REQUEST"
    if command.post_only and command.is_immediate:
        return "INVALID_POST_ONLY_ORDER_TYPE"
    if command.time_in_force == "GTD" and expiry_of(command, now=now) is None:
        return "INVALID_ORDER_EXPIRATION"
    return None


def expiry_of(command: PlaceOrder, *, now: datetime) -> datetime | None:
    """The future moment a GTD order ends; None for other orders and for an unusable value."""
    if command.time_in_force != "GTD":
        return None
    raw = command.expiration
    if isinstance(raw, str) and not (raw.isascii() and raw.isdigit()):
        return None
    try:
        seconds = parse_decimal(raw)
    except NotExact:
        return None
    if seconds != int(seconds) or not 0 < seconds <= YEAR_9999_S:
        return None
    expires_at = from_milliseconds(int(seconds) * 1000)
    return expires_at if expires_at > now else None


def _refuse_price(command: PlaceOrder, terms: MarketTerms, live: LiveMarket | None) -> str | None:
    if command.price is None:
        return "PRICE_REQUIRED"
    if command.order_type == "market":
        return None
    tick = current_tick(command, terms, live)
    return None if is_on_tick(to_scaled(command.price), tick) else "INVALID_ORDER_MIN_TICK_SIZE"


def current_tick(command: PlaceOrder, terms: MarketTerms, live: LiveMarket | None) -> int:
    """The book's tick, which the venue may have changed since the last sweep, else the row's."""
    outcome = terms.find_outcome(command.outcome)
    token = live.books[outcome.index] if live is not None and outcome is not None else None
    return token.tick if token is not None and token.tick else terms.tick


def _refuse_size(command: PlaceOrder, terms: MarketTerms) -> str | None:
    asked = command.quantity if command.quantity is not None else command.amount
    if asked is None or not Decimal(0) < asked <= QUANTITY_MAX:
        return "INVALID_QUANTITY"
    if command.quantity is None or command.is_closing:
        return None
    if to_scaled(command.quantity) < terms.minimum_size:
        return "INVALID_ORDER_MIN_SIZE"
    return None
