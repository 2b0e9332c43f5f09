"""People: registering, changing plans, and leaving without being deleted."""

import secrets
from datetime import datetime

from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction

from polysim.kernel.errors import PolysimError
from polysim.kernel.ratelimits import raise_identity_version
from tenants.lookups import clear_lookups
from tenants.models import ApiKey, Participant, StaffMembership, User
from tenants.services.audit import write_audit
from tenants.signals import user_deleted

# Without letters and digits that look alike.
HANDLE_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


class EmailTaken(PolysimError):
    """Another user has this address; only staff tools may say so."""

    code = "EMAIL_TAKEN"
    status = 409
    message = "There is a user with this e-mail address already."


def make_handle() -> str:
    """A free public name such as `trader-4f7k2`; longer when short ones are used up."""
    for length in (5, 5, 5, 7, 7, 9):
        handle = "trader-" + "".join(secrets.choice(HANDLE_ALPHABET) for _ in range(length))
        if not User.objects.filter(handle=handle).exists():
            return handle
    return "trader-" + secrets.token_hex(10)


@transaction.atomic
def register_user(
    *,
    email: str,
    password: str | None,
    now: datetime,
    actor: User | None = None,
    display_name: str = "",
    plan: str | None = None,
    is_email_verified: bool = False,
    is_platform_admin: bool = False,
) -> User:
    """A new person without wallets; `password` None: they set one by mail.

    Raises EmailTaken. Retail users get their MAIN wallet from
    `wallets.services.register_retail_user`, which calls this in its transaction.
    """
    fields = {"plan": plan} if plan else {}
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email,
                password,
                handle=make_handle(),
                display_name=display_name,
                date_joined=now,
                is_staff=is_platform_admin,
                is_superuser=is_platform_admin,
                **fields,
            )
    except IntegrityError as error:
        raise EmailTaken() from error
    EmailAddress.objects.create(
        user=user, email=user.email, primary=True, verified=is_email_verified
    )
    write_audit(
        actor=actor,
        action="user.registered",
        subject=user,
        now=now,
        after={"handle": user.handle, "plan": user.plan, "is_staff": user.is_staff},
    )
    return user


@transaction.atomic
def change_plan(*, user: User, plan: str, actor: User | None, now: datetime) -> None:
    """Put the user on another plan; keys act by it from their next request (accounts-api 3)."""
    row = User.objects.select_for_update().get(pk=user.pk)
    before, row.plan = row.plan, plan
    row.save(update_fields=["plan"])
    user.plan = plan
    write_audit(
        actor=actor,
        action="user.plan_changed",
        subject=row,
        now=now,
        before={"plan": before},
        after={"plan": plan},
    )
    transaction.on_commit(forget_identities)


@transaction.atomic
def deactivate_user(*, user: User, actor: User | None, now: datetime) -> None:
    """Close every door for the user: sessions, keys, memberships. Rows and history stay."""
    User.objects.filter(pk=user.pk).update(is_active=False)
    user.is_active = False
    ApiKey.objects.filter(user=user, is_active=True).update(is_active=False, revoked_at=now)
    StaffMembership.objects.filter(user=user, is_active=True).update(is_active=False)
    _end_sessions(user, now=now)
    write_audit(
        actor=actor,
        action="user.deactivated",
        subject=user,
        now=now,
        before={"is_active": True},
        after={"is_active": False},
    )
    transaction.on_commit(forget_identities)


@transaction.atomic
def anonymise_user(*, user: User, actor: User | None, now: datetime) -> None:
    """Deactivate and remove everything that names the person. A user is never deleted.

    Firms keep their own `external_id` of the person; `user_deleted` is sent on commit.
    """
    deactivate_user(user=user, actor=actor, now=now)
    EmailAddress.objects.filter(user=user).delete()
    user.email = f"deleted-{user.pk}@deleted.invalid"
    user.handle = f"deleted-{user.pk}"
    user.display_name = ""
    user.set_unusable_password()
    user.save(update_fields=["email", "handle", "display_name", "password"])
    Participant.objects.filter(user=user).update(email=user.email, metadata={})
    write_audit(actor=actor, action="user.anonymised", subject=user, now=now)
    transaction.on_commit(lambda: user_deleted.send(sender=User, user=user, now=now))


def forget_identities() -> None:
    """Void cached identities: at once here, with the next request in other processes."""
    clear_lookups()
    raise_identity_version()


def _end_sessions(user: User, *, now: datetime) -> None:
    """Delete the user's live sessions; only a rare staff action may read them all."""
    for session in Session.objects.filter(expire_date__gt=now).iterator(chunk_size=500):
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()
