"""Writing markets and their events set-wise: a handful of statements for any number of rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from trading.markets.catalogue_news import CHANGED, CLOSED, publish_news
from trading.markets.models import Event, Market, MarketResolution, MarketStats, Outcome
from trading.markets.polymarket.fees import OTHER, fee_terms
from trading.markets.polymarket.gamma import GammaEvent, GammaMarket
from trading.markets.signals import market_closed

MarketRow = tuple[GammaMarket, GammaEvent | None]

DEFAULT_TICK: Final = Decimal("0.01")
DEFAULT_MINIMUM: Final = Decimal(5)
FINE_TICK: Final = Decimal("0.001")
FINE_TICK_MINIMUM: Final = Decimal(1)
#: Serialises catalogue writers over all processes; the number only has to be ours.
CATALOGUE_LOCK: Final = 7_402_001

EVENT_FIELDS: Final = (
    "slug", "title", "description", "category", "tags", "image_url", "series_slug",
    "is_neg_risk", "is_closed", "starts_at", "ends_at", "volume_24h",
)  # fmt: skip
MARKET_FIELDS: Final = (
    "venue_id", "event_id", "slug", "kind", "question", "group_item_title", "description",
    "resolution_source", "category", "image_url", "tick_size", "min_order_size", "is_neg_risk",
    "fee_rate", "fee_exponent", "is_active", "is_closed", "is_archived", "is_accepting_orders",
    "is_order_book_enabled", "is_hidden", "uma_status", "starts_at", "ends_at", "closed_at",
    "archived_at", "book_clears_at",
)  # fmt: skip
STATS_FIELDS: Final = (
    "volume_24h", "volume_total", "liquidity", "price", "best_bid", "best_ask",
    "last_trade_price", "change_24h", "updated_at",
)  # fmt: skip


@dataclass(slots=True)
class StoreReport:
    """What was written; `dropped` counts markets that could not be stored, by reason."""

    created: int = 0
    changed: int = 0
    closed: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


def lock_catalogue() -> None:
    """One writer of the catalogue at a time, until the transaction ends; they never deadlock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOGUE_LOCK])


def store_markets(rows: Sequence[MarketRow], *, now: datetime) -> StoreReport:
    """Write markets with their events, outcomes and figures in one transaction.

    New markets are stored only once they are tradable. Sends `market_closed` on commit for those
    that went from open to closed, and tells the other processes what changed.
    """
    report = StoreReport()
    unique = {market.condition_id: (market, event) for market, event in rows}
    if not unique:
        return report
    with transaction.atomic():
        lock_catalogue()
        known = _load_markets(list(unique))
        wanted = _hold_back(list(unique.values()), known, report)
        events = _store_events([event for _market, event in wanted if event is not None], now=now)
        stored, changed, closed = _store_market_rows(wanted, known, events, now=now, report=report)
        _store_outcomes([row for row in wanted if row[0].condition_id not in known], stored)
        _store_stats(wanted, stored, now=now)
        transaction.on_commit(lambda: _tell(changed, closed, now=now))
    return report


def _tell(changed: list[str], closed: list[Market], *, now: datetime) -> None:
    publish_news(CHANGED, changed)
    if closed:
        publish_news(CLOSED, [market.condition_id for market in closed])
        market_closed.send(sender=Market, market_ids=[market.pk for market in closed], now=now)


def suspend_markets(condition_ids: Collection[str], *, now: datetime) -> int:
    """Take no more orders on these markets until the venue lists them again. Answers how many.

    They are not closed: resting orders and positions stay as they are.
    """
    if not condition_ids:
        return 0
    accepting = Market.objects.filter(
        condition_id__in=list(condition_ids), is_closed=False, is_accepting_orders=True
    )
    with transaction.atomic():
        lock_catalogue()
        listed = list(accepting.values_list("pk", "condition_id"))
        Market.objects.filter(pk__in=[pk for pk, _condition_id in listed]).update(
            is_accepting_orders=False, updated_at=now
        )
        names = [condition_id for _pk, condition_id in listed]
        transaction.on_commit(lambda: publish_news(CHANGED, names))
    return len(listed)


def _load_markets(condition_ids: list[str]) -> dict[str, Market]:
    """Stored markets by condition id, each with `has_result`."""
    result = MarketResolution.objects.filter(market=OuterRef("pk"))
    found = Market.objects.filter(condition_id__in=condition_ids)
    return {market.condition_id: market for market in found.annotate(has_result=Exists(result))}


