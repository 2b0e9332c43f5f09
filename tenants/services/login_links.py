"""Login links: mailed to a firm's trader, valid once and for 15 minutes (partner-api 3).

Only the token's SHA-256 is kept. The raw token goes into the mail and nowhere else: it travels to
the mailing worker sealed. Using a link is a conditional update, so of any number of tries at the
same time one succeeds.
"""

import hashlib
import math
import secrets
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet

from polysim.kernel.errors import PolysimError
from polysim.kernel.seals import seal
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm, LoginLink, Participant, User
from tenants.office.models import FirmAuditEntry
from tenants.office.services import Actor, write_firm_audit
from tenants.services.participants import get_trader, is_sandbox_person
from tenants.services.redirects import require_redirect
from tenants.services.users import forget_identities
from tenants.signals import login_link_made

LIFETIME = timedelta(minutes=15)
LINKS_MAX = 5
LINKS_PERIOD = timedelta(hours=1)
TOKEN_BYTES = 32


class TooManyLinks(PolysimError):
    """Five links per trader, firm and hour."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"This trader was sent {LINKS_MAX} links in the last hour. "
            f"Try again in {retry_after_s} s.",
            headers={"Retry-After": str(retry_after_s)},
        )


class LinkGone(PolysimError):
    """The link was used, has expired, or a newer one took its place."""

    code = "LINK_GONE"
    status = 410
    message = "This link was used already, has expired, or a newer one took its place."


def hash_token(token: str) -> str:
    """What is stored of a link's token."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def request_login_link(
    *, firm: Firm, user_id: int | None, redirect_url: str, actor: Actor, now: datetime
) -> LoginLink:
    """A new link, mailed once this is committed; older ones of the trader are void.

    The caller stands in the firm's building. Raises TraderNotFound, RedirectNotAllowed,
    TooManyLinks.
    """
    participant = get_trader(firm=firm, user_id=user_id)
    if redirect_url:
        require_redirect(firm=firm, url=redirect_url)
    return _make_link(participant, redirect_url=redirect_url, actor=actor, now=now)


def renew_login_link(*, email: str, token_hash: str, now: datetime) -> None:
    """A new link in place of a used one, for whoever knows the address it was mailed to.

    Nothing happens for a link or address that does not fit, or after five links in an hour.
    """
    link = (
        LoginLink.objects.select_related("participant__firm", "participant__user")
        .filter(token_hash=token_hash, participant__firm__is_active=True)
        .first()
    )
    if link is None or email not in (link.participant.email, link.participant.user.email):
        return
    participant = link.participant
    actor = Actor(
        kind=FirmAuditEntry.ActorKind.TRADER, name=participant.email[:254], user=participant.user
    )
    with enter_building(participant.firm.schema_name), transaction.atomic():
        try:
            _make_link(participant, redirect_url=link.redirect_url, actor=actor, now=now)
        except TooManyLinks:
            return


def find_open_link(*, token: str, now: datetime) -> LoginLink:
    """The link of a token while it can be used, with trader and firm; raises LinkGone."""
    link = (
        open_links(now)
        .filter(token_hash=hash_token(token))
        .select_related("participant__firm", "participant__user")
        .first()
    )
    if link is None:
        raise LinkGone()
    return link


@transaction.atomic
def use_login_link(*, token: str, now: datetime, remote_address: str | None) -> LoginLink:
    """Spend a link and verify its trader's address; the caller signs the trader in.

    Raises LinkGone, for all but one of several tries at the same time.
    """
    link = find_open_link(token=token, now=now)
    # Conditions on the row alone: those of other tables would not be checked again after a wait.
    is_unused = {"consumed_at__isnull": True, "voided_at__isnull": True, "expires_at__gt": now}
    if not LoginLink.objects.filter(pk=link.pk, **is_unused).update(consumed_at=now):
        raise LinkGone()
    participant = link.participant
    _verify_address(participant)
    with enter_building(participant.firm.schema_name):
        write_firm_audit(
            actor=Actor(
                kind=FirmAuditEntry.ActorKind.TRADER,
                name=participant.email[:254],
                user=participant.user,
                remote_address=remote_address,
            ),
            action="login_link.used",
            object_type="trader",
            object_id=participant.tenant_user_id,
            now=now,
            after={"link_id": link.pk},
        )
    return link


def open_links(now: datetime) -> QuerySet[LoginLink]:
    """Links that can still be used at `now`: the moment 15 minutes after making is too late."""
    return LoginLink.objects.filter(
        consumed_at__isnull=True,
        voided_at__isnull=True,
        expires_at__gt=now,
        participant__user__is_active=True,
        participant__firm__is_active=True,
        participant__firm__is_partner_enabled=True,
    )


def address_for(participant: Participant) -> str:
    """Where the trader's mail goes: the registered address while it is theirs, else their own.

    It is theirs when they have proven it, or while it is still the native account's address.
    """
    user = participant.user
    if participant.email == user.email or is_sandbox_person(user):
        return participant.email
    is_proven = EmailAddress.objects.filter(
        user=user, email=participant.email, verified=True
    ).exists()
    return participant.email if is_proven else user.email


def needs_normal_login(user: User) -> bool:
    """Whether a mailed link is too little for this person: the platform's and any firm's staff."""
    return user.is_staff or user.is_superuser or user.memberships.filter(is_active=True).exists()


def _make_link(
    participant: Participant, *, redirect_url: str, actor: Actor, now: datetime
) -> LoginLink:
    # One after another for each trader, so that five are five.
    Participant.objects.select_for_update(of=("self",)).get(pk=participant.pk)
    _require_room(participant, now)
    LoginLink.objects.filter(
        participant=participant, consumed_at__isnull=True, voided_at__isnull=True
    ).update(voided_at=now)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = LoginLink.objects.create(
        participant=participant,
        token_hash=hash_token(token),
        redirect_url=redirect_url,
        created_at=now,
        expires_at=now + LIFETIME,
        # Staff sign in with their password: their link leads nowhere, only its mail counts.
        voided_at=now if needs_normal_login(participant.user) else None,
    )
    write_firm_audit(
        actor=actor,
        action="login_link.requested",
        object_type="trader",
        object_id=participant.tenant_user_id,
        now=now,
        after={"link_id": link.pk, "redirect_url": redirect_url},
    )
    sealed = seal(token)
    transaction.on_commit(
        lambda: login_link_made.send(sender=LoginLink, link_id=link.pk, sealed_token=sealed)
    )
    return link


def _require_room(participant: Participant, now: datetime) -> None:
    recent = LoginLink.objects.filter(
        participant=participant, created_at__gt=now - LINKS_PERIOD
    ).order_by("-created_at", "-pk")
    times = list(recent.values_list("created_at", flat=True)[:LINKS_MAX])
    if len(times) == LINKS_MAX:
        wait = times[-1] + LINKS_PERIOD - now
        raise TooManyLinks(max(1, math.ceil(wait.total_seconds())))


def _verify_address(participant: Participant) -> None:
    """The link came by mail, so its address is the trader's.

    A password that somebody chose before the address was proven may be a stranger's: it ends.
    """
    user = participant.user
    address = user.email if is_sandbox_person(user) else address_for(participant)
    row, _ = EmailAddress.objects.get_or_create(
        user=user, email=address, defaults={"primary": address == user.email}
    )
    if row.verified:
        return
    is_first = not EmailAddress.objects.filter(user=user, verified=True).exists()
    if row.set_verified() and is_first and user.has_usable_password():
        user.set_unusable_password()
        user.save(update_fields=["password"])
        transaction.on_commit(forget_identities)
