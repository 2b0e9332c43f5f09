"""The catalogue: lists of markets and events, single markets by any of their ids.

A list costs four queries whatever its length (ids, markets with event and stats, outcomes,
resolutions) and never counts, except where a contract wants a total.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet

from trading.markets.errors import InvalidOutcome, MarketNotFound, TokenNotFound
from trading.markets.models import Event, Market, MarketResolution, Outcome

HOT_VOLUME_USD = Decimal(5000)
SPORTS = "sports"
DEFAULT_SORT = "volume_24h"
SORT_FIELDS = {
    "volume_24h": "stats__volume_24h",
    "liquidity": "stats__liquidity",
    "end_date": "ends_at",
    "created_at": "created_at",
    "change_24h": "stats__change_24h",
}


@dataclass(frozen=True, slots=True)
class MarketFilter:
    """Which markets, in which order (trading-api 2.1).

    `category` and `text` are case-insensitive substrings, "" = all. `is_closed` None = both.
    An unknown `sort` is the default one, `volume_24h` descending.
    """

    is_hot_only: bool = False
    is_active_only: bool = False
    is_closed: bool | None = None
    category: str = ""
    text: str = ""
    sort: str = DEFAULT_SORT
    is_ascending: bool = False
    with_up_down: bool = False


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category with its open markets and the fee rate that most of them charge."""

    category: str
    markets: int
    fee_rate: Decimal


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events with their markets, how many there are in all, and whether sports were left out."""

    events: list[tuple[Event, list[Market]]]
    total: int
    has_hidden_sports: bool


def with_parts(markets: QuerySet[Market]) -> QuerySet[Market]:
    """Markets with event, stats, outcomes (`outcomes_in_order`) and results, 3 queries in all."""
    return markets.select_related("event", "stats").prefetch_related(
        Prefetch(
            "outcomes", queryset=Outcome.objects.order_by("index"), to_attr="outcomes_in_order"
        ),
        Prefetch(
            "resolutions",
            queryset=MarketResolution.objects.order_by("-version"),
            to_attr="resolutions_newest_first",
        ),
    )


def list_markets(wanted: MarketFilter, *, limit: int, offset: int = 0) -> list[Market]:
    """One page of listed markets; the order is stable: sort key, then condition id."""
    markets = _filtered(listed_markets(with_up_down=wanted.with_up_down), wanted)
    name = SORT_FIELDS.get(wanted.sort, SORT_FIELDS[DEFAULT_SORT])
    if name.startswith("stats__"):
        # Every swept market has stats; said so, their index gives the order without a sort.
        markets = markets.filter(stats__isnull=False)
    field = F(name)
    order = field.asc(nulls_last=True) if wanted.is_ascending else field.desc(nulls_last=True)
    # Sorting ids alone is several times cheaper than sorting rows with their texts.
    page = list(
        markets.order_by(order, "condition_id").values_list("pk", flat=True)[
            offset : offset + limit
        ]
    )
    rows = with_parts(without_texts(Market.objects.filter(pk__in=page))).in_bulk(page)
    return [rows[pk] for pk in page if pk in rows]


def without_texts(markets: QuerySet[Market]) -> QuerySet[Market]:
    """Markets whose long texts are read only when asked for (one query each): for lists."""
    return markets.defer("description", "resolution_source", "event__description", "event__tags")


def listed_markets(*, with_up_down: bool = False) -> QuerySet[Market]:
    """Markets that lists show: no placeholders of groups; Up/Down has a list of its own."""
    markets = Market.objects.filter(is_hidden=False)
    return markets if with_up_down else markets.exclude(kind=Market.Kind.UP_DOWN)


def _filtered(markets: QuerySet[Market], wanted: MarketFilter) -> QuerySet[Market]:
    if wanted.is_hot_only:
        markets = markets.filter(stats__volume_24h__gt=HOT_VOLUME_USD)
    if wanted.is_active_only:
        markets = markets.filter(is_active=True, is_closed=False)
    if wanted.is_closed is not None:
        markets = markets.filter(is_closed=wanted.is_closed)
    if wanted.category:
        markets = markets.filter(category__icontains=wanted.category)
    if wanted.text:
        text = wanted.text
        markets = markets.filter(Q(question__icontains=text) | Q(slug__icontains=text))
    return markets


def get_market(condition_id: str) -> Market:
    """The market with all its parts; raises MarketNotFound."""
    return _one(Market.objects.filter(condition_id=condition_id))


def get_market_by_slug(slug: str) -> Market:
    """The market with all its parts; raises MarketNotFound."""
    return _one(Market.objects.filter(slug=slug))


def _one(markets: QuerySet[Market]) -> Market:
    market = with_parts(markets.filter(is_hidden=False)).first()
    if market is None:
        raise MarketNotFound()
    return market


def load_markets(condition_ids: Iterable[str]) -> dict[str, Market]:
    """Markets with all their parts by condition id; unknown ones are left out."""
    found = with_parts(Market.objects.filter(condition_id__in=list(condition_ids)))
    return {market.condition_id: market for market in found}


def get_outcome_by_token(token_id: str) -> Outcome:
    """The outcome with its market; raises TokenNotFound."""
    outcome = list_outcomes_by_token([token_id]).get(token_id)
    if outcome is None:
        raise TokenNotFound()
    return outcome


def list_outcomes_by_token(token_ids: Sequence[str]) -> dict[str, Outcome]:
    """Outcomes with their markets by token id, one query; unknown tokens are left out."""
    found = Outcome.objects.select_related("market").filter(
        token_id__in=list(token_ids), market__is_hidden=False
    )
    return {outcome.token_id: outcome for outcome in found}


def find_outcome(market: Market, label: str | None) -> Outcome:
    """The outcome of that name in any case, the first one for None; raises InvalidOutcome.

    `market` comes from a selector here, so this asks the database nothing.
    """
    outcomes: list[Outcome] = market.outcomes_in_order  # type: ignore[attr-defined]
    if label is None:
        return outcomes[0]
    wanted = label.strip().casefold()
    for outcome in outcomes:
        if outcome.label.casefold() == wanted:
            return outcome
    raise InvalidOutcome()


def is_catalogue_empty() -> bool:
    """Whether no sweep has stored a market yet."""
    return not Market.objects.exists()


def list_events(
    *,
    limit: int,
    offset: int,
    is_hot_only: bool = False,
    category: str = "",
    text: str = "",
    with_sports: bool = True,
    markets_per_event: int = 20,
) -> EventPage:
    """One page of events that have listed markets, busiest first, then by id (trading-api 2.3)."""
    inside = listed_markets().filter(event_id=OuterRef("pk"))
    events = Event.objects.filter(Exists(inside))
    if category:
        events = events.filter(category__icontains=category)
    if text:
        events = events.filter(
            Q(title__icontains=text) | Exists(inside.filter(question__icontains=text))
        )
    if is_hot_only:
        events = events.filter(volume_24h__gt=HOT_VOLUME_USD)
    has_hidden_sports = False
    if not with_sports:
        has_hidden_sports = events.filter(category=SPORTS).exists()
        events = events.exclude(category=SPORTS)
    total = events.count()
    page = events.order_by(F("volume_24h").desc(nulls_last=True), "id")[offset : offset + limit]
    shown = with_parts(without_texts(listed_markets())).order_by(
        F("stats__volume_24h").desc(nulls_last=True), "condition_id"
    )
    loaded = page.prefetch_related(
        Prefetch("markets", queryset=shown[:markets_per_event], to_attr="shown_markets")
    )
    rows: list[tuple[Event, list[Market]]] = [
        (event, event.shown_markets)  # type: ignore[attr-defined]
        for event in loaded
    ]
    return EventPage(rows, total, has_hidden_sports)


def list_categories() -> list[CategoryRow]:
    """Categories of open listed markets, the largest first."""
    counted: Any = (
        listed_markets()
        .filter(is_active=True, is_closed=False)
        .values("category", "fee_rate")
        .annotate(markets=Count("pk"))
        .order_by("category", "-markets", "fee_rate")
    )
    rows: dict[str, CategoryRow] = {}
    for row in counted:
        former = rows.get(row["category"])
        # The first row of a category has its most common rate.
        rows[row["category"]] = CategoryRow(
            category=row["category"],
            markets=row["markets"] + (former.markets if former else 0),
            fee_rate=former.fee_rate if former else row["fee_rate"],
        )
    return sorted(rows.values(), key=lambda row: (-row.markets, row.category))