def _hold_back(
    rows: Sequence[MarketRow], known: dict[str, Market], report: StoreReport
) -> list[MarketRow]:
    """Stored markets, and new ones that can be traded and take no other market's identity."""
    fresh = [row for row in rows if row[0].condition_id not in known]
    taken_tokens = set(
        Outcome.objects.filter(
            token_id__in=[token for market, _event in fresh for token in market.token_ids]
        ).values_list("token_id", flat=True)
    )
    taken_ids = set(
        Market.objects.filter(venue_id__in=[market.gamma_id for market, _event in fresh])
        .exclude(condition_id__in=list(known))
        .values_list("venue_id", flat=True)
    )
    kept: list[MarketRow] = []
    for market, event in rows:
        if market.condition_id not in known:
            if not market.is_tradable:
                report.drop("not_tradable")
                continue
            if market.gamma_id in taken_ids or not taken_tokens.isdisjoint(market.token_ids):
                report.drop("identity_taken")
                continue
            taken_ids.add(market.gamma_id)
            taken_tokens.update(market.token_ids)
        kept.append((market, event))
    return kept


def _store_events(events: Sequence[GammaEvent], *, now: datetime) -> dict[str, Event]:
    """Events by Gamma id. A row without tags (from `/markets`) keeps the stored tags."""
    by_id = {event.gamma_id: event for event in events}
    known = {row.venue_id: row for row in Event.objects.filter(venue_id__in=list(by_id))}
    dirty: list[Event] = []
    for venue_id, event in by_id.items():
        stored = known.get(venue_id)
        fields = _event_fields(event, stored)
        if stored is None:
            stored = known[venue_id] = Event(venue_id=venue_id)
        elif all(getattr(stored, name) == value for name, value in fields.items()):
            continue
        for name, value in fields.items():
            setattr(stored, name, value)
        stored.updated_at = now
        dirty.append(stored)
    if dirty:
        Event.objects.bulk_create(
            [_without_key(event) for event in dirty],
            update_conflicts=True,
            unique_fields=["venue_id"],
            update_fields=[*EVENT_FIELDS, "updated_at"],
        )
        fresh = Event.objects.filter(venue_id__in=[event.venue_id for event in dirty])
        known |= {event.venue_id: event for event in fresh}
    return known


def _event_fields(event: GammaEvent, stored: Event | None) -> dict[str, Any]:
    has_tags = bool(event.tags) or stored is None
    category = event.category if has_tags else None
    return {
        "slug": event.slug,
        "title": event.title,
        "description": event.description,
        "category": category or (stored.category if stored else "") or event.category or OTHER,
        "tags": list(event.tags) if stored is None or has_tags else stored.tags,
        "image_url": event.image_url,
        "series_slug": event.series_slug,
        "is_neg_risk": event.neg_risk,
        "is_closed": event.closed,
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
        "volume_24h": event.volume_24h,
    }


def _without_key(event: Event) -> Event:
    """A copy without primary key, so that the upsert decides by the venue's id."""
    values = {name: getattr(event, name) for name in (*EVENT_FIELDS, "updated_at")}
    return Event(venue_id=event.venue_id, **values)


def _store_market_rows(
    rows: Sequence[MarketRow],
    known: dict[str, Market],
    events: dict[str, Event],
    *,
    now: datetime,
    report: StoreReport,
) -> tuple[dict[str, Market], list[str], list[Market]]:
    """(all markets by condition id, condition ids that changed, markets that just closed)."""
    stored = dict(known)
    created: list[Market] = []
    changed: list[Market] = []
    closed: list[Market] = []
    slugs = _slugs_of_others(rows, known)
    for market, event in rows:
        row = known.get(market.condition_id)
        event_row = events.get(event.gamma_id) if event is not None else None
        fields = _market_fields(market, event_row, row, slugs, now=now)
        if row is None:
            row = Market(condition_id=market.condition_id, updated_at=now, **fields)
            stored[market.condition_id] = row
            created.append(row)
            continue
        if all(getattr(row, name) == value for name, value in fields.items()):
            continue
        if fields["is_closed"] and not row.is_closed:
            closed.append(row)
        for name, value in fields.items():
            setattr(row, name, value)
        row.updated_at = now
        changed.append(row)
    if created:
        Market.objects.bulk_create(created, batch_size=500)
    if changed:
        Market.objects.bulk_update(changed, [*MARKET_FIELDS, "updated_at"], batch_size=100)
    report.created, report.changed, report.closed = len(created), len(changed), len(closed)
    return stored, [row.condition_id for row in (*created, *changed)], closed


def _slugs_of_others(rows: Sequence[MarketRow], known: dict[str, Market]) -> dict[str, str]:
    """Who owns the slugs of these rows already: slug -> condition id."""
    wanted = [market.slug for market, _event in rows]
    owners = dict(Market.objects.filter(slug__in=wanted).values_list("slug", "condition_id"))
    return owners | {row.slug: row.condition_id for row in known.values()}


