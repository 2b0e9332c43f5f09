"""Gamma rows by hand: what is tradable, what it costs, when it counts as resolved. Synthetic."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.venue import condition_of, decoded, gamma_event, gamma_market
from trading.markets.polymarket import values
from trading.markets.polymarket.fees import (
    CATEGORY_RATES,
    FeeSchedule,
    categorise,
    category_of_fee_type,
    fee_terms,
    read_fee_schedule,
)
from trading.markets.polymarket.gamma import (
    GammaMarket,
    Verdict,
    clob_verdict,
    read_event,
    read_events_page,
    read_market,
    read_markets_page,
    settled_payouts,
)
from trading.markets.polymarket.rest import read_clob_market

YES, NO, SPLIT = (
    (Decimal(1), Decimal(0)),
    (Decimal(0), Decimal(1)),
    (Decimal("0.5"), Decimal("0.5")),
)


def _market(**changes: Any) -> GammaMarket:
    row = values.loads(json.dumps(gamma_market(**changes)))
    market, _parent, reason = read_market(row)
    assert market is not None, reason
    return market


@pytest.mark.parametrize(
    ("changes", "is_tradable"),
    [
        ({}, True),
        ({"closed": True}, False),
        ({"closed": True, "acceptingOrders": True}, False),
        ({"archived": True}, False),
        ({"active": False}, False),
        ({"active": None}, False),
        ({"acceptingOrders": False}, False),
        ({"enableOrderBook": None}, False),
        ({"clobTokenIds": None}, False),
        ({"clobTokenIds": ""}, False),
        ({"clobTokenIds": "[]"}, False),
        ({"clobTokenIds": '["1", "1"]'}, False),
        ({"clobTokenIds": ["11", "12"]}, True),
    ],
)
def test_a_market_is_tradable_only_with_every_flag_and_two_tokens(
    changes: dict[str, Any], is_tradable: bool
) -> None:
    assert _market(**changes).is_tradable is is_tradable


def test_outcomes_tokens_and_prices_go_by_index_whatever_they_are_called() -> None:
    market = _market(
        outcomes=["Lakers", "Celtics"],
        outcomePrices=["0.4", 0.6],
        clobTokenIds='["31", "32"]',
    )

    assert market.outcomes == ("Lakers", "Celtics")
    assert market.token_ids == ("31", "32")
    assert market.outcome_prices == (Decimal("0.4"), Decimal("0.6"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcomes": '["A", "B", "C"]'}, "not_binary"),
        ({"outcomes": "Yes,No"}, "not_binary"),
        ({"outcomes": '["Yes", 5]'}, "bad_outcomes"),
        ({"conditionId": "0x12"}, "market_without_identity"),
        ({"id": "abc"}, "market_without_identity"),
        ({"slug": ""}, "market_without_identity"),
        ({"question": None}, "market_without_identity"),
    ],
)
def test_unusable_rows_are_dropped_with_a_reason(changes: dict[str, Any], reason: str) -> None:
    rows, dropped = read_markets_page([gamma_market(**changes), gamma_market(2)])

    assert [market.condition_id for market, _parent in rows] == [condition_of(2)]
    assert dropped == {reason: 1}


def test_an_events_page_drops_bad_rows_and_keeps_the_rest() -> None:
    page = {
        "events": [
            gamma_event(1, [gamma_market(1), gamma_market(2, outcomes="[]"), 7]),  # type: ignore[list-item]
            "text",
            {"id": "1"},
        ],
        "next_cursor": "abc",
    }

    events, cursor, dropped = read_events_page(page)

    assert [len(event.markets) for event in events] == [1]
    assert cursor == "abc"
    assert dropped == {"not_binary": 1, "not_an_object": 2, "event_without_identity": 1}


@pytest.mark.parametrize("payload", [None, 5, "text", {"events": 5}, {"error": "x"}])
def test_a_page_that_is_none_is_counted(payload: Any) -> None:
    assert read_events_page(payload) == ([], "", {"not_a_page": 1})
    assert read_markets_page(payload) == ([], {"not_a_page": 1})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"orderPriceMinTickSize": 0.3}, "tick_size"),
        ({"orderPriceMinTickSize": "NaN"}, "tick_size"),
        ({"orderMinSize": -5}, "min_order_size"),
        ({"volume24hr": "1e30"}, "volume_24h"),
        ({"bestBid": 1.5}, "best_bid"),
        ({"oneDayPriceChange": [1]}, "change_24h"),
        ({"endDate": "soon"}, "ends_at"),
        ({"outcomePrices": '["NaN", "1"]'}, "outcome_prices"),
    ],
)
def test_a_bad_field_is_unknown_and_the_market_stays(changes: dict[str, Any], field: str) -> None:
    assert getattr(_market(**changes), field) is None


AUGMENTED = {"negRisk": True, "enableNegRisk": True, "negRiskAugmented": True}


@pytest.mark.parametrize(
    ("changes", "is_placeholder"),
    [
        ({"groupItemTitle": "Person A"}, True),
        ({"groupItemTitle": "Candidate AB"}, True),
        ({"groupItemTitle": "Another Team C"}, True),
        ({"groupItemTitle": "Other"}, True),
        ({"groupItemTitle": "Anyone", "negRiskOther": True}, True),
        ({"groupItemTitle": "Charlotte FC"}, False),
        ({"groupItemTitle": "Malcolm X"}, False),
        ({"groupItemTitle": "Netherlands"}, False),
    ],
)
def test_unnamed_outcomes_of_augmented_groups_are_placeholders(
    changes: dict[str, Any], is_placeholder: bool
) -> None:
    event, _reason = read_event(decoded(gamma_event(1, [gamma_market(**changes)], **AUGMENTED)))
    plain, _reason = read_event(decoded(gamma_event(1, [gamma_market(**changes)], negRisk=True)))

    assert event is not None
    assert plain is not None
    assert event.markets[0].is_placeholder is is_placeholder
    assert plain.markets[0].is_placeholder is False


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"umaResolutionStatus": "resolved"}, YES),
        ({"umaResolutionStatus": "settled", "outcomePrices": '["0", "1.0"]'}, NO),
        ({"umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.50"]'}, SPLIT),
        ({"closedTime": "2026-07-24 00:00:16+00"}, YES),
        ({"closedTime": ""}, None),
        ({"umaResolutionStatus": "proposed", "closedTime": "2026-07-24 00:00:16+00"}, None),
        ({"umaResolutionStatus": "disputed"}, None),
        ({"umaResolutionStatus": "resolved", "closed": False}, None),
        ({"umaResolutionStatus": "resolved", "closed": None}, None),
        ({"umaResolutionStatus": "resolved", "outcomePrices": '["0", "0"]'}, None),
        ({"umaResolutionStatus": "resolved", "outcomePrices": '["0.9995", "0.0005"]'}, None),
        ({"umaResolutionStatus": "resolved", "outcomePrices": '["1", "1"]'}, None),
        ({"umaResolutionStatus": "resolved", "outcomePrices": ""}, None),
    ],
)
def test_a_result_counts_only_by_the_rule(
    changes: dict[str, Any], expected: tuple[Decimal, Decimal] | None
) -> None:
    market = _market(**({"closed": True, "outcomePrices": '["1", "0"]'} | changes))

    assert settled_payouts(market) == expected


def _clob(*winners: bool | None, is_50_50: bool = False) -> Any:
    tokens = [
        {"token_id": str(31 + index), "outcome": "x", "price": 1, "winner": winner}
        for index, winner in enumerate(winners)
    ]
    row = {"condition_id": condition_of(1), "tokens": tokens, "is_50_50_outcome": is_50_50}
    return read_clob_market(row)


@pytest.mark.parametrize(
    ("clob", "payouts", "verdict"),
    [
        (_clob(True, False), YES, Verdict.AGREES),
        (_clob(False, True), YES, Verdict.DISAGREES),
        (_clob(False, False), YES, Verdict.SILENT),
        (_clob(None, None), YES, Verdict.SILENT),
        (_clob(False, False, is_50_50=True), SPLIT, Verdict.AGREES),
        (_clob(True, False), SPLIT, Verdict.DISAGREES),
        (_clob(False, False, is_50_50=True), NO, Verdict.DISAGREES),
        (None, NO, Verdict.SILENT),
    ],
)
def test_the_clob_confirms_contradicts_or_keeps_silent(
    clob: Any, payouts: tuple[Decimal, Decimal], verdict: Verdict
) -> None:
    assert clob_verdict(clob, token_ids=("31", "32"), payouts=payouts) is verdict


def test_the_markets_own_schedule_wins_over_its_category() -> None:
    schedule = read_fee_schedule({"rate": Decimal("0.0123"), "exponent": 2, "takerOnly": True})

    assert fee_terms(schedule, "crypto") == FeeSchedule(Decimal("0.0123"), 2)
    assert fee_terms(None, "crypto") == FeeSchedule(Decimal("0.07"), 1)
    assert fee_terms(None, "never heard of it") == FeeSchedule(Decimal("0.05"), 1)
    assert read_fee_schedule({"r": 0, "e": 1}) == FeeSchedule(Decimal(0), 1)


@pytest.mark.parametrize(
    "raw",
    [None, {}, [], {"rate": "NaN"}, {"rate": 2}, {"rate": -1}, {"rate": 0, "exponent": "1.5"}],
)
def test_a_senseless_schedule_is_none(raw: Any) -> None:
    assert read_fee_schedule(raw) is None


def test_the_rates_are_those_of_the_contract() -> None:
    assert {name: int(rate * 10_000) for name, rate in CATEGORY_RATES.items()} == {
        "crypto": 700, "economics": 500, "culture": 500, "weather": 500, "other": 500,
        "finance": 400, "politics": 400, "mentions": 400, "tech": 400, "sports": 300,
        "geopolitics": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fee_type", "category"),
    [
        ("crypto_fees_v2", "crypto"),
        ("crypto_fees", "crypto"),
        ("crypto_15_min", "crypto"),
        ("economics_fees", "economics"),
        ("sports_fees", "sports"),
        ("something_new_v3", None),
        ("", None),
    ],
)
def test_the_fee_type_names_the_category(fee_type: str, category: str | None) -> None:
    assert category_of_fee_type(fee_type) == category


@pytest.mark.parametrize(
    ("tags", "category"),
    [
        (["politics", "economy", "fed"], "economics"),
        (["crypto", "up-or-down"], "crypto"),
        (["soccer", "games"], "sports"),
        (["politics", "geopolitics"], "geopolitics"),
        (["unheard-of"], "other"),
        ([], None),
    ],
)
def test_the_narrowest_tag_names_the_category(tags: list[str], category: str | None) -> None:
    assert categorise(tags=tags, fee_type="") == category


def test_a_game_without_tags_is_sports() -> None:
    assert _market(sportsMarketType="moneyline").category == "sports"


def test_up_and_down_are_recognised_and_run_from_their_window() -> None:
    market = _market(
        outcomes='["Up", "Down"]',
        startDate="2026-07-23T02:48:35Z",
        eventStartTime="2026-07-23T23:55:00Z",
    )

    assert market.is_up_down
    assert market.starts_at is not None
    assert market.starts_at.isoformat() == "2026-07-23T23:55:00+00:00"
    assert not _market().is_up_down


def test_a_dangerous_image_address_is_dropped() -> None:
    assert _market(image="javascript:alert(1)").image_url == ""
    assert _market(image="https://example.org/a.png").image_url == "https://example.org/a.png"


_noise = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(gamma_market())), _noise, max_size=6))
def test_no_mixture_of_fields_raises(noise: dict[str, Any]) -> None:
    row = gamma_market() | noise

    read_market(row)
    read_event(gamma_event(1, [row]) | noise)
