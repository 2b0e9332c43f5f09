"""Refusals in Polymarket's form `{"error": prose}`; the code stands in the header (2.5)."""

from polysim.kernel.errors import PolysimError


class ProseRefusal(PolysimError):
    """Answers `{"error": prose}`."""

    def __init__(self, prose: str, *, status: int, code: str) -> None:
        super().__init__(prose)
        self.prose = prose
        self.status = status
        self.code = code


def invalid_token_id() -> ProseRefusal:
    """The token id is missing or has other characters than digits."""
    return ProseRefusal("Invalid token id", status=400, code="INVALID_REQUEST")


def no_order_book() -> ProseRefusal:
    """The token is unknown or has no book."""
    return ProseRefusal(
        "No orderbook exists for the requested token id", status=404, code="BOOK_UNAVAILABLE"
    )


def invalid_side() -> ProseRefusal:
    """The side is missing or neither BUY nor SELL."""
    return ProseRefusal("Invalid side", status=400, code="INVALID_REQUEST")


def invalid_payload() -> ProseRefusal:
    """The body is not a list of the right objects."""
    return ProseRefusal("Invalid payload", status=400, code="INVALID_REQUEST")


def payload_exceeds_limit() -> ProseRefusal:
    """More than 500 items."""
    return ProseRefusal("Payload exceeds the limit", status=400, code="INVALID_REQUEST")


def market_not_found(prose: str = "market not found") -> ProseRefusal:
    """The token belongs to no market."""
    return ProseRefusal(prose, status=404, code="MARKET_NOT_FOUND")
