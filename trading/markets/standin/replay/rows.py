"""Recorded Gamma rows: kept compressed, shown with their dates moved to now."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from trading.markets.standin.figures import FigureError, parse_figure
from trading.markets.standin.market import Event, Fees, Market
from trading.markets.standin.venue import iso

#: Dates of open markets; a closed one keeps the dates of its own time.
MOVED_DATES: Final = ("startDate", "endDate", "eventStartTime", "acceptingOrdersTimestamp")
#: An outcome at the venue has two tokens; anything else is not a market that we can show.
SIDES: Final = 2


class RecordedRow:
    """One Gamma object as recorded, compressed; callable for a market or an event."""

    __slots__ = ("_packed", "_shift_ms")

    def __init__(self, row: dict[str, Any], shift_ms: int) -> None:
        self._packed = zlib.compress(json.dumps(row).encode(), 6)
        self._shift_ms = shift_ms

    def __call__(self, _described: Market | Event) -> dict[str, Any]:
        row: dict[str, Any] = json.loads(zlib.decompress(self._packed))
        if not self._shift_ms:
            return row
        for name in MOVED_DATES:
            moment = moment_of(row.get(name))
            if moment is not None:
                row[name] = iso(moment + self._shift_ms)
        for name in ("startDateIso", "endDateIso"):
            long_name = name.removesuffix("Iso")
            if name in row and row.get(long_name):
                row[name] = str(row[long_name])[:10]
        row["replayedFrom"] = "recording"
        return row


def moment_of(text: object) -> int | None:
    """Unix milliseconds of either date form of Gamma; None when it is neither."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def read_market(row: dict[str, Any], shift_ms: int) -> Market | None:
    """The market of a Gamma row; None when it has no two outcomes and tokens."""
    outcomes, tokens = _inner_list(row.get("outcomes")), _inner_list(row.get("clobTokenIds"))
    if len(outcomes) != SIDES or len(tokens) != SIDES or not row.get("conditionId"):
        return None
    is_closed = row.get("closed") is True
    shift = 0 if is_closed else shift_ms
    ends_ms = moment_of(row.get("endDate"))
    market = Market(
        condition_id=row["conditionId"],
        gamma_id=str(row["id"]),
        slug=row.get("slug") or row["conditionId"],
        question=row.get("question") or "",
        token_ids=(tokens[0], tokens[1]),
        outcomes=(outcomes[0], outcomes[1]),
        tick=parse_figure(row.get("orderPriceMinTickSize") or 0.01),
        describe=RecordedRow({k: v for k, v in row.items() if k != "events"}, shift),
        min_size=parse_figure(row.get("orderMinSize") or 5),
        is_neg_risk=row.get("negRisk") is True,
        fees=_fees(row),
        starts_ms=(moment_of(row.get("startDate")) or 0) + shift,
        ends_ms=None if ends_ms is None else ends_ms + shift,
        is_accepting=row.get("acceptingOrders") is True,
        uma_status=row.get("umaResolutionStatus") or "",
        volume_24h=float(row.get("volume24hr") or 0),
        volume_total=float(row.get("volumeNum") or 0),
        liquidity=float(row.get("liquidityNum") or 0),
        is_recorded=True,
    )
    if is_closed:
        market.closed_ms = moment_of(row.get("closedTime")) or ends_ms or 0
        prices = _inner_list(row.get("outcomePrices"))
        market.payouts = (prices[0], prices[1]) if len(prices) == SIDES else None
    return market


def read_event(
    row: dict[str, Any], markets: Iterable[Market], shift_ms: int, tags: Iterable[Any] = ()
) -> Event:
    """The event of a Gamma row with the markets given."""
    ends_ms = moment_of(row.get("endDate"))
    described = {k: v for k, v in row.items() if k not in ("markets", "tags")}
    event = Event(
        gamma_id=str(row["id"]),
        slug=row.get("slug") or str(row["id"]),
        title=row.get("title") or row.get("question") or "",
        describe=RecordedRow(described, shift_ms),
        tags=tuple(
            (str(tag.get("id", "")), tag.get("label") or "", tag.get("slug") or "") for tag in tags
        ),
        markets=list(markets),
        starts_ms=(moment_of(row.get("startDate")) or 0) + shift_ms,
        ends_ms=None if ends_ms is None else ends_ms + shift_ms,
        is_featured=row.get("featured") is True,
        series_slug=row.get("seriesSlug") or "",
    )
    for market in event.markets:
        market.event = event
    return event


def _inner_list(value: object) -> list[str]:
    """A list of texts that Gamma writes as JSON inside a string."""
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _fees(row: dict[str, Any]) -> Fees | None:
    schedule = row.get("feeSchedule")
    if not isinstance(schedule, dict):
        return None
    return Fees(
        rate=float(schedule.get("rate") or 0),
        exponent=int(schedule.get("exponent") or 1),
        rebate=float(schedule.get("rebateRate") or 0),
    )


def level_map(rows: object) -> dict[int, int]:
    """Scaled levels of recorded rows; unusable ones are left out."""
    levels: dict[int, int] = {}
    for row in rows if isinstance(rows, list) else []:
        try:
            price, size = parse_figure(row.get("price")), parse_figure(row.get("size"))
        except (FigureError, AttributeError):
            continue
        if size > 0:
            levels[price] = size
    return levels
