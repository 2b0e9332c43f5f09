"""An installation of its own for benchmarks: durable PostgreSQL, Valkey, the retail building."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Installation:
    """A running installation and its two services (polysim.bootstrap)."""

    folder: Path
    postgres: Any
    valkey: Any


@contextlib.contextmanager
def own_installation(*, pool_max: int) -> Iterator[Installation]:
    """Start services in a temporary folder, migrate, seed retail; all ends with the block.

    PostgreSQL keeps fsync and synchronous_commit on. Django is set up inside.
    """
    from polysim.bootstrap.postgres import EmbeddedPostgres
    from polysim.bootstrap.processes import stop_all
    from polysim.bootstrap.valkey import EmbeddedValkey

    folder = Path(tempfile.mkdtemp(prefix="polysim-bench-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    postgres = EmbeddedPostgres(
        data_directory=folder / "data",
        socket_directory=folder,
        log_path=folder / "postgres.log",
    )
    valkey = EmbeddedValkey(socket_directory=folder, log_path=folder / "valkey.log")
    postgres.start()
    valkey.start()
    os.environ.update(
        {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "POLYSIM_STATE_DIR": str(folder),
            "POLYSIM_SECRET_KEY": secrets.token_urlsafe(48),
            "POLYSIM_PRODUCTION": "false",
            "POLYSIM_DB_POOL_MAX": str(pool_max),
            "POLYSIM_LOG_LEVEL": "ERROR",
            "POLYMARKET_FEED_MODE": "demo",
            "POLYSIM_STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
            "DJANGO_SETTINGS_MODULE": "polysim.settings",
        }
    )
    try:
        _migrate()
        yield Installation(folder, postgres, valkey)
    finally:
        _disconnect()
        stop_all([postgres.process, valkey.process], 15)
        shutil.rmtree(folder, ignore_errors=True)


def _migrate() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from tenants.models import Domain, Firm, FirmKind

    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
    firm = Firm(schema_name="retail", slug="retail", name="Polysim", kind=FirmKind.RETAIL)
    firm.save(verbosity=0)
    Domain.objects.create(domain="localhost", tenant=firm, is_primary=True)


def _disconnect() -> None:
    from django.db import connection, connections

    connections.close_all()
    connection.close_pool()
