"""The recorded catalogue and results of the real venue."""

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.venue import read_lines
from trading.markets.catalogue_store import store_markets
from trading.markets.models import Event, Market, MarketResolution, MarketStats, Outcome
from trading.markets.polymarket import values
from trading.markets.polymarket.gamma import (
    GammaEvent,
    GammaMarket,
    read_events_page,
    read_market,
    settled_payouts,
)
from trading.markets.polymarket.http import VenueClient
from trading.markets.resolution import poll_resolutions

pytestmark = pytest.mark.recordings

SWEEP = "gamma_markets_2026-03-11.jsonl.gz"
RESOLVED = "gamma_markets_resolved_btc5m_2026-07-24.jsonl.gz"
NOW = datetime(2026, 3, 11, 20, 30, tzinfo=UTC)


def _sweep(recordings: Path) -> list[tuple[GammaMarket, GammaEvent | None]]:
    rows = []
    for row in read_lines(recordings / SWEEP):
        market, event, reason = read_market(row)
        assert market is not None, reason
        rows.append((market, event))
    return rows


def test_all_1689_gamma_rows_of_346_events_parse(recordings: Path) -> None:
    rows = _sweep(recordings)

    assert len(rows) == 1_689
    assert len({event.gamma_id for _market, event in rows if event is not None}) == 346
    assert len({token for market, _event in rows for token in market.token_ids}) == 3_378
    assert Counter(market.tick_size for market, _event in rows) == {
        Decimal("0.001"): 1_045,
        Decimal("0.01"): 644,
    }
    assert {market.min_order_size for market, _event in rows} == {Decimal(5)}
    assert sum(market.neg_risk is True for market, _event in rows) == 752
    assert Counter(market.uma_status for market, _event in rows) == {
        "": 1_610,
        "proposed": 51,
        "disputed": 26,
        "resolved": 2,
    }
    assert sum(market.is_up_down for market, _event in rows) == 39


def test_no_open_market_of_the_sweep_is_taken_for_resolved(recordings: Path) -> None:
    # Two rows say `resolved` while `closed` is false and the prices are near 1: wait.
    assert [settled_payouts(market) for market, _event in _sweep(recordings)] == [None] * 1_689


@pytest.mark.django_db
def test_the_whole_sweep_is_stored_in_few_queries_and_again_in_fewer(recordings: Path) -> None:
    rows = _sweep(recordings)

    with CaptureQueriesContext(connection) as first:
        report = store_markets(rows, now=NOW)
    with CaptureQueriesContext(connection) as second:
        again = store_markets(rows, now=NOW)

    assert (report.created, report.dropped) == (1_689, {})
    assert (again.created, again.changed, again.closed) == (0, 0, 0)
    assert Event.objects.count() == 346
    assert Market.objects.count() == MarketStats.objects.count() == 1_689
    assert Outcome.objects.count() == 3_378
    assert len(first) <= 30
    assert len(second) <= 15
    assert all(market.is_tradable for market in Market.objects.all())


@pytest.mark.django_db
def test_stored_text_and_numbers_are_the_recorded_ones(recordings: Path) -> None:
    store_markets(_sweep(recordings), now=NOW)

    market = Market.objects.select_related("stats", "event").get(slug="bitboy-convicted")

    assert market.question == "BitBoy convicted?"
    assert market.tick_size == Decimal("0.001")
    assert market.stats.price == Decimal("0.268")
    assert market.stats.best_bid == Decimal("0.252")
    assert market.stats.volume_24h == Decimal("4746.209854")
    assert market.event is not None
    assert market.event.title == "BitBoy convicted?"


def test_the_fed_event_and_the_search_answer_parse(recordings: Path) -> None:
    event_row = values.loads((recordings / "gamma_event_fed_june_2026.json").read_text())
    search = values.loads((recordings / "gamma_search_fed_june_2026.json").read_text())

    events, _cursor, dropped = read_events_page([event_row])
    found, _cursor, dropped_in_search = read_events_page(search)

    assert dropped == dropped_in_search == {}
    assert [len(event.markets) for event in found] == [5, 4]
    (event,) = events
    assert len(event.markets) == 5
    assert event.category == "economics"
    assert event.neg_risk
    for market in event.markets:
        assert market.fee_schedule is not None
        assert market.fee_schedule.rate == Decimal("0.05")
        assert market.fee_schedule.exponent == 1


def test_the_292_resolved_markets_resolve_to_their_recorded_outcome(recordings: Path) -> None:
    results: Counter[Any] = Counter()
    for row in read_lines(recordings / RESOLVED):
        market, _event, reason = read_market(row["raw"])
        assert market is not None, reason
        assert market.token_ids == tuple(row["token_ids"])
        assert market.is_up_down
        payouts = settled_payouts(market)
        assert payouts == tuple(Decimal(price) for price in row["outcome_prices"])
        results[payouts] += 1

    assert results == {
        (Decimal(1), Decimal(0)): 140,
        (Decimal(0), Decimal(1)): 152,
    }


@pytest.mark.django_db
def test_the_292_resolved_markets_are_polled_and_written_with_their_results(
    recordings: Path, redis_client: Any
) -> None:
    rows = list(read_lines(recordings / RESOLVED))
    for row in rows:
        was_open = row["raw"] | {"closed": False, "acceptingOrders": True}
        market, _event, _reason = read_market(was_open)
        assert market is not None
        store_markets([(market, None)], now=NOW)
    client = VenueClient(transport=httpx.MockTransport(_gamma_of(rows)), repeats=0, limit=NO_LIMIT)

    report = poll_resolutions(client=client, now=datetime(2026, 7, 25, 1, 0, tzinfo=UTC))

    assert (report.asked, len(report.resolved), report.unanswered) == (292, 292, 0)
    written = {
        resolution.market.condition_id: resolution.payouts
        for resolution in MarketResolution.objects.select_related("market")
    }
    assert written == {row["condition_id"]: row["outcome_prices"] for row in rows}
    assert not Market.objects.filter(is_closed=False).exists()


def _gamma_of(rows: list[dict[str, Any]]) -> Any:
    """Answers `/markets` with the recorded objects and nothing else."""
    by_condition = {row["condition_id"]: row["raw"] for row in rows}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/markets" or request.url.params.get("closed") != "true":
            return httpx.Response(200 if request.url.path == "/markets" else 404, content=b"[]")
        wanted = request.url.params.get_list("condition_ids")
        shown = [by_condition[name] for name in wanted]
        return httpx.Response(200, content=json.dumps(shown, default=str).encode())

    return answer


class _NoLimit:
    """The recordings answer as fast as they are asked."""

    def reserve_ms(self, _host: str, *, max_wait_ms: int) -> int:
        return 0

    def pause(self, _host: str, _wait_ms: int) -> None:
        """Nobody to spare."""


NO_LIMIT: Any = _NoLimit()
