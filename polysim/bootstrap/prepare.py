"""Makes the database and the static files ready; a process of its own, run by quickstart.

One Django start does all steps, which takes seconds off every start of Polysim.
"""

import sys
import time


def main(base_url: str) -> None:
    """Migrate the shared schema and every building, seed the demo, collect the static files."""
    import django
    from django.core.management import call_command

    django.setup()
    steps = (
        ("shared tables", ("migrate_schemas",), {"shared": True}),
        ("tables of the buildings", ("migrate_schemas",), {"tenant": True}),
        ("demo data", ("seed_demo", "--base-url", base_url), {}),
        ("static files", ("collectstatic",), {}),
    )
    for title, command, options in steps:
        started = time.monotonic()
        if command[0] != "seed_demo":
            options = {**options, "interactive": False, "verbosity": 0}
        call_command(*command, **options)
        print(f"{title}: {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
