"""Which markets are kept live: those with money in them, those looked at, the busiest (4.5)."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import redis.asyncio
from django.db.models import F, Q

from trading.markets.books import keys
from trading.markets.books.frames import MarketCard
from trading.markets.models import Market
from trading.markets.polymarket.keeper import MarketSpec

SCALE = 1_000_000
GRACE_S = 300.0
PAGES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class FeedMarket:
    """A tradable market as the feed needs it."""

    spec: MarketSpec
    card: MarketCard
    market_id: int
    outcome_ids: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interest:
    """Condition ids by reason; `pages` newest first."""

    orders: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    watchlists: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()

    def all_ids(self) -> set[str]:
        """Everything that somebody wants."""
        return {*self.orders, *self.positions, *self.watchlists, *self.pages}


@dataclass(slots=True)
class Wanted:
    """Orders markets by importance and lets go of them 5 minutes after the last interest."""

    grace_s: float = GRACE_S
    _last_wanted_s: dict[str, float] = field(default_factory=dict)

    def choose(
        self, interest: Interest, busiest: Sequence[str], known: Iterable[str], *, now_s: float
    ) -> list[str]:
        """Known markets, most important first, without repeats."""
        available = set(known)
        groups = (
            interest.orders,
            interest.positions,
            interest.pages,
            interest.watchlists,
            busiest,
        )
        chosen: dict[str, None] = {}
        for group in groups:
            for condition_id in group:
                if condition_id in available:
                    chosen[condition_id] = None
        for condition_id in chosen:
            self._last_wanted_s[condition_id] = now_s
        for condition_id, wanted_s in list(self._last_wanted_s.items()):
            if now_s - wanted_s > self.grace_s or condition_id not in available:
                del self._last_wanted_s[condition_id]
            else:
                chosen.setdefault(condition_id, None)
        return list(chosen)


async def read_interest(client: "redis.asyncio.Redis") -> Interest:
    """What the other processes said; raises RedisError."""
    since_ms = time.time_ns() // 1_000_000 - keys.PAGE_INTEREST_S * 1000
    pipe = client.pipeline(transaction=False)
    for kind in keys.HELD_KINDS:
        pipe.smembers(keys.held_interest_key(kind))
    pipe.zremrangebyscore(keys.page_interest_key(), "-inf", since_ms)
    pipe.zrevrange(keys.page_interest_key(), 0, PAGES_MAX - 1)
    orders, positions, watchlists, _, pages = await pipe.execute()
    return Interest(
        orders=tuple(sorted(orders)),
        positions=tuple(sorted(positions)),
        watchlists=tuple(sorted(watchlists)),
        pages=tuple(pages),
    )


def load_markets(
    condition_ids: Iterable[str], *, busiest: int
) -> tuple[dict[str, FeedMarket], list[str]]:
    """(tradable markets by condition id, the busiest ones in order), in two queries."""
    tradable = Market.objects.filter(
        is_active=True,
        is_closed=False,
        is_archived=False,
        is_hidden=False,
        is_order_book_enabled=True,
        is_accepting_orders=True,
    )
    top = list(
        tradable.order_by(F("stats__volume_24h").desc(nulls_last=True), "pk").values_list(
            "condition_id", flat=True
        )[:busiest]
    )
    chosen = tradable.filter(Q(condition_id__in=[*condition_ids, *top]))
    found: dict[str, FeedMarket] = {}
    for market in chosen.select_related("stats").prefetch_related("outcomes"):
        entry = to_feed_market(market)
        if entry is not None:
            found[market.condition_id] = entry
    return found, [condition_id for condition_id in top if condition_id in found]


def to_feed_market(market: Market) -> FeedMarket | None:
    """The feed's view of a row; None when it does not have two outcomes."""
    outcomes = sorted(market.outcomes.all(), key=lambda outcome: outcome.index)
    if len(outcomes) != 2:
        return None
    first, second = outcomes
    spec = MarketSpec(
        condition_id=market.condition_id,
        token_ids=(first.token_id, second.token_id),
        tick_size=int(market.tick_size * SCALE),
        min_order_size=int(market.min_order_size * SCALE),
        neg_risk=market.is_neg_risk,
    )
    return FeedMarket(
        spec=spec,
        card=to_card(market, (first.label, second.label), spec.token_ids),
        market_id=market.pk,
        outcome_ids=(first.pk, second.pk),
    )


def to_card(market: Market, labels: tuple[str, str], token_ids: tuple[str, str]) -> MarketCard:
    """What frames say about the market besides its books."""
    stats = getattr(market, "stats", None)
    volume = stats.volume_total if stats is not None else None
    return MarketCard(
        condition_id=market.condition_id,
        labels=labels,
        token_ids=token_ids,
        volume=_money_text(volume),
        is_active=market.is_active,
        is_closed=market.is_closed,
    )


def _money_text(amount: Decimal | None) -> str:
    return "0" if amount is None else format(amount.quantize(Decimal("0.01")), "f")
