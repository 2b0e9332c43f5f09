"""One migrated template database per run, copied for each worker, and its way back to the start."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection as django_connection
from django.db import connections
from psycopg import sql

from tests.support.plugin import administration_url, database_name, run_folder

TEMPLATE = "template_polysim"
FIRMS = (("retail", "Polysim"), ("alpha", "Alpha Prop"), ("beta", "Beta Prop"))


@contextmanager
def template_lock() -> Iterator[None]:
    """One worker builds the template, the others wait and copy it one after another."""
    with open(run_folder() / "template.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_worker_database() -> None:
    """Make this process's database; the first process of the run builds the template."""
    done = run_folder() / "template.done"
    with template_lock():
        if not done.exists():
            _administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", TEMPLATE)
            _administer("CREATE DATABASE {}", TEMPLATE)
            with _django_connected_to(TEMPLATE):
                _fill_template()
            done.touch()
        copy_template()


def copy_template() -> None:
    """A fresh copy of the template takes the place of this process's database (0.2 s)."""
    close_connections()
    name = database_name()
    _administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    _administer("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, TEMPLATE)


def drop_worker_database() -> None:
    """Remove this process's database at the end of its tests."""
    close_connections()
    _administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", database_name())


def close_connections() -> None:
    """Close this thread's connection and the pool behind all threads."""
    connections.close_all()
    django_connection.close_pool()


def _administer(statement: str, *names: str) -> None:
    identifiers = [sql.Identifier(name) for name in names]
    with psycopg.connect(administration_url(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*identifiers))


@contextmanager
def _django_connected_to(name: str) -> Iterator[None]:
    """Django's connection points at another database for a while."""
    former = django_connection.settings_dict["NAME"]
    close_connections()
    django_connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        close_connections()
        django_connection.settings_dict["NAME"] = former


def _fill_template() -> None:
    """Public tables, then the retail building and two firms, as every installation has them."""
    from django.core.management import call_command

    from tenants.models import Domain, Firm, FirmKind

    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
    for slug, name in FIRMS:
        is_retail = slug == "retail"
        kind = FirmKind.RETAIL if is_retail else FirmKind.PROP_FIRM
        firm = Firm(schema_name=slug, slug=slug, name=name, kind=kind)
        firm.save(verbosity=0)
        host = "localhost" if is_retail else f"{slug}.localhost"
        Domain.objects.create(domain=host, tenant=firm, is_primary=True)
        if is_retail:
            # The name under which Django's test client asks.
            Domain.objects.create(domain="testserver", tenant=firm, is_primary=False)


# Written by Django alone when it migrates; a test does not change them.
DJANGO_TABLES = ("django_migrations", "django_content_type", "auth_permission")


class Baseline:
    """What the template held: tables that tests may not empty, with their rows."""

    def __init__(self) -> None:
        with django_connection.cursor() as cursor:
            cursor.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
            )
            tables = [row[0] for row in cursor.fetchall()]
            filled = {table for table in tables if _has_rows(cursor, table)}
        self._emptied = ", ".join(table for table in tables if table not in filled)
        self._kept = [table for table in sorted(filled) if not table.endswith(DJANGO_TABLES)]
        self._rows = self._read_rows()

    def restore(self) -> None:
        """Undo what a committing test left; one that changed kept rows gets a new database."""
        django_connection.set_schema_to_public()
        if self._read_rows() != self._rows:
            copy_template()
            return
        with django_connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {self._emptied} RESTART IDENTITY CASCADE")

    def _read_rows(self) -> list[tuple[str]]:
        each = [f"SELECT '{table} ' || t::text FROM {table} t" for table in self._kept]
        with django_connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(each) + " ORDER BY 1")
            rows: list[tuple[str]] = cursor.fetchall()
            return rows


def _has_rows(cursor: Any, table: str) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
    return bool(cursor.fetchone()[0])
