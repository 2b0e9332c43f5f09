"""The world's prices: made up without an edge for anybody, or played as recorded."""

from random import Random

import pytest

from polysim.kernel.money import SCALE
from prop.simulator import Recording, demo_world, recorded_world
from prop.simulator.paths import chance_of, chances, make_play
from trading.markets.pricing import displayed_price


def test_chance_of_heads_is_exact() -> None:
    assert chances(2) == (SCALE, 750_000, 250_000)
    assert chance_of(3, 0) == SCALE
    assert chance_of(3, 4) == 0


def test_price_is_the_average_of_what_it_can_become() -> None:
    for tosses in (1, 7, 60):
        for heads in range(tosses + 1):
            up, down = chance_of(tosses - 1, heads - 1), chance_of(tosses - 1, heads)
            assert abs(2 * chance_of(tosses, heads) - up - down) <= 2


def test_made_up_markets_win_as_often_as_their_first_price_says() -> None:
    plays = [make_play(Random(f"play {number}")) for number in range(400)]
    expected = sum((play.quotes[0][0] + play.quotes[0][1]) // 2 for play in plays)
    won = sum(play.payout for play in plays)
    # The standard deviation of the difference is at most 10 markets of 400.
    assert abs(won - expected) < 30 * SCALE


def test_quotes_are_books_that_mirror_each_other() -> None:
    world = demo_world(seed=5, steps=120, places=12)
    for step in range(0, 120, 7):
        marks = world.marks(step)
        for token in range(24):
            book, other = world.book(token, step), world.book(token ^ 1, step)
            assert book.bids[0][0] < book.asks[0][0]
            assert [(SCALE - price, size) for price, size in other.bids] == list(book.asks)
            assert int(marks[token]) == world.mark(token, step) == displayed_price(book, None)


def test_same_seed_gives_the_same_prices() -> None:
    one, two, other = (demo_world(seed=seed, steps=96, places=6) for seed in (1, 1, 2))
    assert (one.bid == two.bid).all()
    assert one.endings == two.endings
    assert (one.bid != other.bid).any()


def test_recorded_market_plays_its_quotes_and_pays_its_result() -> None:
    quotes = tuple((400_000 + 10_000 * hour, 420_000 + 10_000 * hour) for hour in range(10))
    recording = Recording("race", quotes, SCALE, 40_000)
    world = recorded_world([recording], seed=3, steps=60, places=4)
    mirrored = {(SCALE - ask, SCALE - bid) for bid, ask in quotes}
    for place in range(4):
        seen = set(zip(world.bid[place].tolist(), world.ask[place].tolist(), strict=True))
        assert seen <= set(quotes) | mirrored
    paid = [payout for endings in world.endings.values() for _, payout in endings]
    assert set(paid) == {0, SCALE}
    assert set(world.fee_rate.ravel().tolist()) == {40_000}


def test_market_without_a_known_result_pays_its_last_price() -> None:
    recording = Recording("open", ((500_000, 520_000), (600_000, 640_000)), None, 0)
    world = recorded_world([recording], seed=3, steps=20, places=2)
    assert {payout for endings in world.endings.values() for _, payout in endings} <= {
        620_000,
        380_000,
    }


def test_no_recordings_are_refused() -> None:
    with pytest.raises(ValueError, match="no recorded prices"):
        recorded_world([], seed=1, steps=10)
