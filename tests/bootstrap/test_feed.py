"""Which prices a start of Polysim shows."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from polysim.bootstrap.feed import choose_feed, free_port, port_is_free
from polysim.bootstrap.paths import BootstrapError


class Venue(BaseHTTPRequestHandler):
    """Answers `/ok` as the venue does."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ok" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def venue_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Venue)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_auto_is_live_when_the_venue_answers(venue_url: str) -> None:
    feed = choose_feed({"POLYMARKET_CLOB_URL": venue_url})
    assert (feed.mode, feed.venue_port) == ("live", None)
    assert feed.environment == {"POLYMARKET_FEED_MODE": "live"}


def test_auto_is_demo_when_nobody_answers() -> None:
    feed = choose_feed({"POLYMARKET_CLOB_URL": f"http://127.0.0.1:{free_port()}"})
    assert feed.mode == "demo"
    assert feed.environment["POLYMARKET_CLOB_URL"] == f"http://127.0.0.1:{feed.venue_port}/clob"
    websocket = f"ws://127.0.0.1:{feed.venue_port}/ws/market"
    assert feed.environment["POLYMARKET_WS_MARKET_URL"] == websocket


def test_replay_runs_a_stand_in_venue_too() -> None:
    assert choose_feed({"POLYMARKET_FEED_MODE": "replay"}).venue_port is not None


def test_an_unknown_mode_stops_the_start() -> None:
    with pytest.raises(BootstrapError, match="must be one of auto, live, demo, replay, off"):
        choose_feed({"POLYMARKET_FEED_MODE": "dmeo"})


def test_a_port_in_use_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert port_is_free(listener.getsockname()[1]) is False
    assert free_port() < 32_768
