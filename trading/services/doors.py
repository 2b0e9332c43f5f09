"""Orders as doors ask for them: body and caller in, building chosen by the wallet, answer out.

The wallet named in an order decides the building (contracts/README 2); without one it is the API
wallet, which stands in retail. A stranger's wallet is looked for there and not found.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from polysim.kernel.errors import PolysimError, ValidationFailed
from polysim.kernel.tenancy import enter_building
from tenants.models import User, WalletKind
from trading.services.cancelling import (
    Cancelled,
    cancel_all_orders,
    cancel_market_orders,
    cancel_order,
)
from trading.services.order_request import Caller, parse_order
from trading.services.orders import place_order
from trading.services.preview import Preview, preview_order
from trading.services.refusals import OrderRefused
from wallets.models import Wallet
from wallets.selectors import building_of, get_own_wallet

logger = logging.getLogger(__name__)

KEY_KINDS = (WalletKind.API, WalletKind.SANDBOX)


class BatchLimitExceeded(OrderRefused):
    """More orders than the tier sends at once; none was placed."""

    code = "BATCH_LIMIT_EXCEEDED"

    def __init__(self, orders_max: int) -> None:
        super().__init__(f"Your tier sends at most {orders_max} orders at once.")


def place_own_order(
    *,
    user: User,
    body: Any,
    is_key: bool,
    now: datetime,
    idempotency_key: str | None = None,
    daily_order_limit: int | None = None,
) -> dict[str, Any]:
    """Place the order of a 4.1 body and answer its 4.1 object.

    Raises ValidationFailed and everything of `place_order`.
    """
    command = parse_order(_object(body), is_key=is_key, idempotency_key=idempotency_key)
    caller = Caller(user_id=user.pk, is_key=is_key, daily_order_limit=daily_order_limit)
    with enter_building(building_of(user_id=user.pk, wallet_id=command.wallet_id)):
        return place_order(command=command, caller=caller, now=now)


def preview_own_order(*, user: User, body: Any, is_key: bool, now: datetime) -> Preview:
    """What the order of a 4.1 body would do; raises what placing it would raise."""
    command = parse_order(_object(body), is_key=is_key)
    caller = Caller(user_id=user.pk, is_key=is_key)
    with enter_building(building_of(user_id=user.pk, wallet_id=command.wallet_id)):
        preview = preview_order(command=command, caller=caller, now=now)
    if preview.refusal is not None:
        raise preview.refusal
    return preview


def place_own_batch(
    *,
    user: User,
    bodies: Sequence[Any],
    is_key: bool,
    orders_max: int,
    now: datetime,
    daily_order_limit: int | None = None,
) -> dict[str, Any]:
    """Place orders one after another, each for itself (trading-api 4.3).

    A refused one is a REJECTED entry, one that failed on our side an ERROR entry. Raises
    BatchLimitExceeded before any is placed.
    """
    if len(bodies) > orders_max:
        raise BatchLimitExceeded(orders_max)
    results = []
    for body in bodies:
        try:
            results.append(
                place_own_order(
                    user=user,
                    body=body,
                    is_key=is_key,
                    now=now,
                    daily_order_limit=daily_order_limit,
                )
            )
        except PolysimError as error:
            results.append(_failed_entry(body, error))
        except Exception:
            # The orders before this one are placed: their answers must reach the caller.
            logger.exception("An order of a batch failed.")
            results.append(_failed_entry(body, PolysimError()))
    failed = sum(result["order_id"] == 0 for result in results)
    return {"results": results, "succeeded": len(results) - failed, "failed": failed}


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise ValidationFailed([("body", "must be a JSON object")])
    return body


def _failed_entry(body: Any, error: PolysimError) -> dict[str, Any]:
    sent: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    is_ours = error.status >= 500 and error.code != "VENUE_UNAVAILABLE"
    return {
        "order_id": 0,
        "status": "ERROR" if is_ours else "REJECTED",
        "order_type": _sent_text(sent.get("order_type"), "market"),
        "side": _sent_text(sent.get("side"), ""),
        "outcome": _sent_text(sent.get("outcome"), ""),
        "price": "0",
        "quantity": _sent_text(sent.get("quantity"), "0"),
        "notional": "0",
        "fee": "0",
        "client_order_id": _sent_text(sent.get("client_order_id"), None),
        "error": error.body_code or error.code,
        "error_message": error.message,
        "error_details": error.details,
    }


def _sent_text(value: Any, missing: str | None) -> str | None:
    """What was sent, as text; nested or absent values as `missing`."""
    if value is None or isinstance(value, list | Mapping):
        return missing
    return str(value)[:256]


def cancel_own_order(
    *, user: User, order_id: int, is_key: bool, now: datetime, wallet_id: int | None = None
) -> dict[str, Any]:
    """Cancel a resting order; raises OrderNotFound, OrderNotCancellable, TradeInProgress."""
    with enter_building(building_of(user_id=user.pk, wallet_id=wallet_id)):
        return cancel_order(
            user_id=user.pk,
            order_id=order_id,
            wallet_ids=reachable_wallet_ids(user=user, is_key=is_key, wallet_id=wallet_id),
            now=now,
        )


def cancel_own_orders(
    *, user: User, is_key: bool, now: datetime, wallet_id: int | None = None
) -> Cancelled:
    """Cancel every resting order of the account, or of one of its wallets."""
    with enter_building(building_of(user_id=user.pk, wallet_id=wallet_id)):
        return cancel_all_orders(
            user_id=user.pk,
            wallet_ids=reachable_wallet_ids(user=user, is_key=is_key, wallet_id=wallet_id),
            now=now,
        )


def cancel_own_market_orders(
    *,
    user: User,
    is_key: bool,
    now: datetime,
    condition_id: str | None = None,
    token_id: str | None = None,
    wallet_id: int | None = None,
) -> Cancelled:
    """Cancel resting orders of a market, a token, or of both at once; raises InvalidRequest."""
    with enter_building(building_of(user_id=user.pk, wallet_id=wallet_id)):
        return cancel_market_orders(
            user_id=user.pk,
            condition_id=condition_id,
            token_id=token_id,
            wallet_ids=reachable_wallet_ids(user=user, is_key=is_key, wallet_id=wallet_id),
            now=now,
        )


def reachable_wallet_ids(
    *, user: User, is_key: bool, wallet_id: int | None = None
) -> list[int] | None:
    """Wallets of this building whose orders the caller handles; None = all of the user's.

    Keys reach API and SANDBOX wallets only (accounts-api 6.1). Raises WalletNotFound.
    """
    if wallet_id is not None:
        wallet = get_own_wallet(user_id=user.pk, wallet_id=wallet_id)
        return [wallet.pk] if not is_key or wallet.kind in KEY_KINDS else []
    if not is_key:
        return None
    owned = Wallet.objects.filter(user=user, kind__in=KEY_KINDS)
    return list(owned.values_list("pk", flat=True))
