"""Positions with their marks, portfolios, settlements: one query and one look at the books."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import from_scaled
from trading.markets.books import Mark, read_marks
from trading.models import Order, Position, Settlement
from trading.selectors.cursors import decode_id_cursor, encode_cursor
from trading.selectors.rows import Portfolio, PositionRow, SettlementRow, TradeStats
from wallets.models import Wallet

_ONE = Decimal(1)
CLOSED_STATUSES = ("CLOSED", "CLOSED_BY_RESET")


def list_positions(
    *,
    wallet_ids: Sequence[int],
    now: datetime,
    status: str | None = "OPEN",
    condition_id: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[PositionRow]:
    """Positions newest first by id (accounts-api 7.2). `status` OPEN, CLOSED (both closed
    states) or None for all. Open ones carry the mark of the live books, else of the last
    catalogue sweep; without either none.
    """
    chosen = Position.objects.filter(wallet_id__in=wallet_ids)
    if status == "OPEN":
        chosen = chosen.filter(status="OPEN")
    elif status == "CLOSED":
        chosen = chosen.filter(status__in=CLOSED_STATUSES)
    if condition_id is not None:
        chosen = chosen.filter(market__condition_id=condition_id)
    rows = chosen.select_related("market", "outcome", "market__stats").order_by("-pk")
    found = list(rows[offset : offset + limit] if limit is not None else rows)
    marks = _marks_of(position for position in found if position.status == "OPEN")
    now_ms = to_milliseconds(now)
    return [_position_row(position, marks, now_ms) for position in found]


def _marks_of(positions: Iterable[Position]) -> Mapping[tuple[str, int], Mark]:
    wanted = [(position.market.condition_id, position.outcome.index) for position in positions]
    try:
        return read_marks(wanted)
    except ServiceUnavailable:
        # Without live prices the sweep's price stands in, and its age says so.
        return {}


def _position_row(
    position: Position, marks: Mapping[tuple[str, int], Mark], now_ms: int
) -> PositionRow:
    market, outcome = position.market, position.outcome
    price, age_ms = None, None
    if position.status == "OPEN":
        price, age_ms = _price_of(position, marks, now_ms)
    return PositionRow(
        position_id=position.pk,
        wallet_id=position.wallet_id,
        market_id=market.pk,
        condition_id=market.condition_id,
        market_slug=market.slug,
        market_question=market.question,
        market_category=market.category,
        market_ends_at=market.ends_at,
        outcome_id=outcome.pk,
        outcome=outcome.label,
        outcome_index=outcome.index,
        token_id=outcome.token_id,
        quantity=position.quantity,
        reserved_quantity=position.reserved_quantity,
        average_price=position.average_price,
        cost=position.cost,
        realized_pnl=position.realized_pnl,
        status=position.status,
        opened_at=position.opened_at,
        closed_at=position.closed_at,
        current_price=price,
        mark_age_ms=age_ms,
    )


def _price_of(
    position: Position, marks: Mapping[tuple[str, int], Mark], now_ms: int
) -> tuple[Decimal | None, int | None]:
    mark = marks.get((position.market.condition_id, position.outcome.index))
    if mark is not None:
        return from_scaled(mark.price), mark.age_ms(now_ms)
    stats = getattr(position.market, "stats", None)
    if stats is None or stats.price is None:
        return None, None
    price = stats.price if position.outcome.index == 0 else _ONE - stats.price
    return price, max(0, now_ms - to_milliseconds(stats.updated_at))


def get_portfolio(*, wallet_ids: Sequence[int], now: datetime) -> Portfolio:
    """Cash, open positions and equity over these wallets of the building (two queries)."""
    wallets = Wallet.objects.filter(pk__in=wallet_ids).values("balance", "reserved", "baseline")
    rows = list(wallets)
    return Portfolio(
        wallet_ids=tuple(wallet_ids),
        cash=_sum(rows, "balance"),
        reserved=_sum(rows, "reserved"),
        baseline=_sum(rows, "baseline"),
        positions=list_positions(wallet_ids=wallet_ids, now=now),
    )


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> Decimal:
    return sum((row[name] for row in rows), Decimal(0))


def get_trade_stats(*, wallet_ids: Sequence[int]) -> TradeStats:
    """Filled orders and the share of winners among closed positions (accounts-api 7.3, 7.7).

    Positions closed by a reset have no exit price and stay out.
    """
    trades = Order.objects.filter(wallet_id__in=wallet_ids, status="FILLED").count()
    closed = Position.objects.filter(wallet_id__in=wallet_ids, status="CLOSED").aggregate(
        all=Count("pk"), wins=Count("pk", filter=Q(realized_pnl__gt=0))
    )
    return TradeStats(trades, closed["all"], closed["wins"])


def list_settlements(
    *,
    wallet_ids: Sequence[int],
    limit: int = 100,
    cursor: str | None = None,
    condition_id: str | None = None,
    settled_from: datetime | None = None,
    settled_to: datetime | None = None,
) -> tuple[list[SettlementRow], str]:
    """(rows by position id descending, next cursor or "") of accounts-api 7.5.

    Of a corrected settlement the newest version is shown. Bounds are inclusive.
    """
    newest = (
        Settlement.objects.filter(position=OuterRef("position"))
        .order_by("-version")
        .values("version")[:1]
    )
    chosen = Settlement.objects.filter(wallet_id__in=wallet_ids, version=Subquery(newest))
    below = decode_id_cursor(cursor)
    if below is not None:
        chosen = chosen.filter(position_id__lt=below)
    if condition_id is not None:
        chosen = chosen.filter(market__condition_id=condition_id)
    if settled_from is not None:
        chosen = chosen.filter(settled_at__gte=settled_from)
    if settled_to is not None:
        chosen = chosen.filter(settled_at__lte=settled_to)
    found = list(
        chosen.select_related("market", "position__outcome").order_by("-position_id")[: limit + 1]
    )
    rows = [_settlement_row(settlement) for settlement in found[:limit]]
    has_more = len(found) > limit
    return rows, encode_cursor(rows[-1].position_id) if has_more else ""


def _settlement_row(settlement: Settlement) -> SettlementRow:
    return SettlementRow(
        position_id=settlement.position_id,
        wallet_id=settlement.wallet_id,
        version=settlement.version,
        condition_id=settlement.market.condition_id,
        market_slug=settlement.market.slug,
        market_question=settlement.market.question,
        outcome=settlement.position.outcome.label,
        quantity=settlement.quantity,
        average_price=settlement.average_price,
        cost=settlement.cost,
        payout=settlement.payout,
        payout_per_share=settlement.payout_per_share,
        realized_pnl=settlement.realized_pnl,
        result=settlement.result,
        settled_at=settlement.settled_at,
    )
