"""People with sessions in front of the terminal's pages, and a market with a book."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from polysim.kernel.clock import to_milliseconds, utc_now
from polysim.kernel.redis import get_redis
from tenants.models import WalletKind
from tests.support.exchange import Trader, make_market, make_trader, set_book
from trading.markets.books import keys
from trading.markets.models import Event, Market, MarketStats, MinuteCandle
from trading.selectors.pages.catalogue import forget_topics
from trading.selectors.pages.history import forget_sparks
from trading.services.market_terms import forget_market_terms

ASKS = [("0.65", 6), ("0.66", 10), ("0.70", 50)]
BIDS = [("0.61", 40), ("0.60", 100)]


@pytest.fixture(autouse=True)
def _fresh_pages(redis_client: Any, settings: Any) -> Iterator[None]:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    _forget()
    yield
    _forget()


def _forget() -> None:
    forget_market_terms()
    forget_topics()
    forget_sparks()


def run_feed(mode: str = "demo", **fields: Any) -> None:
    """A feed that just received data."""
    now_ms = to_milliseconds(utc_now())
    state = {"mode": mode, "last_data_ms": now_ms, "heartbeat_ms": now_ms, **fields}
    get_redis().hset(keys.feed_key(), mapping={name: str(value) for name, value in state.items()})


def list_market(market: Market, *, volume: str = "1000", price: str = "0.63") -> Market:
    """Figures of a sweep and an hour of history, so that lists and charts show the market."""
    MarketStats.objects.create(
        market=market,
        volume_24h=Decimal(volume),
        liquidity=Decimal("412300"),
        price=Decimal(price),
        best_bid=Decimal("0.61"),
        best_ask=Decimal("0.65"),
        change_24h=Decimal("-0.04"),
    )
    minute_at = utc_now().replace(second=0, microsecond=0)
    first = market.outcomes.get(index=0)
    for minutes, close in ((50, "0.41"), (30, "0.55"), (10, "0.62")):
        value = Decimal(close)
        MinuteCandle.objects.create(
            outcome=first,
            minute_at=minute_at - timedelta(minutes=minutes),
            open=value,
            high=value,
            low=value,
            close=value,
        )
    return market


@pytest.fixture
def market(db: None) -> Market:
    """A market "Will it happen?" with a live book: bid 61, ask 65."""
    event = Event.objects.create(venue_id="e1", slug="it", title="Will it happen?")
    made = list_market(
        make_market(event=event, description="Resolves Yes if it happens.\n\nElse No.")
    )
    run_feed()
    set_book(made, bids=BIDS, asks=ASKS, last_trade="0.65", now=utc_now())
    return made


@pytest.fixture
def trader(db: None) -> Trader:
    """A person whose Main holds 1,000 dollars."""
    return make_trader(cash="1000.00", kind=WalletKind.MAIN)


@pytest.fixture
def page(trader: Trader) -> Client:
    """The trader's browser."""
    client = Client()
    client.force_login(trader.user)
    return client
