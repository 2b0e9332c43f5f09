"""API keys: made once in the open, kept as a hash, revoked for good (accounts-api 4)."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from polysim.kernel.errors import PolysimError
from tenants.lookups import hash_key
from tenants.models import ApiKey, User
from tenants.services.audit import write_audit
from tenants.services.users import forget_identities

PREFIX_LENGTH = 16


class KeyNotFound(PolysimError):
    """The key does not exist, is revoked, or is a stranger's."""

    code = "KEY_NOT_FOUND"
    status = 404
    message = "This key does not exist or is not yours."


class KeyLimitReached(PolysimError):
    """The plan allows no further active key."""

    code = "KEY_LIMIT_REACHED"
    status = 400
    message = "You have as many active keys as your plan allows. Revoke one first."


@transaction.atomic
def create_api_key(
    *,
    user: User,
    tier: str,
    permissions: Sequence[str],
    now: datetime,
    actor: User | None,
    name: str | None = None,
    expires_at: datetime | None = None,
    keys_max: int | None = None,
) -> tuple[ApiKey, str]:
    """A key and its raw text, which is shown to its owner and never again.

    `trade` adds `read`. `keys_max` is the plan's limit of active keys; raises KeyLimitReached.
    The caller opens the API wallet in the same transaction (accounts-api 4.2).
    """
    User.objects.select_for_update().get(pk=user.pk)
    active = ApiKey.objects.filter(user=user, is_active=True)
    if keys_max is not None and active.count() >= keys_max:
        raise KeyLimitReached()
    raw_key = make_raw_key()
    granted = set(permissions) | ({"read"} if "trade" in permissions else set())
    row = ApiKey.objects.create(
        user=user,
        name=name,
        key_prefix=raw_key[:PREFIX_LENGTH],
        key_hash=hash_key(raw_key),
        tier=tier,
        permissions=sorted(granted),
        created_at=now,
        expires_at=expires_at,
    )
    write_audit(
        actor=actor,
        action="key.created",
        subject=row,
        now=now,
        after={"prefix": row.key_prefix, "tier": tier, "permissions": row.permissions},
    )
    transaction.on_commit(forget_identities)
    return row, raw_key


@transaction.atomic
def revoke_api_key(*, user: User, key_id: int, actor: User | None, now: datetime) -> ApiKey:
    """End a key for good; its next use anywhere answers 401. Raises KeyNotFound."""
    row = ApiKey.objects.select_for_update().filter(pk=key_id, user=user, is_active=True).first()
    if row is None:
        raise KeyNotFound()
    row.is_active, row.revoked_at = False, now
    row.save(update_fields=["is_active", "revoked_at"])
    write_audit(
        actor=actor, action="key.revoked", subject=row, now=now, before={"prefix": row.key_prefix}
    )
    transaction.on_commit(forget_identities)
    return row


def make_raw_key() -> str:
    """`ps_live_` (`ps_test_` outside production) and 64 random hex characters."""
    prefix = "ps_live_" if settings.IS_PRODUCTION else "ps_test_"
    return prefix + secrets.token_hex(32)
