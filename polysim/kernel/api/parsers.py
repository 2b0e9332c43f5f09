"""Reading JSON bodies: exact numbers, bounded size and depth, nothing ambiguous."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser

from polysim.kernel.api.refusals import BadRequest, PayloadTooLarge

DEPTH_MAX = 32
DIGITS_MAX = 100
REPLACEMENT = "\ufffd"


class DecimalJSONParser(BaseParser):
    """JSON with numbers as `int` and `Decimal`, never binary float (trading-api 0).

    Raises BadRequest (400) for what is not JSON: broken text, NaN and Infinity, a member named
    twice, more than 32 levels; PayloadTooLarge (413). Characters that no database text can hold
    (null, lone surrogates) arrive as U+FFFD, so that they match nothing and break nothing.
    """

    media_type = "application/json"
    bytes_max: int | None = None

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = self.bytes_max or settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge()
        return self.read(raw)

    def read(self, raw: bytes) -> Any:
        """The value of the bytes."""
        return read_json(raw)


def read_json(raw: bytes) -> Any:
    """The value of a JSON text. Errors as in DecimalJSONParser."""
    return _cleaned(read_raw_json(raw))


def read_raw_json(raw: bytes) -> Any:
    """The same with characters left as they were sent, null and lone surrogates included."""
    try:
        value: Any = json.loads(
            raw.decode("utf-8-sig"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        raise BadRequest() from error
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


def _cleaned(value: Any, depth: int = 1) -> Any:
    """The value with every text storable; refuses what is nested too deeply."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict | list):
        if depth > DEPTH_MAX:
            raise BadRequest("The body is nested too deeply.")
        if isinstance(value, list):
            return [_cleaned(inner, depth + 1) for inner in value]
        return {storable_text(name): _cleaned(inner, depth + 1) for name, inner in value.items()}
    return value


def storable_text(text: str) -> str:
    """Null characters and lone surrogates, which no database text can hold, become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join(REPLACEMENT if "\ud800" <= sign <= "\udfff" else sign for sign in text)
    return text
