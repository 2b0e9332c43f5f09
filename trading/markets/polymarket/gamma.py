"""Events and markets of the Gamma API as frozen values (feed contract 2 and 7).

Pure. Readers never raise: a row that cannot be used is None with a reason. Unknown fields are
ignored, `""` means absent, a missing flag is None (unknown), unknown enum values stay text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Any, Final

from trading.markets.polymarket import values
from trading.markets.polymarket.fees import FeeSchedule, categorise, read_fee_schedule
from trading.markets.polymarket.rest import ClobMarket
from trading.markets.polymarket.wire import tick_size

MICRO: Final = Decimal("0.000001")
#: Largest amount that a numeric(20,6) column holds.
_MAX_AMOUNT: Final = Decimal(10) ** 14
_DIGITS = re.compile(r"[0-9]{1,30}\Z")
#: Unnamed outcomes that an augmented negative-risk event keeps in reserve.
_PLACEHOLDER = re.compile(
    r"(?:another |other |new )?(?:person|individual|candidate|nominee|player|party|team|club"
    r"|company|country|nation|state|city|option|outcome|placeholder|driver|artist|actor|actress"
    r"|movie|film|show|song|album|book|model|coach|manager|golfer|fighter|school|word|name)"
    r" (?:[a-z]{1,2}|\d{1,3})\Z",
    re.IGNORECASE,
)
_OTHER_TITLES: Final = frozenset({"other", "another", "field", "someone else", "other/none"})
SETTLED_VECTORS: Final = (
    (Decimal(1), Decimal(0)),
    (Decimal(0), Decimal(1)),
    (Decimal("0.5"), Decimal("0.5")),
)
SETTLED_STATUSES: Final = frozenset({"resolved", "settled"})

Payouts = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class GammaMarket:
    """One binary market. Prices and sizes are Decimal, of outcome 0; flags None = unknown."""

    gamma_id: str
    condition_id: str
    slug: str
    question: str
    description: str
    group_item_title: str
    resolution_source: str
    image_url: str
    outcomes: tuple[str, str]
    outcome_prices: Payouts | None
    #: Two token ids by outcome index, or none while the market is not tradable yet.
    token_ids: tuple[str, ...]
    active: bool | None
    closed: bool | None
    archived: bool | None
    accepting_orders: bool | None
    order_book_enabled: bool | None
    neg_risk: bool | None
    neg_risk_other: bool | None
    clear_book_on_start: bool | None
    tick_size: Decimal | None
    min_order_size: Decimal | None
    fee_type: str
    fee_schedule: FeeSchedule | None
    category: str | None
    uma_status: str
    starts_at: datetime | None
    ends_at: datetime | None
    closed_at: datetime | None
    game_starts_at: datetime | None
    volume_24h: Decimal | None
    volume_total: Decimal | None
    liquidity: Decimal | None
    best_bid: Decimal | None
    best_ask: Decimal | None
    last_trade_price: Decimal | None
    change_24h: Decimal | None
    is_up_down: bool
    is_placeholder: bool

    @property
    def is_tradable(self) -> bool:
        """The venue takes orders on it (contract 2.3); `closed` wins over `acceptingOrders`."""
        return (
            self.active is True
            and not self.closed
            and not self.archived
            and self.order_book_enabled is True
            and self.accepting_orders is True
            and len(self.token_ids) == 2
        )


@dataclass(frozen=True, slots=True)
class GammaEvent:
    """One event with its usable markets; `dropped` names why others are missing."""

    gamma_id: str
    slug: str
    title: str
    description: str
    image_url: str
    series_slug: str
    tags: tuple[dict[str, str], ...]
    category: str | None
    neg_risk: bool
    is_augmented: bool
    closed: bool
    starts_at: datetime | None
    ends_at: datetime | None
    volume_24h: Decimal | None
    markets: tuple[GammaMarket, ...] = ()
    dropped: tuple[str, ...] = ()


def read_event(row: object) -> tuple[GammaEvent | None, str]:
    """One event object, or None and the reason. Its unusable markets are named in `dropped`."""
    if not isinstance(row, dict):
        return None, "not_an_object"
    gamma_id, slug = _identifier(row.get("id")), values.text(row.get("slug"), limit=255)
    title = values.text(row.get("title"), limit=2_000)
    if not gamma_id or not slug or not title:
        return None, "event_without_identity"
    event = _event_head(row, gamma_id, slug, title)
    markets: list[GammaMarket] = []
    dropped: list[str] = []
    raw_markets = row.get("markets")
    for raw in raw_markets if isinstance(raw_markets, list) else []:
        market, reason = _read_market(raw, event)
        if market is None:
            dropped.append(reason)
        else:
            markets.append(market)
    return _with_markets(event, tuple(markets), tuple(dropped)), ""


def read_market(row: object) -> tuple[GammaMarket | None, GammaEvent | None, str]:
    """One row of `/markets` and its parent event from `events[]` (without tags), or a reason."""
    parent = _parent_event(row) if isinstance(row, dict) else None
    market, reason = _read_market(row, parent)
    return market, parent, reason


def read_events_page(payload: object) -> tuple[list[GammaEvent], str, dict[str, int]]:
    """A page of `/events/keyset`, `/events` or `/public-search`.

    Answers (events, next cursor or "", count of dropped rows by reason).
    """
    rows = payload.get("events") if isinstance(payload, dict) else payload
    cursor = values.text(payload.get("next_cursor")) if isinstance(payload, dict) else ""
    if not isinstance(rows, list):
        return [], "", {"not_a_page": 1}
    events: list[GammaEvent] = []
    dropped: dict[str, int] = {}
    for row in rows:
        event, reason = read_event(row)
        if event is not None:
            events.append(event)
        for cause in event.dropped if event is not None else (reason,):
            dropped[cause] = dropped.get(cause, 0) + 1
    return events, cursor, dropped


def read_markets_page(
    payload: object,
) -> tuple[list[tuple[GammaMarket, GammaEvent | None]], dict[str, int]]:
    """Rows of `/markets` or `/markets/keyset` with their parents, and what was dropped."""
    rows = payload.get("markets") if isinstance(payload, dict) else payload
    if not isinstance(rows, list):
        return [], {"not_a_page": 1}
    markets: list[tuple[GammaMarket, GammaEvent | None]] = []
    dropped: dict[str, int] = {}
    for row in rows:
        market, parent, reason = read_market(row)
        if market is None:
            dropped[reason] = dropped.get(reason, 0) + 1
        else:
            markets.append((market, parent))
    return markets, dropped


def _event_head(row: dict[str, Any], gamma_id: str, slug: str, title: str) -> GammaEvent:
    tags = _tags(row.get("tags"))
    return GammaEvent(
        gamma_id=gamma_id,
        slug=slug,
        title=title,
        description=values.text(row.get("description")),
        image_url=_address(row.get("image")) or _address(row.get("icon")),
        series_slug=values.text(row.get("seriesSlug"), limit=255),
        tags=tags,
        category=categorise(tags=[tag["slug"] for tag in tags], fee_type=""),
        neg_risk=values.flag(row.get("negRisk")) is True
        or values.flag(row.get("enableNegRisk")) is True,
        is_augmented=values.flag(row.get("enableNegRisk")) is True
        and values.flag(row.get("negRiskAugmented")) is True,
        closed=values.flag(row.get("closed")) is True,
        starts_at=values.instant(row.get("startDate")),
        ends_at=values.instant(row.get("endDate")),
        volume_24h=_amount(row.get("volume24hr")),
    )


def _with_markets(
    event: GammaEvent, markets: tuple[GammaMarket, ...], dropped: tuple[str, ...]
) -> GammaEvent:
    """The event with its markets; a tagless event takes the category most of them have."""
    category = event.category
    named = [market.category for market in markets if market.category]
    # A fee type is the venue's own word; tags are only our reading of it.
    if named and (category is None or len(set(named)) == 1):
        category = max(sorted(set(named)), key=named.count)
    fields = {name: getattr(event, name) for name in GammaEvent.__slots__}
    return GammaEvent(**fields | {"category": category, "markets": markets, "dropped": dropped})


def _parent_event(row: dict[str, Any]) -> GammaEvent | None:
    parents = row.get("events")
    if not isinstance(parents, list) or not parents:
        return None
    event, _reason = read_event(parents[0])
    return event


def _read_market(row: object, event: GammaEvent | None) -> tuple[GammaMarket | None, str]:
    if not isinstance(row, dict):
        return None, "not_an_object"
    gamma_id = _identifier(row.get("id"))
    condition_id = values.condition_id(row.get("conditionId"))
    slug = values.text(row.get("slug"), limit=255)
    question = values.text(row.get("question"), limit=4_000)
    if not gamma_id or condition_id is None or not slug or not question:
        return None, "market_without_identity"
    outcomes = values.json_list(row.get("outcomes"))
    if outcomes is None or len(outcomes) != 2:
        return None, "not_binary"
    labels = tuple(values.text(label, limit=200) for label in outcomes)
    if not all(labels):
        return None, "bad_outcomes"
    return _build_market(row, event, gamma_id, condition_id, slug, question, labels), ""


def _build_market(
    row: dict[str, Any],
    event: GammaEvent | None,
    gamma_id: str,
    condition_id: str,
    slug: str,
    question: str,
    labels: tuple[str, ...],
) -> GammaMarket:
    group_title = values.text(row.get("groupItemTitle"), limit=255)
    other = values.flag(row.get("negRiskOther"))
    fee_type = values.text(row.get("feeType"), limit=64)
    is_up_down = tuple(label.lower() for label in labels) == ("up", "down")
    # An Up/Down market runs from the start of its window, not from when it was listed.
    window_start = values.instant(row.get("eventStartTime")) if is_up_down else None
    tick = tick_size(row.get("orderPriceMinTickSize"))
    minimum = values.scaled(row.get("orderMinSize"))
    return GammaMarket(
        gamma_id=gamma_id,
        condition_id=condition_id,
        slug=slug,
        question=question,
        description=values.text(row.get("description")),
        group_item_title=group_title,
        resolution_source=values.text(row.get("resolutionSource"), limit=2_000),
        image_url=_address(row.get("image")) or _address(row.get("icon")),
        outcomes=(labels[0], labels[1]),
        outcome_prices=_outcome_prices(row.get("outcomePrices")),
        token_ids=_token_ids(row.get("clobTokenIds")),
        active=values.flag(row.get("active")),
        closed=values.flag(row.get("closed")),
        archived=values.flag(row.get("archived")),
        accepting_orders=values.flag(row.get("acceptingOrders")),
        order_book_enabled=values.flag(row.get("enableOrderBook")),
        neg_risk=values.flag(row.get("negRisk")),
        neg_risk_other=other,
        clear_book_on_start=values.flag(row.get("clearBookOnStart")),
        tick_size=values.unscaled(tick) if tick else None,
        min_order_size=values.unscaled(minimum) if minimum else None,
        fee_type=fee_type,
        fee_schedule=read_fee_schedule(row.get("feeSchedule")),
        category=_market_category(row, event, fee_type),
        uma_status=values.text(row.get("umaResolutionStatus"), limit=32).lower(),
        starts_at=window_start or values.instant(row.get("startDate")),
        ends_at=values.instant(row.get("endDate")),
        closed_at=values.instant(row.get("closedTime")),
        game_starts_at=values.instant(row.get("gameStartTime")),
        volume_24h=_amount(row.get("volume24hr")),
        volume_total=_amount(row.get("volumeNum", row.get("volume"))),
        liquidity=_amount(row.get("liquidityNum", row.get("liquidity"))),
        best_bid=_fraction(row.get("bestBid")),
        best_ask=_fraction(row.get("bestAsk")),
        last_trade_price=_fraction(row.get("lastTradePrice")),
        change_24h=_change(row.get("oneDayPriceChange")),
        is_up_down=is_up_down,
        is_placeholder=_is_placeholder(group_title, other, event),
    )


def _market_category(row: dict[str, Any], event: GammaEvent | None, fee_type: str) -> str | None:
    return categorise(
        tags=[tag["slug"] for tag in event.tags] if event is not None else [],
        fee_type=fee_type,
        is_sport=bool(row.get("sportsMarketType") or row.get("gameId")),
    )


def _is_placeholder(group_title: str, other: bool | None, event: GammaEvent | None) -> bool:
    """Whether an outcome of an augmented negative-risk event is unnamed or "Other"."""
    if event is None or not event.is_augmented:
        return False
    title = group_title.strip()
    return other is True or title.lower() in _OTHER_TITLES or bool(_PLACEHOLDER.match(title))


def _identifier(value: object) -> str:
    """Gamma's own id: text of digits (a JSON integer is accepted), "" when unusable."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        value = str(value) if value < 10**30 else ""
    if isinstance(value, str) and _DIGITS.match(value):
        return value
    return ""


