"""Makes the database and the static files ready; a process of its own, run by quickstart.

One Django start does all steps, which takes seconds off every start of Polysim.
"""

import hashlib
import sys
import time
from pathlib import Path
from typing import Any


def main(base_url: str, demo_file: str) -> None:
    """Migrate the shared schema and every building, seed the demo, collect the static files."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    quiet: dict[str, Any] = {"interactive": False, "verbosity": 0}
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("settings", ["check"], {}),
        ("shared tables", ["migrate_schemas"], {"shared": True, **quiet}),
        ("tables of the buildings", ["migrate_schemas"], {"tenant": True, **quiet}),
        ("demo data", ["seed_demo", "--base-url", base_url, "--file-name", demo_file], {}),
    ]
    made_from = Path(settings.STATIC_ROOT) / ".made-from"
    sources = static_sources()
    if not made_from.exists() or made_from.read_text() != sources:
        steps.append(("static files", ["collectstatic"], quiet))
    for title, command, options in steps:
        started = time.monotonic()
        call_command(*command, **options)
        print(f"{title}: {time.monotonic() - started:.1f} s", flush=True)
    made_from.write_text(sources)


def static_sources() -> str:
    """A digest of the static files' names, sizes and times; it changes when one of them does."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
