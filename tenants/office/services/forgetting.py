"""Events are kept for 30 days of replay (partner-api B3)."""

from datetime import datetime, timedelta

from tenants.office.models import WebhookEvent

KEPT = timedelta(days=30)
BATCH = 5_000


def forget_events(*, now: datetime) -> int:
    """Delete the events of this building that are older than 30 days; answers how many."""
    total = 0
    while True:
        old = WebhookEvent.objects.filter(occurred_at__lt=now - KEPT).order_by("occurred_at")
        ids = list(old.values_list("id", flat=True)[:BATCH])
        if not ids:
            return total
        WebhookEvent.objects.filter(pk__in=ids).delete()
        total += len(ids)
