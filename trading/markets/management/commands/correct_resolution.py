"""`manage.py correct_resolution`: an operator's new version of a market's result."""

from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from tenants.selectors import find_user_by_email
from trading.markets.resolution import correct_resolution

RESULTS = {"first": ("1", "0"), "second": ("0", "1"), "split": ("0.5", "0.5")}


class Command(BaseCommand):
    """Differences are posted by the next settlement sweep; nothing is edited."""

    help = "Correct the result of a settled market: first, second or split."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("condition_id")
        parser.add_argument("result", choices=sorted(RESULTS))
        parser.add_argument("--actor", required=True, help="E-mail address of who decides this.")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = find_user_by_email(options["actor"])
        if actor is None or not actor.is_staff:
            raise CommandError(f"{options['actor']} is no administrator of this platform.")
        first, second = RESULTS[options["result"]]
        try:
            resolution = correct_resolution(
                condition_id=options["condition_id"],
                payouts=(Decimal(first), Decimal(second)),
                actor=actor,
                now=utc_now(),
            )
        except PolysimError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Version {resolution.version} of the result: {resolution.payouts}")
