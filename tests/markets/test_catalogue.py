"""The sweep: what is written, held back, hidden, closed; what is asked again. Synthetic rows."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.venue import MadeUpVenue, condition_of, gamma_event, gamma_market
from trading.markets import books, catalogue
from trading.markets.books.keys import catalogue_channel
from trading.markets.catalogue import held_markets_outside, refresh_markets, sweep_catalogue
from trading.markets.models import Event, Market, MarketResolution, MarketStats, Outcome
from trading.markets.polymarket.http import VenueClient, VenueUnreachableError
from trading.markets.signals import market_closed

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class MadeUpGamma:
    """Serves pages of events, and markets by condition id, closed ones only when asked."""

    def __init__(self, *pages: list[dict[str, Any]], markets: list[dict[str, Any]] = ()) -> None:  # type: ignore[assignment]
        self.pages = pages
        self.markets = {row["conditionId"]: row for row in markets}
        self.asked: list[list[str]] = []
        self.has_keyset = True
        self.venue = MadeUpVenue(self._answer)

    def client(self) -> VenueClient:
        return VenueClient(transport=self.venue, repeats=0)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        if request.url.path == "/events/keyset":
            if not self.has_keyset:
                return httpx.Response(404, json={"error": "not found"})
            if "tag_slug" in query:
                return httpx.Response(200, json={"events": []})
            number = int(query.get("after_cursor", "0"))
            page: dict[str, Any] = {"events": self.pages[number]}
            if number + 1 < len(self.pages):
                page["next_cursor"] = str(number + 1)
            return httpx.Response(200, json=page)
        if request.url.path == "/events":
            number = int(query["offset"]) // 100
            events = self.pages[number] if number < len(self.pages) else []
            return httpx.Response(200, json=events)
        if request.url.path == "/markets":
            wanted = query.get_list("condition_ids")
            self.asked.append(wanted)
            shown = [
                self.markets[name]
                for name in wanted
                if name in self.markets
                and self.markets[name].get("closed", False) == (query.get("closed") == "true")
            ]
            return httpx.Response(200, json=shown)
        return httpx.Response(500)


@pytest.fixture(autouse=True)
def _own_valkey(redis_client: Any) -> None:
    """Every test has a bucket and a rotation of its own."""


def test_a_sweep_writes_events_markets_outcomes_and_figures() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1), gamma_market(2)])])

    report = sweep_catalogue(client=gamma.client(), now=NOW)

    assert (report.created, report.changed, report.dropped) == (2, 0, {})
    market = Market.objects.get(condition_id=condition_of(1))
    assert market.event == Event.objects.get(venue_id="9001")
    assert market.slug == "made-up-question-1"
    assert (market.tick_size, market.min_order_size) == (Decimal("0.01"), Decimal(5))
    assert (market.category, market.fee_rate, market.fee_exponent) == (
        "politics", Decimal("0.04"), 1,
    )  # fmt: skip
    assert market.is_tradable
    outcomes = Outcome.objects.filter(market=market).order_by("index")
    assert [(row.label, row.token_id) for row in outcomes] == [
        ("Yes", str(10**70 + 2)),
        ("No", str(10**70 + 3)),
    ]
    stats = MarketStats.objects.get(market=market)
    assert stats.price == Decimal("0.135")
    assert (stats.best_bid, stats.best_ask) == (Decimal("0.13"), Decimal("0.14"))
    assert (stats.volume_24h, stats.volume_total) == (Decimal("100.25"), Decimal("1234.5"))
    assert stats.updated_at == NOW


def test_the_sweep_follows_the_cursor_until_enough_markets_are_held() -> None:
    pages = [[gamma_event(number, [gamma_market(number)])] for number in range(1, 6)]
    gamma = MadeUpGamma(*pages)

    report = sweep_catalogue(client=gamma.client(), now=NOW, market_limit=3)

    assert (report.pages, report.markets) == (3, 3)
    assert Market.objects.count() == 3


def test_the_older_paging_form_serves_when_the_newest_does_not() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1)])])
    gamma.has_keyset = False

    assert sweep_catalogue(client=gamma.client(), now=NOW).created == 1


def test_an_unchanged_market_is_not_written_again() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1), gamma_market(2)])])
    sweep_catalogue(client=gamma.client(), now=NOW)

    gamma.pages = (
        [gamma_event(1, [gamma_market(1, orderPriceMinTickSize=0.001), gamma_market(2)])],
    )
    report = sweep_catalogue(client=gamma.client(), now=NOW + timedelta(minutes=1))

    assert (report.created, report.changed) == (0, 1)
    changed, same = Market.objects.order_by("pk")
    assert (changed.tick_size, changed.updated_at) == (Decimal("0.001"), NOW + timedelta(minutes=1))
    assert same.updated_at == NOW


def test_the_number_of_queries_does_not_grow_with_the_markets() -> None:
    def count(number_of_markets: int) -> int:
        start = number_of_markets * 1_000
        rows = [gamma_market(start + number) for number in range(number_of_markets)]
        gamma = MadeUpGamma([gamma_event(start, rows)])
        with CaptureQueriesContext(connection) as queries:
            sweep_catalogue(client=gamma.client(), now=NOW)
        return len(queries)

    assert count(100) <= count(2) + 2


@pytest.mark.parametrize(
    "changes",
    [
        {"clobTokenIds": "[]"},
        {"acceptingOrders": False},
        {"active": False},
        {"enableOrderBook": None},
        {"closed": True},
    ],
)
def test_an_untradable_newcomer_is_held_back_until_it_is_tradable(changes: dict[str, Any]) -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1, **changes)])])
    first = sweep_catalogue(client=gamma.client(), now=NOW)
    gamma.pages = ([gamma_event(1, [gamma_market(1)])],)
    second = sweep_catalogue(client=gamma.client(), now=NOW)

    assert (first.created, first.dropped) == (0, {"not_tradable": 1})
    assert second.created == 1


def test_placeholders_of_augmented_groups_are_hidden_and_appear_once_named() -> None:
    augmented = {"negRisk": True, "enableNegRisk": True, "negRiskAugmented": True}
    rows = [
        gamma_market(1, groupItemTitle="Ada", negRisk=True),
        gamma_market(2, groupItemTitle="Person B", negRisk=True),
        gamma_market(3, groupItemTitle="Other", negRisk=True, negRiskOther=True),
    ]
    gamma = MadeUpGamma([gamma_event(1, rows, **augmented)])
    report = sweep_catalogue(client=gamma.client(), now=NOW)

    assert report.markets == 1
    assert list(Market.objects.order_by("pk").values_list("is_hidden", flat=True)) == [
        False, True, True,
    ]  # fmt: skip
    assert not Market.objects.get(condition_id=condition_of(2)).is_tradable

    rows[1]["groupItemTitle"] = "Grace"
    sweep_catalogue(client=gamma.client(), now=NOW)
    assert Market.objects.get(condition_id=condition_of(2)).is_tradable


def test_fees_come_from_the_schedule_else_from_the_category() -> None:
    schedule = {"rate": 0.0123, "exponent": 2, "takerOnly": True, "rebateRate": 0.2}
    crypto = [{"id": "21", "label": "Crypto", "slug": "crypto"}]
    gamma = MadeUpGamma(
        [
            gamma_event(1, [gamma_market(1, feeSchedule=schedule)], tags=crypto),
            gamma_event(2, [gamma_market(2, feesEnabled=False, takerBaseFee=1000)], tags=crypto),
            gamma_event(3, [gamma_market(3)], tags=[]),
        ]
    )

    sweep_catalogue(client=gamma.client(), now=NOW)

    rows = Market.objects.order_by("condition_id")
    assert [(row.category, row.fee_rate, row.fee_exponent) for row in rows] == [
        ("crypto", Decimal("0.0123"), 2),
        ("crypto", Decimal("0.07"), 1),
        ("other", Decimal("0.05"), 1),
    ]


def test_the_defaults_stand_where_the_venue_names_no_size_or_tick() -> None:
    gamma = MadeUpGamma(
        [
            gamma_event(
                1,
                [
                    gamma_market(1, orderMinSize=None, orderPriceMinTickSize=None),
                    gamma_market(2, orderMinSize=None, orderPriceMinTickSize=0.001),
                ],
            )
        ]
    )

    sweep_catalogue(client=gamma.client(), now=NOW)

    rows = Market.objects.order_by("condition_id")
    assert [(row.tick_size, row.min_order_size) for row in rows] == [
        (Decimal("0.01"), Decimal(5)),
        (Decimal("0.001"), Decimal(1)),
    ]


def test_up_and_down_is_a_kind_of_its_own() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1, outcomes='["Up", "Down"]')])])

    sweep_catalogue(client=gamma.client(), now=NOW)

    assert Market.objects.get().kind == Market.Kind.UP_DOWN


def test_a_market_missing_from_the_sweep_is_asked_for_by_its_condition() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1), gamma_market(2)])])
    sweep_catalogue(client=gamma.client(), now=NOW)

    gamma.pages = ([gamma_event(1, [gamma_market(1)])],)
    gamma.markets = {condition_of(2): gamma_market(2, question="Renamed?")}
    report = sweep_catalogue(client=gamma.client(), now=NOW)

    assert report.asked_again == 1
    assert gamma.asked == [[condition_of(2)]]
    assert Market.objects.get(condition_id=condition_of(2)).question == "Renamed?"


def test_a_market_that_the_venue_does_not_know_takes_no_orders_until_it_does() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1), gamma_market(2)])])
    sweep_catalogue(client=gamma.client(), now=NOW)

    gamma.pages = ([gamma_event(1, [gamma_market(1)])],)
    report = sweep_catalogue(client=gamma.client(), now=NOW)

    unknown = Market.objects.get(condition_id=condition_of(2))
    assert report.suspended == 1
    assert not unknown.is_tradable
    assert not unknown.is_closed

    gamma.markets = {condition_of(2): gamma_market(2)}
    again = sweep_catalogue(client=gamma.client(), now=NOW)
    assert again.suspended == 0
    assert Market.objects.get(condition_id=condition_of(2)).is_tradable


def test_rows_without_tags_keep_the_category_and_the_event() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1)])])
    sweep_catalogue(client=gamma.client(), now=NOW)
    parent = gamma_event(1, [], tags=None)
    gamma.markets = {condition_of(1): gamma_market(1, events=[parent])}

    refresh_markets([condition_of(1)], client=gamma.client(), now=NOW)

    market = Market.objects.select_related("event").get()
    assert (market.category, market.fee_rate) == ("politics", Decimal("0.04"))
    assert market.event is not None
    assert [tag["slug"] for tag in market.event.tags] == ["politics"]


def test_a_closed_market_is_found_by_the_second_question_and_told(
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1)])])
    sweep_catalogue(client=gamma.client(), now=NOW)
    market = Market.objects.get()
    gamma.markets = {
        condition_of(1): gamma_market(1, closed=True, closedTime="2026-11-21 11:59:00+00")
    }
    heard: list[Any] = []

    def listen(sender: Any, market_ids: list[int], now: datetime, **_rest: Any) -> None:
        heard.append((market_ids, now))

    market_closed.connect(listen)
    try:
        for _repeat in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                refresh_markets([condition_of(1)], client=gamma.client(), now=NOW)
    finally:
        market_closed.disconnect(listen)

    market.refresh_from_db()
    assert heard == [([market.pk], NOW)]
    assert market.is_closed
    assert market.closed_at == datetime(2026, 11, 21, 11, 59, tzinfo=UTC)
    assert not market.is_tradable


def test_a_market_with_a_result_never_opens_again() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1, closed=False)])])
    sweep_catalogue(client=gamma.client(), now=NOW)
    market = Market.objects.get()
    MarketResolution.objects.create(
        market=market, version=1, payouts=["1", "0"], source="gamma", resolved_at=NOW
    )

    sweep_catalogue(client=gamma.client(), now=NOW)

    assert Market.objects.get().is_closed


def test_two_markets_with_one_slug_are_both_kept() -> None:
    gamma = MadeUpGamma(
        [gamma_event(1, [gamma_market(1, slug="same"), gamma_market(2, slug="same")])]
    )

    sweep_catalogue(client=gamma.client(), now=NOW)
    again = sweep_catalogue(client=gamma.client(), now=NOW)

    assert sorted(Market.objects.values_list("slug", flat=True)) == ["same", "same-500002"]
    assert again.changed == 0


@pytest.mark.parametrize(
    "changes", [{"clobTokenIds": json.dumps([str(10**70 + 2), "77"])}, {"id": "500001"}]
)
def test_a_market_that_takes_anothers_identity_is_dropped(changes: dict[str, Any]) -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1), gamma_market(2, **changes)])])

    report = sweep_catalogue(client=gamma.client(), now=NOW)

    assert (report.created, report.dropped) == (1, {"identity_taken": 1})


def test_garbage_rows_are_counted_and_the_rest_is_written() -> None:
    gamma = MadeUpGamma(
        [
            gamma_event(1, [gamma_market(1), gamma_market(2, outcomes='["A"]')]),
            {"id": None},
        ]
    )

    report = sweep_catalogue(client=gamma.client(), now=NOW)

    assert report.created == 1
    assert report.dropped == {"not_binary": 1, "event_without_identity": 1}


def test_a_venue_that_fails_on_a_later_page_keeps_what_was_read() -> None:
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1)])], [gamma_event(2, [gamma_market(2)])])
    serve = gamma.venue._answer
    gamma.venue._answer = lambda request: (
        httpx.Response(451) if "after_cursor" in request.url.params else serve(request)
    )

    with pytest.raises(VenueUnreachableError):
        sweep_catalogue(client=gamma.client(), now=NOW)

    assert Market.objects.count() == 1


def test_held_markets_come_first_and_the_others_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [gamma_market(number) for number in range(1, 7)]
    sweep_catalogue(client=MadeUpGamma([gamma_event(1, rows)]).client(), now=NOW)
    monkeypatch.setattr(catalogue, "HELD_PER_SWEEP", 2)
    books.add_held_interest("positions", [condition_of(6), condition_of(99)])

    turns = [held_markets_outside([condition_of(1)]) for _ in range(4)]

    names = [[int(name, 16) for name in turn] for turn in turns]
    assert names == [[6, 2, 3], [6, 4, 5], [6], [6, 2, 3]]


def test_changes_are_published_for_the_caches_of_other_processes(
    redis_client: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(catalogue_channel())
    listener.get_message(timeout=1)
    gamma = MadeUpGamma([gamma_event(1, [gamma_market(1)])])

    with django_capture_on_commit_callbacks(execute=True):
        sweep_catalogue(client=gamma.client(), now=NOW)

    message = listener.get_message(timeout=1)
    listener.close()
    assert json.loads(message["data"]) == {"type": "changed", "condition_ids": [condition_of(1)]}
