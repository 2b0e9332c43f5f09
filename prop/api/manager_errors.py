"""The manager door's refusals: names, statuses and the reference's numbers (1.3).

Services raise what fits their own doors; here each becomes a row of the contract's table.
"""

from typing import Any

from polysim.kernel.errors import PolysimError

INVALID_DATA, INVALID_PARAMS = 3, 13
TECH_PROBLEM = 4
CODE_OF_ERROR = {
    "INVALID_DATA": INVALID_DATA,
    "INVALID_PARAMS": INVALID_PARAMS,
    "UNKNOWN_COMMAND": INVALID_PARAMS,
    "GROUP_NOT_FOUND": 28,
    "UNAUTHORIZED": 12,
    "NOT_ENOUGH_RIGHTS": 7,
    "NOT_FOUND": 23,
    "DUPLICATE": 26,
    "GROUP_IN_USE": 29,
    "TOO_FREQUENT": 22,
    "TECH_PROBLEM": TECH_PROBLEM,
}
# What an error of another door is called here, and its number where it keeps its name.
ERROR_OF_STATUS = {
    401: "UNAUTHORIZED",
    403: "NOT_ENOUGH_RIGHTS",
    404: "NOT_FOUND",
    422: "INVALID_DATA",
    429: "TOO_FREQUENT",
}
CODE_OF_STATUS = {409: 14}
RENAMED = {"BAD_REQUEST": "INVALID_PARAMS", "INTERNAL_ERROR": "TECH_PROBLEM"}


class UnknownCommand(PolysimError):
    """The contract has no such command."""

    code = "UNKNOWN_COMMAND"
    status = 400
    message = "There is no such command."


class TechProblem(PolysimError):
    """Something unexpected; nothing was changed."""

    code = "TECH_PROBLEM"
    status = 500


def error_members(error: PolysimError) -> dict[str, Any]:
    """`status`, `error`, `code`, `message`, `fields` and what else the refusal carries."""
    status = 400 if error.status == 422 else error.status
    name = ERROR_OF_STATUS.get(error.status) or RENAMED.get(error.code, error.code)
    default = INVALID_PARAMS if status < 500 else TECH_PROBLEM
    number = CODE_OF_ERROR.get(name, CODE_OF_STATUS.get(status, default))
    return {
        "status": status,
        "error": name,
        "code": number,
        "message": error.message,
        "fields": _fields_of(error),
        **{key: value for key, value in error.extra.items() if key != "fields"},
    }


def _fields_of(error: PolysimError) -> dict[str, str]:
    if "fields" in error.extra:
        return dict(error.extra["fields"])
    listed = (error.details or {}).get("fields", [])
    return {entry["field"]: entry["message"] for entry in listed}
