"""Cancelling resting orders, one or many (trading-api 4.5).

Atomic against fills: both run under the user's lock, so an order is either filled or released.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from polysim.kernel.money import cents, four_places_text, money_text
from polysim.kernel.tenancy import require_building
from trading.markets.models import Market, Outcome
from trading.models import Order
from trading.selectors.clocks import AccountClock, find_clocks
from trading.services.order_events import publish_cancelled
from trading.services.refusals import (
    ClockAdvancing,
    InvalidRequest,
    OrderNotCancellable,
    refusal_of,
)
from trading.services.statements import call_each, call_once
from wallets.models import Wallet

# Orders named one by one in a bulk cancel (trading-api 6.2).
ORDER_IDS_MAX = 100
ID_MAX = 2**63 - 1
# Cancels that somebody asked for; all others are Polysim's own.
CALLERS_REASONS = ("user", "cancel_all")


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a bulk cancel did: ids as text, and why others were left."""

    cancelled: list[str]
    not_cancelled: dict[str, str]


def cancel_order(
    *,
    user_id: int,
    order_id: int,
    now: datetime,
    wallet_ids: Sequence[int] | None = None,
    reason: str = "user",
) -> dict[str, Any]:
    """Cancel one resting order of the user and answer the 4.1 body with its remainder.

    `wallet_ids` narrows what the caller may touch. Raises OrderNotFound (unknown, a stranger's,
    another wallet's), OrderNotCancellable, TradeInProgress, ServerBusy.
    """
    schema = require_building()
    if not 0 < order_id <= ID_MAX:
        raise refusal_of("ORDER_NOT_FOUND", now=now)
    now = _moment_of_order(order_id, user_id=user_id, reason=reason, now=now)
    sent = call_once(
        "cancel_order",
        {
            "user_id": user_id,
            "order_id": order_id,
            "wallet_ids": None if wallet_ids is None else list(wallet_ids),
            "reason": reason,
            "now": now.isoformat(),
            "wait_ms": settings.LOCK_WAIT_MS,
        },
    )
    if sent.get("refused") == "ORDER_NOT_CANCELLABLE":
        raise OrderNotCancellable(sent["status"])
    if "refused" in sent:
        raise refusal_of(sent["refused"], now=now)
    ended = sent["order"]
    outcome = Outcome.objects.select_related("market").get(pk=ended["outcome_id"])
    transaction.on_commit(
        lambda: publish_cancelled(
            ended,
            condition_id=outcome.market.condition_id,
            outcome=outcome.label,
            reason=reason,
            user_id=user_id,
            schema=schema,
            now=now,
        )
    )
    return _answer(ended, outcome=outcome, reason=reason)


def _moment_of_order(order_id: int, *, user_id: int, reason: str, now: datetime) -> datetime:
    """`now`, or the time of the account's test clock. Raises ClockAdvancing (partner-api B5)."""
    if require_building() == settings.RETAIL_SCHEMA:
        return now
    rows = Order.objects.filter(pk=order_id, user_id=user_id)
    wallet_ids = list(rows.values_list("wallet_id", flat=True))
    clocks = find_clocks(wallet_ids=wallet_ids)
    _require_standing(clocks.values(), reason=reason)
    return next((clock.at for clock in clocks.values()), now)


def _require_standing(clocks: Iterable[AccountClock], *, reason: str) -> None:
    """Traders and firms wait for an advancing clock; what Polysim ends itself does not."""
    if reason in CALLERS_REASONS and any(clock.is_advancing for clock in clocks):
        raise ClockAdvancing()


