"""The one request that the function `place_order` in trading/sql takes, and its answer's frame."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from polysim.kernel.clock import iso_text
from polysim.kernel.money import divide_half_up, four_places_text, from_scaled, money_text
from trading.engine.fees import rate_in_basis_points
from trading.engine.matching import FILLED, RESTING, MatchResult
from trading.services.market_terms import MarketTerms, OutcomeTerms
from trading.services.order_checks import expiry_of
from trading.services.order_matching import Matched
from trading.services.order_request import Caller, PlaceOrder


def refused_request(
    command: PlaceOrder, caller: Caller, *, refusal: str, key: str, now: datetime
) -> dict[str, Any]:
    """A request that can only be replayed or refused: idempotency and wallet speak first."""
    return {**_envelope(command, caller, key=key, now=now), "refused": refusal}


def order_request(
    command: PlaceOrder,
    caller: Caller,
    terms: MarketTerms,
    outcome: OutcomeTerms,
    matched: Matched,
    *,
    key: str,
    now: datetime,
) -> dict[str, Any]:
    """The request of a matched order."""
    result = matched.result
    expires_at = expiry_of(command, now=now)
    return {
        **_envelope(command, caller, key=key, now=now),
        "not_matched": matched.refusal,
        "cash_needed": str(from_scaled(matched.cash_needed)),
        "shares_needed": str(command.quantity),
        "market_id": terms.market_id,
        "outcome_id": outcome.outcome_id,
        "side": command.side,
        "type": command.order_type,
        "time_in_force": command.time_in_force,
        "price": str(command.price),
        "quantity": str(from_scaled(result.requested_quantity)),
        "amount": None if command.amount is None else str(command.amount),
        "is_post_only": command.post_only,
        "expires_at": expires_at.isoformat() if expires_at else None,
        "status": status_of(result),
        "cancelled_reason": cancelled_reason(command, result) or "",
        "fill": _fill(matched, terms),
        "rest": str(from_scaled(result.remaining_quantity)),
        "hold": str(from_scaled(result.hold)),
        "answer": answer_frame(command, terms, outcome, matched, now=now),
    }


def _envelope(command: PlaceOrder, caller: Caller, *, key: str, now: datetime) -> dict[str, Any]:
    day_start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "user_id": caller.user_id,
        "is_key": caller.is_key,
        "placed_by": caller.placed_by,
        "wallet_id": command.wallet_id,
        "key": key,
        "client_order_id": command.client_order_id,
        "request_hash": command.content_hash(),
        "daily_limit": caller.daily_order_limit,
        "day_start": day_start.isoformat(),
        "now": now.isoformat(),
        "wait_ms": settings.LOCK_WAIT_MS,
    }


def status_of(result: MatchResult) -> str:
    """FILLED, PENDING or CANCELLED."""
    return {FILLED: "FILLED", RESTING: "PENDING"}.get(result.status, "CANCELLED")


def cancelled_reason(command: PlaceOrder, result: MatchResult) -> str | None:
    """Why a limit FOK or IOC ended without a fill."""
    if status_of(result) != "CANCELLED":
        return None
    return "fok_not_filled" if command.time_in_force == "FOK" else "fak_not_filled"


def exact_price(result: MatchResult) -> Decimal:
    """The fill's volume weighted price to 12 places."""
    numerator, denominator = result.average_price
    return Decimal(divide_half_up(numerator * 10**12, denominator)).scaleb(-12)


def _fill(matched: Matched, terms: MarketTerms) -> dict[str, Any] | None:
    result = matched.result
    if not result.filled_quantity:
        return None
    return {
        "quantity": str(from_scaled(result.filled_quantity)),
        "price": str(exact_price(result)),
        "notional": str(from_scaled(result.notional)),
        "exact_notional": str(Decimal(result.notional_product).scaleb(-12)),
        "fee": str(from_scaled(result.fee)),
        "evidence": _evidence(matched, terms),
    }


def _evidence(matched: Matched, terms: MarketTerms) -> dict[str, Any]:
    """What the fill can be replayed from (architecture law 9)."""
    return {
        "source": matched.price_source,
        "book_seq": matched.live.seq,
        "quote_age_ms": matched.age_ms,
        "displayed_price": _text(matched.displayed),
        "best_bid": _text(matched.executable.best_bid),
        "best_ask": _text(matched.executable.best_ask),
        "fee_rate": _text(terms.fee_rate),
        "fee_exponent": terms.fee_exponent,
        "levels": [[_text(price), _text(quantity)] for price, quantity in matched.result.takes],
    }


def _text(scaled: int | None) -> str | None:
    return None if scaled is None else str(from_scaled(scaled))


def answer_frame(
    command: PlaceOrder,
    terms: MarketTerms,
    outcome: OutcomeTerms,
    matched: Matched,
    *,
    now: datetime,
) -> dict[str, Any]:
    """The 4.1 answer without what only the rows know: ids, balance, position."""
    result = matched.result
    has_fill = result.filled_quantity > 0
    status = status_of(result)
    price = exact_price(result) if has_fill else command.price
    shown = result.filled_quantity if status == "FILLED" else result.requested_quantity
    notional = money_text(from_scaled(result.notional))
    filled = four_places_text(from_scaled(result.filled_quantity))
    is_buy = command.side == "BUY"
    liquidity = "taker" if has_fill else "maker" if status == "PENDING" else None
    return {
        "order_id": 0,
        "status": status,
        "order_type": command.order_type,
        "side": command.side,
        "outcome": outcome.label,
        "market_id": terms.condition_id,
        "price": four_places_text(price),
        "quantity": four_places_text(from_scaled(shown)),
        "requested_quantity": four_places_text(from_scaled(result.requested_quantity)),
        "filled_quantity": filled,
        "notional": notional,
        "fee": money_text(from_scaled(result.fee)),
        "fee_rate_bps": rate_in_basis_points(terms.fee_rate),
        "liquidity": liquidity,
        "filled_at": iso_text(now) if status == "FILLED" else None,
        "cancelled_reason": cancelled_reason(command, result),
        "price_source": matched.price_source if has_fill else None,
        "slippage_bps": result.slippage_bps,
        "quote_age_ms": matched.age_ms if matched.live.confirmed_at_ms else None,
        "spread_bps": result.spread_bps,
        "impact_bps": result.impact_bps,
        "book_walk_levels": result.levels_taken or None,
        "account_balance": None,
        "position": {"market_id": terms.condition_id, "outcome": outcome.label},
        "client_order_id": command.client_order_id,
        "time_in_force": command.time_in_force,
        "error": None,
        "error_message": None,
        "amount_interpreted_as": None if command.amount is None else "usd_notional",
        "is_replay": False,
        "warnings": list(result.warnings),
        "making_amount": notional if is_buy else filled,
        "taking_amount": filled if is_buy else notional,
        "trade_ids": [],
        "hold_reason": (
            "venue_outage" if matched.is_waiting_for_venue and status == "PENDING" else None
        ),
    }
