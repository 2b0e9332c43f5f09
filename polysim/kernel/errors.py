"""The base of every expected error.

An anticipated refusal is a subclass of `PolysimError` beside the service that raises it; the API's
exception handler and the pages' middleware turn it into an answer. Anything else is a defect.
Contract: accounts-api 2.2, contracts/README 1.
"""

from collections.abc import Mapping
from typing import Any


class PolysimError(Exception):
    """A refusal with a stable code.

    `code` goes to the header `X-Polysim-Code` and, unless `body_code` differs, into the body's
    `error`. `status` is the HTTP status, `message` one sentence that a trader understands,
    `details` an object that helps a program, `extra` further members of the body,
    `headers` further response headers (`Retry-After` ...).
    """

    code = "INTERNAL_ERROR"
    body_code: str | None = None
    status = 500
    message = "Something went wrong on our side. Nothing was changed."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.details = details
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        super().__init__(self.message)


class NotFound(PolysimError):
    """The named thing does not exist, or is a stranger's."""

    code = "NOT_FOUND"
    status = 404
    message = "There is nothing at this address."


class ValidationFailed(PolysimError):
    """The request's form is wrong. `fields` is a list of (field, message)."""

    code = "VALIDATION_FAILED"
    status = 422
    message = "The request has fields that cannot be accepted."

    def __init__(self, fields: list[tuple[str, str]], message: str | None = None) -> None:
        listed = [{"field": field, "message": text} for field, text in fields]
        super().__init__(message, details={"fields": listed})


class ServiceUnavailable(PolysimError):
    """A part Polysim stands on (database, Valkey) does not answer; nothing was changed."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
    message = "A part of Polysim is restarting. Nothing was changed; try again in a moment."

    def __init__(self, message: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after_s)})


class WrongBuilding(PolysimError):
    """A row loaded in one building would have been written in another: a defect, stopped."""

    code = "INTERNAL_ERROR"
    status = 500
