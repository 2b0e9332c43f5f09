"""The tasks of the feed queue: one at a time, quiet when the venue is off or gone."""

from typing import Any

import pytest

from polysim.kernel.redis import get_redis, key
from trading.markets import catalogue, history, resolution, tasks
from trading.markets.polymarket.http import VenueUnreachableError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, redis_client: Any) -> list[str]:
    """Names of the services that were called."""
    made: list[str] = []

    def note(name: str) -> Any:
        def call(**_arguments: Any) -> None:
            made.append(name)

        return call

    monkeypatch.setattr(catalogue, "sweep_catalogue", note("sweep"))
    monkeypatch.setattr(catalogue, "refresh_named_markets", lambda *_a, **_k: made.append("named"))
    monkeypatch.setattr(resolution, "poll_resolutions", note("poll"))
    monkeypatch.setattr(history, "backfill_market", note("backfill"))
    monkeypatch.setattr(history, "markets_without_history", lambda _limit: ["0xab", "0xcd"])
    monkeypatch.setattr(
        tasks.backfill_history, "apply_async", lambda arguments, **_k: made.append(arguments[0])
    )
    return made


def test_a_sweep_asks_for_the_past_of_a_few_markets_afterwards(calls: list[str]) -> None:
    tasks.sweep_catalogue()

    assert calls == ["sweep", "0xab", "0xcd"]


def test_every_task_rests_while_the_feed_is_off(calls: list[str], settings: Any) -> None:
    settings.POLYMARKET_FEED_MODE = "off"

    tasks.sweep_catalogue()
    tasks.poll_resolutions()
    tasks.backfill_history("0xab")
    tasks.refresh_markets(["0xab"])

    assert calls == []


def test_a_slow_run_is_not_overtaken_by_the_next_one(calls: list[str]) -> None:
    lock = get_redis().lock(key("task", "resolutions"), timeout=10)
    assert lock.acquire(blocking=False)

    tasks.poll_resolutions()
    lock.release()
    tasks.poll_resolutions()
    tasks.poll_resolutions()

    assert calls == ["poll", "poll"]


def test_a_venue_that_is_gone_ends_a_task_quietly(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any, **_named: Any) -> None:
        raise VenueUnreachableError("http://127.0.0.1:9: ConnectError")

    monkeypatch.setattr(catalogue, "sweep_catalogue", fail)
    monkeypatch.setattr(catalogue, "refresh_named_markets", fail)
    monkeypatch.setattr(resolution, "poll_resolutions", fail)

    tasks.sweep_catalogue()
    tasks.poll_resolutions()
    tasks.refresh_markets(["0xab"])

    assert calls == []


def test_named_markets_and_the_past_are_read_by_their_services(calls: list[str]) -> None:
    tasks.refresh_markets(["0xab"])
    tasks.backfill_history("0xab")

    assert calls == ["named", "backfill"]
