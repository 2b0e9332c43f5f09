"""Who and where, remembered for some seconds per process: host names, API keys, users.

Every request asks these. An entry lives at most 5 s; a revoked key, a changed password, plan or
membership raises the identity version in Valkey, which every metered request compares, so that
it takes effect with the next request of every process.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Q

from polysim.kernel.errors import ServiceUnavailable
from tenants.models import (
    AccountDirectoryEntry,
    ApiKey,
    Domain,
    Firm,
    FirmKind,
    TenantKey,
    User,
)

LIFETIME_S = 5.0
ENTRIES_MAX = 4096
LAST_USED_EVERY = timedelta(minutes=1)
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})

Value = TypeVar("Value")


class ShortMemory:
    """Values by key for `LIFETIME_S`; bounded; what is not there is remembered too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[Hashable, tuple[float, Any]] = {}

    def get(self, name: Hashable, load: Callable[[], Value]) -> Value:
        """The remembered value, or what `load` answers."""
        now_s = self._clock()
        entry = self._entries.get(name)
        if entry is not None and entry[0] > now_s:
            value: Value = entry[1]
            return value
        value = load()
        if len(self._entries) >= ENTRIES_MAX:
            self._entries.clear()
        self._entries[name] = (now_s + LIFETIME_S, value)
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


_memory = ShortMemory()
_version_lock = threading.Lock()
_known_version = ""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An active API key and its user as they were some seconds ago."""

    key_id: int
    user: User
    tier: str
    permissions: frozenset[str]
    expires_at: datetime | None

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over at `now`."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class KnownTenantKey:
    """A firm's key that was not revoked, and its firm, as they were some seconds ago."""

    key_id: int
    key_prefix: str
    firm: Firm
    tier: str
    permissions: frozenset[str]
    is_active: bool
    expires_at: datetime | None

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over at `now`."""
        return self.expires_at is not None and self.expires_at <= now


def clear_lookups() -> None:
    """Forget everything this process remembers: tests, and writes in this process."""
    _memory.clear()


def is_identity_version_current(version: str) -> bool:
    """Compare the identity version; a new one voids what this process remembers (False)."""
    global _known_version
    if version == _known_version:
        return True
    with _version_lock:
        is_first = _known_version == ""
        _known_version = version
        _memory.clear()
    return is_first


def hash_key(raw_key: str) -> str:
    """What is stored of a key: SHA-256 as lowercase hex (accounts-api 4.1)."""
    return hashlib.sha256(raw_key.encode()).hexdigest()


def find_firm_by_host(host: str) -> Firm | None:
    """The active firm that a host name (without port) leads to; None for an unknown host."""
    name = host.lower().rstrip(".")
    return _memory.get(("host", name), lambda: _load_firm(name))


def find_firm_by_slug(slug: str) -> Firm | None:
    """The active prop firm with this slug; None for an unknown one and for retail."""

    def load() -> Firm | None:
        firms = Firm.objects.filter(slug=slug, is_active=True, kind=FirmKind.PROP_FIRM)
        return firms.first()

    return _memory.get(("slug", slug), load)


def get_retail_firm() -> Firm:
    """The built-in retail tenant; ServiceUnavailable before it is seeded."""
    firm = _memory.get("retail", lambda: Firm.objects.filter(kind=FirmKind.RETAIL).first())
    if firm is None:
        raise ServiceUnavailable("Polysim is being set up. Try again in a moment.")
    return firm


def find_key(raw_key: str, *, now: datetime) -> KnownKey | None:
    """The key behind `raw_key`; None when unknown, revoked or expired.

    `last_used_at` is written at most once a minute.
    """
    digest = hash_key(raw_key)
    known = _memory.get(("key", digest), lambda: _load_key(digest, now))
    if known is None or known.is_expired(now):
        return None
    return known


def find_tenant_key(raw_key: str, *, now: datetime) -> KnownTenantKey | None:
    """The firm's key behind `raw_key`; None when unknown or revoked.

    Switched off and expired ones are found, as they are refused with codes of their own.
    `last_used_at` is written at most once a minute.
    """
    digest = hash_key(raw_key)
    return _memory.get(("tenant key", digest), lambda: _load_tenant_key(digest, now))


def find_user(user_id: int) -> User | None:
    """A user of their own by id, at most some seconds old; None when there is none."""
    user = _memory.get(("user", user_id), lambda: User.objects.filter(pk=user_id).first())
    return copy(user)


def find_account_schema(*, user_id: int, wallet_id: int) -> str | None:
    """The building of a user's own wallet; None for a stranger's, unknown or closed building's.

    Where a wallet stands never changes; only what is there is remembered.
    """

    def load() -> str:
        own = AccountDirectoryEntry.objects.filter(
            wallet_id=wallet_id, user_id=user_id, firm__is_active=True
        )
        return str(own.values_list("firm__schema_name", flat=True).get())

    try:
        return _memory.get(("account", user_id, wallet_id), load)
    except AccountDirectoryEntry.DoesNotExist:
        return None


def _load_firm(name: str) -> Firm | None:
    domain = (
        Domain.objects.select_related("tenant").filter(domain=name, tenant__is_active=True).first()
    )
    if domain is not None:
        firm: Firm = domain.tenant
        return firm
    if name == settings.PLATFORM_HOST or name in LOOPBACK_HOSTS:
        return Firm.objects.filter(kind=FirmKind.RETAIL).first()
    return None


def _load_key(digest: str, now: datetime) -> KnownKey | None:
    row = ApiKey.objects.select_related("user").filter(key_hash=digest, is_active=True).first()
    if row is None:
        return None
    _note_use(row, now)
    return KnownKey(
        key_id=row.pk,
        user=row.user,
        tier=row.tier,
        permissions=frozenset(row.permissions),
        expires_at=row.expires_at,
    )


def _load_tenant_key(digest: str, now: datetime) -> KnownTenantKey | None:
    row = (
        TenantKey.objects.select_related("firm")
        .filter(key_hash=digest, revoked_at__isnull=True)
        .first()
    )
    if row is None:
        return None
    _note_use(row, now)
    return KnownTenantKey(
        key_id=row.pk,
        key_prefix=row.key_prefix,
        firm=row.firm,
        tier=row.tier,
        permissions=frozenset(row.permissions),
        is_active=row.is_active,
        expires_at=row.expires_at,
    )


def _note_use(row: ApiKey | TenantKey, now: datetime) -> None:
    """Write `last_used_at` unless it is newer than a minute."""
    if row.last_used_at is None or row.last_used_at <= now - LAST_USED_EVERY:
        is_due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - LAST_USED_EVERY)
        type(row).objects.filter(is_due, pk=row.pk).update(last_used_at=now)
