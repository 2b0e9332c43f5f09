"""The mail of a login link, in text and HTML, with the firm's name, logo and colour."""

from datetime import datetime
from email.mime.image import MIMEImage
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

from polysim.kernel.seals import unseal
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm, LoginLink
from tenants.office.models import SandboxMail
from tenants.services.login_links import address_for, hash_token, needs_normal_login, open_links
from tenants.services.participants import is_sandbox_person

TEMPLATE = "tenants/email/login_link"
LOGO_ID = "firm-logo"
ACCENT_DEFAULT = "#0A6B5E"


def send_link_mail(*, link_id: int, sealed_token: str, now: datetime) -> None:
    """Send the mail of a link that still counts; staff get the way to the normal login instead.

    Raises what the mail server's connection raises; safe to repeat.
    """
    link = (
        LoginLink.objects.select_related("participant__firm", "participant__user")
        .filter(pk=link_id)
        .first()
    )
    token = unseal(sealed_token)
    if link is None or link.token_hash != hash_token(token):
        return
    is_normal = needs_normal_login(link.participant.user)
    if not is_normal and not open_links(now).filter(pk=link.pk).exists():
        return
    base = settings.BASE_URL.rstrip("/")
    address = f"{base}/login/" if is_normal else f"{base}/link/{token}/"
    message = build_link_mail(link, address=address, is_normal=is_normal)
    _keep_for_sandbox(link, message, address=address, now=now)
    message.send()


def build_link_mail(link: LoginLink, *, address: str, is_normal: bool) -> EmailMultiAlternatives:
    """The message, not sent."""
    firm = link.participant.firm
    recipient = address_for(link.participant)
    context = {
        "firm": firm,
        "accent": firm.accent_colour or ACCENT_DEFAULT,
        "logo": f"cid:{LOGO_ID}" if firm.logo else "",
        "link": address,
        "recipient": recipient,
        "is_normal": is_normal,
        "until": until_words(link.expires_at, firm.time_zone),
    }
    message: Any = EmailMultiAlternatives(
        subject=render_to_string(f"{TEMPLATE}_subject.txt", context).strip(),
        body=render_to_string(f"{TEMPLATE}_message.txt", context),
        to=[recipient],
    )
    message.attach_alternative(render_to_string(f"{TEMPLATE}_message.html", context), "text/html")
    if firm.logo:
        message.mixed_subtype = "related"
        message.attach(_logo_part(firm))
    built: EmailMultiAlternatives = message
    return built


def until_words(moment: datetime, time_zone: str) -> str:
    """`14:17 New York time (19:17 UTC)`; in UTC `19:17 UTC`."""
    in_utc = f"{moment:%H:%M} UTC"
    if time_zone in ("", "UTC"):
        return in_utc
    city = time_zone.rpartition("/")[2].replace("_", " ")
    return f"{moment.astimezone(ZoneInfo(time_zone)):%H:%M} {city} time ({in_utc})"


def _logo_part(firm: Firm) -> Any:
    part = MIMEImage(bytes(firm.logo or b""), _subtype=firm.logo_media_type.rpartition("/")[2])
    part.add_header("Content-ID", f"<{LOGO_ID}>")
    part.add_header("Content-Disposition", "inline", filename="logo")
    return part


def _keep_for_sandbox(
    link: LoginLink, message: EmailMultiAlternatives, *, address: str, now: datetime
) -> None:
    """Sandbox firms read their mails, those of people that exist in the sandbox alone."""
    firm = link.participant.firm
    if not firm.is_sandbox or not is_sandbox_person(link.participant.user):
        return
    with enter_building(firm.schema_name), transaction.atomic():
        SandboxMail.objects.get_or_create(
            link=address,
            defaults={
                "recipient": message.to[0],
                "subject": str(message.subject),
                "body": str(message.body),
                "created_at": now,
            },
        )
