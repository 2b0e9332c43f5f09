"""Keeping one token's book right: applying, doubts, resync, audit. All messages synthetic."""

from typing import Any

import pytest

from tests.support.venue import CONDITION, NOW_MS, TOKEN_NO, TOKEN_YES, book_message
from trading.markets.polymarket import wire
from trading.markets.polymarket.local_book import (
    Applied,
    Audit,
    Ignored,
    LocalBook,
    Resync,
    Status,
)
from trading.markets.polymarket.tape import TradeMemory, trade_identity


def _snapshot(**changes: Any) -> wire.BookSnapshot:
    book = wire.parse_book(book_message(**changes))
    assert book is not None
    return book


def _live_book() -> LocalBook:
    """Connection 1, bids 0.48 x 30 and 0.47 x 100, asks 0.52 x 25 and 0.53 x 60.5."""
    book = LocalBook(condition_id=CONDITION, token_id=TOKEN_YES)
    book.start_syncing(connection_id=1)
    book.apply_book(_snapshot(), connection_id=1, now_ms=0)
    return book


def _change(
    side: str, price: int, size: int, top: tuple[int | None, int | None] | None = None
) -> wire.LevelChange:
    bid, ask = top or (None, None)
    return wire.LevelChange(TOKEN_YES, side, price, size, top is not None, bid, ask)


def _apply(
    book: LocalBook, *changes: wire.LevelChange, at: int = NOW_MS + 1, now_ms: int = 10
) -> Applied:
    return book.apply_changes(changes, timestamp_ms=at, connection_id=1, now_ms=now_ms)


def test_changes_before_the_first_book_are_dropped() -> None:
    book = LocalBook(condition_id=CONDITION, token_id=TOKEN_YES)
    book.start_syncing(connection_id=1)

    result = _apply(book, _change("BUY", 490_000, 5_000_000))

    assert result.ignored is Ignored.NO_BOOK_YET
    assert book.levels == ((), ())
    assert book.status is Status.SYNCING


def test_a_book_replaces_everything_and_makes_it_live() -> None:
    book = _live_book()

    result = book.apply_book(
        _snapshot(bids=[{"price": "0.5", "size": "1"}], timestamp=str(NOW_MS + 5)),
        connection_id=1,
        now_ms=7,
    )

    assert result == Applied(changed=True, replaced=True)
    assert book.status is Status.LIVE
    assert book.levels[0] == ((500_000, 1_000_000),)
    assert (book.tick_size, book.received_at_ms, book.last_book_ts) == (10_000, 7, NOW_MS + 5)


def test_changes_set_and_remove_levels_in_array_order() -> None:
    book = _live_book()

    result = _apply(
        book,
        _change("BUY", 490_000, 5_000_000),
        _change("BUY", 480_000, 0),
        _change("SELL", 520_000, 7_000_000, top=(490_000, 520_000)),
    )

    assert book.levels == (
        ((490_000, 5_000_000), (470_000, 100_000_000)),
        ((520_000, 7_000_000), (530_000, 60_500_000)),
    )
    assert result == Applied(changed=True, touched=(("b", 490_000), ("b", 480_000), ("a", 520_000)))


def test_a_late_frame_is_ignored_and_an_equal_timestamp_is_applied() -> None:
    book = _live_book()

    late = _apply(book, _change("BUY", 490_000, 1_000_000), at=NOW_MS - 1)
    equal = _apply(book, _change("BUY", 491_000, 1_000_000), at=NOW_MS)
    late_book = book.apply_book(_snapshot(timestamp=str(NOW_MS - 1)), connection_id=1, now_ms=0)

    assert late.ignored is Ignored.LATE
    assert late_book.ignored is Ignored.LATE
    assert equal.changed
    assert book.best_bid == 491_000


def test_a_frame_of_a_closed_connection_is_discarded() -> None:
    book = _live_book()
    book.start_syncing(connection_id=2)

    result = book.apply_book(_snapshot(timestamp=str(NOW_MS + 9)), connection_id=1, now_ms=0)

    assert result.ignored is Ignored.OTHER_CONNECTION
    assert book.status is Status.SYNCING


def test_the_changes_of_the_other_token_are_left_alone() -> None:
    book = _live_book()
    other = wire.LevelChange(TOKEN_NO, "BUY", 600_000, 1_000_000)

    result = _apply(book, other)

    assert not result.changed
    assert book.best_bid == 480_000


