"""Firms: a schema, a host and the first member of staff; memberships."""

from collections.abc import Sequence
from datetime import datetime

from allauth.account.forms import EmailAwarePasswordResetTokenGenerator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.validators import RegexValidator
from django.db import transaction
from django.template.loader import render_to_string
from django_tenants.utils import get_public_schema_name, schema_context

from polysim.kernel.errors import PolysimError, ValidationFailed
from tenants.lookups import clear_lookups
from tenants.models import Domain, Firm, FirmKind, StaffMembership, StaffRole, User
from tenants.services.audit import write_audit
from tenants.services.users import forget_identities, register_user

RESERVED_SLUGS = frozenset({"public", "retail", "information_schema"})
HOST_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
check_host = RegexValidator(rf"^{HOST_LABEL}(\.{HOST_LABEL})*$", "A host name without port.")
check_slug = RegexValidator(r"^[a-z][a-z0-9_]{1,39}$", "Lower case letters, digits and _.")


class FirmExists(PolysimError):
    """A firm with this slug is there already."""

    code = "FIRM_EXISTS"
    status = 409
    message = "There is a firm with this short name already."


class HostTaken(PolysimError):
    """The host name leads to another firm."""

    code = "HOST_TAKEN"
    status = 409
    message = "This host name already leads to another firm."


def create_firm(
    *,
    slug: str,
    name: str,
    host: str,
    first_staff_email: str,
    actor: User | None,
    now: datetime,
    is_mail_wanted: bool = True,
) -> Firm:
    """A firm with its schema (migrated), its host and one Owner, who is invited by mail.

    Takes about a second and may not run inside a transaction: the schema is built between two of
    them, and a firm opens (`is_active`) with the second. Run again with the same slug after a
    crash it goes on where it stopped. `host` carries no port. Raises ValidationFailed,
    FirmExists, HostTaken.
    """
    _check_names(slug=slug, host=host)
    with schema_context(get_public_schema_name()):
        firm = _begin_firm(slug=slug, name=name, host=host, actor=actor, now=now)
        firm.create_schema(check_if_exists=True, verbosity=0)
        with transaction.atomic():
            Domain.objects.create(domain=host, tenant=firm, is_primary=True)
            owner, is_new = _find_or_register(first_staff_email, actor=actor, now=now)
            grant_role(user=owner, firm=firm, role=StaffRole.ADMIN, actor=actor, now=now)
            firm.is_active = True
            firm.save(update_fields=["is_active"])
            write_audit(
                actor=actor, action="firm.opened", subject=firm, now=now, after={"host": host}
            )
            if is_mail_wanted:
                transaction.on_commit(
                    lambda: send_staff_invitation(user=owner, firm=firm, host=host, is_new=is_new)
                )
        clear_lookups()
    return firm


def open_retail(*, hosts: Sequence[str], now: datetime) -> Firm:
    """The built-in retail tenant with its schema (migrated) and hosts; safe to repeat.

    The first host is the platform's own; hosts carry no port.
    """
    schema = settings.RETAIL_SCHEMA
    with schema_context(get_public_schema_name()):
        firm = Firm.objects.filter(kind=FirmKind.RETAIL).first()
        if firm is None:
            firm = Firm(
                schema_name=schema,
                slug=schema,
                name="Polysim",
                kind=FirmKind.RETAIL,
                created_at=now,
            )
            firm.save(verbosity=0)
        else:
            firm.create_schema(check_if_exists=True, verbosity=0)
        for position, host in enumerate(dict.fromkeys(hosts)):
            Domain.objects.get_or_create(
                domain=host, defaults={"tenant": firm, "is_primary": position == 0}
            )
        clear_lookups()
    return firm


@transaction.atomic
def grant_role(
    *, user: User, firm: Firm, role: str, actor: User | None, now: datetime
) -> StaffMembership:
    """Give `user` the role at `firm`, in place of an earlier one."""
    if role not in StaffRole.values:
        raise ValidationFailed([("role", "is not a role of staff")])
    membership, is_new = StaffMembership.objects.get_or_create(
        user=user, firm=firm, defaults={"role": role, "created_at": now}
    )
    before = {} if is_new else {"role": membership.role, "is_active": membership.is_active}
    if not is_new:
        membership.role, membership.is_active = role, True
        membership.save(update_fields=["role", "is_active"])
    write_audit(
        actor=actor,
        action="staff.granted",
        subject=membership,
        now=now,
        before=before,
        after={"role": role, "user_id": user.pk, "firm": firm.slug},
    )
    transaction.on_commit(forget_identities)
    return membership


@transaction.atomic
def revoke_role(*, membership: StaffMembership, actor: User | None, now: datetime) -> None:
    """End a membership; the row stays for the audit."""
    membership.is_active = False
    membership.save(update_fields=["is_active"])
    write_audit(
        actor=actor,
        action="staff.revoked",
        subject=membership,
        now=now,
        before={"role": membership.role},
    )
    transaction.on_commit(forget_identities)


def send_staff_invitation(*, user: User, firm: Firm, host: str, is_new: bool) -> None:
    """Mail the way in: a link to set a password for new people, the login page for known ones."""
    origin = firm_origin(host)
    path = "/backoffice/login/"
    if is_new:
        key = EmailAwarePasswordResetTokenGenerator().make_token(user)
        path = f"/password/reset/key/{user_pk_to_url_str(user)}-{key}/"
    context = {"firm": firm, "link": origin + path, "is_new": is_new, "host": host}
    name = "tenants/email/staff_invitation"
    message = EmailMultiAlternatives(
        subject=render_to_string(f"{name}_subject.txt", context).strip(),
        body=render_to_string(f"{name}_message.txt", context),
        to=[user.email],
    )
    message.attach_alternative(render_to_string(f"{name}_message.html", context), "text/html")
    message.send()


def firm_origin(host: str) -> str:
    """The address of a firm's host with the scheme and port of this installation."""
    scheme, _, rest = settings.BASE_URL.partition("://")
    authority = rest.split("/")[0]
    _, colon, port = authority.rpartition(":")
    return f"{scheme}://{host}{colon}{port}" if colon and port.isdigit() else f"{scheme}://{host}"


def _check_names(*, slug: str, host: str) -> None:
    from django.core.exceptions import ValidationError

    wrong = []
    for field, value, check in (("slug", slug, check_slug), ("host", host, check_host)):
        try:
            check(value)
        except ValidationError as error:
            wrong.append((field, str(error.message)))
    if slug in RESERVED_SLUGS or slug.startswith("pg_"):
        wrong.append(("slug", "This name is reserved."))
    if wrong:
        raise ValidationFailed(wrong)


@transaction.atomic
def _begin_firm(*, slug: str, name: str, host: str, actor: User | None, now: datetime) -> Firm:
    if Domain.objects.filter(domain=host).exists():
        raise HostTaken()
    firm = Firm.objects.select_for_update().filter(slug=slug).first()
    if firm is not None:
        if firm.is_active or firm.domains.exists():
            raise FirmExists()
        return firm
    firm = Firm(
        schema_name=slug,
        slug=slug,
        name=name,
        kind=FirmKind.PROP_FIRM,
        is_active=False,
        created_at=now,
    )
    firm.auto_create_schema = False
    firm.save()
    write_audit(actor=actor, action="firm.begun", subject=firm, now=now, after={"slug": slug})
    return firm


def _find_or_register(email: str, *, actor: User | None, now: datetime) -> tuple[User, bool]:
    known = User.objects.filter(email=email.strip().lower()).first()
    if known is not None:
        return known, False
    return register_user(email=email.strip(), password=None, actor=actor, now=now), True
