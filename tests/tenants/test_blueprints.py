"""A building made from the blueprint is the same as one made by migrations."""

import pytest
from django.db import connection

from polysim.kernel.tenancy import enter_building
from tenants.blueprints import build_schema, fingerprint_of_migrations
from tenants.models import BuildingBlueprint

# Everything that shapes a schema, each as one line of text without the schema's name.
_SHAPE = """
SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
    || ' ' || COALESCE(column_default, '') FROM information_schema.columns
  WHERE table_schema = %(schema)s
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = %(schema)s
UNION ALL SELECT 'constraint ' || conrelid::regclass::text || ' ' || conname || ' '
    || pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace
  WHERE nspname = %(schema)s
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t
  JOIN pg_class r ON r.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
  WHERE nspname = %(schema)s AND NOT tgisinternal
UNION ALL SELECT 'function ' || pg_get_functiondef(p.oid) FROM pg_proc p
  JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = %(schema)s
"""


def shape_of(schema: str) -> list[str]:
    with enter_building(schema), connection.cursor() as cursor:
        cursor.execute(_SHAPE, {"schema": schema})
        rows = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute("SELECT app, name FROM django_migrations")
        rows += [f"migration {app} {name}" for app, name in cursor.fetchall()]
    return sorted(row.replace(schema, "building") for row in rows)


@pytest.mark.django_db(transaction=True)
def test_the_blueprint_builds_what_the_migrations_build() -> None:
    BuildingBlueprint.objects.all().delete()
    build_schema("by_migrations")
    written = BuildingBlueprint.objects.get()
    assert written.fingerprint == fingerprint_of_migrations()
    build_schema("by_blueprint")
    assert BuildingBlueprint.objects.count() == 1
    migrated, rebuilt = shape_of("by_migrations"), shape_of("by_blueprint")
    assert len(migrated) > 500
    assert rebuilt == migrated


@pytest.mark.django_db(transaction=True)
def test_a_blueprint_of_other_migrations_is_not_used() -> None:
    BuildingBlueprint.objects.update(fingerprint="of another time", statements=[["BROKEN", None]])
    build_schema("anew")
    assert BuildingBlueprint.objects.filter(fingerprint=fingerprint_of_migrations()).exists()
