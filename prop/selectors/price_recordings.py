"""Recorded hourly prices for the simulator: the exchange's own history and venue recordings.

Nothing is copied: both are read where they are. Prices are scaled by 10**6.
"""

import csv
import gzip
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from polysim.kernel.money import SCALE, NotExact, parse_decimal, to_scaled
from prop.simulator import Recording
from prop.simulator.paths import tick_at
from trading.markets.models import MarketResolution
from trading.markets.polymarket.fees import CATEGORY_RATES, OTHER
from trading.markets.pricing import SPREAD_SHOWN_BY_MIDPOINT_MAX

HOUR = timedelta(hours=1)
MARKETS_MAX = 400
HISTORY_DAYS = 90
# A market with fewer hours says little.
HOURS_LEAST = 12
QUOTES = "quotes_us_*.csv.gz"
QUOTED_MARKETS = "quotes_us_markets.jsonl"
_CATEGORY_NAMES = {"technology": "tech"}

_SQL = """
    SELECT outcome.market_id, market.fee_rate, candle.hour, candle.close FROM (
        SELECT outcome_id, date_bin('1 hour', minute_at, timestamptz '1970-01-05') AS hour,
               (array_agg(close ORDER BY minute_at DESC))[1] AS close
        FROM markets_minutecandle WHERE minute_at >= %s AND minute_at < %s
        GROUP BY 1, 2
    ) AS candle
    JOIN markets_outcome outcome ON outcome.id = candle.outcome_id AND outcome.index = 0
    JOIN markets_market market ON market.id = outcome.market_id
    ORDER BY outcome.market_id, candle.hour
"""


def list_recordings(*, until: datetime) -> list[Recording]:
    """All recorded markets up to a moment: own history first, then the venue's recordings.

    The same moment gives the same list, as long as the history is kept.
    """
    return recorded_history(until=until) + recorded_quotes(Path(settings.POLYMARKET_REPLAY_DIR))


def recorded_history(*, until: datetime) -> list[Recording]:
    """Displayed prices of the exchange's markets by the hour; a quiet hour keeps the last price.

    History has no books, so a market is quoted one tick on either side of its price.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [until - timedelta(days=HISTORY_DAYS), until])
        rows = cursor.fetchall()
    series = [
        (market_id, list(group)) for market_id, group in groupby(rows, key=lambda row: row[0])
    ]
    series = [(market_id, group) for market_id, group in series if len(group) >= HOURS_LEAST]
    series = series[-MARKETS_MAX:]
    payouts = _payouts_of([market_id for market_id, _ in series], until)
    return [
        Recording(
            name=f"market {market_id}",
            quotes=_without_holes(
                {row[2]: _quotes_around(to_scaled(row[3])) for row in group},
            ),
            payout=payouts.get(market_id),
            fee_rate=to_scaled(group[0][1]),
        )
        for market_id, group in series
    ]


def _payouts_of(market_ids: list[int], until: datetime) -> dict[int, int]:
    """What the first outcome paid, by the newest result known at `until`."""
    rows = MarketResolution.objects.filter(market__in=market_ids, resolved_at__lt=until)
    return {row.market_id: to_scaled(Decimal(row.payouts[0])) for row in rows.order_by("version")}


def _quotes_around(price: int) -> tuple[int, int]:
    tick = tick_at(price)
    middle = min(max(price, 2 * tick), SCALE - 2 * tick)
    return middle - tick, middle + tick


def _without_holes(by_hour: Mapping[datetime, tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    hour, last = min(by_hour), max(by_hour)
    quotes = []
    quote = by_hour[hour]
    while hour <= last:
        quote = by_hour.get(hour, quote)
        quotes.append(quote)
        hour += HOUR
    return tuple(quotes)


def recorded_quotes(folder: Path) -> list[Recording]:
    """Best bids and asks recorded at the venue, if the recordings are here; else nothing."""
    known = _quoted_markets(folder / QUOTED_MARKETS)
    by_slug: dict[str, dict[datetime, tuple[int, int]]] = {}
    for path in sorted(folder.glob(QUOTES)):
        for slug, hour, quote in _last_of_hours(path):
            by_slug.setdefault(slug, {})[hour] = quote
    return [
        Recording(
            name=slug,
            quotes=_without_holes(by_hour),
            payout=_result_of(known.get(slug, {})),
            fee_rate=_fee_rate_of(known.get(slug, {})),
        )
        for slug, by_hour in sorted(by_slug.items())
        if len(by_hour) >= HOURS_LEAST
    ]


def _last_of_hours(path: Path) -> list[tuple[str, datetime, tuple[int, int]]]:
    last: dict[tuple[str, str], tuple[str, str]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            last[row["slug"], row["ts"][:13]] = row["bid"], row["ask"]
    found = []
    for (slug, hour), (bid, ask) in last.items():
        quote = _read_quote(bid, ask)
        if quote is not None:
            found.append((slug, datetime.fromisoformat(f"{hour}:00:00+00:00"), quote))
    return found


def _read_quote(bid_text: str, ask_text: str) -> tuple[int, int] | None:
    """Both sides of a book that says what the price is; wider ones say little."""
    try:
        bid, ask = to_scaled(parse_decimal(bid_text)), to_scaled(parse_decimal(ask_text))
    except NotExact:
        return None
    is_usable = 0 < bid < ask < SCALE and ask - bid <= SPREAD_SHOWN_BY_MIDPOINT_MAX
    return (bid, ask) if is_usable else None


def _quoted_markets(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8") as lines:
        return {row["slug"]: row for row in map(json.loads, lines)}


def _result_of(market: Mapping[str, Any]) -> int | None:
    """The venue's own word only: a result inferred from prices is none."""
    if market.get("label_source") != "api" or market.get("y") is None:
        return None
    return SCALE if market["y"] else 0


def _fee_rate_of(market: Mapping[str, Any]) -> int:
    category = str(market.get("category", ""))
    rate = CATEGORY_RATES.get(_CATEGORY_NAMES.get(category, category), CATEGORY_RATES[OTHER])
    return to_scaled(rate)
