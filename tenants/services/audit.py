"""The audit of identity: who changed whose rights, when, from where."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models

from tenants.models import IdentityAuditEntry, User


def write_audit(
    *,
    actor: User | None,
    action: str,
    subject: models.Model,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    remote_address: str | None = None,
) -> IdentityAuditEntry:
    """One entry in the caller's transaction; `action` is dotted (`key.revoked`).

    `actor` None is the system itself. Secrets, passwords and addresses never go into the values.
    """
    return IdentityAuditEntry.objects.create(
        actor=actor,
        action=action,
        object_type=subject._meta.model_name or "",
        object_id=str(subject.pk),
        before=dict(before or {}),
        after=dict(after or {}),
        remote_address=remote_address,
        created_at=now,
    )
