"""Recordings played back: the collected folder, and folders made by the recorder."""

import asyncio
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standin.conftest import RunningVenue
from trading.markets.polymarket import gamma, values, wire
from trading.markets.standin.gamma_rows import event_row, market_row
from trading.markets.standin.market import Market
from trading.markets.standin.recorder import Addresses, Recorder, RecorderError
from trading.markets.standin.replay.driver import Replay
from trading.markets.standin.replay.recording import (
    BookEntry,
    PriceTrack,
    Recording,
    RecordingError,
    open_recording,
)
from trading.markets.standin.venue import Venue

NOW_MS = 1_795_262_430_000


def decoded(row: dict[str, Any]) -> Any:
    """A row as the adapter decodes it."""
    return values.loads(json.dumps(row))


# -- collected recordings ----------------------------------------------------------------------
@pytest.fixture(scope="module")
def collected(recordings: Path) -> Recording:
    return open_recording(recordings, lists_everything=False, now_ms=NOW_MS)


def play(recording: Recording, *, speed: float = 30.0) -> tuple[Venue, Replay]:
    venue = Venue()
    return venue, Replay(venue, recording, speed=speed, now_ms=NOW_MS)


@pytest.mark.recordings
def test_what_is_listed_can_be_read_and_traded(collected: Recording) -> None:
    venue, _replay = play(collected)
    open_events = [event for event in venue.events.values() if not event.is_closed]
    playable = 0
    for event in open_events:
        parsed, _reason = gamma.read_event(decoded(event_row(event, NOW_MS)))
        assert parsed is not None
        assert parsed.dropped == ()
        playable += sum(market.is_tradable for market in parsed.markets)
        if parsed.slug.startswith("mlb-"):
            assert parsed.ends_at is not None
            assert 0 < parsed.ends_at.timestamp() - NOW_MS / 1000 < 30 * 3_600
    with_books = [market for market in venue.markets.values() if market.has_book]
    assert playable >= len(with_books) == 316
    assert sum(market.slug.startswith("mlb-") for market in with_books) == 301


@pytest.mark.recordings
def test_resolved_windows_are_listed_with_their_results(collected: Recording) -> None:
    venue, _replay = play(collected)
    closed = [market for market in venue.markets.values() if market.is_closed]
    assert len(closed) == 292
    for market in closed:
        parsed = gamma.read_market(decoded(market_row(market, NOW_MS)))[0]
        assert parsed is not None
        payouts = gamma.settled_payouts(parsed)
        assert payouts is not None
        assert [str(payout) for payout in payouts] == list(market.payouts or ())
    assert sum(market.payouts == ("1", "0") for market in closed) == 140


@pytest.mark.recordings
def test_one_loop_plays_every_snapshot_once(recordings: Path, collected: Recording) -> None:
    offsets = []
    by_market: dict[str, int] = {}
    for offset_ms, entry in collected.entries():
        assert isinstance(entry, BookEntry)
        offsets.append(offset_ms)
        bids, asks = entry.bids, entry.asks
        assert not bids or not asks or max(bids) < min(asks)
        condition = entry.market.condition_id
        by_market[condition] = by_market.get(condition, 0) + 1
    assert offsets == sorted(offsets)
    assert offsets[-1] <= collected.length_ms
    lines = (recordings / "l2_mlb_markets.jsonl").read_text().splitlines()
    expected = {row["condition_id"]: row["snapshots"] for row in map(json.loads, lines)}
    assert sum(expected.values()) == 24_738
    assert {name: by_market[name] for name in expected} == expected


@pytest.mark.recordings
def test_books_move_and_begin_afresh_at_the_seam(collected: Recording) -> None:
    venue, replay = play(collected)
    first = {entry.market.condition_id: entry for entry in collected.first_books}
    step_ms = 20_000
    loop_ms = int(collected.length_ms / 30)
    moved: set[str] = set()
    now_ms = NOW_MS
    while replay.loops == 0:
        now_ms += step_ms
        replay.step(now_ms)
        for name, entry in first.items():
            if venue.markets[name].bids != entry.bids:
                moved.add(name)
        assert now_ms < NOW_MS + loop_ms + 10 * step_ms
    assert len(moved) >= 250
    assert all(venue.markets[name].bids == entry.bids for name, entry in first.items())
    assert all(venue.markets[name].timestamp_ms == now_ms for name in first)


@pytest.mark.recordings
def test_the_chart_of_a_replayed_market_shows_recorded_prices(collected: Recording) -> None:
    venue, replay = play(collected)
    minute_ms = 60_000
    replay.step(NOW_MS + 25 * minute_ms)
    market = max(
        (m for m in venue.markets.values() if m.condition_id in collected.tracks),
        key=lambda m: len(collected.tracks[m.condition_id].offsets),
    )
    assert market.price_at is not None
    prices = {market.price_at(NOW_MS + minute * minute_ms) for minute in range(25)}
    assert len(prices) > 3
    assert market.price_at(NOW_MS - 86_400_000) is None


