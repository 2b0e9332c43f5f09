"""Exceptions to answers: the one error body of every door (accounts-api 2.2)."""

import logging
from typing import Any

import redis
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from polysim.kernel.api import refusals
from polysim.kernel.errors import NotFound, PolysimError, ServiceUnavailable, ValidationFailed

logger = logging.getLogger(__name__)

WHOLE_BODY = "body"
CODE_OF_STATUS = {
    400: "BAD_REQUEST",
    401: "MISSING_AUTH",
    403: "ACCESS_RESTRICTED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_FAILED",
    429: "RATE_LIMIT_EXCEEDED",
    502: "UPSTREAM_ERROR",
    503: "SERVICE_UNAVAILABLE",
    504: "UPSTREAM_TIMEOUT",
}
MESSAGE_OF_STATUS = {
    400: "The request could not be read.",
    403: "This is not allowed.",
    404: NotFound.message,
    405: refusals.MethodNotAllowed.message,
    413: refusals.PayloadTooLarge.message,
    503: ServiceUnavailable.message,
}


def handle_exception(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None for a defect: Django logs it and answers 500."""
    error = to_refusal(exc)
    if error is None:
        return None
    request = context["request"]
    body = error_body(error, request)
    response = Response(body, status=error.status, headers=dict(error.headers))
    response["X-Polysim-Code"] = error.code
    return response


def error_response(error: PolysimError, request: HttpRequest) -> JsonResponse:
    """The same answer outside DRF: middleware and plain views."""
    response = JsonResponse(
        error_body(error, request), status=error.status, headers=dict(error.headers)
    )
    response["X-Polysim-Code"] = error.code
    return response


def error_for_status(status: int) -> PolysimError:
    """A refusal that says no more than the status does."""
    error = PolysimError(MESSAGE_OF_STATUS.get(status))
    error.status = status
    error.code = CODE_OF_STATUS.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
    return error


def error_body(error: PolysimError, request: Any) -> dict[str, Any]:
    """The body: `error`, `message`, `request_id`, and `details` where they help.

    A refusal whose `prose` is set answers in Polymarket's form `{"error": prose}`
    (trading-api 0); its code then stands in the header only.
    """
    prose = getattr(error, "prose", None)
    if prose is not None:
        return {"error": prose}
    body: dict[str, Any] = {
        "error": error.body_code or error.code,
        "message": error.message,
        "request_id": getattr(request, "request_id", ""),
    }
    is_verbose = request.META.get("HTTP_X_POLYSIM_VERBOSE", "").lower() == "true"
    if error.details is not None or is_verbose:
        body["details"] = error.details
    body.update(error.extra)
    return body


def to_refusal(exc: Exception) -> PolysimError | None:
    """The refusal that an expected exception stands for; None when it is a defect."""
    if isinstance(exc, PolysimError):
        return exc
    if isinstance(exc, exceptions.ValidationError):
        return ValidationFailed(list(flatten_fields(exc.detail)))
    if isinstance(exc, Http404 | exceptions.NotFound):
        return NotFound()
    if isinstance(exc, OperationalError | InterfaceError):
        logger.warning("The database did not answer: %s", exc)
        return ServiceUnavailable()
    if is_null_character(exc):
        return refusals.BadRequest("The request holds a null character.")
    if isinstance(exc, redis.RedisError):
        logger.warning("Valkey did not answer: %s", exc)
        return ServiceUnavailable()
    if isinstance(exc, RequestDataTooBig):
        return refusals.PayloadTooLarge()
    if isinstance(exc, PermissionDenied | exceptions.PermissionDenied):
        return refusals.Forbidden()
    return _of_rest_framework(exc)


def is_null_character(exc: Exception) -> bool:
    """Whether a text with a null character, which only a request can bring, met the database."""
    return isinstance(exc, DataError) and "NUL (0x00)" in str(exc)


def _of_rest_framework(exc: Exception) -> PolysimError | None:
    if isinstance(exc, exceptions.ParseError):
        return refusals.BadRequest()
    if isinstance(exc, exceptions.UnsupportedMediaType):
        return refusals.UnsupportedMediaType()
    if isinstance(exc, exceptions.MethodNotAllowed):
        return refusals.MethodNotAllowed()
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return refusals.MissingAuth()
    if isinstance(exc, exceptions.APIException):
        return error_for_status(exc.status_code)
    return None


def flatten_fields(detail: Any, path: str = "") -> "list[tuple[str, str]]":
    """DRF's nested errors as (field, message), fields joined by dots: `orders.0.price`."""
    if isinstance(detail, dict):
        found = []
        for name, inner in detail.items():
            step = "" if name == "non_field_errors" else str(name)
            found += flatten_fields(inner, ".".join(part for part in (path, step) if part))
        return found
    if isinstance(detail, list):
        found = []
        for index, inner in enumerate(detail):
            if isinstance(inner, dict | list):
                found += flatten_fields(inner, f"{path}.{index}" if path else str(index))
            else:
                found.append((path or WHOLE_BODY, str(inner)))
        return found
    return [(path or WHOLE_BODY, str(detail))]
