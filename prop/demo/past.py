"""The last days of some markets: hourly prices from the stored history, and books made of them.

Books go to Valkey under a prefix of their own (see `prop.demo.history`), so that the live ones
stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.db import connection

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.money import to_scaled
from trading.markets.books import LIVE, MarketWrite, TokenBook, write_market
from trading.markets.models import Market
from trading.markets.pricing import Book

HOUR = timedelta(hours=1)
MARKETS_MAX = 24
DEPTH_SHARES = 40_000
LEVELS = 5
LOWEST, HIGHEST = Decimal("0.06"), Decimal("0.94")
CENT = Decimal("0.01")

# The newest close at or before each hour of the markets that were open and priced all the time.
_CLOSES = """
WITH hours AS (
  SELECT generate_series(%(since)s::timestamptz, %(until)s::timestamptz, '1 hour') AS at
), chosen AS (
  SELECT m.id, o.id AS outcome_id FROM markets_market m
    JOIN markets_outcome o ON o.market_id = m.id AND o.index = 0
    JOIN markets_marketstats s ON s.market_id = m.id
  WHERE is_market_open(m.id) AND (m.ends_at IS NULL OR m.ends_at > %(until)s)
    AND EXISTS (SELECT FROM markets_minutecandle c
      WHERE c.outcome_id = o.id AND c.minute_at <= %(since)s)
  ORDER BY s.volume_24h DESC NULLS LAST, m.id LIMIT %(most)s
)
SELECT chosen.id, array_agg(found.close ORDER BY hours.at) FROM chosen CROSS JOIN hours
  CROSS JOIN LATERAL (SELECT close FROM markets_minutecandle c
    WHERE c.outcome_id = chosen.outcome_id AND c.minute_at <= hours.at
    ORDER BY c.minute_at DESC LIMIT 1) AS found
GROUP BY chosen.id HAVING count(*) = (SELECT count(*) FROM hours) ORDER BY chosen.id
"""


@dataclass(frozen=True)
class PastMarket:
    """A market with the price of its first outcome at each hour (dollars per share)."""

    market: Market
    labels: tuple[str, str]
    token_ids: tuple[str, str]
    closes: tuple[Decimal, ...]

    def price(self, hour: int, outcome: int) -> Decimal:
        """The outcome's price at an hour, on the cent and away from the ends."""
        first = self.closes[hour].quantize(CENT, ROUND_HALF_UP)
        first = max(LOWEST, min(HIGHEST, first))
        return first if outcome == 0 else 1 - first

    def gain(self, start: int, end: int, outcome: int) -> Decimal:
        """What a dollar of the outcome made between two hours."""
        before = self.price(start, outcome)
        return (self.price(end, outcome) - before) / before

    def worst(self, start: int, end: int, outcome: int) -> Decimal:
        """Its deepest fall from an earlier price between both, per dollar; below zero."""
        highest, deepest = Decimal(0), Decimal(0)
        for hour in range(start, end + 1):
            gain = self.gain(start, hour, outcome)
            highest = max(highest, gain)
            deepest = min(deepest, gain - highest)
        return deepest


def load_past(*, since: datetime, until: datetime) -> list[PastMarket]:
    """Markets with a price at every hour between both, by volume. Two queries.

    Called inside a building (`is_market_open` is one of its functions).
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLOSES, {"since": since, "until": until, "most": MARKETS_MAX})
        rows = {row[0]: tuple(row[1]) for row in cursor.fetchall()}
    markets = Market.objects.filter(pk__in=rows).prefetch_related("outcomes").order_by("pk")
    found = []
    for market in markets:
        outcomes = sorted(market.outcomes.all(), key=lambda one: one.index)
        found.append(
            PastMarket(
                market=market,
                labels=(outcomes[0].label, outcomes[1].label),
                token_ids=(outcomes[0].token_id, outcomes[1].token_id),
                closes=rows[market.pk],
            )
        )
    return found


def write_books(markets: Sequence[PastMarket], *, hour: int, at: datetime) -> None:
    """Books around the prices of an hour, confirmed at that moment."""
    for past in markets:
        write_market(
            MarketWrite(
                condition_id=past.market.condition_id,
                books=(_book(past, hour, 0, at), _book(past, hour, 1, at)),
                confirmed_at_ms=to_milliseconds(at),
                is_fresh_snapshot=True,
            ),
            now_ms=to_milliseconds(at),
        )


def _book(past: PastMarket, hour: int, outcome: int, at: datetime) -> TokenBook:
    price = past.price(hour, outcome)
    return TokenBook(
        token_id=past.token_ids[outcome],
        book=Book(
            bids=tuple(_level(price - CENT * step) for step in range(1, LEVELS + 1)),
            asks=tuple(_level(price + CENT * step) for step in range(1, LEVELS + 1)),
        ),
        status=LIVE,
        venue_ms=to_milliseconds(at),
        last_trade=to_scaled(price),
        last_trade_ms=to_milliseconds(at),
    )


def _level(price: Decimal) -> tuple[int, int]:
    return to_scaled(price), to_scaled(DEPTH_SHARES)
