"""Pages of lists: `limit` and `offset` within bounds (never clamped), opaque cursors."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from polysim.kernel.api.fields import WholeNumber
from polysim.kernel.api.views import QuerySerializer

OFFSET_MAX = 1_000_000


class PageQuery(QuerySerializer):
    """`limit` 1 to 200 (50) and `offset` >= 0 (accounts-api 2.4)."""

    limit = WholeNumber(min_value=1, max_value=200, default=50)
    offset = WholeNumber(min_value=0, max_value=OFFSET_MAX, default=0)


class CursorField(serializers.CharField):
    """A cursor of any list."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=256, **{"required": False, **options})


@extend_schema_field({"type": "string", "pattern": "^[0-9]{1,18}$"})
class IdCursor(CursorField):
    """`next_cursor` of a page; described as the bare id that it may also be."""


@extend_schema_field(
    {"type": "string", "pattern": "^20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:00Z$"}
)
class TimeCursor(CursorField):
    """`next_cursor` of a page; described as the ISO time that it may also be."""
