"""The ledger in plain values: what a movement is, and that its legs sum to zero.

Pure: no Django, no clock. Money is Decimal dollars in whole cents. The database writes the same
legs (`post_ledger` in wallets/sql/ledger.sql) and checks the sum again at commit.
Contract: accounts-api 13, architecture law 1.
"""

from dataclasses import dataclass
from decimal import Decimal

CASH = "CASH"
RESERVED = "RESERVED"
FUNDING = "FUNDING"
TRADING = "TRADING"
FEES = "FEES"
SETTLEMENT = "SETTLEMENT"

DEPOSIT = "DEPOSIT"
RESET = "RESET"

_CENT = Decimal("0.01")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Leg:
    """One entry: an account and what it gains (or loses, below zero)."""

    account: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of a wallet's money.

    `cash` and `reserved` are the changes of the wallet's own accounts; the house account `house`
    takes the opposite of their sum. `reference` exists once in a building, so that a repeat
    cannot move the money again.
    """

    type: str
    reference: str
    cash: Decimal
    reserved: Decimal = _ZERO
    house: str = FUNDING
    memo: str = ""

    def __post_init__(self) -> None:
        for amount in (self.cash, self.reserved):
            if amount != amount.quantize(_CENT):
                raise ValueError(f"{self.reference}: {amount} is not whole cents")


def legs_of(posting: Posting) -> tuple[Leg, ...]:
    """The entries of a posting, own accounts first; accounts that do not move are left out."""
    legs = (
        Leg(CASH, posting.cash),
        Leg(RESERVED, posting.reserved),
        Leg(posting.house, -(posting.cash + posting.reserved)),
    )
    return tuple(leg for leg in legs if leg.amount)


def is_balanced(legs: tuple[Leg, ...]) -> bool:
    """Whether the legs of one transaction sum to zero."""
    return sum((leg.amount for leg in legs), _ZERO) == 0


def deposit(*, wallet_id: int, amount: Decimal) -> Posting:
    """The starting balance of a new wallet."""
    return Posting(DEPOSIT, f"wallet:{wallet_id}:init", amount)


def reset_to(
    *,
    wallet_id: int,
    generation: int,
    balance: Decimal,
    target: Decimal,
    suffix: str = "",
    memo: str = "",
) -> Posting:
    """The difference that brings free cash from `balance` to `target` (accounts-api 13.1)."""
    reference = suffix or f"wallet:{wallet_id}:reset:{generation}"
    return Posting(RESET, reference, target - balance, memo=memo)
