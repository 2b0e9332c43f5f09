"""The stream against a venue that misbehaves (feed contract 5.4, 5.5). All frames synthetic."""

import asyncio
import time

import pytest

from tests.stream.conftest import OpenStream, is_live, wait_for
from tests.stream.fake_venue import condition
from trading.markets.polymarket import connection as connection_module
from trading.markets.polymarket import slots as slots_module
from trading.markets.polymarket.local_book import Status


async def test_both_books_of_every_market_become_live(open_stream: OpenStream) -> None:
    async with open_stream(markets=3) as (venue, stream):
        assert stream.keeper.books["11"].levels == (
            ((600_000, 10_000_000), (590_000, 20_000_000)),
            ((620_000, 10_000_000), (630_000, 20_000_000)),
        )
        assert venue.opened == 1
        assert stream.connection_of(condition(1)) == stream.connections()[0].id


async def test_both_tokens_of_a_market_share_a_connection(open_stream: OpenStream) -> None:
    async with open_stream(markets=5, assets_per_connection=4) as (venue, stream):
        assert venue.opened == 3
        assert sorted(len(tokens) for tokens in venue.subscriptions.values()) == [2, 4, 4]
        assert all(stream.connection_of(each.condition_id) for each in venue.specs)


async def test_a_level_change_reaches_both_books(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        stream.keeper.take_dirty()
        await venue.change("11", "BUY", "0.61", "7")
        await wait_for(lambda: stream.keeper.books["11"].best_bid == 610_000)
        assert stream.keeper.books["12"].best_ask == 390_000
        pending = stream.keeper.take_dirty()[condition(1)]
        assert pending.renewed_levels == {"b:610000"}
        assert not pending.is_fresh


async def test_a_dropped_connection_is_replaced(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        former = stream.connections()[0].id
        await venue.drop_all()
        await wait_for(lambda: venue.opened == 2 and is_live(stream))
        assert stream.connections()[0].id > former


async def test_nothing_is_live_while_no_connection_is(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        venue.refuses_sockets = True
        venue.rest_status = 503
        await venue.drop_all()
        await wait_for(lambda: len(stream.keeper.unready_tokens()) == 4)
        venue.refuses_sockets = False
        venue.rest_status = 200
        await wait_for(lambda: is_live(stream))


async def test_a_connection_that_only_answers_pong_is_given_up(
    open_stream: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "HAND_OVER_S", 0.5)
    async with open_stream(markets=10, data_stale_s=0.6, verify_s=600) as (venue, stream):
        venue.is_frozen = True
        await wait_for(lambda: stream.keeper.counters["connection_silent"] >= 1)
        venue.is_frozen = False
        await wait_for(lambda: is_live(stream) and bool(stream.connections()))


async def test_a_quiet_venue_is_not_polled(open_stream: OpenStream) -> None:
    async with open_stream(markets=10, data_stale_s=0.3, verify_s=600) as (venue, stream):
        while stream.keeper.counters["connection_silent"] < 4:
            assert is_live(stream)
            await asyncio.sleep(0.01)
        assert not stream.is_polling
        assert venue.opened >= 4


async def test_a_connection_without_pong_is_given_up(open_stream: OpenStream) -> None:
    async with open_stream(pong_stale_s=0.8, ping_s=0.2) as (venue, stream):
        venue.answers_pong = False
        await wait_for(lambda: stream.keeper.counters["connection_no_pong"] >= 1)
        venue.answers_pong = True
        await wait_for(lambda: is_live(stream))


async def test_a_new_connection_without_any_book_is_dead(
    open_stream: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "FIRST_BOOK_S", 0.3)
    async with open_stream(wait=False) as (venue, stream):
        venue.is_frozen = True
        await wait_for(lambda: stream.keeper.counters["connection_no_book"] >= 1)


async def test_books_that_do_not_come_are_read_over_rest(open_stream: OpenStream) -> None:
    async with open_stream(wait=False) as (venue, stream):
        venue.is_frozen = True
        await wait_for(lambda: bool(venue.rest_calls) and is_live(stream))


async def test_after_three_dead_connections_books_are_polled(
    open_stream: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "FIRST_BOOK_S", 0.2)
    async with open_stream(pace=0.05) as (venue, stream):
        venue.is_frozen = True
        await venue.drop_all()
        await wait_for(lambda: stream.is_polling, timeout_s=10)
        venue.set_level("11", "BUY", "0.61", "3")
        await wait_for(lambda: stream.keeper.books["11"].best_bid == 610_000)
        venue.is_frozen = False
        await wait_for(lambda: not stream.is_polling and is_live(stream), timeout_s=10)
        await wait_for(lambda: bool(stream.connections()))


async def test_markets_beyond_all_sockets_are_polled(open_stream: OpenStream) -> None:
    async with open_stream(markets=4, assets_per_connection=2, connections_max=2) as (
        venue,
        stream,
    ):
        assert venue.opened == 2
        venue.set_level("41", "BUY", "0.61", "3")
        await wait_for(lambda: stream.keeper.books["41"].best_bid == 610_000)
        assert stream.connection_of(condition(4)) == 0


async def test_garbage_is_counted_and_the_book_read_again(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        venue.times["11"] += 2
        await venue.send(
            "not json at all",
            '{"event_type":"nobody_knows"}',
            {
                "event_type": "price_change",
                "market": condition(1),
                "timestamp": str(venue.times["11"] - 1),
                "price_changes": [
                    {"asset_id": "11", "price": "7", "size": "-1", "side": "BUY"},
                ],
            },
        )
        await wait_for(lambda: stream.keeper.counters["resync_garbage"] == 1)
        await wait_for(lambda: is_live(stream) and bool(venue.rest_calls))
        assert stream.keeper.counters["garbage_not_json"] == 1
        assert stream.keeper.counters["garbage_unknown_event_type"] == 1


async def test_a_message_from_the_far_future_does_not_stop_a_book(
    open_stream: OpenStream,
) -> None:
    async with open_stream(pace=0.05) as (venue, stream):
        await venue.send(venue.book("11", timestamp=str(venue.times["11"] + 3_600_000)))
        await wait_for(lambda: stream.keeper.books["11"].last_book_ts > venue.times["11"])
        # Changes are late now; the audit sees another top and the answer counts as outdated.
        await venue.change("11", "BUY", "0.61", "7")
        stream.keeper.ask_again("11", 0)
        await wait_for(lambda: stream.keeper.books["11"].best_bid == 610_000, timeout_s=10)
        await wait_for(lambda: is_live(stream))


async def test_a_book_crossed_for_over_a_second_is_read_again(open_stream: OpenStream) -> None:
    async with open_stream(pace=1.0) as (venue, stream):
        crossed = venue.book(
            "11", bids=[{"price": "0.70", "size": "1"}], timestamp=str(venue.times["11"] + 1)
        )
        venue.times["11"] += 5
        await venue.send(crossed)
        await wait_for(lambda: stream.keeper.books["11"].is_crossed)
        await asyncio.sleep(0.5)
        assert stream.keeper.books["11"].status is Status.LIVE
        await wait_for(lambda: not stream.keeper.books["11"].is_crossed)
        assert stream.keeper.counters["resync_crossed"] == 1


async def test_a_foreign_top_in_two_messages_is_read_again(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        venue.set_level("11", "BUY", "0.61", "3")
        for step in range(2):
            venue.times["11"] += 1
            await venue.change("11", "SELL", "0.70", str(step + 1))
        await wait_for(lambda: stream.keeper.books["11"].best_bid == 610_000)
        await wait_for(lambda: is_live(stream))
        assert stream.keeper.counters["resync_top_mismatch"] >= 1


async def test_a_new_tick_size_drops_the_book_until_rest_has_it(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        venue.times["11"] += 2
        venue.rest_override["11"] = venue.book("11", tick_size="0.001")
        await venue.send(
            {
                "event_type": "tick_size_change",
                "asset_id": "11",
                "market": condition(1),
                "old_tick_size": "0.01",
                "new_tick_size": "0.001",
                "timestamp": str(venue.times["11"] - 1),
            }
        )
        await wait_for(lambda: stream.keeper.books["11"].tick_size == 1_000)
        await wait_for(lambda: is_live(stream))
        assert condition(1) in stream.keeper.lifecycle


async def test_while_the_venue_answers_425_books_stay_not_live(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        venue.rest_status = 425
        for token in ("11", "12"):
            venue.times[token] += 1
            await venue.send(venue.book(token, bids=[], asks=[]))
        await wait_for(lambda: stream.keeper.books["11"].status is Status.SYNCING)
        await asyncio.sleep(0.5)
        assert stream.keeper.books["11"].status is Status.SYNCING
        venue.rest_status = 200
        venue.times["11"] += 1
        venue.times["12"] += 1
        await wait_for(lambda: is_live(stream))


async def test_a_book_unknown_to_rest_is_absent(open_stream: OpenStream) -> None:
    async with open_stream(wait=False) as (venue, stream):
        venue.is_frozen = True
        venue.unknown_to_rest = {"11", "12"}
        await wait_for(lambda: stream.keeper.books["11"].status is Status.ABSENT)
        await wait_for(lambda: stream.keeper.books["21"].status is Status.LIVE)


async def test_the_audit_replaces_a_book_that_missed_a_change(open_stream: OpenStream) -> None:
    async with open_stream(verify_s=5) as (venue, stream):
        venue.set_level("11", "BUY", "0.61", "3")
        await wait_for(lambda: stream.keeper.books["11"].best_bid == 610_000)
        assert stream.keeper.counters["audit_top_differs"] == 1


async def test_a_ghost_book_of_rest_is_not_believed(open_stream: OpenStream) -> None:
    async with open_stream(verify_s=5) as (venue, stream):
        venue.rest_override["11"] = venue.book(
            "11",
            bids=[{"price": "0.01", "size": "1"}],
            asks=[{"price": "0.99", "size": "1"}],
            timestamp=str(venue.times["11"] + 10),
        )
        await wait_for(lambda: stream.keeper.counters["audit_ghost"] >= 1)
        assert stream.keeper.books["11"].best_bid == 600_000


async def test_rotation_keeps_every_book_live(
    open_stream: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "HAND_OVER_S", 2.0)
    async with open_stream(rotate_s=0.5) as (venue, stream):
        started = time.monotonic()
        former = stream.connections()[0].id
        while venue.opened < 3 and time.monotonic() - started < 5:
            assert is_live(stream)
            await asyncio.sleep(0.005)
        assert venue.opened >= 3
        await wait_for(lambda: len(venue.subscriptions) == 1)
        assert stream.connections()[0].id > former
        await venue.change("11", "BUY", "0.61", "7")
        await wait_for(lambda: stream.keeper.books["11"].best_bid == 610_000)


async def test_a_successor_without_books_leaves_the_former_connection_in_place(
    open_stream: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "HAND_OVER_S", 0.3)
    async with open_stream(rotate_s=0.2) as (venue, stream):
        former = stream.connections()[0].id
        venue.is_frozen = True
        await wait_for(lambda: stream.keeper.counters["connection_no_book"] >= 1)
        assert stream.connections()[0].id == former
        assert is_live(stream)


async def test_markets_come_and_go_on_a_living_connection(open_stream: OpenStream) -> None:
    async with open_stream(markets=3, wait=False) as (venue, stream):
        await stream.want(venue.specs[:2], held=())
        await wait_for(lambda: is_live(stream))
        await stream.want(venue.specs[1:], held=())
        await wait_for(lambda: is_live(stream) and len(stream.keeper.books) == 4)
        assert venue.opened == 1
        assert next(iter(venue.subscriptions.values())) == {"21", "22", "31", "32"}


async def test_a_trade_is_told_once_although_printed_twice(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        print_ = {
            "event_type": "last_trade_price",
            "asset_id": "11",
            "market": condition(1),
            "price": "0.62",
            "size": "4",
            "side": "BUY",
            "fee_rate_bps": "",
            "timestamp": str(venue.times["11"] + 1),
            "transaction_hash": "0xabc",
        }
        await venue.send(print_, print_)
        await wait_for(lambda: stream.keeper.counters["trades_repeated"] == 1)
        [(trade, index)] = stream.keeper.new_trades
        assert (trade.price, trade.size, index) == (620_000, 4_000_000, 0)


async def test_a_resolved_market_is_named_for_gamma(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        await venue.send(
            {
                "event_type": "market_resolved",
                "asset_id": "11",
                "market": condition(1),
                "winning_asset_id": "11",
                "winning_outcome": "Yes",
                "timestamp": str(venue.times["11"]),
            }
        )
        await wait_for(lambda: condition(1) in stream.keeper.lifecycle)


async def test_rest_says_whether_the_venue_lives(open_stream: OpenStream) -> None:
    async with open_stream() as (venue, stream):
        assert await stream.probe_rest()
        venue.rest_status = 503
        assert not await stream.probe_rest()
