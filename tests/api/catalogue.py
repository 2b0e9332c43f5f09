"""Markets, books and results for the tests of market data."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading.markets.books import MarketWrite, TokenBook, write_market
from trading.markets.models import Event, Market, MarketResolution, MarketStats, Outcome
from trading.markets.pricing import Book

CONDITION = "0x{:064x}"
SHARES = 1_000_000
ENDS_AT = datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)


def make_event(number: int, *, volume: Decimal | None = None, category: str = "economics") -> Event:
    """Event `event-<number>` without markets."""
    return Event.objects.create(
        venue_id=str(number),
        slug=f"event-{number}",
        title=f"Event {number}",
        category=category,
        volume_24h=volume,
    )


def make_market(
    number: int,
    *,
    price: Decimal | None = Decimal("0.50"),
    volume: Decimal | None = Decimal("100"),
    liquidity: Decimal | None = None,
    **fields: Any,
) -> Market:
    """Market `market-<number>` with outcomes Yes (token number*1000) and No, and its stats."""
    values: dict[str, Any] = {
        "condition_id": CONDITION.format(number),
        "venue_id": str(number),
        "slug": f"market-{number}",
        "question": f"Question {number}?",
        "category": "economics",
        "tick_size": Decimal("0.01"),
        "min_order_size": Decimal(5),
        "fee_rate": Decimal("0.05"),
        "ends_at": ENDS_AT,
    }
    market = Market.objects.create(**(values | fields))
    for index, label in enumerate(("Yes", "No")):
        Outcome.objects.create(
            market=market, index=index, label=label, token_id=str(number * 1000 + index)
        )
    MarketStats.objects.create(
        market=market,
        price=price,
        volume_24h=volume,
        liquidity=liquidity,
    )
    return market


def give_book(market: Market, **changes: Any) -> None:
    """Bids 0.60 x 5, 0.58 x 10; asks 0.65 x 6, 0.66 x 10, 0.70 x 50; last trade 0.62, live."""
    now_ms = time.time_ns() // 1_000_000
    first, second = market.outcomes.order_by("index")
    bids = ((600_000, 5 * SHARES), (580_000, 10 * SHARES))
    asks = ((650_000, 6 * SHARES), (660_000, 10 * SHARES), (700_000, 50 * SHARES))
    own = TokenBook(
        first.token_id,
        changes.pop("book", Book(bids=bids, asks=asks)),
        venue_ms=now_ms,
        last_trade=620_000,
        last_trade_side="BUY",
        last_trade_size=40 * SHARES,
        last_trade_ms=now_ms,
        **changes,
    )
    mirrored = Book(
        bids=tuple((SHARES - price, size) for price, size in own.book.asks),
        asks=tuple((SHARES - price, size) for price, size in own.book.bids),
    )
    other = TokenBook(second.token_id, mirrored, venue_ms=now_ms)
    write = MarketWrite(
        condition_id=market.condition_id,
        books=(own, other),
        confirmed_at_ms=now_ms,
        is_fresh_snapshot=True,
    )
    write_market(write)


def resolve(market: Market, *payouts: str) -> None:
    """Store the result: dollars per share of each outcome."""
    MarketResolution.objects.create(
        market=market,
        version=1,
        payouts=list(payouts),
        source="test",
        resolved_at=datetime(2027, 1, 5, tzinfo=UTC),
    )
