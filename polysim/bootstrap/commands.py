"""Which parts of the bootstrap a command line needs."""

import os
import sys

from polysim.bootstrap.environment import (
    DEVELOPMENT_FILES,
    RUNTIME_FILES,
    ensure_environment,
)
from polysim.bootstrap.paths import BootstrapError, state_directory
from polysim.bootstrap.services import installation_environment, services_for_command

# Django commands that work without a database.
WITHOUT_SERVICES = {
    "check",
    "collectstatic",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "run_venue",
    "spectacular",
    "startapp",
    "version",
    "--help",
    "--version",
    "-h",
}

USAGE = """Polysim

  python3 manage.py quickstart [--port 8000] [--check] [--fresh]
      start everything; --check ends after the first good answers, --fresh starts from empty data
  python3 manage.py tests [pytest arguments]
      run the tests against services of their own
  python3 manage.py <command>
      run a Django command against this installation, e.g. shell, migrate_schemas, check
"""


def run(argv: list[str]) -> int:
    """Run one command line; returns its exit code."""
    command = argv[1] if len(argv) > 1 else "help"
    try:
        ensure_environment(DEVELOPMENT_FILES if command == "tests" else RUNTIME_FILES, argv)
        if command == "quickstart":
            from polysim.bootstrap.quickstart import run_quickstart

            return run_quickstart(argv[2:])
        if command == "tests":
            from polysim.bootstrap.suite import run_tests

            return run_tests(argv[2:])
        return _run_django(argv, command)
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run_django(argv: list[str], command: str) -> int:
    if len(argv) == 1 or command in ("help", "--help", "-h"):
        print(USAGE)
    if command in WITHOUT_SERVICES:
        os.environ.update(_environment_without_services())
        _execute(argv)
        return 0
    with services_for_command(state_directory()) as environment:
        os.environ.update(environment)
        _execute(argv)
    return 0


def _environment_without_services() -> dict[str, str]:
    from polysim.bootstrap.paths import make_state_directory

    state = state_directory()
    make_state_directory(state)
    return installation_environment(state)


def _execute(argv: list[str]) -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(argv)
