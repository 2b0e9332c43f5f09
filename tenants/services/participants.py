"""A firm's traders: the firm's `external_id` mapped to a native user (partner-api 1).

Whether the address had a native account before shows nowhere: known and new addresses take the
same statements, give the same answer, and no mail is sent.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q

from polysim.kernel.errors import PolysimError, ServiceUnavailable, ValidationFailed
from tenants.models import Firm, Participant, User
from tenants.models.users import make_user_id
from tenants.office.services import Actor, write_event, write_firm_audit
from tenants.services.audit import write_audit
from tenants.services.users import make_handle

# Traders of sandbox firms are people of their own, whatever address the firm gave them: a sandbox
# reads its login mails, links included, and must never reach a real person's account.
SANDBOX_DOMAIN = "sandbox.invalid"
INSERT_TRIES = 3


class TraderNotFound(PolysimError):
    """The firm has no such trader; a stranger's and an unknown one look alike."""

    code = "USER_NOT_FOUND"
    status = 404
    message = "There is no such user."


class ExternalIdConflict(PolysimError):
    """The `external_id` is known with other defining fields."""

    code = "EXTERNAL_ID_CONFLICT"
    status = 409
    message = "This external_id is known with other values."


class EmailAlreadyMapped(PolysimError):
    """The firm registered this address under another `external_id`."""

    code = "EMAIL_ALREADY_MAPPED"
    status = 409
    message = "This email is registered under another external_id."


@dataclass(frozen=True, slots=True)
class Registration:
    """The mapping, and whether this call made it."""

    participant: Participant
    is_created: bool


@transaction.atomic
def register_trader(
    *,
    firm: Firm,
    external_id: str,
    email: str,
    metadata: Mapping[str, Any],
    actor: Actor,
    now: datetime,
) -> Registration:
    """Map `external_id` to the native user with this (normalised) address, made if there is none.

    A repeat with the same address answers the stored mapping; of identical calls at the same time
    one creates it. The caller stands in the firm's building. Raises ExternalIdConflict,
    EmailAlreadyMapped, ValidationFailed.
    """
    if email.endswith(f".{SANDBOX_DOMAIN}"):
        raise ValidationFailed([("email", "must look like an e-mail address")])
    known = _find_known(firm, external_id=external_id, email=email)
    if known is not None:
        return known
    user = _take_user(_native_address(firm, email), now=now)
    mapping = Participant(
        tenant_user_id=uuid.uuid4(),
        firm=firm,
        user=user,
        external_id=external_id,
        email=email,
        metadata=dict(metadata),
        created_at=now,
    )
    Participant.objects.bulk_create([mapping], ignore_conflicts=True)
    participant = Participant.objects.filter(firm=firm, external_id=external_id).first()
    if participant is None:
        raise EmailAlreadyMapped()
    if participant.tenant_user_id != mapping.tenant_user_id:
        return _replay(participant, email=email)
    _write_down(participant, actor=actor, now=now)
    return Registration(participant, is_created=True)


def get_trader(*, firm: Firm, user_id: int | None) -> Participant:
    """The firm's trader with this native id; raises TraderNotFound."""
    found = Participant.objects.filter(firm=firm, user_id=user_id).first() if user_id else None
    if found is None:
        raise TraderNotFound()
    return found


def is_sandbox_person(user: User) -> bool:
    """Whether the user exists for a sandbox firm alone."""
    return user.email.endswith(f".{SANDBOX_DOMAIN}")


def _find_known(firm: Firm, *, external_id: str, email: str) -> Registration | None:
    rows = Participant.objects.filter(Q(external_id=external_id) | Q(email=email), firm=firm)
    by_external_id = {row.external_id: row for row in rows}
    if external_id in by_external_id:
        return _replay(by_external_id[external_id], email=email)
    if by_external_id:
        raise EmailAlreadyMapped()
    return None


def _replay(participant: Participant, *, email: str) -> Registration:
    if participant.email != email:
        raise ExternalIdConflict()
    return Registration(participant, is_created=False)


def _native_address(firm: Firm, email: str) -> str:
    """Under which address the native user is looked for."""
    if firm.is_sandbox:
        name = hashlib.sha256(f"{firm.pk}:{email}".encode()).hexdigest()[:32]
        return f"{name}@{firm.slug.replace('_', '-')}.{SANDBOX_DOMAIN}"
    # Somebody may have proven that a further address is theirs too.
    owner = User.objects.filter(emailaddress__email=email, emailaddress__verified=True).first()
    return email if owner is None else owner.email


def _take_user(email: str, *, now: datetime) -> User:
    """The native user of the address, made unless there is one, by the same statements."""
    for _ in range(INSERT_TRIES):
        made = User(pk=make_user_id(), email=email, handle=make_handle(), date_joined=now)
        made.set_unusable_password()
        User.objects.bulk_create([made], ignore_conflicts=True)
        user = User.objects.filter(email=email).first()
        if user is not None:
            break
        # Somebody else took the id or the handle in this very moment.
    else:
        raise ServiceUnavailable()
    address = EmailAddress(user=user, email=email, primary=True, verified=False)
    EmailAddress.objects.bulk_create([address], ignore_conflicts=True)
    is_new = user.pk == made.pk
    write_audit(
        actor=None,
        action="user.registered" if is_new else "user.linked",
        subject=user,
        now=now,
        after={"handle": user.handle, "by": "partner"},
    )
    return user


def _write_down(participant: Participant, *, actor: Actor, now: datetime) -> None:
    names = {
        "user_id": participant.user_id,
        "tenant_user_id": str(participant.tenant_user_id),
        "external_id": participant.external_id,
    }
    write_firm_audit(
        actor=actor,
        action="trader.registered",
        object_type="trader",
        object_id=participant.tenant_user_id,
        now=now,
        after={**names, "email": participant.email, "metadata": participant.metadata},
    )
    write_event(type="user.registered", data=names, now=now)
