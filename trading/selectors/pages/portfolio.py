"""The portfolio page: equity over time, what is open, what happened, and the ledger.

The account's own building is entered by the caller; one or two queries a tab.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from polysim.kernel.clock import start_of_hour
from trading.charts import Point
from trading.models import Order, Settlement
from trading.selectors import FillRow, SettlementRow, list_fills, list_settlements
from trading.selectors.cursors import encode_cursor
from trading.selectors.pages.accounts import Account
from wallets.models import EquityPoint
from wallets.selectors import list_equity

PAGE_SIZE = 50
OPEN_ORDERS_MAX = 200
POINTS_MAX = 2160


@dataclass(frozen=True)
class Period:
    """A span of the equity curve."""

    key: str
    label: str
    span: timedelta | None


PERIODS = (
    Period("1d", "1D", timedelta(days=1)),
    Period("1w", "1W", timedelta(days=7)),
    Period("1m", "1M", timedelta(days=30)),
    Period("all", "All", None),
)


def find_period(key: str | None) -> Period:
    """The period of an address; All for an unknown one."""
    return next((period for period in PERIODS if period.key == key), PERIODS[-1])


def read_equity_points(*, account: Account, period: Period, now: datetime) -> list[Point]:
    """Equity at the end of each hour since the last reset, and the present worth at the end."""
    started_at = account.wallet.reset_at or account.wallet.created_at
    since = started_at if period.span is None else max(started_at, now - period.span)
    rows = list_equity(wallet_id=account.id, since=start_of_hour(since), limit=POINTS_MAX)
    hours = [(row.timestamp + timedelta(hours=1), row.total_value) for row in rows]
    points = [Point(at, worth) for at, worth in hours if since < at < now]
    if since == started_at:
        points.insert(0, Point(since, account.wallet.baseline))
    return [*points, Point(now, account.equity)]


def read_profit_today(*, account: Account, zone: ZoneInfo, now: datetime) -> Decimal:
    """Equity less what it was at the last local midnight, or since a later reset or start."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = account.wallet.reset_at or account.wallet.created_at
    row = (
        EquityPoint.objects.filter(
            wallet_id=account.id, hour_at__lt=midnight, hour_at__gte=start_of_hour(since)
        )
        .order_by("-hour_at")
        .first()
    )
    if row is None:
        return account.profit
    return account.equity - (row.cash + row.position_value)


def list_account_orders(*, account: Account) -> list[Order]:
    """Resting orders, newest first, at most 200."""
    rows = Order.objects.filter(wallet_id=account.id, status=Order.Status.PENDING)
    rows = rows.select_related("market", "outcome").order_by("-created_at", "-id")
    return list(rows.defer("market__description", "answer")[:OPEN_ORDERS_MAX])


def count_account_orders(*, account: Account) -> int:
    """How many orders rest."""
    return Order.objects.filter(wallet_id=account.id, status=Order.Status.PENDING).count()


@dataclass(frozen=True)
class HistoryEntry:
    """A fill or a settlement; exactly one of them is set."""

    at: datetime
    fill: FillRow | None = None
    settlement: SettlementRow | None = None


@dataclass(frozen=True)
class HistoryPage:
    """Newest first. `next_cursor` continues below, "" at the end."""

    entries: tuple[HistoryEntry, ...]
    next_cursor: str = ""


def read_history(*, account: Account, cursor: str, now: datetime) -> HistoryPage:
    """Fills of a page with the settlements of the same stretch of time."""
    fills = list_fills(wallet_ids=[account.id], limit=PAGE_SIZE + 1, cursor=cursor or None)
    shown, has_more = fills[:PAGE_SIZE], len(fills) > PAGE_SIZE
    newest = _newest_bound(account, shown, cursor)
    oldest = shown[-1].created_at if has_more else None
    settlements, _ = list_settlements(
        wallet_ids=[account.id], limit=200, settled_from=oldest, settled_to=newest or now
    )
    entries = [HistoryEntry(fill.created_at, fill=fill) for fill in shown]
    entries += [HistoryEntry(row.settled_at, settlement=row) for row in settlements]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    last = shown[-1] if shown else None
    following = (
        encode_cursor(last.created_at.isoformat(), last.fill_id) if has_more and last else ""
    )
    return HistoryPage(tuple(entries), following)


def _newest_bound(account: Account, shown: Sequence[FillRow], cursor: str) -> datetime | None:
    """Where a later page begins: just above its first fill. The first page has no bound."""
    return shown[0].created_at if cursor and shown else None


def list_market_settlements(*, account: Account, market_id: int) -> list[Settlement]:
    """What the account was paid for one market, newest version of each position."""
    rows = Settlement.objects.filter(wallet_id=account.id, market_id=market_id)
    newest: dict[int, Settlement] = {}
    for row in rows.select_related("position__outcome").order_by("version"):
        newest[row.position_id] = row
    return list(newest.values())
