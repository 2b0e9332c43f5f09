"""A firm's traders and how many accounts they have, read in its building (partner-api 2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from tenants.models import Firm, Participant
from tenants.services.participants import get_trader
from wallets.models import FirmAccount


@dataclass(frozen=True, slots=True)
class Trader:
    """A mapping of the firm and how many of its accounts are active and closed (or archived)."""

    participant: Participant
    active_count: int
    closed_count: int


def find_trader(*, firm: Firm, user_id: int | None) -> Trader:
    """One trader of the firm; raises TraderNotFound."""
    return _with_counts([get_trader(firm=firm, user_id=user_id)])[0]


def list_traders(
    *,
    firm: Firm,
    limit: int,
    after_id: int = 0,
    external_id: str | None = None,
    email: str | None = None,
    created_since: datetime | None = None,
) -> list[Trader]:
    """The firm's traders behind `after_id` (a participant's id), oldest first. Two queries."""
    rows = Participant.objects.filter(firm=firm, pk__gt=after_id)
    if external_id is not None:
        rows = rows.filter(external_id=external_id)
    if email is not None:
        rows = rows.filter(email=email)
    if created_since is not None:
        rows = rows.filter(created_at__gte=created_since)
    return _with_counts(list(rows.order_by("pk")[:limit]))


def _with_counts(participants: Iterable[Participant]) -> list[Trader]:
    listed = list(participants)
    is_active = Q(status=FirmAccount.Status.ACTIVE)
    counts = (
        FirmAccount.objects.filter(wallet__user_id__in=[row.user_id for row in listed])
        .order_by()
        .values("wallet__user_id")
        .annotate(active=Count("pk", filter=is_active), closed=Count("pk", filter=~is_active))
    )
    by_user = {row["wallet__user_id"]: (row["active"], row["closed"]) for row in counts}
    return [Trader(row, *by_user.get(row.user_id, (0, 0))) for row in listed]
