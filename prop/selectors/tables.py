"""The table format of the `...ByFilter` commands: structure, rows, count (prop-backoffice 1.4).

Rows are read as plain values, without model instances; `count` is of all rows that match.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Model, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from polysim.kernel.money import parse_decimal
from prop.errors import InvalidData, InvalidParams
from prop.models import (
    Challenge,
    Payout,
    PayoutStatus,
    PhaseType,
    Program,
    Purchase,
    PurchaseStatus,
    Step,
)
from prop.objects.values import money_number, percent_number, time_number
from prop.selectors.conditions import Column, Kind, compare, is_between, is_in

LIMIT_MAX = 50_000
CONDITIONS_MAX = 100
VALUES_MAX = 1000
ORDERS_MAX = 10
BIGINT_MAX = 2**63 - 1
FILTER_KEYS = ("where", "whereNot", "whereIn", "whereNotIn", "whereBetween", "whereNotBetween")


@dataclass(frozen=True)
class Table:
    """What a command lists: its columns in order, and how rows are sorted without `orderBy`."""

    model: type[Model]
    columns: tuple[Column, ...]
    default_order: tuple[str, ...] = ("-pk",)

    def find(self, name: object) -> Column:
        """A column that may be filtered and sorted by; raises InvalidParams."""
        for column in self.columns:
            if column.name == name and column.is_filter:
                return column
        raise InvalidParams(f"There is no field {str(name)[:64]!r} to filter or sort by")

    @property
    def shown(self) -> list[Column]:
        """The columns of the answer."""
        return [column for column in self.columns if column.is_shown]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request in the table format, checked."""

    limit: int
    offset: int
    condition: Q
    order: tuple[str, ...]


def read_wanted(table: Table, data: Mapping[str, Any]) -> Wanted:
    """Check a request. Raises InvalidParams, and InvalidData for limit and offset."""
    limit = _read_count(data, "limit", least=1, most=LIMIT_MAX)
    offset = _read_count(data, "offset", least=0, most=BIGINT_MAX)
    condition = Q()
    left = CONDITIONS_MAX
    for key in FILTER_KEYS:
        entries = _read_list(data, key)
        left -= len(entries)
        if left < 0:
            raise InvalidParams(f"At most {CONDITIONS_MAX} conditions")
        for entry in entries:
            condition &= _read_condition(table, key, entry)
    return Wanted(limit, offset, condition, _read_order(table, data))


def read_table(table: Table, data: Mapping[str, Any]) -> dict[str, Any]:
    """`{"structure", "rows", "count"}` of the request `data`."""
    wanted = read_wanted(table, data)
    matching: QuerySet[Any] = table.model._default_manager.filter(wanted.condition)
    count = matching.count()
    shown = table.shown
    rows: list[list[Any]] = []
    if wanted.offset < count:
        found = _annotated(table, matching).order_by(*wanted.order)
        values = found.values_list(*(column.path for column in shown))
        page = values[wanted.offset : wanted.offset + wanted.limit]
        shows = [column.show for column in shown]
        rows = [[show(value) for show, value in zip(shows, row, strict=True)] for row in page]
    return {"structure": [column.name for column in shown], "rows": rows, "count": count}


def _annotated(table: Table, rows: QuerySet[Any]) -> QuerySet[Any]:
    if table is not PROGRAMS:
        return rows
    steps = Step.objects.filter(program=OuterRef("pk"))
    funded = steps.filter(phase_type=PhaseType.FUNDED).values("profit_split")[:1]
    counted = steps.order_by().values("program").annotate(number=Count("pk")).values("number")
    return rows.annotate(
        funded_split=Coalesce(Subquery(funded), Value(parse_decimal(0))),
        phases_count=Coalesce(Subquery(counted), Value(0)),
    )


def _read_count(data: Mapping[str, Any], name: str, *, least: int, most: int) -> int:
    value = data.get(name)
    if value is None:
        raise InvalidParams(f"{name} is required", fields={name: "is required"})
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidData({name: f"must be a whole number between {least} and {most}"})
    return value


def _read_list(data: Mapping[str, Any], key: str) -> list[Any]:
    entries = data.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise InvalidParams(f"{key} is a list")
    return entries


