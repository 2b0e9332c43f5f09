"""`manage.py open_retail`: the built-in retail tenant of a new installation."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from polysim.kernel.clock import utc_now
from tenants.services import open_retail


class Command(BaseCommand):
    """Run once after the first migration; repeating it changes nothing."""

    help = "Open the platform itself: the retail schema and its host names. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "hosts",
            nargs="*",
            default=[settings.PLATFORM_HOST],
            help="Host names without port, the platform's own first (POLYSIM_PLATFORM_HOST).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        open_retail(hosts=options["hosts"], now=utc_now())
        self.stdout.write(f"Retail is open at {', '.join(options['hosts'])}.")