def _market_fields(
    market: GammaMarket,
    event: Event | None,
    stored: Market | None,
    slugs: dict[str, str],
    *,
    now: datetime,
) -> dict[str, Any]:
    """Column values of a market; what the venue leaves out keeps its stored value."""
    category = market.category or (stored.category if stored else "")
    category = category or (event.category if event else "") or OTHER
    fees = fee_terms(market.fee_schedule, category)
    tick = market.tick_size or (stored.tick_size if stored else DEFAULT_TICK)
    standard = FINE_TICK_MINIMUM if tick <= FINE_TICK else DEFAULT_MINIMUM
    minimum = market.min_order_size or (stored.min_order_size if stored else standard)
    is_archived = bool(market.archived)
    # A market with a result never opens again, whatever a late row says.
    is_closed = bool(market.closed) or bool(getattr(stored, "has_result", False))
    kind = Market.Kind.UP_DOWN if market.is_up_down else Market.Kind.STANDARD
    return {
        "venue_id": stored.venue_id if stored else market.gamma_id,
        "event_id": event.pk if event else (stored.event_id if stored else None),
        "slug": _free_slug(market, stored, slugs),
        "kind": kind.value,
        "question": market.question,
        "group_item_title": market.group_item_title,
        "description": market.description,
        "resolution_source": market.resolution_source,
        "category": category,
        "image_url": market.image_url,
        "tick_size": tick,
        "min_order_size": minimum,
        "is_neg_risk": _known(market.neg_risk, stored, "is_neg_risk"),
        "fee_rate": fees.rate,
        "fee_exponent": fees.exponent,
        "is_active": _known(market.active, stored, "is_active"),
        "is_closed": is_closed,
        "is_archived": is_archived,
        "is_accepting_orders": _known(market.accepting_orders, stored, "is_accepting_orders"),
        "is_order_book_enabled": _known(market.order_book_enabled, stored, "is_order_book_enabled"),
        "is_hidden": market.is_placeholder,
        "uma_status": market.uma_status,
        "starts_at": market.starts_at,
        "ends_at": market.ends_at,
        "closed_at": _closed_at(market, stored, now=now) if is_closed else None,
        "archived_at": (stored.archived_at if stored else None) or now if is_archived else None,
        "book_clears_at": market.game_starts_at if market.clear_book_on_start else None,
    }


def _known(said: bool | None, stored: Market | None, name: str) -> bool:
    """What the venue says, else what we knew, else False."""
    if said is not None:
        return said
    return bool(getattr(stored, name)) if stored is not None else False


def _closed_at(market: GammaMarket, stored: Market | None, *, now: datetime) -> datetime:
    return market.closed_at or (stored.closed_at if stored else None) or now


def _free_slug(market: GammaMarket, stored: Market | None, slugs: dict[str, str]) -> str:
    """The venue's slug; where another market owns it, with our market's number appended."""
    owner = slugs.setdefault(market.slug, market.condition_id)
    if owner == market.condition_id:
        return market.slug
    if stored is not None:
        return stored.slug
    slug = f"{market.slug[:220]}-{market.gamma_id}"
    slugs[slug] = market.condition_id
    return slug


def _store_outcomes(rows: Sequence[MarketRow], stored: dict[str, Market]) -> None:
    """Both outcomes of new markets. Token ids never change; labels are kept as first seen."""
    Outcome.objects.bulk_create(
        [
            Outcome(
                market=stored[market.condition_id],
                index=index,
                label=market.outcomes[index],
                token_id=market.token_ids[index],
            )
            for market, _event in rows
            for index in (0, 1)
        ],
        batch_size=1_000,
    )


def _store_stats(rows: Sequence[MarketRow], stored: dict[str, Market], *, now: datetime) -> None:
    MarketStats.objects.bulk_create(
        [
            MarketStats(
                market=stored[market.condition_id],
                volume_24h=market.volume_24h,
                volume_total=market.volume_total,
                liquidity=market.liquidity,
                price=_display_price(market),
                best_bid=market.best_bid,
                best_ask=market.best_ask,
                last_trade_price=market.last_trade_price,
                change_24h=market.change_24h,
                updated_at=now,
            )
            for market, _event in rows
        ],
        update_conflicts=True,
        unique_fields=["market"],
        update_fields=list(STATS_FIELDS),
        batch_size=500,
    )


def _display_price(market: GammaMarket) -> Decimal | None:
    """Price of outcome 0 until our own book speaks; six decimals, cut."""
    if market.outcome_prices is None:
        return market.last_trade_price
    return market.outcome_prices[0].quantize(Decimal("0.000001"), rounding="ROUND_DOWN")
