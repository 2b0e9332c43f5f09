"""`manage.py seed_challenges`: some days of challenges for the demo's firms, once."""

import os
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from polysim.kernel.clock import utc_now
from prop.demo.history import NoPastYet, seed_challenge_history
from tenants.models import Firm
from wallets.demo import FIRMS

TRY_AGAIN_S = 15


class Command(BaseCommand):
    """Live through the last days with made-up traders, in firms without challenges."""

    help = "Give the demo's firms some days of challenges to look at. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", type=int, default=0, help="seconds to wait for the markets' past prices"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Books of the past must not meet the live ones: this process writes under its own prefix.
        settings.REDIS_KEY_PREFIX = f"{settings.REDIS_KEY_PREFIX}-past-{os.getpid()}"
        deadline = time.monotonic() + options["wait"]
        for firm in Firm.objects.filter(slug__in=[slug for slug, _ in FIRMS]).order_by("pk"):
            self._seed(firm, deadline)

    def _seed(self, firm: Firm, deadline: float) -> None:
        while True:
            try:
                made = seed_challenge_history(firm=firm, now=utc_now())
            except NoPastYet as error:
                if time.monotonic() > deadline:
                    self.stdout.write(f"{firm.slug}: {error.message}")
                    return
                time.sleep(TRY_AGAIN_S)
                continue
            self.stdout.write(f"{firm.slug}: {made} challenges.")
            return
