"""Test clocks of sandbox firms: which accounts live on one, and what it says (partner-api B5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from polysim.kernel.money import to_scaled
from polysim.kernel.tenancy import require_building
from trading.models import Order
from wallets.models import FirmAccount, TestClock

# Orders of several traders share a clock; only its advancing excludes them.
_LOCKED = "SELECT * FROM wallets_testclock WHERE id = ANY (%s) ORDER BY id FOR SHARE"


@dataclass(frozen=True, slots=True)
class AccountClock:
    """The clock of an account: its moment, and scripted prices by token (dollars per share)."""

    clock_id: UUID
    at: datetime
    is_advancing: bool
    prices: Mapping[str, Decimal]

    def scaled_price(self, token_id: str) -> int | None:
        """The scripted price scaled by 10**6, or None where prices are the live ones."""
        price = self.prices.get(token_id)
        return None if price is None else to_scaled(price)


def account_clock(clock: TestClock) -> AccountClock:
    """The clock as it is known to those who trade on it."""
    return AccountClock(
        clock_id=clock.pk,
        at=clock.frozen_time,
        is_advancing=clock.status == TestClock.Status.ADVANCING,
        prices={token: Decimal(price) for token, price in clock.prices.items()},
    )


def find_clocks(*, wallet_ids: Sequence[int], is_locked: bool = False) -> dict[int, AccountClock]:
    """The clocks of those accounts that have one, by wallet id; none in retail.

    `is_locked` keeps them from advancing until the caller's transaction ends.
    """
    if require_building() == settings.RETAIL_SCHEMA:
        return {}
    rows = FirmAccount.objects.filter(pk__in=list(wallet_ids), test_clock__isnull=False)
    bound = dict(rows.values_list("pk", "test_clock_id"))
    if not bound:
        return {}
    ids = sorted(set(bound.values()))
    clocks: Iterable[TestClock] = TestClock.objects.filter(pk__in=ids)
    if is_locked:
        clocks = TestClock.objects.raw(_LOCKED, [ids])
    found = {clock.pk: account_clock(clock) for clock in clocks}
    return {wallet_id: found[clock_id] for wallet_id, clock_id in bound.items()}


def find_clock(*, clock_id: UUID) -> TestClock | None:
    """A clock of this building that was not deleted."""
    rows = TestClock.objects.exclude(status=TestClock.Status.DELETED)
    clock: TestClock | None = rows.filter(pk=clock_id).first()
    return clock


def list_clock_wallet_ids(*, clock_id: UUID) -> list[int]:
    """The active accounts that live on a clock."""
    rows = FirmAccount.objects.filter(test_clock_id=clock_id, status=FirmAccount.Status.ACTIVE)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def list_clock_zones(*, clock_id: UUID) -> list[str]:
    """The time zones in whose days the clock's active accounts live."""
    rows = FirmAccount.objects.filter(test_clock_id=clock_id, status=FirmAccount.Status.ACTIVE)
    return sorted(set(rows.values_list("time_zone", flat=True)))


def find_next_expiry(*, clock_id: UUID) -> datetime | None:
    """When the next resting order of the clock's accounts expires."""
    rows = Order.objects.filter(
        wallet__firm_account__test_clock_id=clock_id,
        status=Order.Status.PENDING,
        expires_at__isnull=False,
    )
    return rows.order_by("expires_at").values_list("expires_at", flat=True).first()


def list_clocks_with_work() -> list[tuple[UUID, bool]]:
    """(id, whether it advances) of the clocks that advance or have resting orders."""
    has_orders = Order.objects.filter(
        wallet__firm_account__test_clock_id=OuterRef("pk"), status=Order.Status.PENDING
    )
    rows = TestClock.objects.filter(
        Q(status=TestClock.Status.ADVANCING) | Q(Exists(has_orders), status=TestClock.Status.READY)
    )
    return [
        (clock_id, status == TestClock.Status.ADVANCING)
        for clock_id, status in rows.order_by("pk").values_list("pk", "status")
    ]
