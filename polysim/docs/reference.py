"""The partner door's endpoints for people, read from its OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tenants.api.partner_schema import partner_document

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a member of a body."""

    name: str
    place: str
    type: str
    is_required: bool
    words: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    title: str
    words: str
    fields: tuple[Field, ...]
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Endpoints that belong together."""

    name: str
    endpoints: tuple[Endpoint, ...]


@lru_cache(maxsize=1)
def read_reference() -> tuple[Section, ...]:
    """All endpoints by their first word, as they stand in the document."""
    document: dict[str, Any] = json.loads(partner_document())
    groups: dict[str, list[Endpoint]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                group = path.removeprefix("/v1/partner/").split("/")[0]
                groups.setdefault(group, []).append(
                    _endpoint(document, path, method, operations[method])
                )
    return tuple(Section(name, tuple(endpoints)) for name, endpoints in groups.items())


def _endpoint(
    document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> Endpoint:
    identity = str(operation.get("operationId", f"{method} {path}"))
    return Endpoint(
        anchor=identity,
        method=method.upper(),
        path=path,
        title=identity.replace("_", " ").removeprefix("partner ").capitalize(),
        words=str(operation.get("description", "")),
        fields=(*_parameters(operation), *_body(document, operation)),
        statuses=tuple(code for code in operation["responses"] if code != "default"),
    )


def _parameters(operation: Mapping[str, Any]) -> Iterator[Field]:
    for one in operation.get("parameters", []):
        yield Field(
            name=one["name"],
            place=one["in"],
            type=_type(one.get("schema", {})),
            is_required=bool(one.get("required")),
            words=str(one.get("description", "")),
        )


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Field]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = _resolve(document, content.get("application/json", {}).get("schema", {}))
    required = set(schema.get("required", []))
    for name, part in schema.get("properties", {}).items():
        described = _resolve(document, part)
        yield Field(
            name=name,
            place="body",
            type=_type(described),
            is_required=name in required,
            words=str(part.get("description", described.get("description", ""))),
        )


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference leads to; of `allOf` with one part that part."""
    if len(schema.get("allOf", ())) == 1:
        schema = schema["allOf"][0]
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"] if value is not None)
    kinds = [_type(part) for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()))]
    if kinds:
        return " or ".join(dict.fromkeys(kinds))
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = " or ".join(str(one) for one in kind)
    detail = schema.get("format")
    return f"{kind} ({detail})" if detail else str(kind)