def _answer(ended: dict[str, Any], *, outcome: Outcome, reason: str) -> dict[str, Any]:
    """The 4.1 body of a cancelled order: quantity and notional are the remainder's."""
    price = Decimal(ended["price"])
    filled = Decimal(ended["filled_quantity"])
    remaining = Decimal(ended["quantity"]) - filled
    notional = money_text(cents(price * remaining))
    shares = four_places_text(remaining)
    is_buy = ended["side"] == "BUY"
    return {
        "order_id": ended["order_id"],
        "status": "CANCELLED",
        "order_type": ended["type"],
        "side": ended["side"],
        "outcome": outcome.label,
        "market_id": outcome.market.condition_id,
        "price": four_places_text(price),
        "quantity": shares,
        "requested_quantity": four_places_text(Decimal(ended["quantity"])),
        "filled_quantity": four_places_text(filled),
        "notional": notional,
        "fee": "0",
        "fee_rate_bps": None,
        "liquidity": None,
        "filled_at": None,
        "cancelled_reason": reason,
        "price_source": None,
        "slippage_bps": None,
        "quote_age_ms": None,
        "spread_bps": None,
        "impact_bps": None,
        "book_walk_levels": None,
        "account_balance": ended["account_balance"],
        "position": None,
        "client_order_id": ended["client_order_id"],
        "time_in_force": ended["time_in_force"],
        "error": None,
        "error_message": None,
        "amount_interpreted_as": None,
        "is_replay": False,
        "warnings": [],
        "making_amount": notional if is_buy else shares,
        "taking_amount": shares if is_buy else notional,
        "trade_ids": [],
        "wallet_id": ended["wallet_id"],
    }


def cancel_all_orders(
    *,
    user_id: int,
    now: datetime,
    wallet_ids: Sequence[int] | None = None,
    reason: str = "cancel_all",
) -> Cancelled:
    """Cancel every resting order of the user in this building, or of the wallets named."""
    return _cancel_many(user_id=user_id, now=now, reason=reason, wallet_ids=wallet_ids)


def cancel_market_orders(
    *,
    user_id: int,
    now: datetime,
    condition_id: str | None = None,
    token_id: str | None = None,
    wallet_ids: Sequence[int] | None = None,
) -> Cancelled:
    """Cancel resting orders of a market, a token, or both; an unknown one gives an empty result.

    Raises InvalidRequest when neither is named.
    """
    if not condition_id and not token_id:
        raise InvalidRequest("Name a market or an asset_id.")
    conditions: dict[str, Any] = {}
    if condition_id:
        market = Market.objects.filter(condition_id=condition_id).first()
        if market is None:
            return Cancelled([], {})
        conditions["market_id"] = market.pk
    if token_id:
        outcome = Outcome.objects.filter(token_id=token_id).first()
        if outcome is None:
            return Cancelled([], {})
        conditions["outcome_id"] = outcome.pk
    return _cancel_many(
        user_id=user_id, now=now, reason="user", wallet_ids=wallet_ids, **conditions
    )


def cancel_orders(
    *,
    user_id: int,
    order_ids: Sequence[str],
    now: datetime,
    wallet_ids: Sequence[int] | None = None,
) -> Cancelled:
    """Cancel the orders named; unknown, foreign and ended ones come back with the reason."""
    if len(order_ids) > ORDER_IDS_MAX:
        raise InvalidRequest(f"At most {ORDER_IDS_MAX} orders at once.")
    numbers = {text: int(text) for text in order_ids if _is_id(text)}
    done = _cancel_many(
        user_id=user_id,
        now=now,
        reason="user",
        wallet_ids=wallet_ids,
        order_ids=list(numbers.values()),
    )
    left = [text for text in order_ids if text not in done.cancelled]
    owned = Order.objects.filter(
        pk__in=[numbers[text] for text in left if text in numbers], user_id=user_id
    )
    if wallet_ids is not None:
        owned = owned.filter(wallet_id__in=list(wallet_ids))
    states = {str(order_id): status for order_id, status in owned.values_list("pk", "status")}
    reasons = {
        text: f"Cannot cancel order with status: {states[text]}"
        if text in states
        else "Order not found"
        for text in left
    }
    return Cancelled(done.cancelled, reasons)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < len(text) < 19


def _cancel_many(
    *,
    user_id: int,
    now: datetime,
    reason: str,
    wallet_ids: Sequence[int] | None,
    **conditions: Any,
) -> Cancelled:
    schema = require_building()
    cancelled: list[str] = []
    for group, at in _groups(user_id, wallet_ids, reason=reason, now=now):
        request = _end_request(
            user_id=user_id, wallet_ids=group, reason=reason, now=at, **conditions
        )
        sent = call_once("end_orders", request)
        if "refused" in sent:
            raise refusal_of(sent["refused"], now=at)
        announce_cancelled(sent["ended"], user_id=user_id, reason=reason, schema=schema, now=at)
        cancelled += [str(ended["order_id"]) for ended in sent["ended"]]
    return Cancelled(cancelled, {})