def test_one_foreign_top_is_tolerated_and_the_second_is_a_resync() -> None:
    book = _live_book()

    first = _apply(book, _change("BUY", 470_000, 1_000_000, top=(490_000, 520_000)))
    second = _apply(book, _change("BUY", 470_000, 2_000_000, top=(490_000, 520_000)))

    assert first.resync is None
    assert second.resync is Resync.TOP_MISMATCH


def test_an_agreeing_top_clears_the_doubt() -> None:
    book = _live_book()

    _apply(book, _change("BUY", 470_000, 1_000_000, top=(490_000, 520_000)))
    _apply(book, _change("BUY", 470_000, 2_000_000, top=(480_000, 520_000)))
    third = _apply(book, _change("BUY", 470_000, 3_000_000, top=(490_000, 520_000)))

    assert third.resync is None


def test_a_foreign_top_that_lasts_over_a_second_is_a_resync() -> None:
    book = _live_book()
    _apply(book, _change("BUY", 470_000, 1_000_000, top=(490_000, 520_000)), now_ms=100)

    assert book.due_resync(now_ms=1_100) is None
    assert book.due_resync(now_ms=1_101) is Resync.TOP_MISMATCH


def test_an_empty_side_is_no_top() -> None:
    book = _live_book()

    result = _apply(
        book,
        _change("BUY", 480_000, 0),
        _change("BUY", 470_000, 0, top=(None, 520_000)),
    )

    assert result.resync is None
    assert book.best_bid is None


def test_a_short_crossing_is_normal_and_a_long_one_a_resync() -> None:
    book = _live_book()
    _apply(book, _change("BUY", 520_000, 1_000_000), now_ms=50)

    assert book.is_crossed
    assert book.due_resync(now_ms=1_050) is None
    assert book.due_resync(now_ms=1_051) is Resync.CROSSED

    _apply(book, _change("SELL", 520_000, 0), now_ms=1_060)
    assert book.due_resync(now_ms=5_000) is None


def test_best_bid_ask_is_compared_but_never_written() -> None:
    book = _live_book()
    message = wire.BestBidAsk(CONDITION, TOKEN_YES, 490_000, 520_000, NOW_MS + 1)

    first = book.apply_best_bid_ask(message, connection_id=1, now_ms=0)
    second = book.apply_best_bid_ask(message, connection_id=1, now_ms=0)

    assert (first.resync, second.resync) == (None, Resync.TOP_MISMATCH)
    assert book.best_bid == 480_000


def test_a_new_tick_drops_the_book_until_it_is_read_again() -> None:
    book = _live_book()
    message = wire.TickSizeChange(CONDITION, TOKEN_YES, 10_000, 1_000, NOW_MS + 1)

    result = book.apply_tick_size(message, connection_id=1, now_ms=0)
    dropped = _apply(book, _change("BUY", 481_000, 1_000_000), at=NOW_MS + 2)
    read = book.apply_rest_book(_snapshot(timestamp=str(NOW_MS + 3), tick_size="0.001"), now_ms=5)

    assert result.resync is Resync.TICK_CHANGED
    assert dropped.ignored is Ignored.NO_BOOK_YET
    assert read.replaced
    assert (book.status, book.tick_size) == (Status.LIVE, 1_000)


def test_damage_by_garbage_asks_for_the_book() -> None:
    book = _live_book()

    changes = book.apply_changes(
        [], timestamp_ms=NOW_MS + 1, connection_id=1, now_ms=0, damaged=True
    )
    snapshot = book.apply_book(
        _snapshot(timestamp=str(NOW_MS + 2), bids=[{"price": "x", "size": "1"}]),
        connection_id=1,
        now_ms=0,
    )

    assert changes.resync is Resync.GARBAGE
    assert snapshot.resync is Resync.GARBAGE


def test_an_empty_book_keeps_the_token_syncing() -> None:
    book = _live_book()

    book.apply_book(
        _snapshot(timestamp=str(NOW_MS + 1), bids=[], asks=[]), connection_id=1, now_ms=0
    )

    assert book.status is Status.SYNCING


def test_three_outdated_rest_answers_make_it_stale_and_move_it() -> None:
    book = _live_book()
    _apply(book, _change("BUY", 470_000, 1_000_000), at=NOW_MS + 50)

    answers = [book.apply_rest_book(_snapshot(), now_ms=0) for _ in range(3)]

    assert [answer.ignored for answer in answers] == [Ignored.OUTDATED_ANSWER] * 3
    assert [answer.move for answer in answers] == [False, False, True]
    assert book.status is Status.STALE
    assert book.levels[0][1] == (470_000, 1_000_000)


