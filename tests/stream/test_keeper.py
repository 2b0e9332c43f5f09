"""What the keeper tells its writer: renewed levels, fresh snapshots, clock lag (contract 5)."""

import pytest

from tests.stream.fake_venue import FakeVenue, condition, spec
from trading.markets.polymarket.keeper import BookKeeper, depletion_key
from trading.markets.polymarket.local_book import Status
from trading.markets.polymarket.wire import parse_messages

WALL_MS = 1_900_000_000_000


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue(1)


@pytest.fixture
def keeper(venue: FakeVenue) -> BookKeeper:
    """Market 1 with both books live on connection 1."""
    keeper = BookKeeper()
    keeper.add_market(spec(1))
    keeper.attach(["11", "12"], 1)
    feed(keeper, venue.book("11"), venue.book("12"))
    keeper.take_dirty()
    return keeper


def feed(
    keeper: BookKeeper,
    *messages: dict[str, object],
    connection_id: int = 1,
    now_ms: int = 0,
    wall_ms: int = WALL_MS,
) -> None:
    frame = parse_messages(list(messages))
    keeper.handle(frame, connection_id=connection_id, now_ms=now_ms, wall_ms=wall_ms)


def change(venue: FakeVenue, token: str, side: str, price: str, later_ms: int = 1) -> dict:
    return {
        "event_type": "price_change",
        "market": condition(1),
        "timestamp": str(venue.times[token] + later_ms),
        "price_changes": [{"asset_id": token, "price": price, "size": "5", "side": side}],
    }


@pytest.mark.parametrize(
    ("index", "side", "price", "key"),
    [
        (0, "a", 650_000, "a:650000"),
        (0, "b", 650_000, "b:650000"),
        (1, "b", 350_000, "a:650000"),
        (1, "a", 350_000, "b:650000"),
    ],
)
def test_levels_are_named_from_the_first_outcome(
    index: int, side: str, price: int, key: str
) -> None:
    assert depletion_key(index, side, price) == key


def test_a_change_renews_its_own_level_only(keeper: BookKeeper, venue: FakeVenue) -> None:
    feed(keeper, change(venue, "12", "BUY", "0.35"))
    pending = keeper.take_dirty()[condition(1)]
    assert pending.renewed_levels == {"a:650000"}
    assert not pending.is_fresh


def test_a_newer_snapshot_renews_everything(keeper: BookKeeper, venue: FakeVenue) -> None:
    venue.times["11"] += 1
    feed(keeper, venue.book("11"))
    assert keeper.take_dirty()[condition(1)].is_fresh


def test_the_same_snapshot_after_a_reconnect_renews_nothing(
    keeper: BookKeeper, venue: FakeVenue
) -> None:
    keeper.attach(["11", "12"], 2)
    feed(keeper, venue.book("11"), venue.book("12"), connection_id=2)
    assert not keeper.take_dirty()[condition(1)].is_fresh


def test_a_frame_of_a_former_connection_changes_nothing(
    keeper: BookKeeper, venue: FakeVenue
) -> None:
    keeper.attach(["11", "12"], 2)
    feed(keeper, venue.book("11"), connection_id=1)
    assert keeper.books["11"].status is Status.SYNCING
    assert keeper.counters["ignored_other_connection"] == 1


def test_a_moving_token_stays_live_until_its_first_book_there(
    keeper: BookKeeper, venue: FakeVenue
) -> None:
    keeper.await_from(["11", "12"], 2)
    assert keeper.books["11"].status is Status.LIVE
    feed(keeper, venue.book("11"), connection_id=2)
    assert keeper.books["11"].connection_id == 2
    assert keeper.awaited_on(2) == ["12"]


def test_a_token_of_another_market_is_not_touched(keeper: BookKeeper, venue: FakeVenue) -> None:
    feed(keeper, venue.book("11", market=condition(9)))
    assert keeper.counters["ignored_unknown_token"] == 1
    assert not keeper.dirty


def test_the_same_token_is_read_again_only_after_two_seconds(keeper: BookKeeper) -> None:
    keeper.ask_again("11", 0)
    assert keeper.take_due_resyncs(now_ms=0, limit=100) == ["11"]
    keeper.ask_again("11", 100)
    assert keeper.take_due_resyncs(now_ms=1_999, limit=100) == []
    assert keeper.take_due_resyncs(now_ms=2_000, limit=100) == ["11"]


def test_a_price_finer_than_the_tick_asks_for_the_book(
    keeper: BookKeeper, venue: FakeVenue
) -> None:
    feed(keeper, change(venue, "11", "BUY", "0.605"), now_ms=5_000)
    assert keeper.counters["tick_doubted"] == 1
    assert keeper.take_due_resyncs(now_ms=5_000, limit=100) == ["11"]


def test_a_lag_is_told_after_thirty_seconds(keeper: BookKeeper, venue: FakeVenue) -> None:
    late = venue.times["11"] + 5_002
    feed(keeper, change(venue, "11", "BUY", "0.50"), now_ms=0, wall_ms=late)
    assert not keeper.is_lagging(now_ms=29_999)
    assert keeper.is_lagging(now_ms=30_000)
    feed(keeper, change(venue, "11", "BUY", "0.51"), now_ms=31_000, wall_ms=late - 1)
    assert not keeper.is_lagging(now_ms=60_000)


def test_an_audit_that_agrees_confirms_without_a_write(
    keeper: BookKeeper, venue: FakeVenue
) -> None:
    [snapshot] = parse_messages([venue.book("11")]).events
    keeper.audit(snapshot, now_ms=1, wall_ms=WALL_MS + 60_000)  # type: ignore[arg-type]
    assert keeper.confirmed_at_ms[condition(1)] == WALL_MS + 60_000
    assert keeper.reconfirmed == {condition(1)}
    assert not keeper.dirty


def test_a_forgotten_market_leaves_nothing_behind(keeper: BookKeeper) -> None:
    keeper.ask_again("11", 0)
    keeper.remove_market(condition(1))
    assert keeper.take_due_resyncs(now_ms=10_000, limit=100) == []
    assert not keeper.books
    assert not keeper.specs
