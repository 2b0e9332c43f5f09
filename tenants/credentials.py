"""Reading what a caller sent: keys in headers, signed tokens. No database here.

Contract: accounts-api 2.1, 4.9.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from polysim.kernel.api.refusals import InvalidToken

TENANT_KEY_PREFIXES = ("pst_live_", "pst_test_")
# A tenant key counts as a key everywhere, so that it is refused as one (partner-api).
KEY_PREFIXES = ("ps_live_", "ps_test_", *TENANT_KEY_PREFIXES)
ACCESS_AUDIENCE = "polysim"
SOCKET_AUDIENCE = "polysim-socket"
ACCESS_LIFETIME = timedelta(seconds=3600)
SOCKET_LIFETIME = timedelta(seconds=60)
ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says; `password_mark` must still fit the user's password."""

    user_id: int
    firm_slug: str
    password_mark: str


@dataclass(frozen=True, slots=True)
class WsIdentity:
    """The caller behind a socket token; `key_id` is None for a session or access token."""

    user_id: int
    key_id: int | None
    tier: str


def read_sent_key(request: HttpRequest) -> str:
    """The API key of a request, "" without one.

    Order: X-API-Key, POLY_API_KEY or Poly-API-Key (one name to a WSGI server), Bearer.
    """
    for name in ("HTTP_X_API_KEY", "HTTP_POLY_API_KEY"):
        value = request.META.get(name, "").strip()
        if value:
            return str(value)
    bearer = read_bearer(request)
    return bearer if bearer.startswith(KEY_PREFIXES) else ""


def read_sent_tenant_key(request: HttpRequest) -> str:
    """The key of a request to the partner door, "" without one.

    X-API-Key wins over Bearer, even when it is the wrong one (partner-api, Authentication).
    """
    return str(request.META.get("HTTP_X_API_KEY", "")).strip() or read_bearer(request)


def read_sent_token(request: HttpRequest) -> str:
    """The access token of a request, "" without one."""
    bearer = read_bearer(request)
    return "" if bearer.startswith(KEY_PREFIXES) else bearer


def read_bearer(request: HttpRequest) -> str:
    """The text after `Bearer` in Authorization, "" without one."""
    scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def sign_access_token(claims: AccessClaims, *, now: datetime) -> str:
    """A token for `Authorization: Bearer`, valid 3600 s."""
    return _sign(
        {"sub": str(claims.user_id), "firm": claims.firm_slug, "mark": claims.password_mark},
        audience=ACCESS_AUDIENCE,
        now=now,
        lifetime=ACCESS_LIFETIME,
    )


def read_access_token(token: str, *, now: datetime) -> AccessClaims:
    """The claims of a token signed here; raises InvalidToken."""
    payload = _read(token, audience=ACCESS_AUDIENCE, now=now)
    try:
        return AccessClaims(int(payload["sub"]), str(payload["firm"]), str(payload["mark"]))
    except (KeyError, ValueError) as error:
        raise InvalidToken() from error


def sign_ws_token(identity: WsIdentity, *, now: datetime) -> str:
    """A token for `?token=` of a socket, valid 60 s for opening (accounts-api 4.9)."""
    return _sign(
        {"sub": str(identity.user_id), "key": identity.key_id, "tier": identity.tier},
        audience=SOCKET_AUDIENCE,
        now=now,
        lifetime=SOCKET_LIFETIME,
    )


def read_ws_claims(token: str, *, now: datetime) -> WsIdentity:
    """What a socket token says; raises InvalidToken. Whether the key still lives is not asked."""
    payload = _read(token, audience=SOCKET_AUDIENCE, now=now)
    try:
        key_id = payload["key"]
        return WsIdentity(
            int(payload["sub"]), None if key_id is None else int(key_id), str(payload["tier"])
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidToken() from error


def _signing_key() -> bytes:
    return salted_hmac("polysim.tokens", "v1", algorithm="sha256").digest()


def _sign(claims: dict[str, Any], *, audience: str, now: datetime, lifetime: timedelta) -> str:
    import jwt  # here, as it costs 10 MB that most processes never need

    times = {"iat": int(now.timestamp()), "exp": int((now + lifetime).timestamp())}
    return jwt.encode({**claims, "aud": audience, **times}, _signing_key(), algorithm=ALGORITHM)


def _read(token: str, *, audience: str, now: datetime) -> dict[str, Any]:
    import jwt

    try:
        payload: dict[str, Any] = jwt.decode(
            token,
            _signing_key(),
            algorithms=[ALGORITHM],
            audience=audience,
            # The clock is an argument here, so the library's own look at it is switched off.
            options={"require": ["exp", "sub", "aud"], "verify_exp": False, "verify_iat": False},
        )
    except jwt.PyJWTError as error:
        raise InvalidToken() from error
    if not isinstance(payload["exp"], int) or payload["exp"] <= now.timestamp():
        raise InvalidToken()
    return payload
