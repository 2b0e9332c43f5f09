"""`manage.py match_orders`: the process that fills resting orders over all buildings."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from trading.matcher.loop import Matcher


class Command(BaseCommand):
    """Runs until it gets SIGTERM or SIGINT."""

    # The checks load every page; this process serves none.
    requires_system_checks: list[str] = []
    help = "Fill resting orders as books cross them; expire orders whose time or market ended."

    def handle(self, *args: Any, **options: Any) -> None:
        matcher = Matcher()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: matcher.stop())
        self.stdout.write("Matching resting orders.")
        self.stdout.flush()
        matcher.run()
