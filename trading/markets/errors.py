"""Refusals about markets, shared by market data, orders and pages (trading-api 2, 4.1)."""

from polysim.kernel.errors import PolysimError


class MarketNotFound(PolysimError):
    """No market has this id or slug."""

    code = "MARKET_NOT_FOUND"
    status = 404
    message = "There is no such market."


class TokenNotFound(PolysimError):
    """No outcome has this token id."""

    code = "TOKEN_NOT_FOUND"
    status = 404
    message = "There is no outcome with this token id."


class InvalidOutcome(PolysimError):
    """The market has no outcome of this name."""

    code = "INVALID_OUTCOME"
    status = 400
    message = "This market has no such outcome."


class CatalogueEmpty(PolysimError):
    """The first sweep of the venue's catalogue has not finished."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
    message = "The list of markets is being loaded. Try again in a few seconds."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})
