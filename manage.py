#!/usr/bin/env python3
"""The one entry point: starts Polysim on a bare machine, runs the tests, runs every Django command.

Only the standard library is needed to start it. Missing packages are installed into .venv first,
and the same command then goes on inside that environment.
"""

import sys

MINIMUM_PYTHON = (3, 11)


def main() -> int:
    if sys.version_info < MINIMUM_PYTHON:
        wanted = ".".join(str(part) for part in MINIMUM_PYTHON)
        print(f"Polysim needs Python {wanted} or newer; this is {sys.version.split()[0]}.")
        return 1
    from polysim.bootstrap.commands import run

    return run(sys.argv)


if __name__ == "__main__":
    raise SystemExit(main())
