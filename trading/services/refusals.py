"""Every reason why an order or a cancel is refused, one class each (trading-api 4.1, 4.5).

Nothing was moved when one of these is raised. `code` goes to the header `X-Polysim-Code`;
`body_code` is the body's `error` where the contract names another.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from polysim.kernel.api.refusals import IdempotencyConflictPending, IdempotencyKeyReuse
from polysim.kernel.errors import NotFound, PolysimError, ServiceUnavailable
from trading.errors import OrderNotFound
from wallets.services import TradeInProgress, WalletNotFound


class OrderRefused(PolysimError):
    """Base of the refusals of an order: 400 unless a subclass says otherwise."""

    status = 400


class InvalidRequest(OrderRefused):
    """Both or neither of quantity and amount; amount with a sell or a limit order."""

    code = "INVALID_REQUEST"
    message = "Give either a quantity of shares or, for a market buy, an amount of dollars."


class PriceRequired(OrderRefused):
    """No price was sent."""

    code = "PRICE_REQUIRED"
    message = "Give a price: the limit, or the worst price you accept for a market order."


class InvalidQuantity(OrderRefused):
    """Not above zero, above the limit, or an amount that buys less than 0.0001 share."""

    code = "INVALID_QUANTITY"
    message = "The quantity must be at least 0.0001 and at most 1,000,000 shares."


class InvalidOutcome(OrderRefused):
    """The label is none of the market's."""

    code = "INVALID_OUTCOME"
    message = "This market has no such outcome."


class InvalidTick(OrderRefused):
    """The limit price is off the grid or outside [tick, 1 - tick]."""

    code = "INVALID_ORDER_MIN_TICK_SIZE"
    message = "The price is not on this market's price grid."


class InvalidSize(OrderRefused):
    """Fewer shares than the market's minimum."""

    code = "ORDER_BELOW_MIN_SIZE"
    body_code = "INVALID_ORDER_MIN_SIZE"
    message = "The order is smaller than this market's minimum size."


class InvalidExpiration(OrderRefused):
    """Good til date without a readable time in the future."""

    code = "INVALID_ORDER_EXPIRATION"
    message = "A good-til-date order needs an expiration in the future, in unix seconds."


class PostOnlyWouldCross(OrderRefused):
    """Post-only, but it would fill now."""

    code = "POST_ONLY_WOULD_CROSS"
    body_code = "INVALID_POST_ONLY_ORDER"
    message = "A post-only order must not fill at once, and at this price it would."


class InvalidPostOnlyType(OrderRefused):
    """Post-only with an order that never rests."""

    code = "INVALID_POST_ONLY_ORDER_TYPE"
    message = "Only limit orders that rest (GTC, GTD) can be post-only."


class InsufficientBalance(OrderRefused):
    """Free cash does not carry notional, fee and hold."""

    code = "INSUFFICIENT_BALANCE"
    message = "The wallet's free cash does not cover this order with its fee."


class InsufficientPosition(OrderRefused):
    """More shares than are held and free (no shorting)."""

    code = "INSUFFICIENT_POSITION"
    message = "The wallet does not hold that many free shares of this outcome."


class FokNotFilled(OrderRefused):
    """A market order that could not be filled within its price."""

    code = "FOK_ORDER_NOT_FILLED_ERROR"
    message = "The book cannot fill this order within your price. Nothing was bought or sold."


class InsufficientLiquidity(OrderRefused):
    """The whole book is smaller than the order."""

    code = "INSUFFICIENT_LIQUIDITY"
    message = "The whole book holds fewer shares than this order asks for."


class NoExecutableDepth(OrderRefused):
    """No depth that may fill an order (trading-api 7.4)."""

    code = "NO_EXECUTABLE_DEPTH"
    message = "There is nothing in the book that this order could fill against."


class StaleQuote(OrderRefused):
    """The feed has not confirmed the book recently."""

    code = "STALE_QUOTE"
    message = "The prices of this market are too old to trade on. Try again in a moment."


class PriceUnavailable(OrderRefused):
    """No price from any source."""

    code = "PRICE_UNAVAILABLE"
    message = "Price unavailable for market"


class MarketClosed(OrderRefused):
    """Closed, inactive, resolved, or not accepting orders."""

    code = "MARKET_CLOSED"
    message = "This market takes no orders any more."


class MarketNotFound(NotFound):
    """No such market."""

    code = "MARKET_NOT_FOUND"
    message = "There is no such market."


class WalletReadOnly(OrderRefused):
    """A key names a wallet that keys never trade."""

    code = "WALLET_READ_ONLY"
    status = 403
    message = "API keys trade the API wallet and sandbox wallets only."


class WalletFrozen(OrderRefused):
    """Frozen or archived."""

    code = "WALLET_FROZEN"
    status = 409
    message = "This wallet takes no orders: it is frozen or archived."


class AccountReadOnly(OrderRefused):
    """Trading is switched off on the firm account."""

    code = "ACCOUNT_READ_ONLY"
    status = 409
    message = "Trading is switched off on this account."


class AccountClosed(OrderRefused):
    """The firm account is closed."""

    code = "ACCOUNT_CLOSED"
    status = 409
    message = "This account is closed."


