"""Starts a stand-in venue: command line, choice of mode, uvicorn on loopback."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from trading.markets.standin.app import make_app
from trading.markets.standin.venue import Venue, wall_ms

DEFAULT_SEED: Final = 20_260_101
DEFAULT_PORT: Final = 8_990
DEFAULT_SPEED: Final = 30.0
WEBSOCKET_FRAME_BYTES_MAX: Final = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that the module and the Django command share."""
    parser.add_argument("--mode", choices=("demo", "replay"), default="demo")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="demo: what all follows from"
    )
    parser.add_argument("--speed", type=float, help="replay: recorded seconds per second")
    parser.add_argument("--recording", help="replay: the folder to play")
    parser.add_argument(
        "--catalogue",
        choices=("playable", "all"),
        default="playable",
        help="replay: list only events with recorded books, or everything in the recording",
    )
    parser.add_argument("--paused", action="store_true", help="nothing moves before a hook says so")


def build_app(options: argparse.Namespace) -> Starlette:
    """The application for parsed options. Raises SystemExit when a recording cannot be played."""
    venue = Venue()
    if options.mode == "demo":
        from trading.markets.standin.demo.driver import Demo

        demo = Demo(venue, options.seed, wall_ms(), is_paused=options.paused)
        return make_app(venue, demo, "demo")
    from trading.markets.standin.replay.driver import Replay
    from trading.markets.standin.replay.recording import RecordingError, open_recording

    if not options.recording:
        raise SystemExit("replay needs --recording, the folder to play")
    try:
        recording = open_recording(
            Path(options.recording),
            lists_everything=options.catalogue == "all",
            now_ms=wall_ms(),
        )
    except RecordingError as error:
        raise SystemExit(f"The recording cannot be played: {error}") from None
    speed = options.speed or DEFAULT_SPEED
    replay = Replay(venue, recording, speed=speed, now_ms=wall_ms(), is_paused=options.paused)
    return make_app(venue, replay, "replay")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="run_venue", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.speed is not None and options.speed <= 0:
        parser.error("--speed must be above zero")
    app = build_app(options)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_FRAME_BYTES_MAX,
        # The protocol has a heartbeat of its own, as text; loopback needs no compression.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    sys.stderr.write(f"stand-in venue ({options.mode}) on http://{options.host}:{options.port}\n")
    uvicorn.Server(config).run()
    return 0
