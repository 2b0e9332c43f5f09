"""Makes the database and the static files ready; a process of its own, run by quickstart.

One Django start does all steps, which takes seconds off every start of Polysim.
"""

import sys
import time
from typing import Any


def main(base_url: str, demo_file: str) -> None:
    """Migrate the shared schema and every building, seed the demo, collect the static files."""
    import django
    from django.core.management import call_command

    django.setup()
    quiet: dict[str, Any] = {"interactive": False, "verbosity": 0}
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("settings", ["check"], {}),
        ("shared tables", ["migrate_schemas"], {"shared": True, **quiet}),
        ("tables of the buildings", ["migrate_schemas"], {"tenant": True, **quiet}),
        ("demo data", ["seed_demo", "--base-url", base_url, "--file-name", demo_file], {}),
        ("static files", ["collectstatic"], quiet),
    ]
    for title, command, options in steps:
        started = time.monotonic()
        call_command(*command, **options)
        print(f"{title}: {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
