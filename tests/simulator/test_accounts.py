"""Simulated orders are the engine's: fills, fees, cost and settlement to the cent."""

from polysim.kernel.money import SCALE
from prop.simulator.accounts import Account, Quote
from trading.engine.fees import taker_fee
from trading.engine.valuation import Holding
from trading.markets.pricing import Book

DOLLAR = SCALE
# 50 shares at 0.50, then plenty at 0.60; bids at 0.48.
BOOK = Book(
    bids=((480_000, 1_000 * SCALE),), asks=((500_000, 50 * SCALE), (600_000, 1_000 * SCALE))
)


def quote(book: Book = BOOK, rate: int = 40_000, band: int = 0) -> Quote:
    return Quote(book, 490_000, rate, band)


def test_a_buy_walks_the_book_and_pays_the_exchange_fee() -> None:
    account = Account(1_000 * DOLLAR)
    fill = account.buy(0, amount=55 * DOLLAR, quote=quote())
    # 50 shares for 25.00 and 50 for 30.00: 100 shares at 0.55.
    assert fill is not None
    assert account.holdings == {0: Holding(100 * SCALE, 55 * DOLLAR)}
    # 100 * 0.04 * 0.55 * 0.45 = 0.99.
    assert fill.fee == 990_000
    assert fill.fee == taker_fee(
        quantity=100 * SCALE, notional_product=55 * DOLLAR * SCALE, rate=40_000
    )
    assert account.cash == 944_010_000


def test_a_sale_brings_proceeds_less_fee() -> None:
    account = Account(0, {0: Holding(100 * SCALE, 55 * DOLLAR)})
    fill = account.sell(0, quote=quote())
    # 100 * 0.04 * 0.48 * 0.52 = 0.9984 -> 1.00.
    assert fill is not None
    assert fill.fee == 1_000_000
    assert account.cash == 47 * DOLLAR
    assert account.holdings == {}
    assert (account.fees, account.volume, account.orders) == (1_000_000, 48 * DOLLAR, 1)


def test_what_the_book_cannot_take_stays() -> None:
    account = Account(0, {0: Holding(1_500 * SCALE, 750 * DOLLAR)})
    account.sell(0, quote=quote(rate=0))
    assert account.holdings == {0: Holding(500 * SCALE, 250 * DOLLAR)}
    assert account.cash == 480 * DOLLAR


def test_a_settled_market_pays_its_shares_without_fee() -> None:
    account = Account(0, {0: Holding(100 * SCALE, 55 * DOLLAR), 3: Holding(10 * SCALE, 1)})
    account.settle(0, SCALE)
    account.settle(3, 0)
    assert (account.cash, account.holdings, account.fees) == (100 * DOLLAR, {}, 0)


def test_orders_beyond_cash_or_band_are_refused() -> None:
    account = Account(55 * DOLLAR)
    assert account.buy(0, amount=55 * DOLLAR, quote=quote()) is None
    assert account.buy(0, amount=40 * DOLLAR, quote=quote(band=10_000)) is None
    assert account.buy(0, amount=4 * DOLLAR, quote=quote()) is None
    assert (account.cash, account.holdings, account.refused) == (55 * DOLLAR, {}, 2)