def _tags(value: object) -> tuple[dict[str, str], ...]:
    tags = []
    for raw in value if isinstance(value, list) else []:
        slug = values.text(raw.get("slug"), limit=120) if isinstance(raw, dict) else ""
        if slug:
            label = values.text(raw.get("label"), limit=200) or slug
            tags.append({"id": _identifier(raw.get("id")), "slug": slug, "label": label})
    return tuple(tags)


def _address(value: object) -> str:
    """A web address that a page may show; anything but http(s) is dropped."""
    address = values.text(value, limit=2_000).strip()
    return address if address.startswith(("https://", "http://")) else ""


def _token_ids(value: object) -> tuple[str, ...]:
    listed = values.json_list(value) or []
    tokens = tuple(token for token in map(values.token_id, listed) if token)
    return tokens if len(listed) == 2 and len(set(tokens)) == 2 else ()


def _outcome_prices(value: object) -> Payouts | None:
    listed = values.json_list(value) or []
    prices = [values.decimal(price) for price in listed]
    if len(prices) != 2:
        return None
    first, second = prices
    if first is None or second is None or not (0 <= first <= 1 and 0 <= second <= 1):
        return None
    return first, second


def _amount(value: object) -> Decimal | None:
    number = values.decimal(value)
    if number is None or not 0 <= number < _MAX_AMOUNT:
        return None
    return number.quantize(MICRO, rounding=ROUND_DOWN)


