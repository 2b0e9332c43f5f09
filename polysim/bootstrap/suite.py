"""`manage.py tests`: pytest with services of its own (see tests/support/plugin.py)."""

import os
import sys

from polysim.bootstrap.frontend import install_frontend
from polysim.bootstrap.paths import PROJECT_DIRECTORY

PROCESSES = "2"


def run_tests(arguments: list[str]) -> int:
    """Become pytest; with two processes unless the arguments say otherwise. Does not return."""
    reason = install_frontend(development=True)
    if reason is not None:
        print(f"Front-end packages are missing, tests that need them are skipped: {reason}")
    chosen = any(argument.startswith(("-n", "--numprocesses")) for argument in arguments)
    parallel = [] if chosen else ["-n", PROCESSES, "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", *parallel, *arguments]
    os.chdir(PROJECT_DIRECTORY)
    sys.stdout.flush()
    os.execv(sys.executable, command)
