"""The recorded books, frames and changes of the real venue."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.venue import read_lines
from trading.markets.polymarket import rest, values, wire
from trading.markets.polymarket.local_book import LocalBook, Status

pytestmark = pytest.mark.recordings


def _rest_books(recordings: Path) -> list[dict[str, Any]]:
    books = []
    for answer in read_lines(recordings / "clob_books_2026-03-11.jsonl.gz"):
        books.extend(answer["books"])
    books.extend(values.loads((recordings / "clob_books_fed_june_2026.json").read_text()))
    return books


def test_all_130_rest_book_hashes_reproduce_from_the_received_text(recordings: Path) -> None:
    books = [wire.parse_book(raw) for raw in _rest_books(recordings)]

    reproduced = [book is not None and wire.hash_matches(book) for book in books]

    assert Counter(reproduced) == {True: 130}


def test_rest_books_come_out_best_first_uncrossed_and_complete(recordings: Path) -> None:
    for raw in _rest_books(recordings):
        book = wire.parse_book(raw)
        assert book is not None
        assert book.dropped == 0
        assert len(book.bids) == len(raw["bids"])
        assert len(book.asks) == len(raw["asks"])
        assert [price for price, _ in book.bids] == sorted((p for p, _ in book.bids), reverse=True)
        assert [price for price, _ in book.asks] == sorted(p for p, _ in book.asks)
        assert not book.is_crossed
        assert book.tick_size in (1_000, 10_000)
        assert book.min_order_size == 5_000_000


def test_a_changed_digit_breaks_the_hash(recordings: Path) -> None:
    raw = next(book for book in _rest_books(recordings) if book["bids"])
    raw["bids"][0]["size"] += "0"
    book = wire.parse_book(raw)

    assert book is not None
    assert not wire.hash_matches(book)


def test_all_10_websocket_books_reproduce_with_the_catalogues_values(recordings: Path) -> None:
    lines = (recordings / "ws_market_frames_2026-02-12.jsonl").read_text().splitlines()
    frames = [wire.parse_frame(line) for line in lines]
    events = [event for frame in frames for event in frame.events]

    books = [event for event in events if isinstance(event, wire.BookSnapshot)]
    trades = [event for event in events if isinstance(event, wire.TradePrint)]

    assert [frame.garbage for frame in frames] == [{}] * 20
    assert len(books) == len(trades) == 10
    assert all(wire.hash_matches(book, min_order_size="5", neg_risk=False) for book in books)
    assert all(trade.transaction_hash for trade in trades)


def test_the_3829_old_shape_changes_parse_and_apply(recordings: Path) -> None:
    first, book, applied, entries = True, None, 0, 0
    for message in read_lines(recordings / "ws_price_change_2025-01.jsonl.gz"):
        frame = wire.parse_frame(json.dumps(message))
        assert frame.garbage == {}
        (change,) = frame.events
        assert isinstance(change, wire.PriceChange)
        if first:
            # The recording starts without a book: an empty one stands in for it.
            book = LocalBook(condition_id=change.condition_id, token_id=message["asset_id"])
            book.start_syncing(connection_id=1)
            book.status = Status.LIVE
            first = False
        assert book is not None
        result = book.apply_changes(
            change.changes,
            timestamp_ms=change.timestamp_ms,
            connection_id=1,
            now_ms=change.timestamp_ms,
        )
        applied += result.changed
        entries += len(result.touched)

    assert (applied, entries) == (3_829, 6_129)


@pytest.mark.slow
def test_all_24738_depth_snapshots_load_and_none_is_crossed(recordings: Path) -> None:
    snapshots, tokens = 0, {}
    for path in sorted(recordings.glob("l2_mlb_2026-*.jsonl.gz")):
        for row in read_lines(path):
            book = wire.parse_book(
                {
                    "market": row["condition_id"],
                    "asset_id": row["token_id"],
                    "timestamp": row["timestamp"],
                    "bids": values.json_list(row["bids"]),
                    "asks": values.json_list(row["asks"]),
                }
            )
            assert book is not None
            assert book.dropped == 0
            local = tokens.setdefault(
                book.token_id,
                LocalBook(condition_id=book.condition_id, token_id=book.token_id),
            )
            local.apply_book(book, connection_id=1, now_ms=book.timestamp_ms)
            assert local.status is Status.LIVE
            assert local.best_bid is not None
            assert not local.is_crossed
            snapshots += 1

    assert (snapshots, len(tokens)) == (24_738, 301)


def test_compact_market_info_carries_fee_tick_and_tokens(recordings: Path) -> None:
    rows = values.loads((recordings / "clob_markets_fed_june_2026.json").read_text())

    infos = [rest.read_market_info(row) for row in rows]

    assert len(infos) == 5
    for info in infos:
        assert info is not None
        assert len(info.tokens) == 2
        assert info.tick_size == 1_000
        assert info.min_order_size == 5_000_000
        assert info.fee_data is not None
