"""`manage.py create_firm`: a firm with schema, host and first member of staff."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from tenants.services import create_firm


class Command(BaseCommand):
    """Create a firm; its Owner is invited by mail."""

    help = "Create a firm: schema, host and first member of staff, who is invited by mail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="Lower case letters, digits and _; names the schema.")
        parser.add_argument("--name", required=True)
        parser.add_argument("--host", required=True, help="Host name without port.")
        parser.add_argument("--staff-email", required=True, help="Becomes Owner.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            firm = create_firm(
                slug=options["slug"],
                name=options["name"],
                host=options["host"].lower(),
                first_staff_email=options["staff_email"],
                actor=None,
                now=utc_now(),
            )
        except PolysimError as error:
            raise CommandError(f"{error.message} {error.details or ''}".strip()) from error
        self.stdout.write(f"{firm.name} is open at {options['host']}.")
