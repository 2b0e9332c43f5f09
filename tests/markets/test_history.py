"""Minute candles, the tape, and the venue's past, filled once. Synthetic rows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.venue import MadeUpVenue, condition_of, decoded, gamma_event, gamma_market
from trading.markets.catalogue_store import store_markets
from trading.markets.history import (
    Candle,
    backfill_market,
    forget_old_history,
    load_outcome_ids,
    markets_without_history,
    store_candles,
    store_trades,
)
from trading.markets.models import Market, MinuteCandle, Outcome, VenueTrade
from trading.markets.polymarket.gamma import read_event
from trading.markets.polymarket.http import VenueClient
from trading.markets.polymarket.rest import read_history, read_trades
from trading.markets.polymarket.wire import TradePrint

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
MINUTE = NOW.replace(second=0)
NOW_S = int(NOW.timestamp())
YES, NO = str(10**70 + 2), str(10**70 + 3)


@pytest.fixture
def market(db: None, redis_client: Any) -> Market:
    """A stored market with its two outcomes."""
    event, _reason = read_event(decoded(gamma_event(1, [gamma_market(1)])))
    assert event is not None
    store_markets([(row, event) for row in event.markets], now=NOW)
    return Market.objects.get()


def _outcome_ids(market: Market) -> tuple[int, int]:
    first, second = Outcome.objects.filter(market=market).order_by("index")
    return first.pk, second.pk


def test_finished_minutes_are_written_in_one_statement(market: Market) -> None:
    first, second = _outcome_ids(market)
    candles = [
        Candle(first, MINUTE, 650_000, 660_000, 640_000, 655_000, 12_500_000),
        Candle(second, MINUTE, 350_000, 360_000, 340_000, 345_000),
        Candle(999_999, MINUTE, 1, 1, 1, 1),
    ]

    with CaptureQueriesContext(connection) as queries:
        store_candles(candles)

    assert len(queries) == 1
    candle = MinuteCandle.objects.get(outcome_id=first)
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (
        Decimal("0.65"), Decimal("0.66"), Decimal("0.64"), Decimal("0.655"), Decimal("12.5"),
    )  # fmt: skip
    assert MinuteCandle.objects.count() == 2


def test_a_minute_written_in_two_parts_is_one_candle(market: Market) -> None:
    first, _second = _outcome_ids(market)

    store_candles([Candle(first, MINUTE, 500_000, 520_000, 490_000, 510_000, 1_000_000)])
    store_candles(
        [
            Candle(first, MINUTE, 530_000, 540_000, 505_000, 535_000, 2_000_000),
            Candle(first, MINUTE, 535_000, 535_000, 480_000, 481_000, 4_000_000),
        ]
    )

    candle = MinuteCandle.objects.get()
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (
        Decimal("0.5"), Decimal("0.54"), Decimal("0.48"), Decimal("0.481"), Decimal(7),
    )  # fmt: skip


def _trade(**changes: Any) -> TradePrint:
    fields: dict[str, Any] = {
        "condition_id": condition_of(1),
        "token_id": YES,
        "price": 456_000,
        "size": 219_217_767,
        "side": "BUY",
        "timestamp_ms": NOW_S * 1000,
        "transaction_hash": "0xaa",
    }
    return TradePrint(**(fields | changes))


def test_the_tape_takes_each_trade_once_and_knows_no_strangers(market: Market) -> None:
    outcome_ids = load_outcome_ids([market.condition_id])
    trades = [_trade(), _trade(), _trade(side="SELL"), _trade(token_id="5")]

    store_trades(trades, outcome_ids=outcome_ids)
    store_trades(trades, outcome_ids=outcome_ids)

    assert VenueTrade.objects.count() == 2
    row = VenueTrade.objects.get(side="BUY")
    assert (row.price, row.size) == (Decimal("0.456"), Decimal("219.217767"))
    assert row.market == market
    assert row.traded_at == NOW


def test_the_old_tape_is_forgotten_and_the_candles_stay(market: Market) -> None:
    outcome_ids = load_outcome_ids([market.condition_id])
    old = NOW - timedelta(days=15)
    store_trades(
        [_trade(), _trade(timestamp_ms=int(old.timestamp()) * 1000, transaction_hash="")],
        outcome_ids=outcome_ids,
    )

    assert forget_old_history(now=NOW, keep=timedelta(days=14)) == 1
    assert VenueTrade.objects.count() == 1


def _venue(history: Any, trades: Any = ()) -> tuple[VenueClient, MadeUpVenue]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/prices-history":
            body = history.get(request.url.params["interval"], [])
            if isinstance(body, int):
                return httpx.Response(body)
            return httpx.Response(200, json={"history": body})
        if request.url.path == "/trades":
            return httpx.Response(200, json=list(trades))
        return httpx.Response(500)

    venue = MadeUpVenue(answer)
    return VenueClient(transport=venue, repeats=0), venue


def test_the_past_is_filled_once_for_both_outcomes(market: Market) -> None:
    first, second = _outcome_ids(market)
    client, venue = _venue(
        {
            "max": [{"t": NOW_S - 30 * 86_400, "p": 0.5}, {"t": NOW_S - 3_600, "p": 0.1}],
            "1d": [{"t": NOW_S - 3_600, "p": 0.62}, {"t": NOW_S, "p": 0.9}, {"t": "x", "p": 1}],
        }
    )

    written = backfill_market(condition_id=market.condition_id, client=client, now=NOW)
    again = backfill_market(condition_id=market.condition_id, client=client, now=NOW)

    assert (written, again) == (4, 0)
    assert len(venue.requests) == 4
    prices = MinuteCandle.objects.order_by("minute_at", "outcome_id")
    assert [(row.outcome_id, row.close) for row in prices] == [
        (first, Decimal("0.5")),
        (second, Decimal("0.5")),
        (first, Decimal("0.62")),
        (second, Decimal("0.38")),
    ]


def test_a_minute_that_we_saw_ourselves_is_never_overwritten(market: Market) -> None:
    first, _second = _outcome_ids(market)
    own = MINUTE - timedelta(hours=1)
    store_candles([Candle(first, own, 500_000, 500_000, 500_000, 500_000)])
    client, _requests = _venue({"1d": [{"t": int(own.timestamp()), "p": 0.7}]})

    backfill_market(condition_id=market.condition_id, client=client, now=NOW)

    assert MinuteCandle.objects.get(outcome_id=first).close == Decimal("0.5")


def test_a_silent_venue_is_asked_again_another_time(market: Market) -> None:
    failing, _requests = _venue({"max": 503})
    working, _requests = _venue({"1d": [{"t": NOW_S - 600, "p": 0.7}]})

    assert backfill_market(condition_id=market.condition_id, client=failing, now=NOW) == 0
    assert backfill_market(condition_id=market.condition_id, client=working, now=NOW) == 2


def test_prices_of_zero_and_one_stay_inside_what_a_chart_shows(market: Market) -> None:
    client, _requests = _venue({"1d": [{"t": NOW_S - 600, "p": 0}, {"t": NOW_S - 300, "p": 1}]})

    backfill_market(condition_id=market.condition_id, client=client, now=NOW)

    closes = set(MinuteCandle.objects.values_list("close", flat=True))
    assert closes == {Decimal("0.000001"), Decimal("0.999999")}


def test_the_tape_of_a_market_not_watched_before_is_filled_without_names(market: Market) -> None:
    row = {
        "synthetic": True, "proxyWallet": "0xsecret", "name": "Somebody", "side": "SELL",
        "asset": YES, "conditionId": condition_of(1), "size": 10.5, "price": 0.4312345678,
        "timestamp": NOW_S - 60, "transactionHash": "0xbb",
    }  # fmt: skip
    client, _requests = _venue({}, [row, {"asset": 5}])

    backfill_market(condition_id=market.condition_id, client=client, now=NOW)

    trade = VenueTrade.objects.get()
    assert (trade.side, trade.price, trade.size) == ("SELL", Decimal("0.431234"), Decimal("10.5"))


def test_the_busiest_markets_without_a_past_are_named_first(market: Market) -> None:
    event, _reason = read_event(decoded(gamma_event(2, [gamma_market(2, volume24hr=9_999)])))
    assert event is not None
    store_markets([(row, event) for row in event.markets], now=NOW)
    before = markets_without_history(5)
    client, _requests = _venue({})
    backfill_market(condition_id=condition_of(2), client=client, now=NOW)

    assert before == [condition_of(2), condition_of(1)]
    assert markets_without_history(5) == [condition_of(1)]


@pytest.mark.parametrize(
    "payload", [None, [], {"history": "x"}, {"history": [1, None, {"t": 1}, {"t": 1, "p": 2}]}]
)
def test_a_senseless_history_has_no_points(payload: Any) -> None:
    points, dropped = read_history(payload)

    assert points == []
    assert dropped >= 1


@pytest.mark.parametrize("payload", [None, "x", {"data": 5}, [None, 5, {}]])
def test_senseless_trades_are_dropped_and_counted(payload: Any) -> None:
    trades, dropped = read_trades(payload)

    assert trades == []
    assert dropped >= 1
