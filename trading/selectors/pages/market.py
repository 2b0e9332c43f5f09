"""One market with everything its page shows, in four queries besides the account's own.

Group with outcomes and results (one), price history (one), tape (one), own orders (one). Books
and quotes come from Valkey; without it the page stands with the catalogue's prices and says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import Case, F, OuterRef, Subquery, TextField, Value, When

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.errors import NotFound, ServiceUnavailable
from polysim.kernel.money import to_scaled
from trading.charts import Mark, Point
from trading.formats import price_cents_text, shares_text, unscaled
from trading.markets import books
from trading.markets.books import LiveMarket, Quote
from trading.markets.models import Market, MarketResolution, MarketStats, Outcome, VenueTrade
from trading.models import Fill, Order
from trading.selectors.pages.accounts import Account, Holding
from trading.selectors.pages.catalogue import Price, market_path, price_of
from trading.selectors.pages.history import Interval, read_price_points

LADDER_LEVELS = 10
TAPE_ROWS = 8
OWN_ORDERS_MAX = 80
SIBLINGS_OPEN = 8
STALE_AFTER_MS = 15_000
MARKET_ORDERS_OFF_AFTER_MS = 60_000


@dataclass(frozen=True)
class Level:
    """One price of the ladder. `width` is its share of the largest level, `own` own shares."""

    price: Decimal
    size: Decimal
    width: str
    own: Decimal = Decimal(0)

    @property
    def value(self) -> Decimal:
        """Dollars behind the level."""
        return self.price * self.size


@dataclass(frozen=True)
class Ladder:
    """Both sides of an outcome's book: asks worst first, bids best first, as drawn."""

    asks: tuple[Level, ...] = ()
    bids: tuple[Level, ...] = ()
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None

    @property
    def spread(self) -> Decimal | None:
        """Best ask less best bid."""
        if self.best_bid is None or self.best_ask is None:
            return None
        return self.best_ask - self.best_bid


@dataclass(frozen=True)
class GroupRow:
    """A market of the same event: one row of the outcomes' panel."""

    market: Market
    outcomes: tuple[Outcome, ...]
    price: Price
    holdings: tuple[Holding, ...] = ()
    payouts: tuple[Decimal, ...] = ()

    @property
    def path(self) -> str:
        """The address of the market's page."""
        return market_path(self.market)

    @property
    def name(self) -> str:
        """What the row is called: the outcome's name in the group, else the question."""
        return self.market.group_item_title or self.market.question


