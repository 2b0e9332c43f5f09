"""The caller of an endpoint, in the order of accounts-api 2.1."""

from typing import Any

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from polysim.kernel.api.identity import (
    ALL_PERMISSIONS,
    ANONYMOUS,
    Access,
    Credential,
    Identity,
)
from polysim.kernel.api.refusals import (
    CsrfFailed,
    InvalidKey,
    InvalidToken,
    MissingApiKey,
    MissingAuth,
    UserNotFound,
)
from polysim.kernel.clock import utc_now
from tenants.credentials import (
    TENANT_KEY_PREFIXES,
    read_access_token,
    read_sent_key,
    read_sent_token,
)
from tenants.lookups import find_key, find_user
from tenants.models import Plan, User
from tenants.passwords import password_mark

PLAN_ORDER = [Plan.FREE, Plan.PRO, Plan.PRO_PLUS, Plan.ENTERPRISE]


class RequestIdentity(BaseAuthentication):
    """DRF's authentication: `request.user` is the tenants.User or None, `request.auth` Identity."""

    def authenticate(self, request: Request) -> tuple[User | None, Identity]:
        """Name the caller by what the view accepts; raises the 401s of accounts-api 2.1."""
        view: Any = (request.parser_context or {}).get("view")
        identity = identify(request._request, getattr(view, "access", Access.PUBLIC))
        return identity.user, identity


def identify(request: HttpRequest, access: Access) -> Identity:
    """The caller of `request` for an endpoint of kind `access`."""
    raw_key = read_sent_key(request)
    if raw_key.startswith(TENANT_KEY_PREFIXES):
        raise InvalidKey()
    if raw_key and access is not Access.USER:
        return identify_key(raw_key)
    if access is Access.PUBLIC:
        return ANONYMOUS
    if access is not Access.KEY:
        token = read_sent_token(request)
        if token:
            return identify_token(token, request)
    user: Any = request.user
    if user.is_authenticated:
        check_csrf(request)
        return Identity(Credential.SESSION, user, None, user.plan, ALL_PERMISSIONS)
    raise MissingApiKey() if access is Access.KEY else MissingAuth()


def identify_key(raw_key: str) -> Identity:
    """The caller behind a key; it acts at the lower of its tier and its user's plan."""
    known = find_key(raw_key, now=utc_now())
    if known is None:
        raise InvalidKey()
    if not known.user.is_active:
        raise UserNotFound()
    tier = min(known.tier, known.user.plan, key=lambda plan: PLAN_ORDER.index(Plan(plan)))
    return Identity(Credential.KEY, known.user, known.key_id, tier, known.permissions)


def identify_token(token: str, request: HttpRequest) -> Identity:
    """The caller behind an access token; it counts on the host of its firm only."""
    claims = read_access_token(token, now=utc_now())
    tenant: Any = getattr(request, "tenant", None)
    if tenant is None or claims.firm_slug != tenant.slug:
        raise InvalidToken()
    user = find_user(claims.user_id)
    if user is None or not user.is_active:
        raise UserNotFound()
    if claims.password_mark != password_mark(user):
        raise InvalidToken()
    return Identity(Credential.TOKEN, user, None, user.plan, ALL_PERMISSIONS)


def check_csrf(request: HttpRequest) -> None:
    """A browser session needs its CSRF token for unsafe methods; raises CsrfFailed."""
    check = CSRFCheck(lambda _: None)  # type: ignore[arg-type,return-value]
    check.process_request(request)
    if check.process_view(request, None, (), {}):  # type: ignore[arg-type]
        raise CsrfFailed()
