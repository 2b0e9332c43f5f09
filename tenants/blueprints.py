"""Building a schema from the blueprint of the one before it.

Migrating an empty schema takes seconds, as Django renders every historic model; what it sends to
the database is always the same. So the first building of an installation writes its statements
down, and every further one is made of them in one transaction. A changed migration, SQL file or
Django version makes another fingerprint, and with it a new blueprint.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django_tenants.utils import get_public_schema_name, schema_context

Statement = tuple[str, Any]
# What only looks, and the way into the building, is not needed again.
PASSED_OVER = ("SELECT", "SHOW", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET SEARCH_PATH")


def build_schema(schema: str, *, verbosity: int = 0) -> None:
    """Create an empty schema with all its tables: from the blueprint, else by its migrations."""
    from tenants.models.blueprints import BuildingBlueprint

    fingerprint = fingerprint_of_migrations()
    with schema_context(get_public_schema_name()):
        known = BuildingBlueprint.objects.filter(fingerprint=fingerprint).first()
        if known is not None:
            _rebuild(schema, known.statements)
            return
        statements = _migrate(schema, verbosity=verbosity)
        BuildingBlueprint.objects.get_or_create(
            fingerprint=fingerprint, defaults={"statements": statements}
        )


def fingerprint_of_migrations() -> str:
    """A digest of all that shapes a building: migrations, their SQL files, Django's version."""
    digest = hashlib.sha256(django.get_version().encode())
    for config in sorted(apps.get_app_configs(), key=lambda one: one.label):
        digest.update(config.label.encode())
        folder = Path(config.path)
        names = sorted((folder / "migrations").glob("*.py"))
        if config.name in settings.TENANT_APPS:
            names += sorted((folder / "sql").glob("*.sql"))
        for name in names:
            digest.update(name.name.encode() + name.read_bytes())
    return digest.hexdigest()


@transaction.atomic
def _rebuild(schema: str, statements: list[Statement]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(schema)}")
    with schema_context(schema), connection.cursor() as cursor:
        for sql, parameters in statements:
            cursor.execute(sql, parameters)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _migrate(schema: str, *, verbosity: int) -> list[Statement]:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(schema)}")
    with _recording() as statements:
        call_command(
            "migrate_schemas",
            tenant=True,
            schema_name=schema,
            interactive=False,
            verbosity=verbosity,
        )
    return statements


@contextmanager
def _recording() -> Iterator[list[Statement]]:
    """What is sent inside the block to shape the building."""
    statements: list[Statement] = []

    def note(
        execute: Callable[..., Any], sql: Any, parameters: Any, many: bool, context: Any
    ) -> Any:
        text = str(sql)
        if not text.lstrip().upper().startswith(PASSED_OVER):
            statements.append((text, _plain(parameters)))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield statements


def _plain(parameters: Any) -> Any:
    """Parameters as JSON keeps them: times and decimals as text, which PostgreSQL reads back."""
    if parameters is None:
        return None

    def as_text(value: Any) -> str:
        if isinstance(value, date | datetime | Decimal):
            return str(value)
        raise TypeError(f"{value!r} cannot stand in a blueprint")

    return json.loads(json.dumps(list(parameters), default=as_text))