@dataclass(frozen=True)
class MarketView:
    """Everything the market page shows."""

    row: GroupRow
    group: tuple[GroupRow, ...]
    stats: MarketStats | None
    live: LiveMarket | None
    points: list[Point]
    tape: tuple[VenueTrade, ...]
    orders: tuple[Order, ...] = ()
    now: datetime | None = None
    resolved_at: datetime | None = None
    holdings: tuple[Holding, ...] = field(default=())

    @property
    def market(self) -> Market:
        """The market itself."""
        return self.row.market

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Its two outcomes in the venue's order."""
        return self.row.outcomes

    @property
    def open_orders(self) -> list[Order]:
        """Own resting orders, newest first."""
        return [order for order in self.orders if order.status == Order.Status.PENDING]

    @property
    def is_resolved(self) -> bool:
        """Whether the venue has said the result."""
        return bool(self.row.payouts)

    @property
    def is_open(self) -> bool:
        """Whether orders are taken at all."""
        return self.market.is_tradable and not self.is_resolved

    @property
    def age_ms(self) -> int | None:
        """Milliseconds since the feed confirmed the books; None when they were never live."""
        if self.live is None or self.now is None or not self.live.confirmed_at_ms:
            return None
        return self.live.age_ms(to_milliseconds(self.now))

    @property
    def is_stale(self) -> bool:
        """Older than 15 s: prices grey with their age."""
        return self.age_ms is not None and self.age_ms > STALE_AFTER_MS

    @property
    def are_market_orders_off(self) -> bool:
        """Halted, never live or older than 60 s: only limit orders."""
        if self.live is None or self.live.feed.is_halted or self.age_ms is None:
            return True
        return self.age_ms > MARKET_ORDERS_OFF_AFTER_MS

    @property
    def last_trade(self) -> VenueTrade | None:
        """The newest trade of the tape."""
        return self.tape[0] if self.tape else None

    def ladder(self, outcome_index: int) -> Ladder:
        """The merged book of an outcome with own resting orders marked."""
        if self.live is None:
            return Ladder()
        book = self.live.merged_book(outcome_index)
        own = self._own_sizes(outcome_index)
        bids = _with_own(book.bids, own["BUY"], is_bid=True)
        asks = _with_own(book.asks, own["SELL"], is_bid=False)
        largest = max((size for _, size in [*bids, *asks]), default=0) or 1
        return Ladder(
            asks=tuple(_level(level, largest, own["SELL"]) for level in reversed(asks)),
            bids=tuple(_level(level, largest, own["BUY"]) for level in bids),
            best_bid=unscaled(book.best_bid),
            best_ask=unscaled(book.best_ask),
        )

    def _own_sizes(self, outcome_index: int) -> dict[str, dict[Decimal, Decimal]]:
        sizes: dict[str, dict[Decimal, Decimal]] = {"BUY": {}, "SELL": {}}
        outcome_id = self.outcomes[outcome_index].id
        for order in self.open_orders:
            if order.outcome_id == outcome_id:
                side = sizes[order.side]
                side[order.price] = side.get(order.price, Decimal(0)) + order.remaining_quantity
        return sizes

    def marks(self, outcome_index: int) -> list[Mark]:
        """Own trades of the outcome for the chart."""
        outcome = self.outcomes[outcome_index]
        return [
            Mark(
                at=order.filled_at or order.created_at,
                value=order.average_price,
                words=(
                    f"{'sold' if order.side == 'SELL' else 'bought'} "
                    f"{shares_text(order.filled_quantity)} {outcome.label} at "
                    f"{price_cents_text(order.average_price)}"
                ),
                is_sale=order.side == "SELL",
            )
            for order in self.orders
            if order.outcome_id == outcome.id and order.average_price is not None
        ]


def _with_own(
    levels: Sequence[tuple[int, int]], own: Iterable[Decimal], *, is_bid: bool
) -> list[tuple[int, int]]:
    """The best levels, and own prices among them where the venue has no level."""
    known = {price for price, _ in levels}
    lone = [(price, 0) for price in map(to_scaled, own) if price not in known]
    return sorted([*levels[:LADDER_LEVELS], *lone], reverse=is_bid)[:LADDER_LEVELS]


def _level(level: tuple[int, int], largest: int, own: dict[Decimal, Decimal]) -> Level:
    price, size = level
    exact = Decimal(price).scaleb(-6)
    return Level(
        price=exact,
        size=Decimal(size).scaleb(-6),
        width=f"{size * 100 // largest}%",
        own=own.get(exact, Decimal(0)),
    )


def read_market_view(
    slug: str, *, account: Account | None, interval: Interval, outcome_index: int, now: datetime
) -> MarketView:
    """The page of a market; raises NotFound for an unknown one or a placeholder."""
    outcomes = _read_group(slug)
    if not outcomes:
        raise NotFound("There is no market at this address.")
    holdings = account.holdings if account else ()
    group = _to_group(outcomes, holdings, now)
    row = next(found for found in group if found.market.slug == slug)
    first = row.outcomes[0]
    chosen = row.outcomes[outcome_index]
    return MarketView(
        row=row,
        group=tuple(found for found in group if not found.market.is_hidden),
        stats=getattr(row.market, "stats", None),
        live=_read_live(row.market.condition_id),
        points=_to_side(
            read_price_points(outcome_id=first.id, interval=interval, now=now), chosen.index
        ),
        tape=_read_tape(row.market),
        orders=_read_orders(row.market, account),
        now=now,
        resolved_at=first.resolved_at,  # type: ignore[attr-defined]
        holdings=tuple(h for h in holdings if h.position.market_id == row.market.id),
    )


def _to_side(points: list[Point], outcome_index: int) -> list[Point]:
    """Points of the second outcome mirror those of the first."""
    if outcome_index == 0:
        return points
    return [Point(point.at, None if point.value is None else 1 - point.value) for point in points]


