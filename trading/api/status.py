"""`GET /v1/status`: how the parts of Polysim do (accounts-api 12)."""

from datetime import datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.identity import Access
from polysim.kernel.api.views import ApiView
from polysim.kernel.clock import from_milliseconds, iso_text, to_milliseconds, utc_now
from polysim.kernel.errors import ServiceUnavailable
from tenants.api.client import is_database_up, is_valkey_up, uptime_s
from trading.heartbeat import STILL_AFTER_MS, read_matcher
from trading.markets.books import FeedState, read_feed_state


class PartAnswer(serializers.Serializer[Any]):
    """Whether a part answers."""

    ok = serializers.BooleanField()


class EngineAnswer(PartAnswer):
    """The matcher of resting orders."""

    last_cycle_at = serializers.DateTimeField(allow_null=True)
    open_orders = serializers.IntegerField(allow_null=True)


class FeedAnswer(PartAnswer):
    """The connections to the venue."""

    mode = serializers.CharField()
    connections = serializers.IntegerField()
    halted = serializers.BooleanField()
    last_data_at = serializers.DateTimeField(allow_null=True)


class MarketsAnswer(PartAnswer):
    """Whether prices are fresh and what they are."""

    synthetic = serializers.BooleanField(help_text="Prices come from the stand-in venue.")


class StatusAnswer(serializers.Serializer[Any]):
    """All parts; `degraded` when one of them does not do."""

    status = serializers.ChoiceField(choices=["healthy", "degraded"])
    timestamp = serializers.DateTimeField()
    version = serializers.CharField()
    uptime_seconds = serializers.IntegerField(allow_null=True)
    database = PartAnswer()
    redis = PartAnswer()
    matching_engine = EngineAnswer()
    websocket = FeedAnswer()
    markets = MarketsAnswer()


class StatusView(ApiView):
    """Every part once; always 200, so that the parts can be read."""

    access = Access.PUBLIC
    is_metered = False

    @extend_schema(operation_id="get_status", responses=StatusAnswer)
    def get(self, request: Request) -> Response:
        now = utc_now()
        feed = _read_feed()
        parts = {
            "database": {"ok": is_database_up()},
            "redis": {"ok": is_valkey_up()},
            "matching_engine": _engine(now),
            "websocket": _feed(feed, now),
            "markets": _markets(feed, now),
        }
        is_healthy = all(part["ok"] for part in parts.values())
        return Response(
            {
                "status": "healthy" if is_healthy else "degraded",
                "timestamp": iso_text(now),
                "version": settings.VERSION,
                "uptime_seconds": uptime_s(),
                **parts,
            }
        )


def _read_feed() -> FeedState:
    try:
        return read_feed_state()
    except ServiceUnavailable:
        return FeedState()


def _engine(now: datetime) -> dict[str, Any]:
    seen = read_matcher()
    if seen is None:
        return {"ok": False, "last_cycle_at": None, "open_orders": None}
    heartbeat_ms, open_orders = seen
    return {
        "ok": to_milliseconds(now) - heartbeat_ms <= STILL_AFTER_MS,
        "last_cycle_at": iso_text(from_milliseconds(heartbeat_ms)),
        "open_orders": open_orders,
    }


def _feed(feed: FeedState, now: datetime) -> dict[str, Any]:
    return {
        "ok": feed.is_running(to_milliseconds(now)) and not feed.is_halted,
        "mode": feed.mode,
        "connections": len(feed.connections),
        "halted": feed.is_halted,
        "last_data_at": iso_text(from_milliseconds(feed.last_data_ms))
        if feed.last_data_ms
        else None,
    }


def _markets(feed: FeedState, now: datetime) -> dict[str, Any]:
    is_fresh = feed.is_running(to_milliseconds(now)) and not feed.is_halted
    return {"ok": is_fresh and not feed.is_lagging, "synthetic": feed.mode == "demo"}
