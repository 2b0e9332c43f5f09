"""The outermost and innermost layers of every request.

Every answer below `/v1` leaves as JSON with its code, its request id and the CORS headers, whatever
went wrong on the way (accounts-api 2.2, 2.6).
"""

import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from polysim.kernel.api.errors import (
    error_for_status,
    error_response,
    is_null_character,
    to_refusal,
)
from polysim.kernel.errors import PolysimError

GetResponse = Callable[[HttpRequest], HttpResponseBase]
API_PREFIXES = ("/v1/", "/prop/")
OWN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
PREFLIGHT_CACHE_S = 600
ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS = ", ".join(
    [
        "Accept",
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "Poly-API-Key",
        "POLY_API_KEY",
        "X-API-Key",
        "X-Confirm-Cancel-All",
        "X-CSRFToken",
        "X-Polysim-Verbose",
        "X-Request-Id",
    ]
)
RATE_LIMIT_SUFFIXES = (
    "Tier",
    "Limit",
    "Limit-Per-Second",
    "Remaining",
    "Remaining-Per-Second",
    "Reset",
)
RATE_LIMIT_FAMILIES = ("X-RateLimit", "X-Polysim-RateLimit")
EXPOSED_HEADERS = ", ".join(
    ["X-Polysim-Code", "X-Request-Id", "Retry-After", "Idempotent-Replayed"]
    + ["Deprecation", "X-Deprecation", "Sunset"]
    + [f"{family}-{suffix}" for family in RATE_LIMIT_FAMILIES for suffix in RATE_LIMIT_SUFFIXES]
)


def is_api_path(path: str) -> bool:
    """Whether an address belongs to the API, known or not."""
    return path.startswith(API_PREFIXES) or path in ("/v1", "/prop")


class RequestIdMiddleware:
    """Outermost: gives the request its id, answers preflights, puts the last hand on answers.

    `request.request_id` is set; a view may put headers into `request.api_headers`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        own = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = own if OWN_REQUEST_ID.fullmatch(own) else str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]
        request.api_headers = {}  # type: ignore[attr-defined]
        if not is_api_path(request.path_info):
            response = self.get_response(request)
        else:
            response = _answer_api(self.get_response, request)
        response["X-Request-Id"] = request_id
        return response


def _answer_api(get_response: GetResponse, request: HttpRequest) -> HttpResponseBase:
    if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
        response: HttpResponseBase = _preflight()
    elif "\x00" in request.path_info:
        response = error_response(error_for_status(404), request)
    else:
        response = as_json_error(get_response(request), request)
    for name, value in request.api_headers.items():  # type: ignore[attr-defined]
        response[name] = value
    _add_cors(response, request)
    response.setdefault("Cache-Control", "no-store")
    return response


def as_json_error(response: HttpResponseBase, request: HttpRequest) -> HttpResponseBase:
    """`response` itself, or the envelope where an error came out as a page."""
    if response.status_code < 400 or "X-Polysim-Code" in response:
        return response
    kept = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
    response.close()
    answer = error_response(error_for_status(response.status_code), request)
    for name, value in kept.items():
        answer[name] = value
    return answer


def _preflight() -> HttpResponse:
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = ALLOWED_METHODS
    response["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
    response["Access-Control-Max-Age"] = str(PREFLIGHT_CACHE_S)
    return response


def _add_cors(response: HttpResponseBase, request: HttpRequest) -> None:
    origin = request.META.get("HTTP_ORIGIN")
    if origin and origin in site_origins():
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Credentials"] = "true"
    else:
        response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    patch_vary_headers(response, ["Origin"])


def site_origins() -> set[str]:
    """Origins that may send the session cookie: the site itself and the configured ones."""
    base = urlsplit(settings.BASE_URL)
    return {f"{base.scheme}://{base.netloc}", *settings.CSRF_TRUSTED_ORIGINS}


class ApiErrorMiddleware:
    """Innermost: an expected refusal raised by a plain view becomes its answer.

    Below `/v1` it is the JSON envelope; elsewhere the error page in words, by
    `settings.ERROR_PAGE_VIEW`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """The answer for `exception`, or None when it is a defect."""
        if is_api_path(request.path_info):
            error = to_refusal(exception)
            return None if error is None else error_response(error, request)
        if isinstance(exception, PolysimError) and exception.status < 500:
            return error_page(request, exception)
        error = to_refusal(exception)
        if error is not None and (error.status == 503 or is_null_character(exception)):
            return error_page(request, error)
        return None


def error_page(request: HttpRequest, error: PolysimError) -> HttpResponse:
    from django.utils.module_loading import import_string

    view = import_string(settings.ERROR_PAGE_VIEW)
    page: HttpResponse = view(request, error)
    return page
