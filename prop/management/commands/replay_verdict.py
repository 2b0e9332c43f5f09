"""`manage.py replay_verdict ID`: judge a stored verdict's inputs again and compare."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from polysim.kernel.errors import NotFound
from polysim.kernel.tenancy import enter_building
from prop.services.replaying import replay_verdict
from tenants.selectors import list_schemas


class Command(BaseCommand):
    """Ends with 1 when the verdict does not follow from its inputs, or they were changed."""

    requires_system_checks: list[str] = []
    help = "Compute a verdict again from its stored inputs; it must agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help="The verdict's number.")
        parser.add_argument("--schema", required=True, help="The firm's schema.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"] not in list_schemas():
            raise CommandError(f"There is no building {options['schema']}.")
        with enter_building(options["schema"]):
            try:
                replay = replay_verdict(verdict_id=options["id"])
            except NotFound as error:
                raise CommandError(error.message) from error
        by = f" by {replay.rule}" if replay.rule else ""
        self.stdout.write(f"Verdict {replay.verdict_id}: {replay.outcome}{by}.")
        if not replay.agrees:
            raise CommandError("It does not agree: " + "; ".join(replay.differences))
        self.stdout.write("Computed again from its inputs it agrees.")