def _read_condition(table: Table, key: str, entry: object) -> Q:
    length = 3 if key == "where" else 2
    if not isinstance(entry, list) or len(entry) != length:
        raise InvalidParams(f"An entry of {key} is a list of {length} members")
    column, value = table.find(entry[0]), entry[-1]
    match key:
        case "where":
            return compare(column, entry[1], value)
        case "whereNot":
            return compare(column, "!=", value)
        case "whereIn":
            return is_in(column, value, values_max=VALUES_MAX)
        case "whereNotIn":
            return ~is_in(column, value, values_max=VALUES_MAX)
        case "whereBetween":
            return is_between(column, value)
    return ~is_between(column, value)


def _read_order(table: Table, data: Mapping[str, Any]) -> tuple[str, ...]:
    entries = _read_list(data, "orderBy")
    if len(entries) > ORDERS_MAX:
        raise InvalidParams(f"At most {ORDERS_MAX} entries of orderBy")
    order = []
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 2 or entry[1] not in ("asc", "desc"):
            raise InvalidParams('An entry of orderBy is [field, "asc" or "desc"]')
        path = table.find(entry[0]).path
        order.append(f"-{path}" if entry[1] == "desc" else path)
    if not order:
        return table.default_order
    # Rows that are equal so far keep one order over all pages.
    return (*order, "-pk")


def _whole(name: str, path: str = "", **options: Any) -> Column:
    return Column(name, Kind.WHOLE, path or name, **options)


def _text(name: str, path: str = "", **options: Any) -> Column:
    return Column(name, Kind.TEXT, path or name, **options)


def _money(name: str, **options: Any) -> Column:
    return Column(name, Kind.NUMBER, name, show=money_number, **options)


def _ratio(name: str, path: str = "", **options: Any) -> Column:
    return Column(name, Kind.NUMBER, path or name, show=percent_number, **options)


def _time(name: str, path: str, **options: Any) -> Column:
    return Column(name, Kind.TIME, path, show=time_number, empty=0, **options)


def _status_name(choices: Any) -> Column:
    names: Sequence[str] = choices.labels
    return _text("status_name", "status", is_filter=False, show=lambda value: str(names[value]))


CREATED = _time("created_time", "created_at")
UPDATED = _time("updated_time", "updated_at")

PROGRAMS = Table(
    Program,
    (
        _whole("id"),
        _text("brand"),
        _text("name"),
        _text("description"),
        _money("price"),
        _text("price_currency"),
        _ratio("profit_split", "funded_split", is_filter=False),
        _whole("status"),
        _whole("sort_index"),
        _whole("phases_count", is_filter=False),
        CREATED,
        UPDATED,
    ),
    default_order=("sort_index", "pk"),
)
CHALLENGES = Table(
    Challenge,
    (
        _whole("id"),
        _whole("purchase_id"),
        _whole("program_id"),
        _text("program_name", "program__name", is_filter=False),
        _whole("customer_id"),
        _whole("account_login"),
        _whole("current_phase_index"),
        _whole("status"),
        _time("start_time", "start_at", is_nullable=True),
        _time("end_time", "end_at", is_nullable=True),
        CREATED,
        UPDATED,
    ),
)
PURCHASES = Table(
    Purchase,
    (
        _whole("id"),
        _whole("program_id"),
        _text("program_name", "program__name", is_filter=False),
        _whole("customer_id"),
        _whole("payer_login"),
        _whole("account_login"),
        _whole("status"),
        _status_name(PurchaseStatus),
        _money("amount"),
        _text("currency"),
        _text("payment_status"),
        _text("activation_status"),
        _text("failure_reason"),
        CREATED,
        UPDATED,
        _ratio("conversion_rate", is_shown=False),
        _money("amount_account_currency", is_shown=False),
        _text("comment", is_shown=False),
        _text("idempotency_key", is_shown=False, is_nullable=True, empty=""),
    ),
)
PAYOUTS = Table(
    Payout,
    (
        _whole("id"),
        _whole("challenge_id", is_nullable=True),
        _whole("phase_id", is_nullable=True),
        _whole("program_id", is_nullable=True),
        _whole("customer_id"),
        _whole("payer_login"),
        _whole("funded_login"),
        _money("profit"),
        _ratio("profit_split"),
        _money("amount"),
        _money("firm_amount"),
        _text("currency"),
        _whole("status"),
        _status_name(PayoutStatus),
        _text("reason"),
        _whole(
            "decided_by", "decided_by_id", show=lambda value: value or 0, is_nullable=True, empty=0
        ),
        _time("decided_time", "decided_at", is_nullable=True),
        _time("paid_time", "paid_at", is_nullable=True),
        CREATED,
        UPDATED,
    ),
)
