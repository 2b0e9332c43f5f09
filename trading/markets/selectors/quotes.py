"""What a market shows now: live quotes from Valkey, else the last sweep, else the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from polysim.kernel.clock import from_milliseconds, to_milliseconds
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import from_scaled
from trading.markets.books import LIVE, Quote, read_quotes
from trading.markets.models import Market, MarketStats

SPREAD_SHOWN_MAX = Decimal("0.10")
SOURCE_LIVE = "websocket"
SOURCE_SWEEP = "gamma_poller"
SOURCE_RESULT = "resolved"


@dataclass(frozen=True, slots=True)
class MarketQuote:
    """Displayed prices of both outcomes and the merged top of the first one, in dollars.

    `spread` is capped at 0.10 (trading-api 2.4). `updated_at` is when the source last confirmed
    it; `age_ms` counts from there. `is_live` is false for cached, stale and settled prices.
    """

    prices: tuple[Decimal | None, Decimal | None]
    best_bid: Decimal | None
    best_ask: Decimal | None
    last_trade: Decimal | None
    source: str
    updated_at: datetime | None
    age_ms: int | None
    is_live: bool

    @property
    def spread(self) -> Decimal | None:
        """Best ask less best bid, at most 0.10; None when a side is missing."""
        if self.best_bid is None or self.best_ask is None:
            return None
        return min(self.best_ask - self.best_bid, SPREAD_SHOWN_MAX)

    @property
    def is_known(self) -> bool:
        """Whether there is any price at all."""
        return self.prices[0] is not None or self.last_trade is not None


def quote_markets(
    markets: Sequence[Market], *, now: datetime, note_interest: bool = False
) -> dict[str, MarketQuote]:
    """Quotes by condition id, one round trip to Valkey; every given market has one.

    Without Valkey the figures of the last sweep stand in. `markets` come from a selector of this
    package (stats and results loaded).
    """
    open_ids = [market.condition_id for market in markets if payouts_of(market) is None]
    quotes: Mapping[str, Quote] = {}
    try:
        quotes = read_quotes(open_ids, note_interest=note_interest)
    except ServiceUnavailable:
        quotes = {}
    return {
        market.condition_id: _quote(market, quotes.get(market.condition_id), now)
        for market in markets
    }


def payouts_of(market: Market) -> tuple[Decimal, Decimal] | None:
    """Dollars per share of both outcomes by the newest result; None while there is none."""
    newest = market.resolutions_newest_first[:1]  # type: ignore[attr-defined]
    if not newest:
        return None
    first, second = newest[0].payouts
    return Decimal(first), Decimal(second)


def _quote(market: Market, live: Quote | None, now: datetime) -> MarketQuote:
    payouts = payouts_of(market)
    if payouts is not None:
        result = market.resolutions_newest_first[0]  # type: ignore[attr-defined]
        return MarketQuote(
            payouts, None, None, None, SOURCE_RESULT, result.resolved_at, None, False
        )
    if live is not None and (live.prices[0] is not None or live.best_bid or live.best_ask):
        return _from_live(live, now)
    stats: MarketStats | None = getattr(market, "stats", None)
    if stats is None:
        return MarketQuote((None, None), None, None, None, SOURCE_SWEEP, None, None, False)
    age_ms = max(0, to_milliseconds(now) - to_milliseconds(stats.updated_at))
    prices = (stats.price, None if stats.price is None else 1 - stats.price)
    return MarketQuote(
        prices=prices,
        best_bid=stats.best_bid,
        best_ask=stats.best_ask,
        last_trade=stats.last_trade_price,
        source=SOURCE_SWEEP,
        updated_at=stats.updated_at,
        age_ms=age_ms,
        is_live=False,
    )


def _from_live(live: Quote, now: datetime) -> MarketQuote:
    first, second = (_dollars(price) for price in live.prices)
    return MarketQuote(
        prices=(first, second),
        best_bid=_dollars(live.best_bid),
        best_ask=_dollars(live.best_ask),
        last_trade=_dollars(live.last_trade),
        source=SOURCE_LIVE,
        updated_at=from_milliseconds(live.confirmed_at_ms),
        age_ms=live.age_ms(to_milliseconds(now)),
        is_live=live.status == LIVE,
    )


def _dollars(scaled: int | None) -> Decimal | None:
    return None if scaled is None else from_scaled(scaled)
