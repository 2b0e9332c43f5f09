"""Orders, fills and history of wallets: two or three queries a page, none per row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils.functional import SimpleLazyObject

from polysim.kernel.errors import ServiceUnavailable
from trading.errors import OrderNotFound
from trading.markets.books import read_feed_state
from trading.models import Fill, Order
from trading.selectors.cursors import decode_time_cursor, encode_cursor
from trading.selectors.rows import FillRow, HistoryRow, OrderPage, OrderRow

TOTAL_HINT_MAX = 1000

_MARKET_FIELDS = {
    "condition_id": "market__condition_id",
    "market_slug": "market__slug",
    "market_question": "market__question",
}
_ORDER_FIELDS = {
    **_MARKET_FIELDS,
    "order_id": "pk",
    "wallet_id": "wallet_id",
    "market_id": "market_id",
    "outcome_id": "outcome_id",
    "outcome": "outcome__label",
    "outcome_index": "outcome__index",
    "token_id": "outcome__token_id",
    "side": "side",
    "order_type": "type",
    "time_in_force": "time_in_force",
    "price": "price",
    "quantity": "quantity",
    "filled_quantity": "filled_quantity",
    "notional": "filled_notional",
    "fee": "fee",
    "average_price": "average_price",
    "is_post_only": "is_post_only",
    "expires_at": "expires_at",
    "status": "status",
    "cancelled_reason": "cancelled_reason",
    "client_order_id": "client_order_id",
    "created_at": "created_at",
    "filled_at": "filled_at",
    "cancelled_at": "cancelled_at",
    "placed_by": "placed_by",
}


def list_orders(
    *,
    wallet_ids: Sequence[int],
    status: str | None = None,
    condition_id: str | None = None,
    side: str | None = None,
    limit: int = 50,
    offset: int = 0,
    cursor: str | None = None,
    with_total: bool = False,
) -> OrderPage:
    """Orders newest first (trading-api 4.4); `status` is a stored one or OPEN.

    `offset` is ignored with a cursor. Raises ValidationFailed for an unreadable cursor.
    """
    chosen = Order.objects.filter(wallet_id__in=wallet_ids)
    if status is not None:
        chosen = chosen.filter(status="PENDING" if status == "OPEN" else status)
    if condition_id is not None:
        chosen = chosen.filter(market__condition_id=condition_id)
    if side is not None:
        chosen = chosen.filter(side=side)
    total = chosen[:TOTAL_HINT_MAX].count() if with_total else 0
    after = decode_time_cursor(cursor)
    if after is not None:
        at, order_id = after
        below = Q(created_at__lt=at)
        chosen = chosen.filter(
            below if order_id is None else below | Q(created_at=at, pk__lt=order_id)
        )
        offset = 0
    found = list(
        chosen.order_by("-created_at", "-pk").values(*_ORDER_FIELDS.values())[
            offset : offset + limit + 1
        ]
    )
    rows = _order_rows(found[:limit])
    has_more = len(found) > limit
    next_cursor = (
        encode_cursor(rows[-1].created_at.isoformat(), rows[-1].order_id) if has_more else None
    )
    return OrderPage(rows, next_cursor, has_more, total)


def list_account_orders(
    *, wallet_id: int, status: str | None = None, before_id: int = 0, limit: int = 50
) -> tuple[list[OrderRow], bool]:
    """(orders of a firm account newest first, whether there are more) below an order id (B2)."""
    chosen = Order.objects.filter(wallet_id=wallet_id)
    if status is not None:
        chosen = chosen.filter(status="PENDING" if status == "OPEN" else status)
    if before_id:
        chosen = chosen.filter(pk__lt=before_id)
    found = list(chosen.order_by("-pk").values(*_ORDER_FIELDS.values())[: limit + 1])
    return _order_rows(found[:limit]), len(found) > limit


def get_order(*, wallet_ids: Sequence[int], order_id: int) -> OrderRow:
    """One order of these wallets; raises OrderNotFound."""
    found = list(
        Order.objects.filter(pk=order_id, wallet_id__in=wallet_ids).values(*_ORDER_FIELDS.values())
    )
    if not found:
        raise OrderNotFound()
    return _order_rows(found)[0]


def _order_rows(found: Sequence[Mapping[str, Any]]) -> list[OrderRow]:
    halted = SimpleLazyObject(_halt_reason)
    rows = []
    for values in found:
        fields = {name: values[path] for name, path in _ORDER_FIELDS.items()}
        fields["cancelled_reason"] = fields["cancelled_reason"] or None
        is_open = fields["status"] == "PENDING"
        reason = str(halted) if is_open else ""
        rows.append(OrderRow(**fields, hold_reason=reason or None))
    return rows


def _halt_reason() -> str:
    try:
        return "venue_outage" if read_feed_state().is_halted else ""
    except ServiceUnavailable:
        return "venue_outage"


def list_history(
    *,
    wallet_ids: Sequence[int],
    condition_id: str | None = None,
    side: str | None = None,
    limit: int = 50,
    offset: int = 0,
    filled_from: datetime | None = None,
    filled_to: datetime | None = None,
) -> list[HistoryRow]:
    """Filled orders, newest fill first (accounts-api 7.4); bounds are inclusive."""
    chosen = Order.objects.filter(wallet_id__in=wallet_ids, status="FILLED")
    if condition_id is not None:
        chosen = chosen.filter(market__condition_id=condition_id)
    if side is not None:
        chosen = chosen.filter(side=side)
    if filled_from is not None:
        chosen = chosen.filter(filled_at__gte=filled_from)
    if filled_to is not None:
        chosen = chosen.filter(filled_at__lte=filled_to)
    found = chosen.order_by("-filled_at", "-pk").values(
        *_ORDER_FIELDS.values(), "answer__price_source", "answer__quote_age_ms"
    )[offset : offset + limit]
    return [_history_row(values) for values in found]


def _history_row(values: Mapping[str, Any]) -> HistoryRow:
    return HistoryRow(
        order_id=values["pk"],
        wallet_id=values["wallet_id"],
        condition_id=values["market__condition_id"],
        market_slug=values["market__slug"],
        market_question=values["market__question"],
        outcome=values["outcome__label"],
        side=values["side"],
        order_type=values["type"],
        price=values["average_price"],
        quantity=values["filled_quantity"],
        notional=values["filled_notional"],
        fee=values["fee"],
        status=values["status"],
        price_source=values["answer__price_source"] or "limit",
        price_age_ms=values["answer__quote_age_ms"],
        filled_at=values["filled_at"],
        created_at=values["created_at"],
    )


def list_fills(
    *,
    wallet_ids: Sequence[int],
    condition_id: str | None = None,
    order_id: int | None = None,
    limit: int = 50,
    offset: int = 0,
    cursor: str | None = None,
) -> list[FillRow]:
    """Executions newest first, each with the levels it took."""
    chosen = Fill.objects.filter(wallet_id__in=wallet_ids)
    if condition_id is not None:
        chosen = chosen.filter(market__condition_id=condition_id)
    if order_id is not None:
        chosen = chosen.filter(order_id=order_id)
    after = decode_time_cursor(cursor)
    if after is not None:
        at, fill_id = after
        below = Q(created_at__lt=at)
        chosen = chosen.filter(
            below if fill_id is None else below | Q(created_at=at, pk__lt=fill_id)
        )
    found = chosen.select_related("market", "outcome").order_by("-created_at", "-pk")[
        offset : offset + limit
    ]
    return [_fill_row(fill) for fill in found]


def _fill_row(fill: Fill) -> FillRow:
    return FillRow(
        fill_id=fill.pk,
        order_id=fill.order_id,
        wallet_id=fill.wallet_id,
        condition_id=fill.market.condition_id,
        market_slug=fill.market.slug,
        market_question=fill.market.question,
        outcome=fill.outcome.label,
        outcome_index=fill.outcome.index,
        token_id=fill.outcome.token_id,
        side=fill.side,
        price=fill.price,
        quantity=fill.quantity,
        notional=fill.notional,
        fee=fill.fee,
        liquidity=fill.liquidity,
        realized_pnl=fill.realized_pnl,
        created_at=fill.created_at,
        levels=_levels_taken(fill),
    )


def _levels_taken(fill: Fill) -> tuple[tuple[Decimal, Decimal], ...]:
    """(price, shares) taken from the book, in the prices of the order's own outcome."""
    evidence: Mapping[str, Any] = fill.evidence
    own = evidence.get("levels")
    if own is not None:
        return tuple((Decimal(price), Decimal(size)) for price, size in own)
    is_mirrored = fill.outcome.index == 1
    return tuple(
        (1 - Decimal(price) if is_mirrored else Decimal(price), Decimal(size))
        for price, size in evidence.get("levels_of_first_outcome", ())
    )
