"""The venue's wire texts: order books with their hash, and the events of the market socket.

All figures are text, levels stand worst first. Contract: polymarket-feed 3.1, 4.3, 5.3.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from trading.markets.standin.figures import figure_text, trade_price_text
from trading.markets.standin.market import SELL, Change, Levels, Market, Print, mirrored

EMPTY_HASH: Final = '"hash":""'
WRONG_HASH: Final = "0" * 40


def compact(document: object) -> str:
    """JSON without spaces, as the venue sends it and as the hash formula wants it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _level_texts(levels: Levels) -> list[dict[str, str]]:
    return [{"price": figure_text(price), "size": figure_text(size)} for price, size in levels]


def book_text(
    market: Market, outcome_index: int, *, is_frame: bool, has_wrong_hash: bool = False
) -> str:
    """One book object as JSON text, its hash computed by 5.3 over exactly these texts."""
    bids, asks = market.levels(outcome_index)
    last = market.last_prices
    body = compact(
        {
            "market": market.condition_id,
            "asset_id": market.token_ids[outcome_index],
            "timestamp": str(market.timestamp_ms),
            "hash": "",
            "bids": _level_texts(bids),
            "asks": _level_texts(asks),
            "min_order_size": figure_text(market.min_size),
            "tick_size": figure_text(market.tick),
            "neg_risk": market.is_neg_risk,
            "last_trade_price": trade_price_text(last[outcome_index]) if last else "",
        }
    )
    digest = hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()
    if has_wrong_hash:
        digest = WRONG_HASH
    text = body.replace(EMPTY_HASH, f'"hash":"{digest}"', 1)
    return f'{text[:-1]},"event_type":"book"}}' if is_frame else text


def _top_texts(market: Market, outcome_index: int) -> tuple[str, str]:
    bid, ask = market.top(outcome_index)
    return (
        figure_text(bid) if bid is not None else "0",
        figure_text(ask) if ask is not None else "1",
    )


def price_change_text(market: Market, changes: list[Change]) -> str:
    """`price_change` in the shape since September 2025: both tokens in one message."""
    entries = []
    for index, own in enumerate((changes, mirrored(changes))):
        best_bid, best_ask = _top_texts(market, index)
        for side, price, size in own:
            entry = {
                "asset_id": market.token_ids[index],
                "price": figure_text(price),
                "size": figure_text(size),
                "side": side,
            }
            seed = f"{market.timestamp_ms}{entry}"
            digest = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
            entries.append({**entry, "hash": digest, "best_bid": best_bid, "best_ask": best_ask})
    return compact(
        {
            "event_type": "price_change",
            "market": market.condition_id,
            "timestamp": str(market.timestamp_ms),
            "price_changes": entries,
        }
    )


def best_bid_ask_text(market: Market, outcome_index: int) -> str:
    """`best_bid_ask`, for connections with the custom features."""
    best_bid, best_ask = _top_texts(market, outcome_index)
    bid, ask = market.top(outcome_index)
    spread = figure_text(ask - bid) if bid is not None and ask is not None else ""
    return compact(
        {
            "event_type": "best_bid_ask",
            "market": market.condition_id,
            "asset_id": market.token_ids[outcome_index],
            "best_bid": best_bid,
            "best_ask": best_ask,
            "spread": spread,
            "timestamp": str(market.timestamp_ms),
        }
    )


def trade_text(market: Market, trade: Print) -> str:
    """`last_trade_price`: `side` is the taker's."""
    return compact(
        {
            "event_type": "last_trade_price",
            "asset_id": market.token_ids[trade.outcome_index],
            "market": market.condition_id,
            "price": figure_text(trade.price),
            "size": figure_text(trade.size),
            "side": trade.side,
            "fee_rate_bps": "0",
            "timestamp": str(trade.timestamp_ms),
            "transaction_hash": trade.transaction_hash,
        }
    )


def tick_size_change_text(market: Market, outcome_index: int, old_tick: int) -> str:
    """`tick_size_change` of one token; the new tick is the market's."""
    return compact(
        {
            "event_type": "tick_size_change",
            "asset_id": market.token_ids[outcome_index],
            "market": market.condition_id,
            "old_tick_size": figure_text(old_tick),
            "new_tick_size": figure_text(market.tick),
            "side": SELL,
            "timestamp": str(market.timestamp_ms),
        }
    )


def _identification(market: Market) -> dict[str, Any]:
    """The fields that `new_market` and `market_resolved` share."""
    event = market.event
    row = market.describe(market)
    return {
        "id": market.gamma_id,
        "question": market.question,
        "market": market.condition_id,
        "slug": market.slug,
        "description": row.get("description", ""),
        "assets_ids": list(market.token_ids),
        "outcomes": list(market.outcomes),
        "event_message": {
            "id": event.gamma_id if event else "",
            "ticker": event.slug if event else "",
            "slug": event.slug if event else "",
            "title": event.title if event else "",
            "description": row.get("description", ""),
        },
        "synthetic": bool(row.get("synthetic", False)),
    }


def new_market_text(market: Market, timestamp_ms: int) -> str:
    """`new_market`, for every connection with the custom features."""
    fees = market.fees
    schedule = {"rate": fees.rate, "exponent": fees.exponent, "takerOnly": True} if fees else ""
    return compact(
        _identification(market)
        | {
            "condition_id": market.condition_id,
            "clob_token_ids": list(market.token_ids),
            "tags": [slug for _id, _label, slug in market.event.tags] if market.event else [],
            "active": True,
            "sports_market_type": "",
            "line": "",
            "game_start_time": "",
            "order_price_min_tick_size": figure_text(market.tick),
            "group_item_title": str(market.describe(market).get("groupItemTitle", "")),
            "taker_base_fee": "1000" if fees else "0",
            "fees_enabled": fees is not None,
            "fee_schedule": schedule,
            "timestamp": str(timestamp_ms),
            "event_type": "new_market",
        }
    )


def market_resolved_text(market: Market, timestamp_ms: int) -> str:
    """`market_resolved`; a market that paid half to each side names no winner."""
    winner = market.payouts.index("1") if market.payouts and "1" in market.payouts else None
    return compact(
        _identification(market)
        | {
            "winning_asset_id": market.token_ids[winner] if winner is not None else "",
            "winning_outcome": market.outcomes[winner] if winner is not None else "",
            "timestamp": str(timestamp_ms),
            "event_type": "market_resolved",
        }
    )