def cancel_orders_of_wallets(
    *, owners: Mapping[int, int], reason: str, now: datetime
) -> dict[int, int]:
    """Cancel all resting orders of several users' wallets (`owners`: user id by wallet id).

    In the transaction of a caller who holds the locks of all the users. Answers how many were
    cancelled, by wallet id; wallets without any are not in it. One on a test clock is cancelled
    at the clock's time.
    """
    resting = Order.objects.filter(wallet_id__in=list(owners), status=Order.Status.PENDING)
    wallet_ids = sorted(set(resting.values_list("wallet_id", flat=True)))
    if not wallet_ids:
        return {}
    clocks = find_clocks(wallet_ids=wallet_ids)
    _require_standing(clocks.values(), reason=reason)
    moments = {each: clocks[each].at if each in clocks else now for each in wallet_ids}
    requests = [
        _end_request(user_id=owners[each], wallet_ids=[each], reason=reason, now=moments[each])
        for each in wallet_ids
    ]
    cancelled: dict[int, int] = {}
    told: list[_Told] = []
    for wallet_id, sent in zip(wallet_ids, call_each("end_orders", requests), strict=True):
        if "refused" in sent:
            raise refusal_of(sent["refused"], now=moments[wallet_id])
        cancelled[wallet_id] = len(sent["ended"])
        told += [_Told(ended, owners[wallet_id], moments[wallet_id]) for ended in sent["ended"]]
    _announce(told, reason=reason, schema=require_building())
    return cancelled


def _end_request(
    *,
    user_id: int,
    wallet_ids: Sequence[int] | None,
    reason: str,
    now: datetime,
    **conditions: Any,
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "wallet_ids": None if wallet_ids is None else list(wallet_ids),
        "status": "CANCELLED",
        "reason": reason,
        "now": now.isoformat(),
        "wait_ms": settings.LOCK_WAIT_MS,
        **conditions,
    }


def _groups(
    user_id: int, wallet_ids: Sequence[int] | None, *, reason: str, now: datetime
) -> list[tuple[list[int] | None, datetime]]:
    """Wallets that share a moment, with it: all at `now`, but those on a test clock at its time.

    Raises ClockAdvancing.
    """
    everything = None if wallet_ids is None else list(wallet_ids)
    if require_building() == settings.RETAIL_SCHEMA:
        return [(everything, now)]
    named = everything
    if named is None:
        named = list(Wallet.objects.filter(user_id=user_id).values_list("pk", flat=True))
    clocks = find_clocks(wallet_ids=named)
    if not clocks:
        return [(everything, now)]
    _require_standing(clocks.values(), reason=reason)
    others = [wallet_id for wallet_id in named if wallet_id not in clocks]
    groups: list[tuple[list[int] | None, datetime]] = [(others, now)]
    groups += [([wallet_id], clock.at) for wallet_id, clock in clocks.items()]
    return groups


def announce_cancelled(
    ended_orders: Sequence[dict[str, Any]],
    *,
    user_id: int,
    reason: str,
    schema: str,
    now: datetime,
) -> None:
    """After commit: one frame per ended order, with one query for all their labels."""
    told = [_Told(ended, user_id, now) for ended in ended_orders]
    _announce(told, reason=reason, schema=schema)


@dataclass(frozen=True, slots=True)
class _Told:
    """An ended order (`describe_ended`), whose it was, and when it ended."""

    ended: dict[str, Any]
    user_id: int
    at: datetime


def _announce(told: Sequence[_Told], *, reason: str, schema: str) -> None:
    if not told:
        return
    outcomes = Outcome.objects.select_related("market").in_bulk(
        {each.ended["outcome_id"] for each in told}
    )

    def publish() -> None:
        for each in told:
            outcome = outcomes[each.ended["outcome_id"]]
            publish_cancelled(
                each.ended,
                condition_id=outcome.market.condition_id,
                outcome=outcome.label,
                reason=reason,
                user_id=each.user_id,
                schema=schema,
                now=each.at,
            )

    transaction.on_commit(publish)
