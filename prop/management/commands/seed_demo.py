"""`manage.py seed_demo`: retail, two firms, an administrator, a trader with a bot key."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from polysim.kernel.clock import utc_now
from prop.demo.firms import seed_firm
from wallets.demo import seed_demo


class Command(BaseCommand):
    """Fill an installation with the demo's people; safe to repeat."""

    help = "Seed retail, two firms and demo people; writes demo.json. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--base-url", default=settings.BASE_URL)
        parser.add_argument("--file-name", default="demo.json", help="within the state folder")

    def handle(self, *args: Any, **options: Any) -> None:
        path = seed_demo(
            base_url=options["base_url"].rstrip("/"),
            path=settings.STATE_DIR / options["file_name"],
            now=utc_now(),
            seed_firm=seed_firm,
        )
        self.stdout.write(f"Demo people are in {path}.")
