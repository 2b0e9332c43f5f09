"""The catalogue: what Gamma lists becomes Event, Market, Outcome and MarketStats.

Only rows that really changed are written, whole sets at a time. Markets that are not tradable yet
are held back until they are; a stored one is kept up to date whatever happens to it.
Contract: polymarket-feed 2 and 6, contracts/README 12 and 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import redis
import structlog
from django.conf import settings

from polysim.kernel.redis import get_redis, key
from trading.markets.books.keys import HELD_KINDS, held_interest_key
from trading.markets.catalogue_store import StoreReport, store_markets, suspend_markets
from trading.markets.models import Market
from trading.markets.polymarket import rest
from trading.markets.polymarket.gamma import (
    GammaEvent,
    GammaMarket,
    read_events_page,
    read_markets_page,
)
from trading.markets.polymarket.http import VenueClient, VenueNotFoundError, VenueRefusedError

#: Pages of the sweep before it gives up on reaching the configured number of markets.
MAX_PAGES: Final = 60
#: Held markets outside the sweep that one sweep asks for, beside those somebody holds.
HELD_PER_SWEEP: Final = 500
#: Up/Down windows that end within this time are listed although hardly traded yet.
UP_DOWN_HORIZON: Final = timedelta(hours=2)
UP_DOWN_TAG: Final = "up-or-down"

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class SweepReport:
    """What a sweep saw and wrote; `dropped` counts rows by reason."""

    pages: int = 0
    events: int = 0
    markets: int = 0
    asked_again: int = 0
    created: int = 0
    changed: int = 0
    closed: int = 0
    suspended: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reasons: dict[str, int]) -> None:
        for reason, number in reasons.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + number

    def add(self, stored: StoreReport) -> None:
        self.created += stored.created
        self.changed += stored.changed
        self.closed += stored.closed
        self.drop(stored.dropped)


def sweep_catalogue(
    *, client: VenueClient, now: datetime, market_limit: int | None = None
) -> SweepReport:
    """Read the busiest open events until enough markets are held, then those that it missed.

    Raises a VenueError when the venue does not answer; what was read before stays written.
    """
    limit = market_limit or settings.POLYMARKET_CATALOGUE_MARKETS
    report = SweepReport()
    seen: set[str] = set()
    _sweep_events(client, limit=limit, now=now, seen=seen, report=report)
    _sweep_up_down(client, now=now, seen=seen, report=report)
    missing = held_markets_outside(seen)
    refresh_markets(missing, client=client, now=now, report=report)
    logger.info(
        "catalogue_swept",
        events=report.events,
        markets=report.markets,
        asked_again=report.asked_again,
        created=report.created,
        changed=report.changed,
        closed=report.closed,
        suspended=report.suspended,
        dropped=report.dropped,
    )
    return report


def _sweep_events(
    client: VenueClient, *, limit: int, now: datetime, seen: set[str], report: SweepReport
) -> None:
    cursor, offset, keyset = "", 0, True
    for _page in range(MAX_PAGES):
        request = rest.events_request(cursor=cursor) if keyset else rest.events_by_offset(offset)
        try:
            payload = client.send(request)
        except (VenueNotFoundError, VenueRefusedError):
            if not keyset or cursor:
                raise
            keyset = False  # the newest paging form is not served here: take the older one
            payload = client.send(rest.events_by_offset(0))
        events, cursor, dropped = read_events_page(payload)
        report.pages += 1
        report.drop(dropped)
        _store_page(events, limit=limit, now=now, seen=seen, report=report)
        offset += rest.EVENTS_PAGE_SIZE
        is_last = not cursor if keyset else len(events) < rest.EVENTS_PAGE_SIZE
        if is_last or report.markets >= limit:
            return


def _store_page(
    events: Sequence[GammaEvent],
    *,
    limit: int,
    now: datetime,
    seen: set[str],
    report: SweepReport,
) -> None:
    """Write one page; whole events, until the limit is reached."""
    rows: list[tuple[GammaMarket, GammaEvent | None]] = []
    for event in events:
        if report.markets >= limit:
            break
        fresh = [market for market in event.markets if market.condition_id not in seen]
        report.events += 1
        report.markets += sum(market.is_tradable and not market.is_placeholder for market in fresh)
        seen.update(market.condition_id for market in fresh)
        rows.extend((market, event) for market in fresh)
    report.add(store_markets(rows, now=now))


def _sweep_up_down(
    client: VenueClient, *, now: datetime, seen: set[str], report: SweepReport
) -> None:
    """Up/Down windows about to run: too young to be among the busiest events."""
    request = rest.ending_events_request(
        tag_slug=UP_DOWN_TAG, ends_after=now, ends_before=now + UP_DOWN_HORIZON
    )
    try:
        payload = client.send(request)
    except (VenueNotFoundError, VenueRefusedError):
        return
    events, _cursor, dropped = read_events_page(payload)
    report.drop(dropped)
    rows: list[tuple[GammaMarket, GammaEvent | None]] = []
    for event in events:
        fresh = [
            market
            for market in event.markets
            if market.is_up_down and market.condition_id not in seen
        ]
        seen.update(market.condition_id for market in fresh)
        rows.extend((market, event) for market in fresh)
    report.add(store_markets(rows, now=now))


def held_markets_outside(seen: Iterable[str]) -> list[str]:
    """Open stored markets that the sweep did not show: those somebody holds, and a rotating part.

    The rotation keeps its place in Valkey; without it every sweep starts at the beginning.
    """
    known = set(seen)
    wanted = [condition_id for condition_id in held_condition_ids() if condition_id not in known]
    open_markets = Market.objects.filter(is_closed=False, is_archived=False)
    urgent = set(
        open_markets.filter(condition_id__in=wanted).values_list("condition_id", flat=True)
    )
    turn = list(
        open_markets.filter(pk__gt=_read_rotation())
        .exclude(condition_id__in=known | urgent)
        .order_by("pk")
        .values_list("pk", "condition_id")[:HELD_PER_SWEEP]
    )
    is_round_over = len(turn) < HELD_PER_SWEEP
    _write_rotation(0 if is_round_over else turn[-1][0])
    return sorted(urgent) + [condition_id for _pk, condition_id in turn]


def held_condition_ids() -> set[str]:
    """Markets with open orders, positions or watchlist entries; empty without Valkey."""
    try:
        answer = get_redis().sunion([held_interest_key(kind) for kind in HELD_KINDS])
    except redis.RedisError:
        return set()
    return {str(condition_id) for condition_id in answer}


def _rotation_key() -> str:
    return key("catalogue", "rotation")


def _read_rotation() -> int:
    try:
        stored = get_redis().get(_rotation_key())
    except redis.RedisError:
        return 0
    return int(str(stored)) if stored else 0


def _write_rotation(market_id: int) -> None:
    try:
        get_redis().set(_rotation_key(), market_id)
    except redis.RedisError:
        return


def refresh_markets(
    condition_ids: Sequence[str],
    *,
    client: VenueClient,
    now: datetime,
    report: SweepReport | None = None,
) -> list[GammaMarket]:
    """Ask Gamma for these markets (100 per request), write them, and answer what it said.

    A stored market that the venue does not know (it came from another feed) takes no more orders
    until the venue lists it again; nothing else about it changes.
    """
    total = report or SweepReport()
    found: list[GammaMarket] = []
    for start in range(0, len(condition_ids), rest.BATCH_SIZE):
        batch = condition_ids[start : start + rest.BATCH_SIZE]
        rows = _fetch_markets(client, batch, report=total)
        total.add(store_markets(rows, now=now))
        found.extend(market for market, _parent in rows)
        named = {market.condition_id for market, _parent in rows}
        total.suspended += suspend_markets(set(batch) - named, now=now)
    total.asked_again += len(condition_ids)
    return found


def _fetch_markets(
    client: VenueClient, condition_ids: Sequence[str], *, report: SweepReport
) -> list[tuple[GammaMarket, GammaEvent | None]]:
    """Rows of these markets; the venue lists closed ones only when asked for them."""
    rows: list[tuple[GammaMarket, GammaEvent | None]] = []
    remaining = set(condition_ids)
    for closed in (None, True):
        if not remaining:
            break
        payload = client.send(rest.markets_request(sorted(remaining), closed=closed))
        page, dropped = read_markets_page(payload)
        report.drop(dropped)
        for market, parent in page:
            if market.condition_id in remaining:
                remaining.discard(market.condition_id)
                rows.append((market, parent))
    return rows


def refresh_named_markets(
    condition_ids: Iterable[str], *, client: VenueClient, now: datetime
) -> list[GammaMarket]:
    """Read markets that `new_market` or `market_resolved` frames named, in one go (5.5)."""
    return refresh_markets(sorted(set(condition_ids)), client=client, now=now)
