"""The list of markets: filters, orders, pages by keyset, live prices, sparklines.

At most three queries a page (rows, sparklines, and once a minute the topics).
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Abs

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.errors import ServiceUnavailable
from trading.charts import draw_spark
from trading.formats import unscaled
from trading.markets import books
from trading.markets.books import Quote
from trading.markets.models import Market, MarketResolution, MarketStats, Outcome
from trading.models import Order
from trading.selectors.pages.history import read_sparks

PAGE_SIZE = 30
CARDS = 3
TOPICS_KEPT_S = 60.0
STATUSES = (("open", "Open"), ("closed", "Closed"), ("resolved", "Resolved"))
SORTS = (
    ("volume", "Most traded today"),
    ("ending", "Ends first"),
    ("change", "Largest change"),
    ("newest", "Newest"),
)
STALE_AFTER_MS = 15_000


@dataclass(frozen=True)
class Filters:
    """What the address asks for, already checked against what exists."""

    topic: str = ""
    status: str = "open"
    sort: str = "volume"
    search: str = ""
    is_mine: bool = False
    layout: str = "table"
    after: str = ""

    @property
    def is_narrowed(self) -> bool:
        """Whether anything hides markets, so that an empty list can offer to clear it."""
        return bool(self.topic or self.search or self.is_mine or self.status != "open")


@dataclass(frozen=True)
class Price:
    """Prices of a market's first outcome as a list shows them; asks are what a buyer pays."""

    chance: Decimal | None = None
    bid: Decimal | None = None
    asks: tuple[Decimal | None, Decimal | None] = (None, None)
    is_live: bool = False
    age_ms: int | None = None

    @property
    def is_stale(self) -> bool:
        """Older than 15 s: shown grey with its age."""
        return self.age_ms is not None and self.age_ms > STALE_AFTER_MS


@dataclass(frozen=True)
class ListedOutcome:
    """What a list knows of an outcome."""

    id: int
    index: int
    label: str


@dataclass(frozen=True)
class MarketRow:
    """One line or card of the list."""

    market: Market
    outcomes: tuple[ListedOutcome, ...]
    stats: MarketStats | None
    price: Price
    spark: str = ""
    is_resolved: bool = False

    @property
    def path(self) -> str:
        """The address of the market's page, three times a row: not looked up in the URLs."""
        return market_path(self.market)


def market_path(market: Market) -> str:
    """The address of a market's page."""
    return f"/markets/{quote(market.slug, safe='')}/"


@dataclass(frozen=True)
class MarketPage:
    """One page of the list. `next_after` is the keyset of the next page, "" on the last."""

    filters: Filters
    rows: tuple[MarketRow, ...]
    next_after: str = ""
    topics: tuple[tuple[str, int], ...] = field(default=())

    @property
    def open_count(self) -> int:
        """Open markets over all topics, at most a minute old."""
        return sum(count for _, count in self.topics)


def read_filters(parameters: Any) -> Filters:
    """Filters from a query string; unknown values fall back to the defaults."""
    status = parameters.get("status", "open")
    sort = parameters.get("sort", "volume")
    return Filters(
        topic=parameters.get("topic", "")[:64],
        status=status if status in dict(STATUSES) else "open",
        sort=sort if sort in dict(SORTS) else "volume",
        search=parameters.get("q", "").replace("\x00", "").strip()[:120],
        is_mine=parameters.get("mine") == "1",
        layout="cards" if parameters.get("layout") == "cards" else "table",
        after=parameters.get("after", "")[:80],
    )


def list_market_page(
    *, filters: Filters, own_market_ids: Iterable[int], wallet_id: int | None, now: datetime
) -> MarketPage:
    """The markets that the filters leave, with live prices."""
    rows = MarketStats.objects.select_related("market__event")
    rows = _narrow(rows, filters, own_market_ids, wallet_id)
    rows = _ordered(rows, filters)
    found = list(
        _with_outcomes(rows).defer("market__description", "market__event__description")[
            : PAGE_SIZE + 1
        ]
    )
    shown = found[:PAGE_SIZE]
    return MarketPage(
        filters=filters,
        rows=tuple(to_rows(shown, now=now)),
        next_after=_keyset(shown[-1], filters) if len(found) > PAGE_SIZE else "",
        topics=count_topics(),
    )


def _with_outcomes(rows: QuerySet[MarketStats]) -> QuerySet[MarketStats]:
    """Ids and labels of both outcomes within the same query."""
    outcomes = Outcome.objects.filter(market_id=OuterRef("market_id")).order_by("index")
    return rows.annotate(
        outcome_ids=ArraySubquery(outcomes.values("id")),
        outcome_labels=ArraySubquery(outcomes.values("label")),
    )


def _narrow(
    rows: QuerySet[MarketStats],
    filters: Filters,
    own_market_ids: Iterable[int],
    wallet_id: int | None,
) -> QuerySet[MarketStats]:
    resolved = MarketResolution.objects.filter(market_id=OuterRef("market_id"))
    rows = rows.filter(market__is_hidden=False).annotate(is_resolved=Exists(resolved))
    if filters.status == "open":
        rows = rows.filter(market__is_closed=False, market__is_archived=False, is_resolved=False)
    elif filters.status == "closed":
        rows = rows.filter(market__is_closed=True, is_resolved=False)
    else:
        rows = rows.filter(is_resolved=True)
    if filters.topic:
        rows = rows.filter(market__category=filters.topic)
    for word in filters.search.split()[:8]:
        rows = rows.filter(
            Q(market__question__icontains=word)
            | Q(market__event__title__icontains=word)
            | Q(market__group_item_title__icontains=word)
        )
    if filters.is_mine:
        ordered = Order.objects.filter(wallet_id=wallet_id or 0, status=Order.Status.PENDING)
        rows = rows.filter(
            Q(market_id__in=list(own_market_ids)) | Q(market_id__in=ordered.values("market_id"))
        )
    return rows


