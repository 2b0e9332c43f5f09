"""Market M of the contract's examples: asks 0.65 x 6, 0.66 x 10, 0.70 x 50, displayed 0.65."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.exchange import Trader, make_market, make_trader, set_book
from trading.markets.models import Market
from trading.services.market_terms import forget_market_terms

ASKS_OF_M = [("0.65", 6), ("0.66", 10), ("0.70", 50)]


@pytest.fixture(autouse=True)
def _fresh_exchange(redis_client: Any) -> Iterator[None]:
    forget_market_terms()
    yield
    forget_market_terms()


@pytest.fixture
def market(db: None) -> Market:
    made = make_market()
    # A one-sided book shows the last trade, which makes the displayed price 0.65.
    set_book(made, asks=ASKS_OF_M, last_trade="0.65")
    return made


@pytest.fixture
def trader(db: None) -> Trader:
    return make_trader()