def test_a_rest_answer_as_new_as_our_last_event_wins() -> None:
    book = _live_book()
    _apply(book, _change("BUY", 470_000, 1_000_000), at=NOW_MS + 50)

    result = book.apply_rest_book(_snapshot(timestamp=str(NOW_MS + 50)), now_ms=0)

    assert result.replaced
    assert book.levels[0][1] == (470_000, 100_000_000)


def _ghost(timestamp: int) -> wire.BookSnapshot:
    return _snapshot(
        timestamp=str(timestamp),
        bids=[{"price": "0.01", "size": "9"}],
        asks=[{"price": "0.99", "size": "9"}],
    )


def test_the_ghost_book_of_rest_never_replaces_a_narrow_one() -> None:
    book = _live_book()

    result = book.apply_rest_book(_ghost(NOW_MS + 10), now_ms=0)

    assert (result.ignored, result.resync) == (Ignored.GHOST, Resync.GHOST)
    assert book.audit(_ghost(NOW_MS + 10)) == (Audit.GHOST, False)
    assert book.best_bid == 480_000


def test_a_wide_book_is_taken_when_nothing_better_is_known() -> None:
    book = LocalBook(condition_id=CONDITION, token_id=TOKEN_YES)
    book.start_syncing(connection_id=1)

    assert book.apply_rest_book(_ghost(NOW_MS), now_ms=0).replaced


def test_two_audits_with_another_top_move_the_token() -> None:
    book = _live_book()
    other = _snapshot(bids=[{"price": "0.49", "size": "1"}])

    assert book.audit(_snapshot()) == (Audit.AGREES, False)
    assert book.audit(other) == (Audit.TOP_DIFFERS, False)
    assert book.audit(other) == (Audit.TOP_DIFFERS, True)


def test_an_audit_with_other_depth_below_the_same_top_is_told_apart() -> None:
    book = _live_book()
    other = _snapshot(bids=[{"price": "0.48", "size": "30"}])

    assert book.audit(other) == (Audit.DEPTH_DIFFERS, False)


def test_an_audit_older_than_our_last_event_says_nothing() -> None:
    book = _live_book()
    _apply(book, _change("BUY", 490_000, 1_000_000), at=NOW_MS + 5)

    assert book.audit(_snapshot()) == (Audit.OUTDATED_ANSWER, False)


def test_a_market_without_book_is_absent_and_stays_so_when_marked_stale() -> None:
    book = _live_book()

    book.mark_absent()
    book.mark_stale()

    assert book.status is Status.ABSENT
    assert book.levels == ((), ())


def _trade(**changes: Any) -> wire.TradePrint:
    fields: dict[str, Any] = {
        "condition_id": CONDITION,
        "token_id": TOKEN_YES,
        "price": 500_000,
        "size": 1_000_000,
        "side": "BUY",
        "timestamp_ms": NOW_MS,
        "transaction_hash": "0xaa",
    }
    return wire.TradePrint(**(fields | changes))


def test_a_trade_moves_the_last_price_but_no_level() -> None:
    book = _live_book()

    assert book.apply_trade(_trade(price=510_000, timestamp_ms=NOW_MS + 9))
    assert not book.apply_trade(_trade(price=100_000, timestamp_ms=NOW_MS + 8))
    assert book.last_trade_price == 510_000
    assert book.levels == _live_book().levels


def test_a_trade_seen_twice_within_five_minutes_is_one_trade() -> None:
    memory = TradeMemory()

    seen = [
        memory.is_new(_trade(), now_ms=0),
        memory.is_new(_trade(timestamp_ms=NOW_MS + 7), now_ms=300_000),
        memory.is_new(_trade(size=2_000_000), now_ms=300_000),
        memory.is_new(_trade(), now_ms=300_001),
    ]

    assert seen == [True, False, True, True]


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [({"timestamp_ms": NOW_MS + 1}, False), ({"price": 500_001}, False), ({}, True)],
)
def test_without_a_transaction_the_time_tells_trades_apart(
    changes: dict[str, Any], is_same: bool
) -> None:
    bare = {"transaction_hash": ""}

    same = trade_identity(_trade(**bare)) == trade_identity(_trade(**bare, **changes))

    assert same is is_same