def _fraction(value: object) -> Decimal | None:
    number = values.decimal(value)
    if number is None or not 0 <= number <= 1:
        return None
    return number.quantize(MICRO, rounding=ROUND_DOWN)


def _change(value: object) -> Decimal | None:
    number = values.decimal(value)
    if number is None or not -1 <= number <= 1:
        return None
    return number.quantize(MICRO, rounding=ROUND_DOWN)


class Verdict(StrEnum):
    """What the CLOB says about a result that Gamma shows."""

    AGREES = "agrees"
    SILENT = "silent"
    DISAGREES = "disagrees"


def settled_payouts(market: GammaMarket) -> Payouts | None:
    """The payouts per share when Gamma shows a final result (contract 7), else None.

    Prices near 1, `["0","0"]`, an open market or a pending oracle are never a result.
    """
    if market.closed is not True or market.outcome_prices not in SETTLED_VECTORS:
        return None
    if market.uma_status in SETTLED_STATUSES:
        return market.outcome_prices
    if not market.uma_status and market.closed_at is not None:
        return market.outcome_prices
    return None


def clob_verdict(
    clob: ClobMarket | None, *, token_ids: tuple[str, ...], payouts: Payouts
) -> Verdict:
    """Whether the CLOB's `tokens[].winner` contradicts the payouts."""
    if clob is None:
        return Verdict.SILENT
    winners = {token.token_id for token in clob.tokens if token.winner is True}
    if clob.is_50_50:
        said: tuple[Decimal, ...] = SETTLED_VECTORS[2]
    elif not winners:
        return Verdict.SILENT
    else:
        said = tuple(Decimal(1) if token in winners else Decimal(0) for token in token_ids)
    return Verdict.AGREES if said == payouts else Verdict.DISAGREES
