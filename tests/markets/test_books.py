"""Live books in Valkey: whole markets, depletion, age, quotes, and what happens without Valkey."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from polysim.kernel.errors import ServiceUnavailable
from trading.markets import books
from trading.markets.books import MarketWrite, TokenBook, keys
from trading.markets.books import store as book_store
from trading.markets.pricing import Book

MARKET = "0x" + "a1" * 32
OTHER = "0x" + "b2" * 32
SHARES = 1_000_000
NOW_MS = 1_800_000_000_000

# trading-api 7.2: asks 0.65 x 6, 0.66 x 10, 0.70 x 50.
FIRST = TokenBook(
    "101",
    Book(
        bids=((600_000, 5 * SHARES), (580_000, 10 * SHARES)),
        asks=((650_000, 6 * SHARES), (660_000, 10 * SHARES), (700_000, 50 * SHARES)),
    ),
)
SECOND = TokenBook("102", Book(bids=((360_000, 20 * SHARES), (350_000, 4 * SHARES))))


@pytest.fixture(autouse=True)
def _empty_valkey(redis_client: Any) -> None:
    book_store._script.cache_clear()


def put(**changes: Any) -> int:
    write = {
        "condition_id": MARKET,
        "books": (FIRST, SECOND),
        "confirmed_at_ms": NOW_MS,
        "is_fresh_snapshot": True,
    } | changes
    return books.write_market(MarketWrite(**write), now_ms=NOW_MS)


def test_a_market_comes_back_as_it_was_written() -> None:
    sequence = put()
    live = books.read_live_market(MARKET)
    assert live.seq == sequence
    assert live.books == (FIRST, SECOND)
    assert live.is_live
    assert live.age_ms(NOW_MS + 1_500) == 1_500


def test_the_merged_book_takes_the_larger_size_per_price() -> None:
    put()
    merged = books.read_live_market(MARKET).merged_book(0)
    assert merged.asks == (
        (640_000, 20 * SHARES),
        (650_000, 6 * SHARES),
        (660_000, 10 * SHARES),
        (700_000, 50 * SHARES),
    )


def test_both_outcomes_displayed_prices_add_up_to_one() -> None:
    put()
    live = books.read_live_market(MARKET)
    assert live.displayed(0) == 620_000
    assert live.displayed(1) == 380_000


def test_a_market_never_seen_is_absent() -> None:
    live = books.read_live_market(MARKET)
    assert live.books == (None, None)
    assert live.status == books.ABSENT
    assert not live.is_live


def test_a_market_is_as_good_as_its_worse_book() -> None:
    put(books=(FIRST, TokenBook("102", SECOND.book, status=books.STALE)))
    assert books.read_live_market(MARKET).status == books.STALE


def test_each_write_gets_a_higher_sequence_even_within_one_millisecond() -> None:
    first, second = put(), put()
    assert second == first + 1


def test_the_sequence_does_not_fall_when_valkey_lost_everything(redis_client: Any) -> None:
    before = put()
    redis_client.flushall()
    later = books.write_market(
        MarketWrite(MARKET, (FIRST, SECOND), confirmed_at_ms=NOW_MS), now_ms=NOW_MS + 60_000
    )
    assert later > before


def test_taken_depth_is_not_offered_twice() -> None:
    put()
    live = books.read_live_market(MARKET)
    assert books.take_depth(live, {"a:650000": 4 * SHARES})
    assert books.read_live_market(MARKET).taken == {"a:650000": 4 * SHARES}
    assert not books.take_depth(live, {"a:650000": 4 * SHARES})
    assert books.take_depth(live, {"a:650000": 2 * SHARES})


def test_levels_are_taken_all_or_none() -> None:
    put()
    live = books.read_live_market(MARKET)
    assert not books.take_depth(live, {"a:640000": 20 * SHARES, "a:650000": 7 * SHARES})
    assert books.read_live_market(MARKET).taken == {}


def test_depth_of_an_older_state_cannot_be_taken() -> None:
    put()
    live = books.read_live_market(MARKET)
    put()
    assert not books.take_depth(live, {"a:650000": SHARES})


def test_a_level_that_the_book_does_not_have_is_a_defect() -> None:
    put()
    live = books.read_live_market(MARKET)
    with pytest.raises(KeyError):
        books.take_depth(live, {"a:990000": SHARES})


def test_depth_given_back_can_be_taken_again() -> None:
    put()
    live = books.read_live_market(MARKET)
    assert books.take_depth(live, {"a:650000": 6 * SHARES})
    books.give_back_depth(MARKET, {"a:650000": 6 * SHARES})
    assert books.read_live_market(MARKET).taken == {}
    assert books.take_depth(live, {"a:650000": 6 * SHARES})


def test_giving_back_a_level_that_was_renewed_meanwhile_changes_nothing() -> None:
    put()
    books.take_depth(books.read_live_market(MARKET), {"a:650000": 6 * SHARES})
    put()
    books.give_back_depth(MARKET, {"a:650000": 6 * SHARES})
    assert books.read_live_market(MARKET).taken == {}


def test_a_fresh_snapshot_restores_all_depth() -> None:
    put()
    books.take_depth(books.read_live_market(MARKET), {"a:650000": SHARES, "b:600000": SHARES})
    put()
    assert books.read_live_market(MARKET).taken == {}


def test_an_updated_level_is_restored_alone() -> None:
    put()
    books.take_depth(books.read_live_market(MARKET), {"a:650000": SHARES, "b:600000": SHARES})
    put(is_fresh_snapshot=False, renewed_levels=frozenset({"a:650000"}))
    assert books.read_live_market(MARKET).taken == {"b:600000": SHARES}


def test_forty_threads_cannot_take_more_than_a_level_has() -> None:
    put()
    live = books.read_live_market(MARKET)

    def take(_number: int) -> bool:
        return books.take_depth(live, {"a:660000": SHARES})

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(40))) == 10


def test_a_healthy_connection_vouches_for_its_quiet_markets(redis_client: Any) -> None:
    put(connection="ab.7")
    redis_client.hset(keys.feed_key(), "conn:ab.7", NOW_MS + 30_000)
    assert books.read_live_market(MARKET).confirmed_at_ms == NOW_MS + 30_000
    redis_client.hdel(keys.feed_key(), "conn:ab.7")
    assert books.read_live_market(MARKET).confirmed_at_ms == NOW_MS


def test_only_the_owner_of_the_feed_writes(redis_client: Any) -> None:
    from trading.markets.books import scripts
    from trading.markets.books.writer import write_command

    redis_client.set(keys.owner_key(), "the owner")
    write = MarketWrite(MARKET, (FIRST, SECOND), confirmed_at_ms=NOW_MS)
    names, arguments = write_command(write, owner_token="a former owner", now_ms=NOW_MS)
    assert redis_client.register_script(scripts.WRITE_MARKET)(keys=names, args=arguments) == 0
    assert books.read_live_market(MARKET).books == (None, None)


def test_quotes_leave_out_markets_that_were_never_live() -> None:
    put()
    quotes = books.read_quotes([MARKET, OTHER])
    assert list(quotes) == [MARKET]
    quote = quotes[MARKET]
    assert quote.prices == (620_000, 380_000)
    assert quote.top(0) == (600_000, 640_000)
    assert quote.top(1) == (360_000, 400_000)


def test_marks_are_the_displayed_prices() -> None:
    put()
    marks = books.read_marks([(MARKET, 1), (MARKET, 0), (OTHER, 0)])
    assert {place: mark.price for place, mark in marks.items()} == {
        (MARKET, 0): 620_000,
        (MARKET, 1): 380_000,
    }


def test_the_last_trade_of_either_outcome_is_the_markets() -> None:
    wide = Book(bids=((100_000, SHARES),), asks=((900_000, SHARES),))
    first = TokenBook("101", wide, last_trade=300_000, last_trade_ms=1_000)
    second = TokenBook("102", Book(), last_trade=450_000, last_trade_ms=2_000)
    put(books=(first, second))
    live = books.read_live_market(MARKET)
    assert live.displayed(0) == 550_000
    assert live.displayed(1) == 450_000


def test_reading_a_market_notes_that_somebody_looks_at_it(redis_client: Any) -> None:
    books.read_live_market(MARKET)
    books.read_live_market(OTHER, note_interest=False)
    assert redis_client.zrange(keys.page_interest_key(), 0, -1) == [MARKET]


def test_held_interest_is_replaced_as_a_whole(redis_client: Any) -> None:
    books.add_held_interest("orders", [MARKET])
    books.replace_held_interest("orders", [OTHER])
    assert redis_client.smembers(keys.held_interest_key("orders")) == {OTHER}
    books.replace_held_interest("orders", [])
    assert redis_client.smembers(keys.held_interest_key("orders")) == set()


def test_without_valkey_every_reader_answers_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    nowhere = redis.Redis(unix_socket_path=str(tmp_path / "nobody.sock"), decode_responses=True)
    monkeypatch.setattr(book_store, "get_redis", lambda: nowhere)
    book_store._script.cache_clear()
    for read in (
        lambda: books.read_live_market(MARKET),
        lambda: books.read_live_markets([MARKET]),
        lambda: books.read_quotes([MARKET]),
        lambda: books.read_marks([(MARKET, 0)]),
        books.read_feed_state,
        lambda: books.give_back_depth(MARKET, {"a:650000": 1}),
    ):
        with pytest.raises(ServiceUnavailable):
            read()
    book_store._script.cache_clear()


def test_a_reader_never_meets_half_a_market() -> None:
    """While a writer flips both books between two states, every read shows one of them."""
    low = (TokenBook("101", Book(((100_000, SHARES),), ())), TokenBook("102", Book()))
    high = (TokenBook("101", Book(((200_000, SHARES),), ())), TokenBook("102", FIRST.book))
    put(books=low)

    def write() -> None:
        for number in range(200):
            put(books=high if number % 2 else low)

    async def race() -> None:
        writing = asyncio.create_task(asyncio.to_thread(write))
        while not writing.done():
            live = await asyncio.to_thread(books.read_live_market, MARKET)
            assert live.books in (low, high)
        await writing

    asyncio.run(race())
