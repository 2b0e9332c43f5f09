"""A matcher whose clock the test sets, and a market it watches."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.exchange import NOW, Trader, make_market, make_trader
from trading.markets.books.keys import tick_channel
from trading.markets.models import Market
from trading.matcher.loop import Matcher
from trading.services.market_terms import forget_market_terms


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, **step: float) -> datetime:
        self.now += timedelta(**step)
        return self.now


class SteppedMatcher(Matcher):
    """A matcher that does one round when asked."""

    watch: Watch

    def round(self) -> None:
        """One turn of the loop in which everything periodic is due."""
        self._due = dict.fromkeys(self._due, 0.0)
        self.work(self.watch())

    def hear_print(
        self, market: Market, price: str, size: str, *, identity: str = "t1", outcome: int = 0
    ) -> None:
        frame = {
            "type": "trade",
            "outcome_index": outcome,
            "price": price,
            "size": size,
            "identity": identity,
        }
        self.note(tick_channel(market.condition_id), json.dumps(frame, separators=(",", ":")))


@pytest.fixture(autouse=True)
def _fresh_exchange(redis_client: Any) -> Iterator[None]:
    forget_market_terms()
    yield
    forget_market_terms()


@pytest.fixture
def watch() -> Watch:
    return Watch()


def make_matcher(watch: Watch) -> SteppedMatcher:
    matcher = SteppedMatcher(clock=watch)
    matcher.watch = watch
    return matcher


@pytest.fixture
def matcher(watch: Watch) -> SteppedMatcher:
    return make_matcher(watch)


@pytest.fixture
def market(transactional_db: None) -> Market:
    return make_market()


@pytest.fixture
def trader(transactional_db: None) -> Trader:
    return make_trader()
