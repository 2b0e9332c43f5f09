"""The stand-in venue as a process of its own (polymarket-feed 11)."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from trading.markets.standin.server import add_arguments


class Command(BaseCommand):
    help = "Run the stand-in venue: a synthetic catalogue (demo) or a recording (replay)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Become the venue's own process: it needs nothing of Django, nor its memory."""
        speed = options["speed"] or float(settings.POLYMARKET_REPLAY_SPEED)
        command = [sys.executable, "-m", "trading.markets.standin"]
        command += ["--mode", options["mode"], "--host", options["host"]]
        command += ["--port", str(options["port"]), "--seed", str(options["seed"])]
        command += ["--speed", str(speed), "--catalogue", options["catalogue"]]
        command += ["--recording", options["recording"] or settings.POLYMARKET_REPLAY_DIR]
        if options["paused"]:
            command.append("--paused")
        os.chdir(settings.BASE_DIR)
        os.execv(sys.executable, command)  # noqa: S606 - no shell, own interpreter
