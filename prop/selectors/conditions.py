"""Conditions of the table format on one column, as ORM conditions (prop-backoffice 1.4).

Values are compared with what is stored, unrounded; times as the Unix seconds that are shown, with
0 for those not set. Everything reaches the database as a parameter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from django.db.models import CharField, Lookup, Q, TextField

from prop.errors import InvalidParams

TEXT_MAX = 255
NUMBER_DIGITS_MAX = 30
# The years that a timestamp column holds.
TIME_MAX = 253_402_300_798


class Kind(Enum):
    """What a column holds."""

    WHOLE = "whole"
    NUMBER = "number"
    TEXT = "text"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Column:
    """A name of the table: where its value stands, and what a missing value counts as.

    `empty` is 0 or "" for what is shown so while it is not set, None for what is shown as null.
    """

    name: str
    kind: Kind
    path: str
    show: Callable[[Any], Any] = lambda value: value
    is_filter: bool = True
    is_shown: bool = True
    is_nullable: bool = False
    empty: Any = None


class ContainsPattern(Lookup):  # type: ignore[type-arg]
    """`column ILIKE pattern`; the pattern is a parameter."""

    lookup_name = "ilike_pattern"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        return f"{left} ILIKE {right}", [*left_parameters, *right_parameters]


CharField.register_lookup(ContainsPattern)
TextField.register_lookup(ContainsPattern)

COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "=": ("exact", eq),
    "!=": ("exact", ne),
    ">": ("gt", gt),
    ">=": ("gte", ge),
    "<": ("lt", lt),
    "<=": ("lte", le),
}


def compare(column: Column, operator: object, value: object) -> Q:
    """The condition `column operator value`; raises InvalidParams."""
    allowed = ("=", "!=", "like") if column.kind is Kind.TEXT else tuple(COMPARISONS)
    if not isinstance(operator, str) or operator not in allowed:
        raise InvalidParams(f"{column.name} takes the operators {', '.join(allowed)}")
    checked = check_value(column, value)
    if operator == "like":
        return Q(**{f"{column.path}__ilike_pattern": like_pattern(checked)})
    if column.kind is Kind.TIME:
        return _compare_time(column, operator, checked)
    is_negated = operator == "!="
    lookup, holds = COMPARISONS["=" if is_negated else operator]
    condition = Q(**{f"{column.path}__{lookup}": checked})
    if column.is_nullable and column.empty is not None and holds(column.empty, checked):
        condition |= Q(**{f"{column.path}__isnull": True})
    return ~condition if is_negated else condition


def is_in(column: Column, values: object, *, values_max: int) -> Q:
    """The condition that the column is one of `values`; raises InvalidParams."""
    if not isinstance(values, list) or len(values) > values_max:
        raise InvalidParams(f"{column.name} takes a list of at most {values_max} values")
    if column.kind is Kind.TIME or column.is_nullable:
        found = Q(pk__in=[])
        for value in values:
            found |= compare(column, "=", value)
        return found
    return Q(**{f"{column.path}__in": [check_value(column, value) for value in values]})


def is_between(column: Column, bounds: object) -> Q:
    """Both ends inclusive; raises InvalidParams."""
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise InvalidParams(f"{column.name} takes [from, to]")
    if column.kind is Kind.TEXT:
        lowest, highest = (check_value(column, value) for value in bounds)
        return Q(**{f"{column.path}__gte": lowest, f"{column.path}__lte": highest})
    return compare(column, ">=", bounds[0]) & compare(column, "<=", bounds[1])


def like_pattern(value: str) -> str:
    """The value anywhere in the text; only `%` of it is a wildcard."""
    escaped = value.replace("\\", "\\\\").replace("_", "\\_")
    return f"%{escaped}%"


def check_value(column: Column, value: object) -> Any:
    """The value if it has the column's type; raises InvalidParams."""
    if column.kind is Kind.TEXT:
        if not isinstance(value, str) or len(value) > TEXT_MAX:
            raise InvalidParams(f"{column.name} takes a text of at most {TEXT_MAX} characters")
        return value
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if column.kind is Kind.NUMBER and (is_whole or isinstance(value, Decimal)):
        number = Decimal(value)  # type: ignore[arg-type]
        if number == 0 or abs(number.adjusted()) <= NUMBER_DIGITS_MAX:
            return number if number else Decimal(0)
    elif column.kind is not Kind.NUMBER and is_whole and abs(value) < 2**63:  # type: ignore[arg-type]
        return value
    kind = "number" if column.kind is Kind.NUMBER else "whole number"
    raise InvalidParams(f"{column.name} takes a {kind}")


def _compare_time(column: Column, operator: str, seconds: int) -> Q:
    """Shown seconds are rounded down: = 5 is everything from 5 until before 6."""
    path = column.path
    start, end = _moment(seconds), _moment(seconds + 1)
    condition = {
        "=": Q(**{f"{path}__gte": start, f"{path}__lt": end}),
        "!=": Q(**{f"{path}__lt": start}) | Q(**{f"{path}__gte": end}),
        ">": Q(**{f"{path}__gte": end}),
        ">=": Q(**{f"{path}__gte": start}),
        "<": Q(**{f"{path}__lt": start}),
        "<=": Q(**{f"{path}__lt": end}),
    }[operator]
    if column.is_nullable and COMPARISONS[operator][1](column.empty, seconds):
        condition |= Q(**{f"{path}__isnull": True})
    return condition


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0), TIME_MAX), UTC)
