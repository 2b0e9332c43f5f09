"""A firm's staff: inviting, changing roles, ending them, taking rights from a role.

All run in the firm's building, so that the firm's audit log and the memberships change together.
A firm always keeps one Owner.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.core.exceptions import ValidationError as FieldError
from django.core.validators import validate_email
from django.db import transaction

from polysim.kernel.errors import PolysimError, ValidationFailed
from tenants.models import Firm, StaffMembership, StaffRole
from tenants.office.rights import NARROWABLE, RIGHTS
from tenants.office.services.audit import Actor, write_firm_audit
from tenants.selectors import find_user_by_email
from tenants.services import grant_role, register_user, revoke_role
from tenants.services.firms import send_staff_invitation
from tenants.services.users import forget_identities


class LastOwner(PolysimError):
    """The firm would be left without an Owner."""

    code = "LAST_OWNER"
    status = 409
    message = "This is the firm's last Owner. Make somebody else Owner first."


class AlreadyStaff(PolysimError):
    """The person has a role here already."""

    code = "ALREADY_STAFF"
    status = 409
    message = "This person is a member of the staff already. Change the role instead."


@transaction.atomic
def invite_staff(
    *, firm: Firm, email: str, role: str, host: str, actor: Actor, now: datetime
) -> StaffMembership:
    """Give the person with this address a role and mail the way in; new people set a password.

    `host` is the firm's host without port. Raises ValidationFailed, AlreadyStaff.
    """
    address = email.strip().lower()
    try:
        validate_email(address)
    except FieldError as error:
        raise ValidationFailed([("email", "Not an e-mail address.")]) from error
    _lock_staff(firm)
    person = find_user_by_email(address)
    is_new = person is None
    if person is None:
        person = register_user(email=address, password=None, actor=actor.user, now=now)
    elif StaffMembership.objects.filter(firm=firm, user=person, is_active=True).exists():
        raise AlreadyStaff()
    membership = grant_role(user=person, firm=firm, role=role, actor=actor.user, now=now)
    write_firm_audit(
        actor=actor,
        action="staff.invited",
        object_type="staff",
        object_id=membership.pk,
        now=now,
        after={"email": address, "role": role},
    )
    # A known person's own password or mailed code opens the door: the mail says so.
    has_no_password = is_new or not person.has_usable_password()
    transaction.on_commit(
        lambda: send_staff_invitation(user=person, firm=firm, host=host, is_new=has_no_password)
    )
    return membership


@transaction.atomic
def change_staff_role(
    *, firm: Firm, membership_id: int, role: str, actor: Actor, now: datetime
) -> StaffMembership:
    """Another role for a member of the staff. Raises LastOwner, ValidationFailed."""
    membership = _lock_staff(firm)[membership_id]
    before = membership.role
    if before == StaffRole.ADMIN and role != StaffRole.ADMIN:
        _refuse_last_owner(firm, membership)
    changed = grant_role(user=membership.user, firm=firm, role=role, actor=actor.user, now=now)
    write_firm_audit(
        actor=actor,
        action="staff.role_changed",
        object_type="staff",
        object_id=membership.pk,
        now=now,
        before={"email": membership.user.email, "role": before},
        after={"email": membership.user.email, "role": role},
    )
    return changed


@transaction.atomic
def end_staff_role(
    *, firm: Firm, membership_id: int, actor: Actor, now: datetime
) -> StaffMembership:
    """End a membership: the person's next request here is refused. Raises LastOwner."""
    membership = _lock_staff(firm)[membership_id]
    if membership.role == StaffRole.ADMIN:
        _refuse_last_owner(firm, membership)
    revoke_role(membership=membership, actor=actor.user, now=now)
    write_firm_audit(
        actor=actor,
        action="staff.revoked",
        object_type="staff",
        object_id=membership.pk,
        now=now,
        before={"email": membership.user.email, "role": membership.role},
    )
    return membership


@transaction.atomic
def take_rights(
    *, firm: Firm, role: str, rights: Collection[str], actor: Actor, now: datetime
) -> Firm:
    """Set which of its rights a role does without at this firm; Owners keep all of theirs."""
    wrong = [
        right for right in rights if right not in NARROWABLE or role not in RIGHTS[right].roles
    ]
    if role == StaffRole.ADMIN or role not in StaffRole.values or wrong:
        raise ValidationFailed([("rights", "These rights cannot be taken from this role.")])
    row = Firm.objects.select_for_update().get(pk=firm.pk)
    before: Mapping[str, list[str]] = dict(row.taken_rights)
    row.taken_rights = {**before, role: sorted(rights)}
    _save_firm(row, "taken_rights")
    write_firm_audit(
        actor=actor,
        action="staff.rights_taken",
        object_type="role",
        object_id=role,
        now=now,
        before={"taken": before.get(role, [])},
        after={"taken": sorted(rights)},
    )
    transaction.on_commit(forget_identities)
    return row


def _save_firm(row: Firm, *fields: str) -> None:
    """A tenant may be saved from its own building; only these fields change."""
    Firm.objects.filter(pk=row.pk).update(**{name: getattr(row, name) for name in fields})


def _lock_staff(firm: Firm) -> dict[int, StaffMembership]:
    """The firm's memberships, locked, so that two Owners cannot end each other at once."""
    rows = StaffMembership.objects.select_for_update(of=("self",)).filter(firm=firm)
    return {row.pk: row for row in rows.select_related("user").order_by("pk")}


def _refuse_last_owner(firm: Firm, membership: StaffMembership) -> None:
    owners = StaffMembership.objects.filter(
        firm=firm, role=StaffRole.ADMIN, is_active=True, user__is_active=True
    )
    if not owners.exclude(pk=membership.pk).exists():
        raise LastOwner()
