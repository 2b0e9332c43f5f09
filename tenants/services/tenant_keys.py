"""Tenant keys: made once in the open, kept as a hash, rotated with overlap (partner-api).

A change counts in every process within 5 s, mostly with the next request. Each writes the firm's
audit log, so callers stand in the firm's building.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from polysim.kernel.errors import PolysimError, ValidationFailed
from tenants.lookups import hash_key
from tenants.models import Firm, TenantKey
from tenants.models.partners import DEFAULT_PERMISSIONS, TENANT_PERMISSIONS
from tenants.office.services import Actor, write_firm_audit
from tenants.services.users import forget_identities

PREFIX_LENGTH = 12
OVERLAP_DEFAULT = timedelta(hours=24)
OVERLAP_MAX = timedelta(days=30)


class TenantKeyNotFound(PolysimError):
    """The firm has no such key, or it was revoked."""

    code = "KEY_NOT_FOUND"
    status = 404
    message = "The firm has no such key, or it was revoked."


@transaction.atomic
def create_tenant_key(
    *,
    firm: Firm,
    name: str,
    actor: Actor,
    now: datetime,
    permissions: Sequence[str] = DEFAULT_PERMISSIONS,
    expires_at: datetime | None = None,
) -> tuple[TenantKey, str]:
    """A key and its raw text, which is shown once. Raises ValidationFailed."""
    _check(name=name, permissions=permissions, expires_at=expires_at, now=now)
    return _make(
        firm=firm,
        name=name,
        permissions=permissions,
        expires_at=expires_at,
        former=None,
        actor=actor,
        now=now,
    )


@transaction.atomic
def rotate_tenant_key(
    *,
    firm: Firm,
    key_id: int,
    actor: Actor,
    now: datetime,
    overlap: timedelta = OVERLAP_DEFAULT,
) -> tuple[TenantKey, str]:
    """A successor with the same name and permissions, and its raw text, shown once.

    The former key counts until `overlap` (at most 30 days) is over, or its own earlier expiry.
    Raises TenantKeyNotFound, ValidationFailed.
    """
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise ValidationFailed([("overlap", "must be between 0 and 30 days")])
    former = _lock(firm, key_id)
    ends_at = now + overlap
    before = {"expires_at": _text(former.expires_at)}
    if former.expires_at is None or former.expires_at > ends_at:
        former.expires_at = ends_at
        former.save(update_fields=["expires_at"])
    made = _make(
        firm=firm,
        name=former.name,
        permissions=former.permissions,
        expires_at=None,
        former=former,
        actor=actor,
        now=now,
    )
    after = {"expires_at": _text(former.expires_at), "successor": made[0].key_prefix}
    _audit(former, action="key.rotated", actor=actor, now=now, before=before, after=after)
    return made


@transaction.atomic
def switch_tenant_key(
    *, firm: Firm, key_id: int, is_active: bool, actor: Actor, now: datetime
) -> TenantKey:
    """Switch a key off (401 KEY_DEACTIVATED) or on again. Raises TenantKeyNotFound."""
    row = _lock(firm, key_id)
    before, row.is_active = row.is_active, is_active
    row.save(update_fields=["is_active"])
    _audit(
        row,
        action="key.switched_on" if is_active else "key.switched_off",
        actor=actor,
        now=now,
        before={"is_active": before},
        after={"is_active": is_active},
    )
    return row


@transaction.atomic
def revoke_tenant_key(*, firm: Firm, key_id: int, actor: Actor, now: datetime) -> TenantKey:
    """End a key for good; it is unknown from then on. Raises TenantKeyNotFound."""
    row = _lock(firm, key_id)
    row.is_active, row.revoked_at = False, now
    row.save(update_fields=["is_active", "revoked_at"])
    after = {"revoked_at": _text(now)}
    _audit(
        row, action="key.revoked", actor=actor, now=now, before={"revoked_at": None}, after=after
    )
    return row


def make_raw_tenant_key(firm: Firm) -> str:
    """`pst_live_`, for sandbox firms `pst_test_`, and 64 random hex characters."""
    return ("pst_test_" if firm.is_sandbox else "pst_live_") + secrets.token_hex(32)


def _check(
    *, name: str, permissions: Sequence[str], expires_at: datetime | None, now: datetime
) -> None:
    wrong = []
    if not 1 <= len(name.strip()) <= 100:
        wrong.append(("name", "must have 1 to 100 characters"))
    if not permissions or not set(permissions) <= set(TENANT_PERMISSIONS):
        wrong.append(("permissions", f"must be of {', '.join(TENANT_PERMISSIONS)}"))
    if expires_at is not None and expires_at <= now:
        wrong.append(("expires_at", "must lie in the future"))
    if wrong:
        raise ValidationFailed(wrong)


def _make(
    *,
    firm: Firm,
    name: str,
    permissions: Sequence[str],
    expires_at: datetime | None,
    former: TenantKey | None,
    actor: Actor,
    now: datetime,
) -> tuple[TenantKey, str]:
    raw_key = make_raw_tenant_key(firm)
    row = TenantKey.objects.create(
        firm=firm,
        name=name.strip(),
        key_prefix=raw_key[:PREFIX_LENGTH],
        key_hash=hash_key(raw_key),
        permissions=[one for one in TENANT_PERMISSIONS if one in permissions],
        tier="sandbox" if firm.is_sandbox else "enterprise",
        created_by=actor.user,
        created_at=now,
        expires_at=expires_at,
        rotated_from=former,
    )
    after = {"name": row.name, "permissions": row.permissions, "expires_at": _text(expires_at)}
    _audit(row, action="key.created", actor=actor, now=now, before={}, after=after)
    return row, raw_key


def _lock(firm: Firm, key_id: int) -> TenantKey:
    row = (
        TenantKey.objects.select_for_update()
        .filter(pk=key_id, firm=firm, revoked_at__isnull=True)
        .first()
    )
    if row is None:
        raise TenantKeyNotFound()
    return row


def _audit(
    row: TenantKey,
    *,
    action: str,
    actor: Actor,
    now: datetime,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="tenant_key",
        object_id=row.pk,
        now=now,
        before={"prefix": row.key_prefix, **before} if before else {},
        after={"prefix": row.key_prefix, **after},
    )
    transaction.on_commit(forget_identities)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
