"""Frames of the market websocket: every kind in both shapes, and garbage. All synthetic."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.venue import CONDITION, NOW_MS, TOKEN_NO, TOKEN_YES, book_message
from trading.markets.polymarket import wire

HUGE = "9" * 5_000


def _frame(message: Any) -> wire.Frame:
    return wire.parse_frame(json.dumps(message))


def _only_event(message: Any) -> Any:
    frame = _frame(message)
    assert frame.garbage == {}
    (event,) = frame.events
    return event


def test_a_book_comes_out_best_first_in_scaled_integers() -> None:
    book = _only_event(book_message())

    assert book.bids == ((480_000, 30_000_000), (470_000, 100_000_000))
    assert book.asks == ((520_000, 25_000_000), (530_000, 60_500_000))
    assert book.tick_size == 10_000
    assert book.last_trade_price == 500_000
    assert book.timestamp_ms == NOW_MS


@pytest.mark.parametrize(
    "changes",
    [
        {"event_type": None},
        {"event_type": ""},
        {"timestamp": "2026-09-21T13:33:20Z"},
        {"timestamp": NOW_MS},
        {"min_order_size": "5", "neg_risk": True, "last_trade_price": ""},
    ],
)
def test_books_are_recognised_in_every_dress(changes: dict[str, Any]) -> None:
    assert isinstance(_only_event(book_message(**changes)), wire.BookSnapshot)


def test_very_old_books_name_their_sides_buys_and_sells() -> None:
    message = book_message()
    message["buys"], message["sells"] = message.pop("bids"), message.pop("asks")

    assert _only_event(message).bids[0] == (480_000, 30_000_000)


def test_an_array_carries_several_messages_and_the_bad_one_is_counted() -> None:
    frame = _frame([book_message(), 5, book_message(asset_id=TOKEN_NO), {"event_type": "x"}])

    assert [event.token_id for event in frame.events] == [TOKEN_YES, TOKEN_NO]
    assert frame.garbage == {"not_an_object": 1, "unknown_event_type": 1}


def test_a_bad_level_is_dropped_and_the_rest_of_the_book_stays() -> None:
    levels = [
        {"price": "0.47", "size": "100"},
        {"price": "NaN", "size": "1"},
        {"price": "0.46", "size": "-1"},
        {"price": "1.01", "size": "1"},
        {"price": "0", "size": "1"},
        {"price": "0.45", "size": HUGE},
        {"price": "0.12345678", "size": "1"},
        {"price": True, "size": "1"},
        {"price": ["0.4"], "size": "1"},
        None,
        {"price": "0.44"},
    ]
    frame = _frame(book_message(bids=levels))

    (book,) = frame.events
    assert isinstance(book, wire.BookSnapshot)
    assert book.bids == ((470_000, 100_000_000),)
    assert book.dropped == 10
    assert frame.garbage == {"bad_level": 10}


def test_size_zero_is_no_level_and_a_repeated_price_keeps_its_last_size() -> None:
    book = _only_event(
        book_message(
            bids=[
                {"price": "0.4", "size": "0"},
                {"price": "0.41", "size": "1"},
                {"price": "0.410", "size": "2"},
            ]
        )
    )

    assert book.bids == ((410_000, 2_000_000),)


def test_a_size_finer_than_six_decimals_is_cut_never_rounded_up() -> None:
    book = _only_event(book_message(bids=[{"price": "0.4", "size": "219.2177679"}]))

    assert book.bids == ((400_000, 219_217_767),)


def test_the_new_price_change_carries_both_tokens() -> None:
    event = _only_event(
        {
            "synthetic": True,
            "event_type": "price_change",
            "market": CONDITION,
            "timestamp": str(NOW_MS),
            "price_changes": [
                {
                    "asset_id": TOKEN_YES, "price": "0.47", "size": "150", "side": "BUY",
                    "hash": "a1", "best_bid": "0.48", "best_ask": "0.52",
                },
                {
                    "asset_id": TOKEN_NO, "price": "0.53", "size": "0", "side": "SELL",
                    "hash": "b2", "best_bid": "0", "best_ask": "1",
                },
            ],
        }
    )  # fmt: skip

    assert event.changes == (
        wire.LevelChange(TOKEN_YES, "BUY", 470_000, 150_000_000, True, 480_000, 520_000),
        wire.LevelChange(TOKEN_NO, "SELL", 530_000, 0, True, None, None),
    )


def test_the_old_price_change_names_its_token_once() -> None:
    event = _only_event(
        {
            "synthetic": True,
            "event_type": "price_change",
            "asset_id": TOKEN_YES,
            "market": CONDITION,
            "timestamp": str(NOW_MS),
            "hash": "a1",
            "changes": [{"price": "0.23", "size": "300", "side": "SELL"}],
        }
    )

    assert event.changes == (wire.LevelChange(TOKEN_YES, "SELL", 230_000, 300_000_000),)
    assert not event.changes[0].names_top


def test_a_bad_change_names_the_token_whose_book_is_damaged() -> None:
    frame = _frame(
        {
            "synthetic": True,
            "event_type": "price_change",
            "market": CONDITION,
            "timestamp": str(NOW_MS),
            "price_changes": [
                {"asset_id": TOKEN_YES, "price": "abc", "size": "1", "side": "BUY"},
                {"asset_id": TOKEN_NO, "price": "0.5", "size": "1", "side": "BUY"},
            ],
        }
    )

    (event,) = frame.events
    assert isinstance(event, wire.PriceChange)
    assert event.damaged_tokens == {TOKEN_YES}
    assert [change.token_id for change in event.changes] == [TOKEN_NO]
    assert frame.garbage == {"bad_level": 1}


def test_a_trade_keeps_its_taker_side_and_transaction() -> None:
    event = _only_event(
        {
            "synthetic": True,
            "event_type": "last_trade_price",
            "asset_id": TOKEN_YES,
            "market": CONDITION,
            "price": "0.456",
            "size": "219.217767",
            "side": "BUY",
            "fee_rate_bps": "",
            "timestamp": str(NOW_MS),
            "transaction_hash": "0xfeed",
        }
    )

    assert event == wire.TradePrint(
        CONDITION, TOKEN_YES, 456_000, 219_217_767, "BUY", NOW_MS, "0xfeed"
    )


def test_a_tick_size_change_is_read() -> None:
    event = _only_event(
        {
            "synthetic": True,
            "event_type": "tick_size_change",
            "asset_id": TOKEN_YES,
            "market": CONDITION,
            "old_tick_size": "0.01",
            "new_tick_size": "0.001",
            "timestamp": str(NOW_MS),
        }
    )

    assert (event.old_tick_size, event.new_tick_size) == (10_000, 1_000)


def test_best_bid_ask_tells_an_empty_side() -> None:
    event = _only_event(
        {
            "synthetic": True,
            "event_type": "best_bid_ask",
            "asset_id": TOKEN_YES,
            "market": CONDITION,
            "best_bid": "0.48",
            "best_ask": "1",
            "spread": "0.52",
            "timestamp": str(NOW_MS),
        }
    )

    assert (event.best_bid, event.best_ask) == (480_000, None)


def test_new_market_takes_the_newer_names_first() -> None:
    event = _only_event(
        {
            "synthetic": True,
            "event_type": "new_market",
            "id": "777",
            "market": "",
            "condition_id": CONDITION,
            "slug": "made-up",
            "question": "Made up?",
            "assets_ids": [],
            "clob_token_ids": [TOKEN_YES, TOKEN_NO],
            "outcomes": ["Up", "Down"],
            "timestamp": str(NOW_MS),
        }
    )

    assert event.condition_id == CONDITION
    assert event.token_ids == (TOKEN_YES, TOKEN_NO)


def test_market_resolved_names_the_winner() -> None:
    event = _only_event(
        {
            "synthetic": True,
            "event_type": "market_resolved",
            "id": "777",
            "market": CONDITION,
            "winning_asset_id": TOKEN_YES,
            "winning_outcome": "Up",
            "timestamp": str(NOW_MS),
        }
    )

    assert (event.winning_token_id, event.winning_outcome) == (TOKEN_YES, "Up")


@pytest.mark.parametrize("raw", ["PONG", " PONG\n", b"PONG"])
def test_the_answer_to_a_ping_is_no_message(raw: str | bytes) -> None:
    assert wire.parse_frame(raw) == wire.Frame(is_pong=True)


@pytest.mark.parametrize("raw", ["", "[]", "  "])
def test_empty_frames_say_nothing(raw: str) -> None:
    assert wire.parse_frame(raw) == wire.Frame()


@pytest.mark.parametrize(
    "raw",
    [
        "INVALID OPERATION",
        '{"event_type":"book","bids":[',
        b"\xff\xfe",
        "[" * 100_000,
        '{"a":' * 50_000,
        "NaN",
        "1e999999999",
        HUGE,
        "null",
        "true",
        '"text"',
        "[[[]]]",
        '{"event_type":["book"]}',
        '{"event_type":"book"}',
        '{"event_type":"book","market":1,"asset_id":2,"timestamp":3}',
        '{"event_type":"price_change","changes":"x"}',
        '{"event_type":"last_trade_price","price":NaN,"size":Infinity}',
        '{"event_type":"tick_size_change","new_tick_size":"0.3"}',
        '{"event_type":"best_bid_ask"}',
        '{"event_type":"new_market"}',
        '{"event_type":"market_resolved","market":"0x12"}',
    ],
)
def test_garbage_is_counted_and_dropped(raw: str | bytes) -> None:
    frame = wire.parse_frame(raw)

    assert frame.events == ()
    assert sum(frame.garbage.values()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"market": "0x12"},
        {"market": None},
        {"asset_id": "12a"},
        {"asset_id": "1" * 79},
        {"asset_id": 12},
        {"timestamp": "soon"},
        {"timestamp": "-5"},
        {"timestamp": HUGE},
        {"bids": "many"},
        {"asks": {"price": "0.5"}},
        {"bids": [{"price": "0.5", "size": "1"}] * 10_001},
    ],
)
def test_a_book_without_identity_or_sides_is_dropped(changes: dict[str, Any]) -> None:
    frame = _frame(book_message(**changes))

    assert frame.events == ()
    assert frame.garbage == {"bad_book": 1}


def test_half_a_surrogate_pair_neither_raises_nor_survives() -> None:
    raw = json.dumps(book_message(last_trade_price="\ud800", hash="\udfff\x00"))

    (book,) = wire.parse_frame(raw).events
    assert isinstance(book, wire.BookSnapshot)
    assert not wire.hash_matches(book)
    book.venue_hash.encode("utf-8")


_json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["0.5", "0", "1", "BUY", CONDITION, TOKEN_YES, str(NOW_MS), "-1", "1e400"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_fields = st.sampled_from(
    ["event_type", "market", "asset_id", "timestamp", "bids", "asks", "price_changes", "changes",
     "price", "size", "side", "best_bid", "best_ask", "new_tick_size", "hash", "tick_size",
     "condition_id", "clob_token_ids", "min_order_size", "neg_risk", "last_trade_price"]
)  # fmt: skip
_kinds = st.sampled_from(
    ["book", "price_change", "last_trade_price", "tick_size_change", "best_bid_ask", "new_market",
     "market_resolved"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(kind=_kinds, noise=st.dictionaries(_fields, _json_values, max_size=8))
def test_no_mixture_of_fields_raises(kind: str, noise: dict[str, Any]) -> None:
    message = book_message() | {"event_type": kind} | noise

    frame = wire.parse_frame(json.dumps(message))

    assert len(frame.events) + sum(frame.garbage.values()) >= 1
    for event in frame.events:
        if isinstance(event, wire.BookSnapshot):
            wire.hash_matches(event)
            assert all(0 < price < 1_000_000 for price, _ in event.bids + event.asks)


@settings(max_examples=300, deadline=None)
@given(cut=st.integers(min_value=0), flip=st.integers(min_value=0), byte=st.integers(0, 255))
def test_no_truncated_or_damaged_frame_raises(cut: int, flip: int, byte: int) -> None:
    raw = bytearray(json.dumps([book_message()]).encode())
    raw[flip % len(raw)] = byte

    wire.parse_frame(bytes(raw))
    wire.parse_frame(bytes(raw[: cut % len(raw)]))


def test_the_subscription_asks_for_a_first_book_and_the_custom_events() -> None:
    assert json.loads(wire.subscribe_message([TOKEN_YES])) == {
        "type": "market",
        "assets_ids": [TOKEN_YES],
        "initial_dump": True,
        "custom_feature_enabled": True,
    }
    assert json.loads(wire.add_tokens_message([TOKEN_NO]))["operation"] == "subscribe"
    assert json.loads(wire.remove_tokens_message([TOKEN_NO])) == {
        "operation": "unsubscribe",
        "assets_ids": [TOKEN_NO],
    }
