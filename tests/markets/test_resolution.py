"""Which markets are asked about, when a result is written, and how it is corrected. Synthetic."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from polysim.kernel.errors import NotFound, ValidationFailed
from tenants.models import User
from tests.support.venue import MadeUpVenue, condition_of, decoded, gamma_event, gamma_market
from trading.markets import books
from trading.markets.catalogue_store import store_markets
from trading.markets.models import Market, MarketResolution, MarketStats
from trading.markets.polymarket.gamma import read_event
from trading.markets.polymarket.http import VenueClient
from trading.markets.resolution import (
    correct_resolution,
    hint_resolution,
    markets_to_poll,
    poll_resolutions,
)
from trading.markets.signals import market_resolved

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WON = {
    "closed": True,
    "outcomePrices": '["1", "0"]',
    "umaResolutionStatus": "resolved",
    "closedTime": "2026-11-21 11:59:30+00",
}


@pytest.fixture(autouse=True)
def _own_valkey(redis_client: Any) -> None:
    """Every test has hints and poll times of its own."""


@pytest.fixture
def heard() -> Iterator[list[tuple[int, int]]]:
    """(market id, version) of every `market_resolved`."""
    news: list[tuple[int, int]] = []

    def listen(sender: Any, market_id: int, version: int, **_rest: Any) -> None:
        news.append((market_id, version))

    market_resolved.connect(listen)
    yield news
    market_resolved.disconnect(listen)


def _operator() -> User:
    """An administrator of the platform."""
    user, _ = User.objects.get_or_create(
        email="operator@example.org", defaults={"handle": "operator", "is_staff": True}
    )
    return user


def _hold(number: int, **changes: Any) -> Market:
    """A stored, tradable market."""
    event, _reason = read_event(decoded(gamma_event(number, [gamma_market(number, **changes)])))
    assert event is not None
    store_markets([(market, event) for market in event.markets], now=NOW - timedelta(days=1))
    return Market.objects.get(condition_id=condition_of(number))


def _venue(
    *rows: dict[str, Any], clob: dict[str, Any] | int = 404
) -> tuple[VenueClient, MadeUpVenue]:
    by_condition = {row["conditionId"]: row for row in rows}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/markets":
            wanted = request.url.params.get_list("condition_ids")
            is_closed = request.url.params.get("closed") == "true"
            shown = [by_condition[name] for name in wanted if name in by_condition]
            return httpx.Response(
                200, json=[row for row in shown if row.get("closed", False) is is_closed]
            )
        if isinstance(clob, int):
            return httpx.Response(clob, json={"error": "market not found"})
        return httpx.Response(200, json=clob)

    venue = MadeUpVenue(answer)
    return VenueClient(transport=venue, repeats=0), venue


def _clob_row(number: int, *winners: bool) -> dict[str, Any]:
    tokens = [
        {"token_id": str(10**70 + 2 * number + index), "outcome": "x", "winner": winner}
        for index, winner in enumerate(winners)
    ]
    return {"condition_id": condition_of(number), "tokens": tokens, "closed": True}


def _due(now: datetime = NOW) -> list[int]:
    return [int(name, 16) for name in markets_to_poll(now=now)]


def test_only_ended_closed_or_nearly_decided_held_markets_are_asked_about() -> None:
    _hold(1, endDate="2026-11-21T11:50:00Z")
    _hold(2, endDate="2026-11-22T11:50:00Z")
    _hold(3)
    Market.objects.filter(condition_id=condition_of(3)).update(is_closed=True, closed_at=NOW)
    for number, price in ((4, "0.995"), (5, "0.004"), (6, "0.98"), (7, "0.995")):
        market = _hold(number)
        MarketStats.objects.filter(market=market).update(price=Decimal(price))
    books.add_held_interest("positions", [condition_of(4), condition_of(5), condition_of(6)])
    resolved = _hold(8, endDate="2026-11-21T11:50:00Z")
    MarketResolution.objects.create(
        market=resolved, version=1, payouts=["1", "0"], source="gamma", resolved_at=NOW
    )

    assert sorted(_due()) == [1, 3, 4, 5]


def test_half_an_hour_every_poll_then_every_five_minutes() -> None:
    _hold(1, endDate="2026-11-21T12:00:00Z")
    row = gamma_market(1, endDate="2026-11-21T12:00:00Z")
    asked_at = []
    for half_minutes in range(2 * 60):
        now = NOW + timedelta(seconds=30 * half_minutes)
        client, _requests = _venue(row)
        if poll_resolutions(client=client, now=now).asked:
            asked_at.append(half_minutes / 2)

    assert asked_at[:61] == [number / 2 for number in range(61)]
    assert asked_at[61:] == [35, 40, 45, 50, 55]


def test_a_frame_that_names_a_market_makes_it_due_at_once_and_once() -> None:
    _hold(1, endDate="2026-12-21T12:00:00Z")
    assert _due() == []

    hint_resolution([condition_of(1), condition_of(99)])

    assert _due() == [1]
    assert _due() == []


def test_those_asked_longest_ago_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.markets.resolution.MAX_PER_POLL", 2)
    rows = []
    for number in range(1, 4):
        _hold(number, endDate="2026-11-21T11:59:00Z")
        rows.append(gamma_market(number, endDate="2026-11-21T11:59:00Z"))
    client, _requests = _venue(*rows)
    first = _due()

    poll_resolutions(client=client, now=NOW)

    second = _due(NOW + timedelta(seconds=30))
    assert set(first) | {second[0]} == {1, 2, 3}


def test_a_result_is_written_once_and_told_once(
    heard: list[tuple[int, int]],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    market = _hold(1, endDate="2026-11-21T11:59:00Z")
    client, _requests = _venue(gamma_market(1, **WON), clob=_clob_row(1, True, False))

    reports = []
    for _repeat in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            reports.append(poll_resolutions(client=client, now=NOW))

    assert [report.resolved for report in reports] == [[condition_of(1)], []]
    resolution = MarketResolution.objects.get()
    assert (resolution.version, resolution.payouts) == (1, ["1", "0"])
    assert resolution.source == "gamma+clob"
    assert resolution.resolved_at == datetime(2026, 11, 21, 11, 59, 30, tzinfo=UTC)
    assert heard == [(market.pk, 1)]
    market.refresh_from_db()
    assert market.is_closed
    assert not market.is_accepting_orders


@pytest.mark.parametrize(
    ("prices", "payouts"),
    [('["0", "1"]', ["0", "1"]), ('["0.5", "0.50"]', ["0.5", "0.5"])],
)
def test_losers_and_even_splits_are_results_too(prices: str, payouts: list[str]) -> None:
    _hold(1, endDate="2026-11-21T11:59:00Z")
    client, _requests = _venue(gamma_market(1, **(WON | {"outcomePrices": prices})))

    poll_resolutions(client=client, now=NOW)

    assert MarketResolution.objects.get().payouts == payouts


@pytest.mark.parametrize("status", [404, 500, 451])
def test_a_silent_clob_does_not_hold_up_a_result(status: int) -> None:
    _hold(1, endDate="2026-11-21T11:59:00Z")
    client, _requests = _venue(gamma_market(1, **WON), clob=status)

    poll_resolutions(client=client, now=NOW)

    assert MarketResolution.objects.get().source == "gamma"


def test_a_contradicting_clob_means_waiting(heard: list[tuple[int, int]]) -> None:
    _hold(1, endDate="2026-11-21T11:59:00Z")
    client, _requests = _venue(gamma_market(1, **WON), clob=_clob_row(1, False, True))

    report = poll_resolutions(client=client, now=NOW)

    assert report.disputed_by_clob == [condition_of(1)]
    assert not MarketResolution.objects.exists()
    assert Market.objects.get().is_closed
    assert heard == []


@pytest.mark.parametrize(
    "changes",
    [
        {"closed": False},
        {"outcomePrices": '["0", "0"]'},
        {"outcomePrices": '["0.9995", "0.0005"]'},
        {"umaResolutionStatus": "proposed"},
        {"umaResolutionStatus": None, "closedTime": None},
    ],
)
def test_what_is_no_result_writes_nothing(changes: dict[str, Any]) -> None:
    _hold(1, endDate="2026-11-21T11:59:00Z")
    client, _requests = _venue(gamma_market(1, **(WON | changes)))

    report = poll_resolutions(client=client, now=NOW)

    assert report.asked == 1
    assert not MarketResolution.objects.exists()


def test_a_result_that_changes_at_the_venue_waits_for_an_operator() -> None:
    market = _hold(1, endDate="2026-11-21T11:59:00Z")
    MarketResolution.objects.create(
        market=market, version=1, payouts=["0", "1"], source="gamma", resolved_at=NOW
    )
    hint_resolution([condition_of(1)])
    client, _requests = _venue(gamma_market(1, **WON))

    poll_resolutions(client=client, now=NOW)

    assert MarketResolution.objects.get().payouts == ["0", "1"]


def test_a_correction_is_a_new_version_and_is_told(
    heard: list[tuple[int, int]],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    market = _hold(1)
    MarketResolution.objects.create(
        market=market, version=1, payouts=["0", "1"], source="gamma", resolved_at=NOW
    )

    with django_capture_on_commit_callbacks(execute=True):
        correct_resolution(
            condition_id=condition_of(1),
            payouts=[Decimal("0.5"), Decimal("0.5")],
            actor=_operator(),
            now=NOW,
        )

    versions = MarketResolution.objects.order_by("version")
    assert [(row.version, row.payouts, row.source) for row in versions] == [
        (1, ["0", "1"], "gamma"),
        (2, ["0.5", "0.5"], "operator"),
    ]
    assert versions[1].actor == _operator()
    assert heard == [(market.pk, 2)]


@pytest.mark.parametrize(
    ("number", "payouts", "error"),
    [
        (1, (Decimal(0), Decimal(1)), ValidationFailed),
        (1, (Decimal(1), Decimal(1)), ValidationFailed),
        (1, (Decimal(1),), ValidationFailed),
        (2, (Decimal(1), Decimal(0)), ValidationFailed),
        (3, (Decimal(1), Decimal(0)), NotFound),
    ],
)
def test_a_senseless_correction_is_refused(
    number: int, payouts: tuple[Decimal, ...], error: type[Exception]
) -> None:
    market = _hold(1)
    _hold(2)
    MarketResolution.objects.create(
        market=market, version=1, payouts=["0", "1"], source="gamma", resolved_at=NOW
    )

    with pytest.raises(error):
        correct_resolution(
            condition_id=condition_of(number), payouts=payouts, actor=_operator(), now=NOW
        )

    assert MarketResolution.objects.count() == 1
