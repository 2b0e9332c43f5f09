"""Price history of a market: `prices-history` (polymarket-feed 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.markets.standin.market import Market
from trading.markets.standin.venue import wall_ms

HOUR_S: Final = 3_600
#: Seconds of each interval; None is the market's whole life.
INTERVALS: Final[dict[str, int | None]] = {
    "1h": HOUR_S,
    "6h": 6 * HOUR_S,
    "1d": 24 * HOUR_S,
    "1w": 168 * HOUR_S,
    "1m": 720 * HOUR_S,
    "max": None,
    "all": None,
}
#: The synthetic past reaches this far back.
LIFE_MAX_S: Final = 31 * 24 * HOUR_S
POINTS_MAX: Final = 10_000


class PriceHistory:
    """Answers the past of the first outcome, or its mirror, at a chosen fineness."""

    def read(
        self, market: Market, outcome_index: int, params: Mapping[str, str]
    ) -> list[dict[str, Any]] | None:
        """Points `{t, p}`, oldest first; None when the parameters contradict each other."""
        interval = params.get("interval", "").lower()
        start, end = params.get("startTs", ""), params.get("endTs", "")
        if bool(interval) == bool(start or end) or (interval and interval not in INTERVALS):
            return None
        if not all(text.isdecimal() for text in (start, end) if text):
            return None
        now_s = wall_ms() // 1000
        if interval:
            span = INTERVALS[interval]
            start_s, end_s = now_s - (span if span is not None else LIFE_MAX_S), now_s
        else:
            start_s, end_s = int(start or 0), min(int(end or now_s), now_s)
        fidelity = params.get("fidelity", "")
        step_s = 60 * max(1, int(fidelity) if fidelity.isdecimal() else 1)
        return sample(market, outcome_index, start_s, end_s, step_s)


def sample(
    market: Market, outcome_index: int, start_s: int, end_s: int, step_s: int
) -> list[dict[str, Any]]:
    """The price at every step on the clock's grid, as far as the market lived."""
    if market.price_at is None:
        return []
    born_s = max(market.starts_ms // 1000, end_s - LIFE_MAX_S)
    ended_s = min(end_s, market.closed_ms // 1000) if market.closed_ms else end_s
    first_s = -(-max(start_s, born_s) // step_s) * step_s
    points = []
    for moment_s in range(first_s, ended_s + 1, step_s)[-POINTS_MAX:]:
        price = market.price_at(moment_s * 1000)
        if price is not None:
            own = price if outcome_index == 0 else 1 - price
            points.append({"t": moment_s, "p": round(own, 4)})
    return points
