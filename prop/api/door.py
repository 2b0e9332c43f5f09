"""The base of `/prop/*`: which firm, which customer, this door's error codes (prop-client 1).

On a firm's host the building is the host's; on the platform's it is the one that `?tenant=` names.
The customer is taken from the session or access token, never from the request.
"""

import logging
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.db import DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from redis import RedisError
from rest_framework.request import Request

from polysim.kernel import ratelimits
from polysim.kernel.api.errors import error_response, to_refusal
from polysim.kernel.api.identity import ALL_PERMISSIONS, Access, Credential, Identity
from polysim.kernel.api.refusals import AccessRestricted, Forbidden, InvalidToken, MissingAuth
from polysim.kernel.api.views import ApiView
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound, PolysimError
from polysim.kernel.tenancy import enter_building
from prop.selectors.customers import is_customer, is_staff
from tenants.api.authentication import check_csrf
from tenants.credentials import read_access_token, read_sent_key, read_sent_token
from tenants.lookups import find_firm_by_slug, find_user
from tenants.models import Firm, FirmKind, User
from tenants.passwords import password_mark

logger = logging.getLogger(__name__)

READS_PER_MINUTE = 120
ACTIONS_PER_MINUTE = 20
NUMBER_MAX = 2**63 - 1
TIME_MAX = 4_102_444_800  # the year 2100
LIMIT_MAX = 200
LIMIT_DEFAULT = 50
OFFSET_MAX = 1_000_000_000
# Codes of the shared refusals as this door calls them, by status.
CODES = {400: "INVALID_DATA", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 422: "INVALID_DATA"}
CODES |= {429: "TOO_FREQUENT", 500: "TECH_PROBLEM"}
# What the kernel and the tenants raise; a code of this app's own services stays as it is.
SHARED_CODES = frozenset(
    {
        "ACCESS_RESTRICTED",
        "BAD_REQUEST",
        "CSRF_FAILED",
        "INTERNAL_ERROR",
        "INVALID_KEY",
        "INVALID_TOKEN",
        "MISSING_API_KEY",
        "MISSING_AUTH",
        "RATE_LIMIT_EXCEEDED",
        "USER_NOT_FOUND",
        "VALIDATION_FAILED",
    }
)


class InvalidData(PolysimError):
    """Check 1: the body is no object, or a field is missing or wrong."""

    code = "INVALID_DATA"
    status = 400
    message = "The request has fields that cannot be accepted."

    def __init__(self, fields: dict[str, str] | None = None, message: str | None = None) -> None:
        super().__init__(message, extra={"fields": fields} if fields else None)


class TenantRequired(PolysimError):
    """The platform's host belongs to no firm: `?tenant=` must say which one is meant."""

    code = "TENANT_REQUIRED"
    status = 400
    message = "Say which firm is meant with the query parameter tenant."


class TooFrequent(PolysimError):
    """More calls than this door takes in a minute."""

    code = "TOO_FREQUENT"
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"Too many requests. Try again in {retry_after_s} s.",
            headers={"Retry-After": str(retry_after_s)},
        )


class CustomerView(ApiView):
    """One address of the door; handlers run in the firm's building."""

    access = Access.USER
    per_minute: ClassVar[int] = READS_PER_MINUTE
    meter: ClassVar[str] = "reads"
    schema = None  # type: ignore[assignment]
    firm: Firm

    @property
    def customer(self) -> User:
        """Whose purchases and challenges these are."""
        user: User = self.identity.user
        return user

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self.firm = choose_firm(request)
        except (PolysimError, DatabaseError, RedisError) as error:
            return _refuse(error, request)
        with enter_building(self.firm.schema_name):
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            return response

    def perform_authentication(self, request: Request) -> None:
        """Name the customer; raises MissingAuth, InvalidToken, Forbidden."""
        identity = identify_customer(request._request, self.firm)
        request.user, request.auth = identity.user, identity  # type: ignore[assignment]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if is_staff(user=self.customer) or not is_customer(user=self.customer):
            raise Forbidden("This is for traders of the firm.")

    def _count(self, request: Request, identity: Identity) -> bool:
        """Count the call with the customer's others of its kind; raises TooFrequent."""
        meter = ratelimits.count_request(
            f"prop:{self.firm.slug}:{self.meter}:{identity.user.pk}",
            tier="customer",
            per_second=self.per_minute,
            per_minute=self.per_minute,
        )
        if meter is not None and not meter.is_allowed:
            raise TooFrequent(meter.retry_after_s)
        return True

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        return _refuse(exc, self.request._request)


