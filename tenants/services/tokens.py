"""Short-lived tokens: for programs without a key, and for opening sockets (accounts-api 2.1)."""

from datetime import datetime
from typing import Any

from django.contrib.auth import authenticate
from django.http import HttpRequest

from polysim.kernel.api.identity import Identity
from polysim.kernel.api.refusals import InvalidToken
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.ratelimits import count_tries
from tenants.credentials import (
    AccessClaims,
    WsIdentity,
    read_ws_claims,
    sign_access_token,
    sign_ws_token,
)
from tenants.models import ApiKey, Firm, FirmKind, StaffMembership, User
from tenants.passwords import password_mark

TRIES_PER_MINUTE = 5


class InvalidCredentials(PolysimError):
    """The pair of e-mail and password is wrong; which half is not said."""

    code = "INVALID_CREDENTIALS"
    status = 401
    message = "E-mail address and password do not fit."


class SignInForbidden(PolysimError):
    """The person is right but has no role at the firm whose host was asked."""

    code = "ACCESS_RESTRICTED"
    status = 403
    message = "You have no role at this firm."


class TooManyTries(PolysimError):
    """Five tries a minute per address."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"Too many tries. Try again in {retry_after_s} s.",
            headers={"Retry-After": str(retry_after_s)},
        )


def issue_access_token(
    *, request: HttpRequest, email: str, password: str, firm: Firm, address: str, now: datetime
) -> str:
    """A token for 3600 s, counting on `firm`'s host only (contracts/README 8).

    Raises TooManyTries, InvalidCredentials, SignInForbidden.
    """
    wait_s = count_tries(f"token:{address}", limit=TRIES_PER_MINUTE, period_s=60)
    if wait_s:
        raise TooManyTries(wait_s)
    user: Any = authenticate(request, email=email.strip().lower(), password=password)
    if user is None:
        raise InvalidCredentials()
    if firm.kind != FirmKind.RETAIL and not has_role(user, firm):
        raise SignInForbidden()
    claims = AccessClaims(user.pk, firm.slug, password_mark(user))
    return sign_access_token(claims, now=now)


def has_role(user: User, firm: Firm) -> bool:
    """Whether the user is active staff of the firm."""
    return StaffMembership.objects.filter(user=user, firm=firm, is_active=True).exists()


def issue_ws_token(*, identity: Identity, now: datetime) -> str:
    """A token for `?token=` on a socket, valid 60 s, bound to user, key and tier."""
    return sign_ws_token(WsIdentity(identity.user.pk, identity.key_id, identity.tier), now=now)


def read_ws_token(token: str, *, now: datetime | None = None) -> WsIdentity:
    """The caller behind a socket token; raises InvalidToken.

    One query: a key revoked or a user closed since then opens nothing. `now` None is the present,
    as a socket's door has no other clock.
    """
    identity = read_ws_claims(token, now=now or utc_now())
    if identity.key_id is None:
        is_alive = User.objects.filter(pk=identity.user_id, is_active=True).exists()
    else:
        is_alive = ApiKey.objects.filter(
            pk=identity.key_id, user_id=identity.user_id, is_active=True, user__is_active=True
        ).exists()
    if not is_alive:
        raise InvalidToken()
    return identity
