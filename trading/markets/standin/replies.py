"""Small helpers that the doors share: JSON answers and reading of query parameters."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

TRUE: Final = {"true", "1", "yes"}


def answer(document: object, status: int = 200) -> Response:
    """A JSON answer."""
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return Response(body, status_code=status, media_type="application/json")


def answer_text(text: str, status: int = 200) -> Response:
    """An answer whose JSON text is already written."""
    return Response(text, status_code=status, media_type="application/json")


def refuse(status: int, message: str) -> Response:
    """An error in the venue's form."""
    return answer({"error": message}, status)


def wants(request: Request, name: str) -> bool | None:
    """A yes/no parameter; None when it is not given."""
    value = request.query_params.get(name)
    return None if value is None else value.lower() in TRUE


def whole(request: Request, name: str, default: int, *, maximum: int) -> int:
    """A whole number between 0 and `maximum`; anything else is the default."""
    value = request.query_params.get(name, "")
    return min(int(value), maximum) if value.isdecimal() else default


def listed(request: Request, *names: str) -> list[str]:
    """All values of repeatable parameters, those joined by commas too."""
    values: list[str] = []
    for name in names:
        for given in request.query_params.getlist(name):
            values.extend(part.strip() for part in given.split(",") if part.strip())
    return values


async def body_list(request: Request) -> list[dict[str, Any]] | None:
    """The objects of a JSON array body; None when the body is anything else."""
    try:
        rows = json.loads(await request.body())
    except ValueError:
        return None
    if not isinstance(rows, list):
        return None
    return [row for row in rows if isinstance(row, dict)]


SortKey = tuple[Any, int]
Row = TypeVar("Row")


def encode_cursor(key: SortKey) -> str:
    """An opaque cursor that names the last row of a page by what it was sorted by."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def decode_cursor(cursor: str) -> SortKey | None:
    """The sort key in a cursor, None when it is not one of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except ValueError:
        return None
    if not isinstance(key, list) or len(key) != 2 or not isinstance(key[1], int):
        return None
    return key[0], key[1]


def page_after(
    rows: Sequence[Row],
    *,
    key: Callable[[Row], SortKey],
    is_ascending: bool,
    cursor: str,
    limit: int,
) -> tuple[list[Row], str | None] | None:
    """A keyset page of sorted rows and the next cursor; None for a cursor that is not ours.

    It goes on behind the key of the last row, so that a row that left does not matter.
    """
    remaining = list(rows)
    if cursor:
        last = decode_cursor(cursor)
        if last is None:
            return None
        try:
            remaining = [
                row for row in rows if (key(row) > last if is_ascending else key(row) < last)
            ]
        except TypeError:
            return None
    chosen = remaining[:limit]
    has_more = len(remaining) > len(chosen)
    return chosen, encode_cursor(key(chosen[-1])) if has_more and chosen else None
