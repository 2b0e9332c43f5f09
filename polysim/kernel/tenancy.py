"""Buildings: each tenant's schema is one, and a row belongs to the one it was loaded in.

`BuildingModel` is the base of every model in `wallets`, `trading` and `prop`. It fails closed:
a query without a building raises, and a row never crosses from one building into another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from django.db import connection, models
from django_tenants.utils import get_public_schema_name, schema_context

from polysim.kernel.errors import WrongBuilding


def current_schema() -> str:
    """The schema this thread works in (`public` when no building was entered)."""
    return str(connection.schema_name)


def require_building() -> str:
    """The current building's schema; raises WrongBuilding in the street (`public`)."""
    schema = current_schema()
    if schema == get_public_schema_name():
        raise WrongBuilding("Building data was asked for without entering a building.")
    return schema


@contextmanager
def enter_building(schema: str) -> Iterator[None]:
    """Work in `schema` and return to the former one afterwards."""
    with schema_context(schema):
        yield


class BuildingQuerySet(models.QuerySet[Any]):
    """Evaluates only inside a building, and only inside the one it was first made for."""

    _schema: str | None = None

    def _require_same_building(self) -> None:
        schema = require_building()
        if self._schema is None:
            self._schema = schema
        elif self._schema != schema:
            raise WrongBuilding(f"A query made in {self._schema} was evaluated in {schema}.")

    def _clone(self) -> Self:
        clone = super()._clone()
        clone._schema = self._schema or current_schema_or_none()
        return clone

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._require_same_building()
        super()._fetch_all()

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:
        self._require_same_building()
        return super().iterator(chunk_size=chunk_size) if chunk_size else super().iterator()

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

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list[Any]:
        schema = require_building()
        for row in objs:
            row._require_same_building(schema)
        return super().bulk_create(objs, *args, **kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._require_same_building()
        return super().delete()


def current_schema_or_none() -> str | None:
    """The current building, or None in the street: a query may be built before entering one."""
    schema = current_schema()
    return None if schema == get_public_schema_name() else schema


class BuildingModel(models.Model):
    """Base of all rows of a building: remembers its schema and refuses to leave it."""

    objects = BuildingQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        schema = require_building()
        self._require_same_building(schema)
        super().save(*args, **kwargs)
        self.__dict__["_schema"] = schema

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self._require_same_building(require_building())
        return super().delete(*args, **kwargs)

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any) -> Self:
        row = super().from_db(db, field_names, values)
        row.__dict__["_schema"] = current_schema()
        return row

    def _require_same_building(self, schema: str) -> None:
        loaded_in = self.__dict__.get("_schema")
        if loaded_in is not None and loaded_in != schema:
            raise WrongBuilding(f"A row of {loaded_in} would have been written in {schema}.")
