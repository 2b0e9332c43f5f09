"""Records the venue for later replay (polymarket-feed 11)."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading.markets.standin.recorder import Addresses, Recorder, RecorderError


class Command(BaseCommand):
    help = "Record catalogue, books and socket frames of the venue into a folder for replay."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--minutes", type=float, default=10.0)
        parser.add_argument("--markets", type=int, default=100, help="at most so many markets")
        parser.add_argument("--event", action="append", default=[], help="only events of this slug")
        parser.add_argument("--folder", help="where to write (default: a new one in the state)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["minutes"] <= 0 or options["markets"] <= 0:
            raise CommandError("--minutes and --markets must be above zero.")
        folder = Path(options["folder"]) if options["folder"] else _new_folder()
        recorder = Recorder(
            Addresses(
                gamma=settings.POLYMARKET_GAMMA_URL.rstrip("/"),
                clob=settings.POLYMARKET_CLOB_URL.rstrip("/"),
                socket=settings.POLYMARKET_WS_MARKET_URL,
            ),
            folder,
            market_limit=options["markets"],
            event_slugs=options["event"],
            user_agent=f"Polysim/{settings.VERSION} (paper trading; reads only)",
            report=self.stdout.write,
        )
        try:
            asyncio.run(recorder.record(options["minutes"] * 60))
        except RecorderError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stdout.write("Stopped early; what was recorded can be played.")
        self.stdout.write(f"{recorder.frames_written} frames in {folder}")
        self.stdout.write(f"Play them: manage.py run_venue --mode replay --recording {folder}")


def _new_folder() -> Path:
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    return Path(settings.STATE_DIR) / "recordings" / name
