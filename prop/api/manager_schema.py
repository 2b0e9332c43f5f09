"""The OpenAPI document of the manager door, made from its own tables of fields and commands.

`GET /v1/manager/schema`; read by people and by generators of clients.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from prop.api.manager_commands import COMMANDS
from prop.api.manager_errors import CODE_OF_ERROR
from prop.models import OnFail, PayoutMode, ProgramStatus, TradingDaysMode
from prop.selectors.tables import (
    CHALLENGES,
    FILTER_KEYS,
    LIMIT_MAX,
    PAYOUTS,
    PROGRAMS,
    PURCHASES,
    Table,
)
from prop.services.program_input import REQUIRED, STEP_REQUIRED, STEPS_MAX
from prop.step_fields import RULE_FIELDS, Choice, RuleField, Whole

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "integer", "enum": [0, 1]}
CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3,5}$"}
TABLES: Mapping[str, Table] = {
    "MngGetPropProgramsByFilter": PROGRAMS,
    "MngGetPropChallengesByFilter": CHALLENGES,
    "MngGetPropPurchasesByFilter": PURCHASES,
    "MngGetPropPayoutsByFilter": PAYOUTS,
}
PAGED = ("MngGetPropChallengeMetrics", "MngGetPropChallengeBreaches")


def text(most: int, least: int = 0) -> Schema:
    """A text of `least` to `most` characters."""
    return {"type": "string", "minLength": least, "maxLength": most}


def whole(most: int | None = None, least: int = 0) -> Schema:
    """A whole number within bounds."""
    bounds = {} if most is None else {"maximum": most}
    return {"type": "integer", "minimum": least, **bounds}


def shape(members: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """An object with these members."""
    found: Schema = {"type": "object", "properties": dict(members)}
    names = list(required)
    return {**found, "required": names} if names else found


def _rule(rule: RuleField) -> Schema:
    if isinstance(rule, Choice):
        return {"type": "string", "enum": list(rule.allowed), "default": rule.default}
    if isinstance(rule, Whole):
        return {**whole(rule.most), "default": rule.default}
    return {"type": "number", "minimum": 0, "maximum": rule.most, "default": float(rule.default)}


STEP = shape(
    {
        "phase_index": whole(STEPS_MAX, 1),
        "phase_type": FLAG,
        "name": text(128, 1),
        "account_group": text(64, 1),
        **{rule.name: _rule(rule) for rule in RULE_FIELDS},
    },
    STEP_REQUIRED,
)
PROGRAM_FIELDS: dict[str, Schema] = {
    "brand": text(64, 1),
    "name": text(128, 1),
    "description": text(4000),
    "price": {"type": "number", "minimum": 0, "multipleOf": 0.01},
    "price_currency": CURRENCY,
    "status": {"type": "integer", "enum": list(ProgramStatus.values)},
    "sort_index": WHOLE,
    "trading_days_mode": {"type": "string", "enum": list(TradingDaysMode.values)},
    "on_fail": {"type": "string", "enum": list(OnFail.values)},
    "payout_mode": {"type": "string", "enum": list(PayoutMode.values)},
    "timezone": {"type": "string", "description": "IANA name; default: the firm's."},
    "steps": {"type": "array", "items": STEP, "minItems": 1, "maxItems": STEPS_MAX},
}
GROUP_FIELDS: dict[str, Schema] = {
    "group": text(64, 1),
    "brand": text(64, 1),
    "account_mode": FLAG,
    "public_opening": FLAG,
    "currency": CURRENCY,
    "enable": FLAG,
    "default_deposit": {"type": "number", "minimum": 0, "multipleOf": 0.01},
    "maxpositions": whole(),
    "grp_index": WHOLE,
}
REASON = shape({"reason": text(255, 1)}, ["reason"])
BODIES: Mapping[str, Schema] = {
    "MngCreatePropProgram": shape(PROGRAM_FIELDS, REQUIRED),
    "MngUpdatePropProgram": shape(PROGRAM_FIELDS),
    "AddGroup": shape(GROUP_FIELDS, ["group", "currency", "enable", "default_deposit"]),
    "UpdateGroup": shape({name: one for name, one in GROUP_FIELDS.items() if name != "group"}),
    "MngUpdatePropPurchase": shape(
        {
            "status": whole(5),
            "payment_status": TEXT,
            "activation_status": TEXT,
            "failure_reason": {"type": "string", "pattern": "^[A-Z0-9_]{0,64}$"},
            "comment": text(255),
        }
    ),
    "MngGrantPropChallenge": shape(
        {"customer_id": whole(least=1), "program_id": whole(least=1), "comment": text(255)},
        ["customer_id", "program_id"],
    ),
    "MngCancelPropChallenge": REASON,
    "MngResetPropChallenge": REASON,
    "MngClosePropFundedPhase": shape({"reason": text(255)}),
    "MngRejectPropPayout": REASON,
    "MngAddBalance": shape(
        {"amount": NUMBER, "comment": text(200), "idempotency_key": text(128, 1)},
        ["amount", "idempotency_key"],
    ),
}
TABLE = shape(
    {
        "structure": {"type": "array", "items": TEXT},
        "rows": {"type": "array", "items": {"type": "array", "items": {}}},
        "count": WHOLE,
    },
    ["structure", "rows", "count"],
)
ERROR = shape(
    {
        "error": {
            "type": "string",
            "description": f"One of {', '.join(CODE_OF_ERROR)}, or a named 409.",
        },
        "code": {"type": "integer", "description": "The reference's return code."},
        "message": TEXT,
        "fields": {"type": "object", "additionalProperties": TEXT},
        "reason": {"type": "string", "description": "The rule of the whole that failed."},
        "request_id": TEXT,
    },
    ["error", "code", "message", "fields", "request_id"],
)


def manager_document(routes: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, Any]:
    """The document; `routes` are (address with {id}, command by method)."""
    paths: dict[str, Any] = {"/v1/manager/command": {"post": _command_operation()}}
    for address, commands in routes:
        names = [part[1:-1] for part in address.split("/") if part.startswith("{")]
        paths[f"/v1/manager/{address}"] = {
            method.lower(): _operation(method, command, names)
            for method, command in commands.items()
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Polysim manager API",
            "version": "1",
            "description": "Prop challenges for a firm's staff, on the firm's own host.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "Session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
                "AccessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
            "schemas": {"Error": ERROR, "Table": TABLE, "Step": STEP},
        },
        "security": [{"Session": []}, {"AccessToken": []}],
    }


def _command_operation() -> Schema:
    envelope = shape(
        {
            "command": {"type": "string", "enum": sorted(COMMANDS)},
            "extID": {"type": ["string", "integer"]},
            "data": {"type": "object"},
        },
        ["command"],
    )
    answer = shape({"extID": {}, "status": WHOLE, "data": {"type": "object"}, "request_id": TEXT})
    return {
        "operationId": "command",
        "summary": "Run any command by its name",
        "requestBody": {"required": True, "content": _json(envelope)},
        "responses": _responses(answer),
    }


def _operation(method: str, command: str, names: list[str]) -> Schema:
    operation: Schema = {
        "operationId": f"{command}_{method.lower()}" if method == "PUT" else command,
        "summary": f"{command} (right {COMMANDS[command].right})",
        "parameters": [
            *(_parameter(name, "path", TEXT if name == "group" else WHOLE) for name in names),
            *(_query(command) if method == "GET" else []),
        ],
        "responses": _responses(TABLE if command in TABLES else {"type": "object"}),
    }
    if command in BODIES:
        operation["requestBody"] = {"required": True, "content": _json(BODIES[command])}
    return operation


def _query(command: str) -> list[Schema]:
    if command in PAGED:
        found = {"limit": whole(1000, 1), "offset": whole(), "phase_index": whole(STEPS_MAX, 1)}
    elif command in TABLES:
        fields = ", ".join(one.name for one in TABLES[command].columns if one.is_filter)
        filters = {
            name: {"type": "string", "description": f"JSON; fields: {fields}"}
            for name in (*FILTER_KEYS, "orderBy")
        }
        found = {"limit": whole(LIMIT_MAX, 1), "offset": whole(), **filters}
    else:
        found = {}
    return [_parameter(name, "query", schema) for name, schema in found.items()]


def _parameter(name: str, place: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _responses(answer: Schema) -> Schema:
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "200": {"description": "The command's data.", "content": _json(answer)},
        "default": {"description": "A refusal.", "content": _json(error)},
    }


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
