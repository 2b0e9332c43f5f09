"""Open orders of the current building, for the matcher and the sweeps."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.money import to_scaled
from polysim.kernel.tenancy import require_building
from trading.markets.models import Market
from trading.matcher.index import OpenOrder
from trading.models import Order, Position

_FIELDS = (
    "id",
    "user_id",
    "market_id",
    "market__condition_id",
    "outcome__index",
    "outcome__label",
    "side",
    "price",
    "quantity",
    "filled_quantity",
    "created_at",
    "expires_at",
    "market__book_clears_at",
    "market__fee_rate",
    "market__fee_exponent",
)


def list_open_orders(order_ids: Sequence[int] | None = None) -> list[OpenOrder]:
    """Resting orders of this building in one query: all, or those of `order_ids` still open.

    Orders of accounts on a test clock are not among them: they live in another time.
    """
    rows = Order.objects.filter(status=Order.Status.PENDING)
    if require_building() != settings.RETAIL_SCHEMA:
        rows = rows.filter(wallet__firm_account__test_clock__isnull=True)
    if order_ids is not None:
        rows = rows.filter(id__in=order_ids)
    return _read(rows)


def list_clock_orders(*, clock_id: UUID) -> list[OpenOrder]:
    """Resting orders of the accounts on a test clock."""
    return _read(
        Order.objects.filter(
            status=Order.Status.PENDING, wallet__firm_account__test_clock_id=clock_id
        )
    )


def _read(rows: "QuerySet[Order]") -> list[OpenOrder]:
    schema = require_building()
    return [
        OpenOrder(
            schema=schema,
            order_id=row["id"],
            user_id=row["user_id"],
            market_id=row["market_id"],
            condition_id=row["market__condition_id"],
            outcome_index=row["outcome__index"],
            outcome_label=row["outcome__label"],
            side=row["side"],
            price=to_scaled(row["price"]),
            remaining=to_scaled(row["quantity"] - row["filled_quantity"]),
            created_ms=to_milliseconds(row["created_at"]),
            expires_ms=to_milliseconds(row["expires_at"]) if row["expires_at"] else None,
            clears_ms=_clearing_ms(row["created_at"], row["market__book_clears_at"]),
            fee_rate=to_scaled(row["market__fee_rate"]),
            fee_exponent=row["market__fee_exponent"],
        )
        for row in rows.values(*_FIELDS).iterator(chunk_size=2000)
    ]


def _clearing_ms(created_at: datetime, clears_at: datetime | None) -> int | None:
    """When the venue cancels the order with all others; None if it was placed after that."""
    if clears_at is None or created_at >= clears_at:
        return None
    return to_milliseconds(clears_at)


def list_held_condition_ids() -> set[str]:
    """Markets in which somebody of this building has an open position."""
    rows = Position.objects.filter(status=Position.Status.OPEN)
    return set(rows.values_list("market__condition_id", flat=True).distinct())


def list_ended_market_ids(market_ids: Sequence[int]) -> set[int]:
    """Those of these markets that take no more orders, for good (not merely paused)."""
    ended = Market.objects.filter(id__in=market_ids).filter(
        Q(is_closed=True) | Q(is_archived=True) | Q(resolutions__isnull=False)
    )
    return set(ended.values_list("id", flat=True))