# sort -> (column, descending)
_COLUMNS: dict[str, tuple[str, bool]] = {
    "volume": ("volume_24h", True),
    "ending": ("market__ends_at", False),
    "change": ("change_size", True),
    "newest": ("market__created_at", True),
}


def _ordered(rows: QuerySet[MarketStats], filters: Filters) -> QuerySet[MarketStats]:
    column, is_descending = _COLUMNS[filters.sort]
    if filters.sort == "change":
        rows = rows.annotate(change_size=Abs("change_24h"))
    order = F(column).desc(nulls_last=True) if is_descending else F(column).asc(nulls_last=True)
    rows = rows.order_by(order, "market_id")
    place = _read_keyset(filters)
    if place is None:
        return rows
    value, market_id = place
    if value is None:
        return rows.filter(**{f"{column}__isnull": True, "market_id__gt": market_id})
    further = {f"{column}__lt" if is_descending else f"{column}__gt": value}
    return rows.filter(
        Q(**further)
        | Q(**{column: value, "market_id__gt": market_id})
        | Q(**{f"{column}__isnull": True})
    )


def _keyset(row: MarketStats, filters: Filters) -> str:
    value: Any = row
    for name in _COLUMNS[filters.sort][0].split("__"):
        value = getattr(value, name)
    text = (
        value.isoformat() if isinstance(value, datetime) else "" if value is None else f"{value:f}"
    )
    return f"{text}~{row.market_id}"


def _read_keyset(filters: Filters) -> tuple[Any, int] | None:
    """(value, market id) of an address; None without one or for a broken one."""
    text, mark, number = filters.after.rpartition("~")
    if not mark or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    if not text:
        return None, int(number)
    try:
        if filters.sort in ("ending", "newest"):
            moment = datetime.fromisoformat(text)
            return (moment, int(number)) if moment.tzinfo else None
        value = Decimal(text)
    except (ValueError, InvalidOperation):
        return None
    return (value, int(number)) if value.is_finite() else None


def to_rows(found: Sequence[MarketStats], *, now: datetime) -> list[MarketRow]:
    """Rows with live quotes and sparklines; the catalogue's prices where a book is not live."""
    quotes = _read_quotes([stats.market.condition_id for stats in found])
    outcomes = {stats.market_id: _outcomes_of(stats) for stats in found}
    firsts = {market_id: pair[0].id for market_id, pair in outcomes.items() if pair}
    sparks = read_sparks(outcome_ids=list(firsts.values()), now=now)
    return [
        MarketRow(
            market=stats.market,
            outcomes=outcomes[stats.market_id],
            stats=stats,
            price=price_of(stats, quotes.get(stats.market.condition_id), now),
            spark=draw_spark(sparks.get(firsts.get(stats.market_id, 0), [])),
            is_resolved=bool(getattr(stats, "is_resolved", False)),
        )
        for stats in found
    ]


def _outcomes_of(stats: Any) -> tuple[ListedOutcome, ...]:
    """The annotated outcomes of a row."""
    pairs = zip(stats.outcome_ids, stats.outcome_labels, strict=True)
    return tuple(ListedOutcome(one, index, label) for index, (one, label) in enumerate(pairs))


def _read_quotes(condition_ids: Sequence[str]) -> dict[str, Quote]:
    try:
        return books.read_quotes(condition_ids, note_interest=True)
    except ServiceUnavailable:
        return {}


def price_of(stats: MarketStats | None, quote: Quote | None, now: datetime) -> Price:
    """The live price, or the one of the last catalogue sweep."""
    if quote is not None and quote.prices[0] is not None:
        return Price(
            chance=unscaled(quote.prices[0]),
            bid=unscaled(quote.best_bid),
            asks=(unscaled(quote.top(0)[1]), unscaled(quote.top(1)[1])),
            is_live=quote.status == books.LIVE,
            age_ms=quote.age_ms(to_milliseconds(now)),
        )
    if stats is None:
        return Price()
    bid = stats.best_bid
    return Price(
        chance=stats.price, bid=bid, asks=(stats.best_ask, None if bid is None else 1 - bid)
    )


def list_front_rows(*, now: datetime, count: int = CARDS) -> list[MarketRow]:
    """The busiest open markets whose price is still open, for the start page. Two queries."""
    found = (
        MarketStats.objects.filter(
            market__is_closed=False,
            market__is_archived=False,
            market__is_hidden=False,
            market__is_accepting_orders=True,
            market__kind=Market.Kind.STANDARD,
            price__gt=Decimal("0.08"),
            price__lt=Decimal("0.92"),
        )
        .select_related("market")
        .order_by(F("volume_24h").desc(nulls_last=True), "market_id")
    )
    return to_rows(list(_with_outcomes(found)[:count]), now=now)


_topics: tuple[float, tuple[tuple[str, int], ...]] = (0.0, ())


def count_topics() -> tuple[tuple[str, int], ...]:
    """(topic, open markets), largest first; one grouped query a minute and process."""
    global _topics
    read_until_s, topics = _topics
    now_s = time.monotonic()
    if now_s < read_until_s:
        return topics
    rows = (
        Market.objects.filter(is_closed=False, is_archived=False, is_hidden=False)
        .values_list("category")
        .annotate(count=Count("id"))
        .order_by("-count", "category")
    )
    topics = tuple((category, count) for category, count in rows if category)
    _topics = (now_s + TOPICS_KEPT_S, topics)
    return topics


def forget_topics() -> None:
    """Between tests."""
    global _topics
    _topics = (0.0, ())
