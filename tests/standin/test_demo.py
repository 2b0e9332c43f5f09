"""The synthetic world: what follows from a seed, how books look, how windows live and end."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from trading.markets.standin.demo.driver import Demo
from trading.markets.standin.demo.groups import SERIES
from trading.markets.standin.demo.identity import Place, condition_id, place_of, token_id
from trading.markets.standin.demo.noise import Jumps, Path, mix
from trading.markets.standin.demo.prices import WindowPrice
from trading.markets.standin.demo.templates import CATEGORIES
from trading.markets.standin.demo.world import World
from trading.markets.standin.gamma_rows import market_row
from trading.markets.standin.market import Market
from trading.markets.standin.venue import Venue

#: 2026-11-21 12:00:30 UTC: half a minute into a window of every length.
NOON_MS = 1_795_262_430_000
MINUTE_MS = 60_000


def demo_at(now_ms: int, seed: int = 7, **options: Any) -> tuple[Venue, Demo]:
    venue = Venue()
    return venue, Demo(venue, seed, now_ms, **options)


def run_for(demo: Demo, start_ms: int, milliseconds: int, step_ms: int = 100) -> None:
    for now_ms in range(start_ms, start_ms + milliseconds + 1, step_ms):
        demo.step(now_ms)


def fingerprint(venue: Venue) -> list[Any]:
    return [
        (market.slug, market.tick, sorted(market.bids.items()), sorted(market.asks.items()))
        for market in venue.markets.values()
    ]


def open_markets(venue: Venue) -> Iterator[Market]:
    return (market for market in venue.markets.values() if not market.is_closed)


# -- what follows from a seed ------------------------------------------------------------------
def test_the_same_seed_and_time_give_the_same_catalogue_books_and_trades() -> None:
    runs = []
    for _ in range(2):
        venue, demo = demo_at(NOON_MS)
        run_for(demo, NOON_MS, 20_000)
        tapes = [list(market.tape) for market in venue.markets.values()]
        runs.append((fingerprint(venue), tapes))
    assert runs[0] == runs[1]


def test_another_seed_gives_other_ids_and_prices() -> None:
    first, _ = demo_at(NOON_MS, seed=1)
    second, _ = demo_at(NOON_MS, seed=2)
    assert not set(first.markets) & set(second.markets)
    assert not set(first.markets_by_token) & set(second.markets_by_token)


def test_after_a_restart_markets_have_their_ids_and_prices_go_on() -> None:
    before, _ = demo_at(NOON_MS)
    after, _ = demo_at(NOON_MS + 30_000)
    assert set(before.markets) == set(after.markets)
    for condition, market in before.markets.items():
        later = after.markets[condition]
        assert market.token_ids == later.token_ids
        if (market.ends_ms or 0) > NOON_MS + 86_400_000:
            assert abs((market.middle() or 0) - (later.middle() or 0)) <= 40_000


def test_ids_lead_back_to_their_market() -> None:
    place = Place(series=3, slot=29_921_040)
    condition = condition_id(7, place)
    assert len(condition) == 66
    assert place_of(7, condition) == place
    assert place_of(7, token_id(7, place, 1)) == place
    assert len(token_id(7, place, 0)) <= 78
    assert place_of(8, condition) is None
    assert place_of(7, "0x" + "ab" * 32) is None
    assert place_of(7, "12345") is None


def test_noise_is_a_function_of_seed_and_time() -> None:
    path = Path(11, pace=0.001, bound=0.5)
    values = [path.at(moment) for moment in (5_000, 900_000, 5_000)]
    assert values[0] == values[2] != values[1]
    assert all(-1 <= mix(11, index) < 1 for index in range(-50, 50))
    jumps = Jumps(3, every_s=60, size=1.0)
    heights = {jumps.at(moment) for moment in range(0, 600_000, 500)}
    assert 8 <= len(heights) <= 12


# -- the catalogue -----------------------------------------------------------------------------
def test_the_catalogue_has_every_kind_of_market() -> None:
    venue, _ = demo_at(NOON_MS)
    markets = list(open_markets(venue))
    assert len(markets) >= 60
    fee_types = {market_row(market, NOON_MS)["feeType"] for market in markets}
    assert fee_types == {category.fee_type for category in CATEGORIES.values()}
    assert {market.tick for market in markets} == {10_000, 1_000}
    groups = [event for event in venue.events.values() if len(event.markets) > 1]
    assert all(4 <= len(event.markets) <= 8 for event in groups)
    assert all(market.is_neg_risk for event in groups for market in event.markets)
    slugs = {market.slug for market in markets}
    assert "btc-updown-5m-1795262400" in slugs
    assert "eth-updown-15m-1795262400" in slugs


def test_every_row_says_that_it_is_synthetic() -> None:
    venue, _ = demo_at(NOON_MS)
    for market in venue.markets.values():
        row = market_row(market, NOON_MS)
        assert row["synthetic"] is True
        assert "synthetic" in row["description"]
        assert "{" not in row["question"] + row["description"]
        assert row["image"] is None


def test_answers_that_exclude_each_other_add_up_to_about_one() -> None:
    venue, demo = demo_at(NOON_MS)
    run_for(demo, NOON_MS, 10_000)
    for event in venue.events.values():
        if len(event.markets) > 1:
            total = sum(market.middle() or 0 for market in event.markets)
            assert 900_000 <= total <= 1_100_000, event.slug


def test_the_past_month_can_be_asked_for_and_meets_the_present() -> None:
    venue, _ = demo_at(NOON_MS)
    market = next(m for m in open_markets(venue) if m.slug.startswith("brightcoin"))
    assert market.price_at is not None
    prices = [market.price_at(NOON_MS - hours * 3_600_000) or 0 for hours in range(720)]
    assert len({round(price, 3) for price in prices}) > 50
    assert all(0 < price < 1 for price in prices)
    assert abs(prices[0] - (market.middle() or 0) / 1_000_000) < 0.02


# -- books -------------------------------------------------------------------------------------
def test_books_are_deep_never_crossed_and_mirrored() -> None:
    venue, demo = demo_at(NOON_MS)
    for second in range(90):
        run_for(demo, NOON_MS + second * 1_000, 900)
        for market in open_markets(venue):
            bid, ask = market.top(0)
            assert bid is None or ask is None or bid < ask, market.slug
            assert all(0 < price < 1_000_000 for price in (*market.bids, *market.asks))
            assert all(price % market.tick == 0 for price in (*market.bids, *market.asks))
            assert all(size > 0 for size in (*market.bids.values(), *market.asks.values()))
    standing = [m for m in open_markets(venue) if m.ends_ms and m.ends_ms > NOON_MS + 10**9]
    deep = [m for m in standing if min(len(m.bids), len(m.asks)) >= 8]
    assert len(deep) >= 0.75 * len(standing)
    for market in standing:
        bids, asks = market.levels(0)
        other_bids, other_asks = market.levels(1)
        assert [(1_000_000 - price, size) for price, size in asks] == other_bids
        assert [(1_000_000 - price, size) for price, size in bids] == other_asks
        assert bids == sorted(bids)
        assert asks == sorted(asks, reverse=True)


def test_the_tick_becomes_fine_beyond_96_cents_and_coarse_again() -> None:
    venue, demo = demo_at(NOON_MS)
    actor = next(each[2] for each in demo._due if each[2].native_tick == 10_000)
    for price, tick in ((0.5, 10_000), (0.97, 1_000), (0.955, 1_000), (0.94, 10_000)):
        actor.price = lambda _moment, price=price: price  # type: ignore[assignment]
        demo._act(actor, NOON_MS)
        assert actor.market.tick == tick, price
    assert venue.markets[actor.market.condition_id].tick == 10_000


# -- windows -----------------------------------------------------------------------------------
def test_a_window_trades_stops_and_resolves_as_its_spot_price_says() -> None:
    venue, demo = demo_at(NOON_MS)
    market = next(m for m in venue.markets.values() if m.slug == "btc-updown-5m-1795262400")
    ends_ms = market.ends_ms or 0
    assert ends_ms == NOON_MS + 270_000
    run_for(demo, NOON_MS, 269_000, step_ms=1_000)
    assert market.is_accepting
    assert market.bids or market.asks
    demo.step(ends_ms + 100)
    assert not market.is_accepting
    assert not market.is_closed
    demo.step(ends_ms + 9_000)
    assert market.is_closed
    course = demo.world.courses["BTC/USD"]
    went_up = course.at(ends_ms) >= course.at(market.starts_ms)
    assert market.payouts == (("1", "0") if went_up else ("0", "1"))
    row = market_row(market, ends_ms + 9_000)
    assert row["closed"] is True
    assert row["umaResolutionStatus"] == "resolved"
    assert row["acceptingOrders"] is False
    assert row["outcomePrices"] in ('["1", "0"]', '["0", "1"]')
    assert row["closedTime"] == "2026-11-21 12:05:09+00"


def test_windows_follow_each_other_and_old_ones_leave_the_list() -> None:
    venue, demo = demo_at(NOON_MS)
    run_for(demo, NOON_MS, 20 * MINUTE_MS, step_ms=2_000)
    starts = {
        int(market.slug.rsplit("-", 1)[1])
        for market in open_markets(venue)
        if market.slug.startswith("btc-updown-5m-")
    }
    assert starts == {1_795_263_600, 1_795_263_900}
    run_for(demo, NOON_MS + 20 * MINUTE_MS, 60 * MINUTE_MS, step_ms=10_000)
    oldest = min(market.closed_ms or NOON_MS * 2 for market in venue.markets.values())
    assert oldest >= NOON_MS + 14 * MINUTE_MS
    assert len(venue.markets) < 140


def test_the_result_of_any_past_window_can_be_told_again() -> None:
    venue, demo = demo_at(NOON_MS)
    condition = next(m for m in venue.markets.values() if m.slug == "eth-updown-5m-1795262400")
    run_for(demo, NOON_MS, 5 * MINUTE_MS, step_ms=500)
    _later_venue, later = demo_at(NOON_MS + 3 * 86_400_000)
    recalled = later.world.recall(condition.condition_id, later.venue_ms)
    assert recalled is not None
    assert recalled.payouts == condition.payouts
    assert recalled.is_closed
    assert later.world.recall(condition.token_ids[1], later.venue_ms) is not None
    future = later.world.window(SERIES[0], NOON_MS + 90 * 86_400_000 // 300_000 * 300_000)[0]
    assert later.world.recall(future.markets[0].condition_id, later.venue_ms) is None


def test_results_are_fair_and_some_matches_end_half_and_half() -> None:
    world = World(7)
    results: dict[str, Counter[tuple[str, str]]] = {}
    for series in (SERIES[0], SERIES[4]):
        counted = results.setdefault(series.slug, Counter())
        length_ms = series.minutes * MINUTE_MS
        start_ms = NOON_MS // length_ms * length_ms
        for rank in range(300):
            actor = world.window(series, start_ms - rank * length_ms)[1]
            assert isinstance(actor.price, WindowPrice)
            counted[world.payouts(series, actor.price)] += 1
    coin, match = results["btc-updown-5m"], results["exhibition-match"]
    assert set(coin) == {("1", "0"), ("0", "1")}
    assert 100 <= coin["1", "0"] <= 200
    assert 30 <= match["0.5", "0.5"] <= 100


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_prices_of_windows_mean_what_they_say(share: float) -> None:
    """Of the windows that stand near a price, about that share is won."""
    world = World(7)
    won = total = 0
    for rank in range(1_500):
        starts_ms = NOON_MS // 300_000 * 300_000 - rank * 300_000
        price = world.window(SERIES[0], starts_ms)[1].price
        assert isinstance(price, WindowPrice)
        if abs(price(starts_ms + 150_000) - share) < 0.1:
            total += 1
            won += price.is_won()
    assert total > 50
    assert abs(won / total - share) < 0.15


def test_a_paused_demo_stands_still_and_advances_by_hand() -> None:
    venue, demo = demo_at(NOON_MS, is_paused=True)
    before = fingerprint(venue)
    run_for(demo, NOON_MS, 5_000)
    assert fingerprint(venue) == before
    for _ in range(3_100):
        demo.advance(100, NOON_MS)
    window = next(m for m in venue.markets.values() if m.slug == "btc-updown-5m-1795262400")
    assert window.is_closed
    assert fingerprint(venue) != before
