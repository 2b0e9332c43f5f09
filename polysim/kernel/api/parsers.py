"""Reading JSON bodies: exact numbers, bounded size and depth, nothing ambiguous."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser

from polysim.kernel.api.refusals import BadRequest, PayloadTooLarge
from polysim.kernel.errors import ValidationFailed

DEPTH_MAX = 32
DIGITS_MAX = 100


class DecimalJSONParser(BaseParser):
    """JSON with numbers as `int` and `Decimal`, never binary float (trading-api 0).

    Raises BadRequest (400) for what is not JSON: broken text, NaN and Infinity, a member named
    twice, more than 32 levels; PayloadTooLarge (413); ValidationFailed (422) for text that the
    database cannot hold (null characters, lone surrogates).
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge()
        return read_json(raw)


def read_json(raw: bytes) -> Any:
    """The value of a JSON text. Errors as in DecimalJSONParser."""
    try:
        value = json.loads(
            raw.decode("utf-8-sig"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        raise BadRequest() from error
    _check_contents(value)
    return value


def _decimal(text: str) -> Decimal:
    if len(text) > DIGITS_MAX:
        raise ValueError("number too long")
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError("number too long")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _check_contents(value: Any) -> None:
    """Walk the value without recursion; every text in it must be storable."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict | list):
            if depth > DEPTH_MAX:
                raise BadRequest("The body is nested too deeply.")
            if isinstance(item, dict):
                for name in item:
                    _check_text(name)
                waiting += [(inner, depth + 1) for inner in item.values()]
            else:
                waiting += [(inner, depth + 1) for inner in item]


def _check_text(text: str) -> None:
    if "\x00" in text or not _is_encodable(text):
        raise ValidationFailed([("body", "text with null characters or broken Unicode")])


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
