"""`manage.py simulate_program ID --schema alpha`: try a program on simulated traders."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from prop.services.simulations import DEFAULTS, PATHS, try_program
from prop.simulator import BEHAVIOURS, report_text
from tenants.selectors import list_schemas


class Command(BaseCommand):
    """Prints the report of a run; the same seed and terms print the same."""

    requires_system_checks: list[str] = []
    help = "Run simulated traders through a program and print what became of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help="The program's number.")
        parser.add_argument("--schema", required=True, help="The firm's schema.")
        parser.add_argument("--traders", type=int, default=DEFAULTS["traders"])
        parser.add_argument("--days", type=int, default=DEFAULTS["days"])
        parser.add_argument("--seed", type=int, default=DEFAULTS["seed"])
        parser.add_argument("--paths", choices=PATHS, default=DEFAULTS["paths"])
        parser.add_argument(
            "--mix",
            type=_read_weight,
            nargs="+",
            metavar="NAME=WEIGHT",
            help=f"Which traders, instead of the ordinary crowd: {', '.join(BEHAVIOURS)}.",
        )
        parser.add_argument("--json", action="store_true", help="The report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"] not in list_schemas():
            raise CommandError(f"There is no building {options['schema']}.")
        parameters = {name: options[name] for name in DEFAULTS}
        parameters["mix"] = dict(options["mix"]) if options["mix"] else None
        with enter_building(options["schema"]):
            try:
                report = try_program(
                    program_id=options["id"],
                    parameters=parameters,
                    now=utc_now(),
                    tell=self._tell,
                )
            except PolysimError as error:
                raise CommandError(_words_of(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2))
        else:
            self.stdout.write(report_text(report))

    def _tell(self, percent: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{percent} %", ending="\n" if percent == 100 else "")


def _read_weight(text: str) -> tuple[str, int]:
    name, _, weight = text.partition("=")
    if not weight.isdigit():
        raise ArgumentTypeError(f"{text} is not NAME=WEIGHT")
    return name, int(weight)


def _words_of(error: PolysimError) -> str:
    fields = (error.details or {}).get("fields", [])
    words = [f"{wrong['field']}: {wrong['message']}" for wrong in fields]
    return " ".join(words) or error.message
