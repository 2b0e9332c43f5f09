"""Who may enter below `/v1/partner`: the tenant key is read before any address is resolved.

The order is the contract's: key present and known, tenant active and enabled, rate limit; then
the view's permission. Contract: partner-api, Authentication, Rate limits.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from polysim.kernel import ratelimits
from polysim.kernel.api.refusals import InvalidKey, MissingApiKey, RateLimitExceeded
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound, PolysimError
from tenants.credentials import read_sent_tenant_key
from tenants.lookups import KnownTenantKey, find_tenant_key, is_identity_version_current
from tenants.models import Firm

PARTNER_PATH = "/v1/partner"
# The description of the door is for everybody.
SCHEMA_PATHS = frozenset({"/v1/partner/schema", "/v1/partner/schema/"})
# (requests a second, requests a minute) by tier.
LIMITS = {"enterprise": (100, 6_000), "sandbox": (10, 600)}


class KeyExpired(PolysimError):
    """The key's time is over."""

    code = "KEY_EXPIRED"
    status = 401
    message = "This API key has expired."


class KeyDeactivated(PolysimError):
    """The key was switched off; it may be switched on again."""

    code = "KEY_DEACTIVATED"
    status = 401
    message = "This API key is switched off."


@dataclass(frozen=True, slots=True)
class PartnerCaller:
    """The firm's server behind a request: its key and what the key may do."""

    key_id: int
    key_prefix: str
    tier: str
    permissions: frozenset[str]


def is_partner_path(path: str) -> bool:
    """Whether a tenant key is needed at this address, known or not."""
    is_below = path == PARTNER_PATH or path.startswith(PARTNER_PATH + "/")
    return is_below and path not in SCHEMA_PATHS


def admit_partner(request: HttpRequest) -> Firm:
    """The firm whose key was sent; sets `request.partner_caller`, counts the request.

    Raises MissingApiKey, InvalidKey, KeyDeactivated, KeyExpired (401), NotFound for a firm that
    is suspended or not enabled (404), RateLimitExceeded (429).
    """
    raw_key = read_sent_tenant_key(request)
    if not raw_key:
        raise MissingApiKey()
    now = utc_now()
    known = _require_key(raw_key, now)
    if not _count(request, known):
        # A key or firm changed somewhere since this process read it: look again.
        known = _require_key(raw_key, now)
    request.partner_caller = PartnerCaller(  # type: ignore[attr-defined]
        known.key_id, known.key_prefix, known.tier, known.permissions
    )
    return known.firm


def _require_key(raw_key: str, now: datetime) -> KnownTenantKey:
    known = find_tenant_key(raw_key, now=now)
    if known is None:
        raise InvalidKey()
    if not known.is_active:
        raise KeyDeactivated()
    if known.is_expired(now):
        raise KeyExpired()
    if not (known.firm.is_active and known.firm.is_partner_enabled):
        raise NotFound()
    return known


def _count(request: HttpRequest, known: KnownTenantKey) -> bool:
    """Count the request; False when this process's cached identities were out of date."""
    per_second, per_minute = LIMITS[known.tier]
    meter = ratelimits.count_request(
        f"tenant-key:{known.key_id}", tier=known.tier, per_second=per_second, per_minute=per_minute
    )
    if meter is None:
        return True
    http: Any = request
    http.api_headers.update(meter.headers())
    if not meter.is_allowed:
        raise RateLimitExceeded(retry_after_s=meter.retry_after_s, window=meter.full_window)
    return is_identity_version_current(meter.identity_version)
