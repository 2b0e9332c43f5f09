"""Buildings: each tenant's schema is one, and a row belongs to the one it was loaded in.

`BuildingModel` is the base of every model in `wallets`, `trading` and `prop`. It fails closed:
a query without a building raises, a lazy query runs only in the building it was made in, and a
row leads neither itself nor its relations into another one.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Self

from django.db import connection as django_connection
from django.db import models
from django.db.models.query import RawQuerySet
from django_tenants.utils import get_public_schema_name, schema_context

from polysim.kernel.errors import WrongBuilding

# django-tenants' wrapper, which knows schemas.
connection: Any = django_connection


def current_schema() -> str:
    """The schema this thread works in (`public` when no building was entered)."""
    return str(connection.schema_name)


def current_schema_or_none() -> str | None:
    """The current building, or None in the street: a query may be built before entering one."""
    schema = current_schema()
    return None if schema == get_public_schema_name() else schema


def require_building() -> str:
    """The current building's schema; raises WrongBuilding in the street (`public`)."""
    schema = current_schema_or_none()
    if schema is None:
        raise WrongBuilding("Building data was asked for without entering a building.")
    return schema


@contextmanager
def enter_building(schema: str) -> Iterator[None]:
    """Work in `schema` and return to the former one afterwards."""
    with schema_context(schema):
        yield


def schema_of(row: Any) -> str | None:
    """The building a row was loaded or saved in; None for new rows and rows of `public`."""
    loaded_in: str | None = row.__dict__.get("_schema")
    return loaded_in


def _check(expected: str | None, schema: str) -> None:
    if expected is not None and expected != schema:
        raise WrongBuilding(f"Data of {expected} was used in {schema}.")


class BuildingRawQuerySet(RawQuerySet):
    """Raw SQL whose rows are fetched in the building it was written for."""

    _schema: str | None = None

    def iterator(self) -> Iterator[Any]:
        _check(self._schema, require_building())
        yield from super().iterator()


class BuildingQuerySet(models.QuerySet[Any]):
    """Evaluates only inside a building, and only inside the one it was made in.

    A query of a row's relation (`order.fills`) belongs to the row's building.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._schema = current_schema_or_none()

    def _require_same_building(self) -> None:
        schema = require_building()
        _check(self._schema, schema)
        hints: dict[str, Any] = getattr(self, "_hints", None) or {}
        if "instance" in hints:
            _check(schema_of(hints["instance"]), schema)
        self._schema = schema

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone._schema = self._schema or clone._schema
        return clone

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._require_same_building()
        super()._fetch_all()

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:
        """As Django's; leaving the building before the end raises."""
        self._require_same_building()
        for row in super().iterator(chunk_size=chunk_size):
            _check(self._schema, require_building())
            yield row

    def aiterator(self, chunk_size: int = 2000) -> AsyncIterator[Any]:
        """Not offered: other threads stand in other schemas; use a thread and enter there."""
        _refuse_async()

    def raw(self, *args: Any, **kwargs: Any) -> RawQuerySet:
        """Rows of raw SQL in this building."""
        self._require_same_building()
        rows = super().raw(*args, **kwargs)
        guarded = BuildingRawQuerySet(
            rows.raw_query,
            model=self.model,
            params=rows.params or (),
            translations=rows.translations,
            using=self.db,
        )
        guarded._schema = self._schema
        return guarded

    def count(self) -> int:
        self._require_same_building()
        return super().count()

    def exists(self) -> bool:
        self._require_same_building()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._require_same_building()
        return super().aggregate(*args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        self._require_same_building()
        return super().update(**kwargs)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        self._require_same_building()
        rows = list(objs)
        self._require_rows(rows)
        created = super().bulk_create(rows, *args, **kwargs)
        for row in created:
            row.__dict__["_schema"] = self._schema
        return created

    def bulk_update(
        self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        self._require_same_building()
        rows = list(objs)
        self._require_rows(rows)
        return super().bulk_update(rows, fields, batch_size=batch_size)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._require_same_building()
        return super().delete()

    def _require_rows(self, rows: Sequence[Any]) -> None:
        schema = require_building()
        for row in rows:
            _check(schema_of(row), schema)


def _refuse_async() -> NoReturn:
    raise WrongBuilding("Building data is read in a thread that entered its building.")


class BuildingModel(models.Model):
    """Base of all rows of a building: remembers its schema and refuses to leave it."""

    objects = BuildingQuerySet.as_manager()

    class Meta:
        abstract = True
        # Relations followed from a row and refresh_from_db go through this one too.
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        schema = require_building()
        _check(schema_of(self), schema)
        super().save(*args, **kwargs)
        self.__dict__["_schema"] = schema

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        _check(schema_of(self), require_building())
        return super().delete(*args, **kwargs)

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any
    ) -> Self:
        row = super().from_db(db, field_names, values, **options)
        row.__dict__["_schema"] = current_schema()
        return row
