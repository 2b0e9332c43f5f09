"""Gamma's objects: what describes a market or event, plus the fields that move.

Lists of texts are JSON inside a string, as the venue writes them. Contract: polymarket-feed 2.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from trading.markets.standin.figures import SCALE, figure_text, number
from trading.markets.standin.market import Event, Market
from trading.markets.standin.venue import iso

HOUR_MS = 3_600_000


def inner_json(values: object) -> str:
    """JSON inside a string, with the venue's spaces: `["Yes", "No"]`."""
    return json.dumps(values, ensure_ascii=False)


def closed_time(timestamp_ms: int) -> str:
    """`closedTime` and `gameStartTime` have a shape of their own: 2026-07-24 00:00:16+00."""
    moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S+00")


def market_row(market: Market, now_ms: int, *, has_parent: bool = False) -> dict[str, Any]:
    """One market; `has_parent` adds the event without its markets, as `/markets` does."""
    row = market.describe(market)
    if market.is_recorded:
        row |= _moved_since(market, now_ms)
    else:
        row |= _identity(market) | _prices(market, now_ms) | _life(market, now_ms)
    if has_parent and market.event is not None:
        row["events"] = [event_row(market.event, now_ms, has_markets=False)]
    return row


def _identity(market: Market) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": market.gamma_id,
        "question": market.question,
        "conditionId": market.condition_id,
        "slug": market.slug,
        "outcomes": inner_json(list(market.outcomes)),
        "clobTokenIds": inner_json(list(market.token_ids)),
        "enableOrderBook": True,
        "orderPriceMinTickSize": number(market.tick),
        "orderMinSize": market.min_size // SCALE,
        "negRisk": market.is_neg_risk,
    }
    return row


def _prices(market: Market, now_ms: int) -> dict[str, Any]:
    """Display figures of the first outcome; a side that is missing has no field."""
    bid, ask = market.top(0)
    middle = market.middle()
    row: dict[str, Any] = {
        "volume": f"{market.volume_total:.6f}",
        "volumeNum": round(market.volume_total, 6),
        "volume24hr": round(market.volume_24h, 6),
        "liquidity": f"{market.liquidity:.5f}",
        "liquidityNum": round(market.liquidity, 5),
    }
    if market.payouts is not None:
        row["outcomePrices"] = inner_json(list(market.payouts))
    elif middle is not None:
        row["outcomePrices"] = inner_json([figure_text(middle), figure_text(SCALE - middle)])
    if bid is not None:
        row["bestBid"] = number(bid)
    row["bestAsk"] = number(ask) if ask is not None else 1
    if bid is not None and ask is not None:
        row["spread"] = number(ask - bid)
    if market.last_prices is not None:
        row["lastTradePrice"] = number(market.last_prices[0])
    return row | _price_changes(market, middle, now_ms)


def _moved_since(market: Market, now_ms: int) -> dict[str, Any]:
    """What playing or a hook has changed in a recorded row: prices, tick, the end of its life."""
    moved: dict[str, Any] = {"orderPriceMinTickSize": number(market.tick)}
    names = ["outcomePrices", "bestBid", "bestAsk", "spread", "lastTradePrice"]
    if market.timestamp_ms and not market.is_closed:
        prices = _prices(market, now_ms)
        names += ["volume", "volumeNum", "volume24hr"] if market.tape else []
        if not market.volume_total:
            names += ["liquidity", "liquidityNum"]
        moved |= {name: prices[name] for name in names if name in prices}
        moved |= _price_changes(market, market.middle(), now_ms)
    if market.is_closed and market.timestamp_ms:
        moved |= _life(market, now_ms)
        moved["outcomePrices"] = inner_json(list(market.payouts or ("0", "0")))
    return moved


def _price_changes(market: Market, middle: int | None, now_ms: int) -> dict[str, Any]:
    if market.price_at is None or middle is None:
        return {}
    row = {}
    spans = (("oneHour", 1), ("oneDay", 24), ("oneWeek", 168), ("oneMonth", 720))
    for name, hours in spans:
        former = market.price_at(now_ms - hours * HOUR_MS)
        if former is not None:
            row[f"{name}PriceChange"] = round(middle / SCALE - former, 4)
    return row


def _life(market: Market, now_ms: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "active": True,
        "closed": market.is_closed,
        "archived": False,
        "acceptingOrders": market.is_accepting and not market.is_closed,
        "updatedAt": iso(max(market.timestamp_ms, market.closed_ms or 0) or now_ms),
        "umaResolutionStatuses": inner_json(["proposed"] if market.uma_status else []),
    }
    if market.uma_status:
        row["umaResolutionStatus"] = market.uma_status
    if market.closed_ms is not None:
        row["closedTime"] = closed_time(market.closed_ms)
        row["umaEndDate"] = iso(market.closed_ms)
    return row


def event_row(event: Event, now_ms: int, *, has_markets: bool = True) -> dict[str, Any]:
    """One event; tags and markets only where the venue sends them (not inside a market)."""
    row = event.describe(event)
    row |= {
        "id": event.gamma_id,
        "slug": event.slug,
        "ticker": event.slug,
        "title": event.title,
        "active": True,
        "closed": event.is_closed,
        "archived": False,
        "featured": event.is_featured,
        "volume": round(event.volume_total, 6),
        "volume24hr": round(event.volume_24h, 6),
        "liquidity": round(event.liquidity, 5),
        "updatedAt": iso(now_ms),
        "enableOrderBook": True,
    }
    closed = [market.closed_ms for market in event.markets if market.closed_ms is not None]
    if event.is_closed and closed:
        row["closedTime"] = iso(max(closed))
    if has_markets:
        row["tags"] = tag_rows(event)
        row["markets"] = [market_row(market, now_ms) for market in event.markets]
    return row


def tag_rows(event: Event) -> list[dict[str, Any]]:
    """The event's tags as Gamma lists them."""
    return [
        {"id": identifier, "label": label, "slug": slug} for identifier, label, slug in event.tags
    ]
