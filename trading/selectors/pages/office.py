"""The figures of a firm's dashboard that its traders and accounts give. In the firm's building."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, Sum

from tenants.models import Firm, Participant
from tenants.office.models import FirmAuditEntry, WebhookDelivery, WebhookEndpoint
from trading.models import Position, Trade
from wallets.models import FirmAccount, Wallet

LATEST_SHOWN = 8


@dataclass(frozen=True)
class OfficeFigures:
    """Counts of now and of the firm's local day."""

    traders: int
    traders_today: int
    accounts: int
    accounts_read_only: int
    accounts_closed: int
    stages: list[tuple[str, int]]
    trades_today: int
    volume_today: Decimal
    open_positions: int
    deliveries_pending: int
    deliveries_failed: int
    endpoints_off: int
    latest: list[FirmAuditEntry]


def start_of_local_day(now: datetime, zone: ZoneInfo) -> datetime:
    """The last local midnight."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def read_office_figures(*, firm: Firm, zone: ZoneInfo, now: datetime) -> OfficeFigures:
    """All of them, in eight queries whatever the size of the firm."""
    midnight = start_of_local_day(now, zone)
    traders = Participant.objects.filter(firm=firm).aggregate(
        all=Count("pk"), today=Count("pk", filter=Q(created_at__gte=midnight))
    )
    is_open = Q(status=FirmAccount.Status.ACTIVE)
    is_read_only = Q(wallet__trading_state=Wallet.TradingState.READ_ONLY)
    accounts = FirmAccount.objects.aggregate(
        open=Count("pk", filter=is_open),
        read_only=Count("pk", filter=is_open & is_read_only),
        closed=Count("pk", filter=~is_open),
    )
    stages = FirmAccount.objects.filter(is_open).values_list("stage").annotate(Count("pk"))
    trades = Trade.objects.filter(filled_at__gte=midnight, kind=Trade.Kind.FILL).aggregate(
        count=Count("pk"), volume=Sum("notional")
    )
    recent = WebhookDelivery.objects.filter(created_at__gte=now - timedelta(days=1))
    deliveries = recent.aggregate(
        pending=Count("pk", filter=Q(status=WebhookDelivery.Status.PENDING)),
        failed=Count("pk", filter=Q(status=WebhookDelivery.Status.FAILED)),
    )
    endpoints = WebhookEndpoint.objects.filter(deleted_at__isnull=True, is_enabled=False)
    return OfficeFigures(
        traders=traders["all"],
        traders_today=traders["today"],
        accounts=accounts["open"],
        accounts_read_only=accounts["read_only"],
        accounts_closed=accounts["closed"],
        stages=sorted(stages.order_by("stage")),
        trades_today=trades["count"],
        volume_today=trades["volume"] or Decimal(0),
        open_positions=Position.objects.filter(status=Position.Status.OPEN).count(),
        deliveries_pending=deliveries["pending"],
        deliveries_failed=deliveries["failed"],
        endpoints_off=endpoints.count(),
        latest=list(FirmAuditEntry.objects.order_by("-id")[:LATEST_SHOWN]),
    )
