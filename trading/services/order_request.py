"""What an order asks for: the command, and its schema stage (trading-api 4.1).

`parse_order` accepts decimal text or JSON numbers and refuses wrong types, lengths and unknown
values with 422; every later rule is checked by `place_order` in the contract's order.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from polysim.kernel.errors import ValidationFailed
from polysim.kernel.money import NotExact, parse_decimal

SIDES = ("BUY", "SELL")
ORDER_TYPES = ("market", "limit")
TIMES_IN_FORCE = ("GTC", "GTD", "FOK", "FAK", "IOC")
TEXT_LENGTH_MAX = 256
OUTCOME_LENGTH_MAX = 200
ID_MAX = 2**63 - 1
# Numbers beyond these digits are no prices, shares or dollars; bounded before arithmetic.
MAGNITUDE_MAX = 15
QUANTITY_PLACES_MAX = 4
PRICE_PLACES_MAX = 6


@dataclass(frozen=True, slots=True)
class Caller:
    """Who places: the user, whether by API key, and the orders a UTC day the plan allows.

    `placed_by` is "trader", or who acts on the trader's behalf (partner-api B2).
    """

    user_id: int
    is_key: bool = False
    daily_order_limit: int | None = None
    placed_by: str = "trader"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """One order as its form allows it. Prices are dollars per share, `amount` dollars.

    `time_in_force` is what will be stored (market GTC and GTD become FOK, FAK is IOC).
    `expiration` is kept as it came, read only for GTD. `wallet_id` None means the API wallet and
    is for keys only. `idempotency_key` is the header's, else the client_order_id. `is_closing`
    is set by services alone: such a sale is exempt from the market's minimum size.
    """

    market_id: str
    side: str
    outcome: str
    order_type: str = "market"
    time_in_force: str = "FOK"
    quantity: Decimal | None = None
    amount: Decimal | None = None
    price: Decimal | None = None
    expiration: object = None
    post_only: bool = False
    client_order_id: str | None = None
    wallet_id: int | None = None
    idempotency_key: str | None = None
    is_closing: bool = False

    @property
    def key(self) -> str | None:
        """What makes a repeat recognisable; None when the client sent nothing for it."""
        return self.idempotency_key or self.client_order_id

    @property
    def is_immediate(self) -> bool:
        """Decided inside the request; never rests."""
        return self.time_in_force in ("FOK", "IOC")

    def content_hash(self) -> str:
        """SHA-256 of the parsed body: equal for requests that mean the same."""
        content = [
            self.market_id,
            self.side,
            self.outcome.casefold(),
            self.order_type,
            self.time_in_force,
            *[_plain(number) for number in (self.quantity, self.amount, self.price)],
            str(self.expiration) if self.time_in_force == "GTD" else None,
            self.post_only,
            self.client_order_id,
            self.wallet_id,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else format(number.normalize(), "f")


class _Reader:
    """Reads the fields of one body and collects what is wrong with them."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self.problems: list[tuple[str, str]] = []

    def text(self, field: str, *, length_max: int, is_required: bool = False) -> str | None:
        value = self._body.get(field)
        if value is None or (value == "" and not is_required):
            if is_required:
                self.problems.append((field, "is required"))
            return None
        if not isinstance(value, str) or not 1 <= len(value) <= length_max:
            self.problems.append((field, f"must be text of 1 to {length_max} characters"))
            return None
        if not is_storable(value):
            self.problems.append((field, "has characters that cannot be stored"))
            return None
        return value

    def choice(self, field: str, choices: tuple[str, ...], default: str | None) -> str:
        value = self._body.get(field)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in choices:
            self.problems.append((field, f"must be one of {', '.join(choices)}"))
            return choices[0]
        return value

    def number(self, field: str, *, places_max: int) -> Decimal | None:
        value = self._body.get(field)
        if value is None or value == "":
            return None
        try:
            number = parse_decimal(value)
        except NotExact:
            self.problems.append((field, "must be a decimal number"))
            return None
        if number and not -MAGNITUDE_MAX <= number.adjusted() <= MAGNITUDE_MAX:
            self.problems.append((field, "is out of range"))
            return None
        if number and -int(number.normalize().as_tuple().exponent) > places_max:
            self.problems.append((field, f"must have at most {places_max} decimal places"))
            return None
        return number

    def flag(self, field: str) -> bool:
        value = self._body.get(field)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.problems.append((field, "must be true or false"))
            return False
        return value

    def identity(self, field: str) -> int | None:
        value = self._body.get(field)
        if value is None or value == "":
            return None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not is_number or not 0 < value <= ID_MAX:
            self.problems.append((field, "must be a wallet id"))
            return None
        return int(value)


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, no lone surrogates."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def parse_order(
    body: Mapping[str, Any], *, is_key: bool, idempotency_key: str | None = None
) -> PlaceOrder:
    """The command of a 4.1 body. Raises ValidationFailed (422) with every wrong field.

    A caller that is no API key must name `wallet_id`. Unknown fields are ignored.
    """
    reader = _Reader(body)
    order_type = reader.choice("order_type", ORDER_TYPES, "market")
    default = "GTC" if order_type == "limit" else "FOK"
    asked = reader.choice("time_in_force", TIMES_IN_FORCE, default)
    command = PlaceOrder(
        market_id=reader.text("market_id", length_max=TEXT_LENGTH_MAX, is_required=True) or "",
        side=reader.choice("side", SIDES, None),
        outcome=reader.text("outcome", length_max=OUTCOME_LENGTH_MAX, is_required=True) or "",
        order_type=order_type,
        time_in_force=stored_time_in_force(order_type, asked),
        quantity=reader.number("quantity", places_max=QUANTITY_PLACES_MAX),
        amount=reader.number("amount", places_max=PRICE_PLACES_MAX),
        price=reader.number("price", places_max=PRICE_PLACES_MAX),
        expiration=body.get("expiration"),
        post_only=reader.flag("post_only"),
        client_order_id=reader.text("client_order_id", length_max=TEXT_LENGTH_MAX),
        wallet_id=reader.identity("wallet_id"),
        idempotency_key=_read_key(idempotency_key, reader),
    )
    if command.wallet_id is None and not is_key:
        reader.problems.append(("wallet_id", "is required on the website"))
    is_market = command.order_type == "market"
    if is_market and command.price is not None and not 0 < command.price <= 1:
        reader.problems.append(("price", "must be above 0 and at most 1"))
    if reader.problems:
        raise ValidationFailed(reader.problems)
    return command


def _read_key(key: str | None, reader: _Reader) -> str | None:
    if not key:
        return None
    if len(key) > TEXT_LENGTH_MAX or not key.isprintable():
        reader.problems.append(("Idempotency-Key", "must be 1 to 256 printable characters"))
        return None
    return key


def stored_time_in_force(order_type: str, asked: str) -> str:
    """What is stored and done: market GTC and GTD are FOK, FAK is IOC."""
    if asked == "FAK":
        return "IOC"
    return "FOK" if order_type == "market" and asked in ("GTC", "GTD") else asked
