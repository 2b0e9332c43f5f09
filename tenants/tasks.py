"""Jobs on identities: forgetting what is only kept for a while."""

from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.models import Session

from polysim.kernel.clock import utc_now
from tenants.models import IdempotencyRecord

KEPT = timedelta(hours=24)


@shared_task(name="tenants.tasks.sweep_identities")
def sweep_identities() -> int:
    """Delete answers kept for repeats after 24 hours, and sessions that ended; safe to repeat."""
    now = utc_now()
    answers, _ = IdempotencyRecord.objects.filter(started_at__lt=now - KEPT).delete()
    sessions, _ = Session.objects.filter(expire_date__lt=now).delete()
    return answers + sessions
