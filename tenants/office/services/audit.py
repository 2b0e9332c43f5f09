"""The firm's audit log: one entry for every write of staff, keys, traders and the system."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenants.models import User
from tenants.office.models import FirmAuditEntry


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes: `name` is an e-mail address, a key's prefix, or the part of Polysim that acts."""

    kind: str
    name: str
    user: User | None = None
    role: str = ""
    request_id: str = ""
    remote_address: str | None = None


def system_actor(name: str) -> Actor:
    """Polysim itself: a task, the evaluator, a command."""
    return Actor(kind=FirmAuditEntry.ActorKind.SYSTEM, name=name)


def write_firm_audit(
    *,
    actor: Actor,
    action: str,
    object_type: str,
    object_id: object,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> FirmAuditEntry:
    """One entry in the caller's transaction and building; `action` is dotted (`account.closed`).

    Values must be JSON (money as text); secrets never go into them.
    """
    return FirmAuditEntry.objects.create(
        actor_kind=actor.kind,
        actor=actor.user,
        actor_name=actor.name,
        role=actor.role,
        action=action,
        object_type=object_type,
        object_id=str(object_id),
        before=dict(before or {}),
        after=dict(after or {}),
        request_id=actor.request_id,
        remote_address=actor.remote_address,
        created_at=now,
    )
