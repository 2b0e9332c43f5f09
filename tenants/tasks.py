"""Jobs on identities: mails of login links, and forgetting what is only kept for a while."""

import smtplib
from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.models import Session

from polysim.kernel.clock import utc_now
from tenants.models import IdempotencyRecord, LoginLink
from tenants.services.link_mails import send_link_mail
from tenants.services.login_links import renew_login_link

KEPT = timedelta(hours=24)
LINKS_KEPT = timedelta(days=30)
MAIL_TRIES = 5
MAIL_PAUSE_S = 10


@shared_task(
    name="tenants.tasks.send_login_link",
    autoretry_for=(smtplib.SMTPException, OSError),
    max_retries=MAIL_TRIES,
    default_retry_delay=MAIL_PAUSE_S,
)
def send_login_link(link_id: int, sealed_token: str) -> None:
    """Mail a login link unless it is void by now; the token travels sealed."""
    send_link_mail(link_id=link_id, sealed_token=sealed_token, now=utc_now())


@shared_task(name="tenants.tasks.renew_login_link")
def renew_login_link_of(email: str, token_hash: str) -> None:
    """A new link for the owner of a used one who asked for it on its page, if there is one."""
    renew_login_link(email=email, token_hash=token_hash, now=utc_now())


@shared_task(name="tenants.tasks.sweep_identities")
def sweep_identities() -> int:
    """Delete answers kept for repeats after 24 hours, ended sessions and old login links."""
    now = utc_now()
    answers, _ = IdempotencyRecord.objects.filter(started_at__lt=now - KEPT).delete()
    sessions, _ = Session.objects.filter(expire_date__lt=now).delete()
    links, _ = LoginLink.objects.filter(created_at__lt=now - LINKS_KEPT).delete()
    return answers + sessions + links