@pytest.mark.recordings
async def test_a_replayed_market_reaches_the_socket_with_valid_hashes(
    recordings: Path, run_venue: Callable[..., RunningVenue]
) -> None:
    venue = run_venue("--mode", "replay", "--recording", str(recordings), "--speed", "300")
    tokens = [t for m in venue.markets() if not m["closed"] for t in m["token_ids"]][:400]
    neg_risk = {
        token: market["negRisk"]
        for event in venue.open_events()
        for market in event["markets"]
        for token in json.loads(market["clobTokenIds"])
    }
    async with venue.socket(tokens) as reader:
        seen = await reader.events(400)
        await asyncio.to_thread(venue.hook, "advance", seconds=10)
        seen += await reader.events(200)
    for book in seen:
        assert book["event_type"] == "book"
        snapshot = wire.parse_book(decoded(book))
        assert snapshot is not None
        assert book["neg_risk"] is neg_risk[book["asset_id"]]
    assert len({book["asset_id"] for book in seen}) == 400


@pytest.mark.recordings
@pytest.mark.slow
def test_everything_of_the_recording_can_be_listed(recordings: Path) -> None:
    recording = open_recording(recordings, lists_everything=True, now_ms=NOW_MS)
    markets = [market for event in recording.events for market in event.markets]
    assert len(markets) == 1_689 + 5 + 292 + 301
    rows = [market_row(market, NOW_MS) for market in markets[:50]]
    assert all(gamma.read_market(decoded(row))[0] is not None for row in rows)


# -- own recordings ----------------------------------------------------------------------------
def addresses(venue: RunningVenue) -> Addresses:
    return Addresses(f"{venue.http}/gamma", f"{venue.http}/clob", venue.websocket)


async def record(venue: RunningVenue, folder: Path, seconds: float, **options: Any) -> Recorder:
    """Record while the venue's time is moved by hand."""
    recorder = Recorder(addresses(venue), folder, **({"market_limit": 12} | options))
    recording = asyncio.create_task(recorder.record(seconds))
    await asyncio.sleep(seconds / 2)
    await asyncio.to_thread(venue.hook, "advance", seconds=30)
    await recording
    return recorder


async def test_a_recording_of_the_venue_plays_the_same_books(
    run_venue: Callable[..., RunningVenue], tmp_path: Path
) -> None:
    venue = run_venue("--paused", "--seed", "5")
    recorder = await record(venue, tmp_path, 3.0)
    assert recorder.frames_written > 5
    recording = open_recording(tmp_path, lists_everything=False, now_ms=NOW_MS)
    markets = {m.condition_id: m for event in recording.events for m in event.markets}
    assert len(markets) == 12
    assert len(recording.first_books) == 12
    player_venue, replay = play(recording, speed=1.0)
    assert all(event_row(event, NOW_MS)["synthetic"] for event in player_venue.events.values())
    replay.step(NOW_MS + recording.length_ms - 1)
    for condition, market in markets.items():
        token = market.token_ids[0]
        assert market.condition_id == condition
        recorded = venue.book(token)
        bids, asks = market.levels(0)
        assert [price for price, _size in bids] == _prices(recorded["bids"])
        assert [price for price, _size in asks] == _prices(recorded["asks"])
    assert any(market.tape for market in markets.values())
    replay.step(NOW_MS + recording.length_ms + 1)
    assert replay.loops == 1
    assert all(m.bids == _first(recording, m).bids for m in markets.values())


def _prices(levels: list[dict[str, str]]) -> list[int]:
    return [round(float(level["price"]) * 1_000_000) for level in levels]


def _first(recording: Recording, market: Market) -> BookEntry:
    return next(entry for entry in recording.first_books if entry.market is market)


async def test_only_named_events_are_recorded(
    run_venue: Callable[..., RunningVenue], tmp_path: Path
) -> None:
    venue = run_venue("--paused")
    slug = venue.market("giant-pumpkin")["slug"]
    await record(venue, tmp_path, 0.6, event_slugs=[slug])
    with gzip.open(tmp_path / "catalogue.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert [row["slug"] for row in rows] == [slug]


async def test_a_recording_that_was_stopped_early_can_be_played(
    run_venue: Callable[..., RunningVenue], tmp_path: Path
) -> None:
    venue = run_venue("--paused")
    recorder = Recorder(addresses(venue), tmp_path, market_limit=3)
    recording = asyncio.create_task(recorder.record(600))
    while not recorder.frames_written:
        await asyncio.sleep(0.05)
    recording.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recording
    assert open_recording(tmp_path, lists_everything=False, now_ms=NOW_MS).first_books


async def test_nothing_to_record_is_said(tmp_path: Path) -> None:
    nowhere = Addresses("http://127.0.0.1:9/gamma", "http://127.0.0.1:9", "ws://127.0.0.1:9")
    with pytest.raises(RecorderError, match="the catalogue did not answer"):
        await Recorder(nowhere, tmp_path, market_limit=1).record(1)


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=re.escape(str(tmp_path))):
        open_recording(tmp_path, lists_everything=False, now_ms=NOW_MS)
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(RecordingError, match="not readable"):
        open_recording(tmp_path, lists_everything=False, now_ms=NOW_MS)
    (tmp_path / "meta.json").write_text('{"format": 9, "began_ms": 1, "ended_ms": 2}')
    with pytest.raises(RecordingError, match="unknown format"):
        open_recording(tmp_path, lists_everything=False, now_ms=NOW_MS)


def test_a_price_track_answers_the_price_of_a_moment() -> None:
    track = PriceTrack()
    assert track.at(5) is None
    for offset_ms, middle in ((10, 500_000), (20, 500_000), (30, 510_000)):
        track.add(offset_ms, middle)
    assert [track.at(moment) for moment in (0, 10, 29, 30, 99)] == [
        500_000, 500_000, 500_000, 510_000, 510_000,
    ]  # fmt: skip
    assert len(track.offsets) == 2