class ClockAdvancing(OrderRefused):
    """The account's test clock is on its way to another moment (partner-api B5)."""

    code = "CLOCK_ADVANCING"
    status = 409
    message = "The test clock of this account is advancing. Try again when it is ready."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class PositionLimitReached(OrderRefused):
    """The account's group allows no further open position (prop-backoffice 2, maxpositions)."""

    code = "POSITION_LIMIT_REACHED"
    status = 409
    message = "This account holds as many open positions as it may. Close one first."


class DuplicateClientOrderId(OrderRefused):
    """A new key with a client_order_id that an order already has."""

    code = "DUPLICATE_CLIENT_ORDER_ID"
    status = 409
    message = "There is already an order with this client_order_id."


class DailyOrderLimitExceeded(OrderRefused):
    """The plan's orders of this UTC day are used up."""

    code = "DAILY_ORDER_LIMIT_EXCEEDED"
    status = 429
    message = "Your plan's orders for today are used up."

    def __init__(self, now: datetime) -> None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        wait_s = int((midnight - now).total_seconds()) + 1
        super().__init__(headers={"Retry-After": str(wait_s)})


class VenueUnavailable(OrderRefused):
    """The venue or its feed is down (trading-api 7.5)."""

    code = "VENUE_UNAVAILABLE"
    status = 503
    message = "The venue does not answer. Limit orders can still be left; they wait."

    def __init__(self) -> None:
        super().__init__(extra={"retry_after": 60}, headers={"Retry-After": "60"})


class ServerBusy(OrderRefused):
    """Rows or book depth were contended for too long; nothing was placed."""

    code = "DB_CONTENTION_RETRY"
    body_code = "SERVER_BUSY"
    status = 503
    message = "Too many orders at once. Nothing was placed; try again."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class OutcomeUnknown(PolysimError):
    """The database was lost while the order was written, and has not come back in time.

    Only for orders without a key of the client's: it must look before it repeats, so the status
    is one that clients do not repeat by themselves (accounts-api 2.2, Retries).
    """

    code = "INTERNAL_ERROR"
    status = 500
    message = (
        "We lost the database while placing this order and cannot say whether it exists. "
        "Look at your orders before you send it again."
    )


class OrderNotCancellable(OrderRefused):
    """Filled, cancelled or expired already."""

    code = "ORDER_NOT_CANCELLABLE"

    def __init__(self, status: str) -> None:
        super().__init__(f"Cannot cancel order with status: {status}")


# What the functions of trading/sql and the engine answer, as exceptions.
_BY_CODE: dict[str, Callable[[], PolysimError]] = {
    "INVALID_REQUEST": InvalidRequest,
    "PRICE_REQUIRED": PriceRequired,
    "INVALID_QUANTITY": InvalidQuantity,
    "INVALID_OUTCOME": InvalidOutcome,
    "INVALID_ORDER_MIN_TICK_SIZE": InvalidTick,
    "INVALID_ORDER_MIN_SIZE": InvalidSize,
    "INVALID_ORDER_EXPIRATION": InvalidExpiration,
    "INVALID_POST_ONLY_ORDER": PostOnlyWouldCross,
    "INVALID_POST_ONLY_ORDER_TYPE": InvalidPostOnlyType,
    "INSUFFICIENT_BALANCE": InsufficientBalance,
    "INSUFFICIENT_POSITION": InsufficientPosition,
    "FOK_ORDER_NOT_FILLED_ERROR": FokNotFilled,
    "INSUFFICIENT_LIQUIDITY": InsufficientLiquidity,
    "NO_EXECUTABLE_DEPTH": NoExecutableDepth,
    "STALE_QUOTE": StaleQuote,
    "PRICE_UNAVAILABLE": PriceUnavailable,
    "MARKET_CLOSED": MarketClosed,
    "MARKET_NOT_FOUND": MarketNotFound,
    "WALLET_NOT_FOUND": WalletNotFound,
    "WALLET_READ_ONLY": WalletReadOnly,
    "WALLET_FROZEN": WalletFrozen,
    "ACCOUNT_READ_ONLY": AccountReadOnly,
    "ACCOUNT_CLOSED": AccountClosed,
    "POSITION_LIMIT_REACHED": PositionLimitReached,
    "DUPLICATE_CLIENT_ORDER_ID": DuplicateClientOrderId,
    "IDEMPOTENCY_KEY_REUSE": IdempotencyKeyReuse,
    "IDEMPOTENCY_CONFLICT_PENDING": IdempotencyConflictPending,
    "TRADE_IN_PROGRESS": TradeInProgress,
    "VENUE_UNAVAILABLE": VenueUnavailable,
    "SERVICE_UNAVAILABLE": ServiceUnavailable,
    "ORDER_NOT_FOUND": OrderNotFound,
}


def refusal_of(code: str, *, now: datetime) -> PolysimError:
    """The exception of a refusal's code; KeyError for a code that nobody refuses with."""
    if code == "DAILY_ORDER_LIMIT_EXCEEDED":
        return DailyOrderLimitExceeded(now)
    return _BY_CODE[code]()