class ActionView(CustomerView):
    """Preview, buy, retry, cancel: counted together, 20 a minute."""

    per_minute = ACTIONS_PER_MINUTE
    meter = "actions"


def choose_firm(request: HttpRequest) -> Firm:
    """The firm whose traders call; raises TenantRequired, NotFound, Forbidden for keys."""
    if read_sent_key(request) or request.META.get("HTTP_X_TENANT_KEY"):
        raise Forbidden("This is for a trader's own session; keys are not taken here.")
    tenant: Any = getattr(request, "tenant", None)
    if tenant is not None and tenant.kind != FirmKind.RETAIL:
        firm: Firm = tenant
        return firm
    slug = request.GET.get("tenant", "")
    if not slug:
        raise TenantRequired()
    found = find_firm_by_slug(slug)
    if found is None:
        raise NotFound("There is no such firm.")
    return found


def identify_customer(request: HttpRequest, firm: Firm) -> Identity:
    """The caller by access token (the platform's or this firm's) or by the browser's session."""
    token = read_sent_token(request)
    if token:
        return _identify_token(token, firm)
    user: Any = request.user
    if not user.is_authenticated:
        raise MissingAuth("Sign in, or send an access token.")
    check_csrf(request)
    return Identity(Credential.SESSION, user, None, user.plan, ALL_PERMISSIONS)


def _identify_token(token: str, firm: Firm) -> Identity:
    claims = read_access_token(token, now=utc_now())
    if claims.firm_slug not in (firm.slug, FirmKind.RETAIL.value):
        raise InvalidToken()
    user = find_user(claims.user_id)
    if user is None or not user.is_active or claims.password_mark != password_mark(user):
        raise InvalidToken()
    if not user.is_api_admitted:
        raise AccessRestricted()
    return Identity(Credential.TOKEN, user, None, user.plan, ALL_PERMISSIONS)


def _refuse(error: Exception, request: HttpRequest) -> HttpResponseBase:
    refusal = to_refusal(error)
    if refusal is None:
        logger.error("%s %s failed.", request.method, request.path, exc_info=error)
        refusal = PolysimError()
    if refusal.code in SHARED_CODES:
        _rename(refusal)
    return error_response(refusal, request)


def _rename(refusal: PolysimError) -> None:
    """Give a shared refusal this door's code."""
    if refusal.status == 422:
        refusal.status = 400
    refusal.code = CODES.get(refusal.status, refusal.code)
    refusal.body_code = None
    refusal.details = None


def read_object(request: Request) -> dict[str, Any]:
    """The JSON object of the body; raises InvalidData."""
    data = request.data
    if not isinstance(data, dict):
        raise InvalidData(message="The body must be a JSON object.")
    return dict(data)


def read_positive(data: dict[str, Any], *names: str) -> list[int]:
    """The named members, each a whole number above 0; raises InvalidData naming all wrong ones."""
    wrong = {}
    for name in names:
        value = data.get(name)
        if value is None:
            wrong[name] = "is required"
        elif isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= NUMBER_MAX:
            wrong[name] = "must be a whole number above 0"
    if wrong:
        raise InvalidData(wrong)
    return [int(data[name]) for name in names]


def read_number(
    request: Request, name: str, *, least: int, most: int, default: int | None = None
) -> int | None:
    """A whole number of the query; raises InvalidData when it is none or out of range."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise InvalidData({name: f"must be a whole number from {least} to {most}"})
    return int(text)


def read_page(
    request: Request, *, limit_max: int = LIMIT_MAX, limit_default: int = LIMIT_DEFAULT
) -> tuple[int, int]:
    """`limit` and `offset` of the query; raises InvalidData."""
    limit = read_number(request, "limit", least=1, most=limit_max, default=limit_default)
    offset = read_number(request, "offset", least=0, most=OFFSET_MAX, default=0)
    return limit or limit_default, offset or 0


def read_time(request: Request, name: str) -> datetime | None:
    """Unix seconds of the query; raises InvalidData."""
    seconds = read_number(request, name, least=0, most=TIME_MAX)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
