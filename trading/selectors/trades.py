"""The trades feed of a firm account: oldest first by `seq`, read exactly once (partner-api 6).

A page starts behind a `seq` and takes the index on (account, seq), so it costs the same in an
account of ten trades and of a million. `seq` is given under the account's row lock: what is
behind a cursor never grows.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F

from polysim.kernel.api.partner_cursors import decode_list_cursor, encode_list_cursor
from polysim.kernel.clock import iso_micro_text
from polysim.kernel.money import four_places_text, money_text
from trading.errors import AccountNotFound
from trading.models import Trade
from wallets.models import FirmAccount

LIMIT_MAX = 200
# Between the moment an order is placed with and its booking lie lock waits of seconds at most, so
# rows of one time stand together in `seq` but for these.
BOOKING_DELAY_MAX = timedelta(seconds=60)

_FIELDS = {
    "trade_id": "pk",
    "seq": "seq",
    "kind": "kind",
    "attempt": "attempt",
    "order_id": "order_id",
    "market_id": "market__condition_id",
    "token_id": "outcome__token_id",
    "market_question": "market__question",
    "market_category": "market__category",
    "side": "side",
    "outcome": "outcome__label",
    "price": "price",
    "quantity": "quantity",
    "notional": "notional",
    "fee": "fee",
    "liquidity": "liquidity",
    "realized_pnl": "realized_pnl",
    "cash_delta": "cash_delta",
    "balance_after": "balance_after",
    "placed_by": "placed_by",
    "filled_at": "filled_at",
}
_MONEY = ("notional", "fee", "realized_pnl", "cash_delta", "balance_after")


@dataclass(frozen=True, slots=True)
class TradeFilters:
    """What of the feed is wanted; `kind` fill, settlement or all, times on `filled_at`."""

    kind: str = "fill"
    side: str | None = None
    market_id: str | None = None
    attempt: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TradePage:
    """Rows as they go over the wire; `next_cursor` is always there."""

    rows: list[dict[str, Any]]
    next_cursor: str
    has_more: bool


def list_trades(
    *, account_id: UUID, filters: TradeFilters, cursor: str | None = None, limit: int = 50
) -> TradePage:
    """A page behind the cursor: a query for the account, one for the page, one a time bound.

    Raises AccountNotFound, and InvalidCursor for a cursor of another feed or other filters.
    """
    found_ids = FirmAccount.objects.filter(wallet__account_id=account_id)
    wallet_id = found_ids.values_list("pk", flat=True).first()
    if wallet_id is None:
        raise AccountNotFound()
    scope = trades_scope(account_id, filters)
    after = decode_list_cursor(cursor, scope=scope)
    chosen = _within_times(Trade.objects.filter(wallet_id=wallet_id), wallet_id, filters)
    if filters.kind != "all":
        chosen = chosen.filter(kind=filters.kind)
    if filters.side is not None:
        chosen = chosen.filter(side=filters.side)
    if filters.market_id is not None:
        chosen = chosen.filter(market__condition_id=filters.market_id)
    if filters.attempt is not None:
        chosen = chosen.filter(attempt=filters.attempt)
    found = list(
        chosen.filter(seq__gt=after).order_by("seq").values(*_FIELDS.values())[: limit + 1]
    )
    rows = [trade_row(values) for values in found[:limit]]
    if not rows and cursor:
        return TradePage([], cursor, has_more=False)
    position = rows[-1]["seq"] if rows else after
    return TradePage(rows, encode_list_cursor(position, scope=scope), len(found) > limit)


def trades_scope(account_id: UUID, filters: TradeFilters) -> dict[str, Any]:
    """What a cursor of the feed is bound to."""
    return {"list": "trades", "account": account_id, **asdict(filters)}


def _within_times(chosen: Any, wallet_id: int, filters: TradeFilters) -> Any:
    """Bounds on `filled_at`, and the range of `seq` that they can lie in."""
    rows = Trade.objects.filter(wallet_id=wallet_id)
    if filters.since is not None:
        earlier = rows.filter(filled_at__lt=filters.since - BOOKING_DELAY_MAX)
        first = earlier.order_by("-filled_at", "-seq").values_list("seq", flat=True).first()
        chosen = chosen.filter(filled_at__gte=filters.since, seq__gt=first or 0)
    if filters.until is not None:
        later = rows.filter(filled_at__gte=filters.until + BOOKING_DELAY_MAX)
        last = later.order_by("filled_at", "seq").values_list("seq", flat=True).first()
        chosen = chosen.filter(filled_at__lt=filters.until)
        if last is not None:
            chosen = chosen.filter(seq__lt=last)
    return chosen


def get_trade(*, trade_id: UUID) -> dict[str, Any] | None:
    """One row with its account's id, for an event of the outbox; None for an unknown id."""
    values = (
        Trade.objects.filter(pk=trade_id)
        .annotate(account_id=F("wallet__account_id"))
        .values("account_id", *_FIELDS.values())
        .first()
    )
    if values is None:
        return None
    return {"account_id": str(values["account_id"]), **trade_row(values)}


def trade_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of section 6."""
    row = {name: values[path] for name, path in _FIELDS.items()}
    row |= {name: money_text(row[name]) for name in _MONEY}
    return row | {
        "trade_id": str(row["trade_id"]),
        "price": four_places_text(row["price"]),
        "quantity": four_places_text(row["quantity"]),
        "liquidity": row["liquidity"] or None,
        "filled_at": iso_micro_text(row["filled_at"]),
    }
