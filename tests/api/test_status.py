"""Health and status (accounts-api 12)."""

import time
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from trading.heartbeat import note_matcher

pytestmark = pytest.mark.django_db


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("path", ["/v1/health", "/v1/health/live"])
def test_the_process_says_that_it_lives(anyone: Client, retail: Any, path: str) -> None:
    response = anyone.get(path)
    body = response.json()
    assert (body["status"], body["version"]) == ("healthy", "1.0.0")
    assert body["timestamp"].endswith("Z")
    assert response["Cache-Control"] == "no-store"


def test_the_process_lives_on_while_its_database_is_away(
    anyone: Client, monkeypatch: pytest.MonkeyPatch, retail: Any
) -> None:
    from django.db import OperationalError

    def refuse(name: str) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("tenants.lookups._load_firm", refuse)
    assert anyone.get("/v1/health/live").status_code == 200
    refused = anyone.get("/v1/markets")
    assert (refused.status_code, refused["X-Polysim-Code"]) == (503, "SERVICE_UNAVAILABLE")


def test_ready_names_what_answers(anyone: Client, retail: Any) -> None:
    assert anyone.get("/v1/health/ready").json()["checks"] == {
        "database": {"ok": True},
        "redis": {"ok": True},
    }


def test_ready_is_503_without_its_database(
    anyone: Client, retail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def cursor(self) -> Any:
            raise DatabaseError("gone")

    monkeypatch.setattr("tenants.api.client.connection", Gone())
    response = anyone.get("/v1/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == {"ok": False}


def test_without_feed_and_matcher_the_status_is_degraded(anyone: Client, retail: Any) -> None:
    body = anyone.get("/v1/status").json()
    assert body["status"] == "degraded"
    assert (body["database"], body["redis"]) == ({"ok": True}, {"ok": True})
    assert body["matching_engine"] == {"ok": False, "last_cycle_at": None, "open_orders": None}
    assert body["websocket"]["ok"] is False


def test_with_all_parts_running_the_status_is_healthy(
    anyone: Client, retail: Any, redis_client: Any
) -> None:
    from trading.markets.books.keys import feed_key

    fields = {"mode": "demo", "heartbeat_ms": now_ms(), "last_data_ms": now_ms()}
    redis_client.hset(feed_key(), mapping=fields)
    note_matcher(now_ms=now_ms(), open_orders=3)
    body = anyone.get("/v1/status").json()
    assert body["status"] == "healthy"
    assert (body["matching_engine"]["ok"], body["matching_engine"]["open_orders"]) == (True, 3)
    assert (body["websocket"]["mode"], body["markets"]["synthetic"]) == ("demo", True)
    assert isinstance(body["uptime_seconds"], int)


def test_a_matcher_that_stands_still_is_told(
    anyone: Client, retail: Any, redis_client: Any
) -> None:
    note_matcher(now_ms=now_ms() - 16_000, open_orders=3)
    assert anyone.get("/v1/status").json()["matching_engine"]["ok"] is False