def _read_group(slug: str) -> list[Outcome]:
    """Outcomes of the market and of all others of its event; long texts only of the one."""
    of_market = MarketResolution.objects.filter(market_id=OuterRef("market_id"))
    newest = of_market.order_by("-version")
    shown = Market.objects.filter(is_hidden=False)
    itself = shown.filter(slug=slug)
    siblings = shown.filter(event_id__in=itself.values("event_id"))
    rows = (
        Outcome.objects.filter(market_id__in=itself.values("id").union(siblings.values("id")))
        .select_related("market__event", "market__stats")
        .defer("market__description", "market__event__description")
        .annotate(
            rules=Case(
                When(market__slug=slug, then=F("market__description")),
                default=Value(""),
                output_field=TextField(),
            ),
            payouts=Subquery(newest.values("payouts")[:1]),
            resolved_at=Subquery(newest.values("resolved_at")[:1]),
        )
        .order_by("market_id", "index")
    )
    found: list[Outcome] = list(rows)
    return found if any(outcome.market.slug == slug for outcome in found) else []


def _to_group(
    outcomes: Sequence[Outcome], holdings: Sequence[Holding], now: datetime
) -> list[GroupRow]:
    by_market: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_market.setdefault(outcome.market_id, []).append(outcome)
    pairs = [tuple(pair) for pair in by_market.values() if len(pair) == 2]
    quotes = _read_quotes([pair[0].market.condition_id for pair in pairs])
    rows = [_to_row(pair, quotes, holdings, now) for pair in pairs]
    return sorted(rows, key=lambda row: (-(row.price.chance or Decimal(0)), row.market.id))


def _to_row(
    pair: tuple[Outcome, ...],
    quotes: dict[str, Quote],
    holdings: Sequence[Holding],
    now: datetime,
) -> GroupRow:
    market = pair[0].market
    payouts = tuple(Decimal(text) for text in (pair[0].payouts or ()))  # type: ignore[attr-defined]
    price = price_of(getattr(market, "stats", None), quotes.get(market.condition_id), now)
    if payouts:
        price = Price(chance=payouts[0])
    return GroupRow(
        market=market,
        outcomes=pair,
        price=price,
        holdings=tuple(h for h in holdings if h.position.market_id == market.id),
        payouts=payouts,
    )


def _read_quotes(condition_ids: Sequence[str]) -> dict[str, Quote]:
    try:
        return books.read_quotes(condition_ids, note_interest=len(condition_ids) <= 40)
    except ServiceUnavailable:
        return {}


def _read_live(condition_id: str) -> LiveMarket | None:
    """The live market; None while Valkey does not answer or nothing was ever written."""
    try:
        live = books.read_live_market(condition_id)
    except ServiceUnavailable:
        return None
    return live if any(live.books) else None


def _read_tape(market: Market) -> tuple[VenueTrade, ...]:
    rows = VenueTrade.objects.filter(market_id=market.id).order_by("-traded_at", "-id")
    return tuple(rows.select_related("outcome")[:TAPE_ROWS])


def _read_orders(market: Market, account: Account | None) -> tuple[Order, ...]:
    """Open orders and those with fills, newest first, from the account's building."""
    if account is None:
        return ()
    own = {"wallet_id": account.id, "market_id": market.id}
    with account.building():
        # Each half has an index of its own; a wallet may have a hundred thousand other orders.
        resting = Order.objects.filter(**own, status=Order.Status.PENDING).values("id")
        filled = Fill.objects.filter(**own).order_by("-id").values("order_id")[:OWN_ORDERS_MAX]
        rows = Order.objects.filter(id__in=resting.union(filled)).select_related("outcome")
        return tuple(rows.defer("answer").order_by("-created_at", "-id")[:OWN_ORDERS_MAX])


def own_price_of_trade(trade: VenueTrade, outcome_index: int) -> Decimal:
    """A tape price seen from an outcome: a trade of the other one mirrors."""
    return trade.price if trade.outcome.index == outcome_index else 1 - trade.price
