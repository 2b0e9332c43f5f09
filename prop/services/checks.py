"""What must hold before a challenge is bought: checks 4 to 13 of prop-client 3, in their order.

`check_account` and `check_terms` decide on plain facts; the functions below them read the facts.
One list serves payer accounts, preview, buy and retry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import OperationalError, transaction

from polysim.kernel.errors import NotFound, PolysimError
from prop.models import AccountGroup, AccountMode, Program, ProgramStatus, PropAccount
from tenants.models import User, WalletKind
from wallets.models import FirmAccount, Wallet

# Accounts of groups that are not there are in dollars, as all of Polysim is.
CURRENCY_DEFAULT = "USD"
REASONS = {
    "PROGRAM_DISABLED": (400, "This program cannot be bought at present"),
    "INVALID_PAYER_ACCOUNT": (403, "This is not one of your payer accounts"),
    "PAYER_ACCOUNT_DISABLED": (403, "The payer account is switched off"),
    "PAYER_GROUP_NOT_FOUND": (400, "The payer account's group does not exist or is switched off"),
    "PAYER_ACCOUNT_NOT_REAL": (400, "Only an account in a real group can pay"),
    "CURRENCY_CONVERSION_REQUIRED": (
        400,
        "Program and payer account must use the same currency",
    ),
    "PAYER_BALANCE_UNAVAILABLE": (503, "The payer account's balance cannot be read right now"),
    "NOT_ENOUGH_FUNDS": (400, "Not enough funds"),
    "PROGRAM_HAS_NO_STEPS": (400, "This program has no phases"),
    "ACCOUNT_GROUP_NOT_FOUND": (
        400,
        "The account group of the first phase does not exist or is switched off",
    ),
    "ACCOUNT_GROUP_NOT_DEMO": (400, "The account group of the first phase must be a demo group"),
}


class ProgramNotFound(NotFound):
    """No such program, or none that this customer may see (check 3)."""

    code = "PROGRAM_NOT_FOUND"
    message = "There is no such program."


class PurchaseRefused(PolysimError):
    """A check of prop-client 3 failed; `code` is its error and nothing was written."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.status, text = REASONS[code]
        super().__init__(f"{text}.")


@dataclass(frozen=True, slots=True)
class Payer:
    """A customer's account as the checks see it; the group's fields are None without a group.

    `balance` is the cash free to pay, None when it cannot be read.
    """

    login: int
    currency: str
    is_enabled: bool
    is_group_enabled: bool
    is_real: bool
    balance: Decimal | None


@dataclass(frozen=True, slots=True)
class FirstGroup:
    """The account group of the first step, as it is now."""

    is_enabled: bool
    is_demo: bool


def message_of(code: str) -> str:
    """A reason in words."""
    return REASONS[code][1]


def check_account(payer: Payer | None, *, price: Decimal, currency: str) -> str | None:
    """The first failing one of checks 5 to 10; None when the account can pay `price`."""
    if payer is None:
        return "INVALID_PAYER_ACCOUNT"
    if not payer.is_enabled:
        return "PAYER_ACCOUNT_DISABLED"
    if not payer.is_group_enabled:
        return "PAYER_GROUP_NOT_FOUND"
    if not payer.is_real:
        return "PAYER_ACCOUNT_NOT_REAL"
    if payer.currency != currency:
        return "CURRENCY_CONVERSION_REQUIRED"
    if price == 0:
        return None
    if payer.balance is None:
        return "PAYER_BALANCE_UNAVAILABLE"
    return None if payer.balance >= price else "NOT_ENOUGH_FUNDS"


def check_terms(terms: Mapping[str, Any], group: FirstGroup | None) -> str | None:
    """The first failing one of checks 11 to 13 for the copied terms and their first group."""
    if not terms["steps"]:
        return "PROGRAM_HAS_NO_STEPS"
    if group is None or not group.is_enabled:
        return "ACCOUNT_GROUP_NOT_FOUND"
    return None if group.is_demo else "ACCOUNT_GROUP_NOT_DEMO"


def check_program(program: Program) -> str | None:
    """Check 4."""
    return None if program.status == ProgramStatus.ACTIVE else "PROGRAM_DISABLED"


def find_first_group(terms: Mapping[str, Any]) -> FirstGroup | None:
    """The group that the terms' first step names; None without steps or when it is gone."""
    if not terms["steps"]:
        return None
    group = AccountGroup.objects.filter(group=terms["steps"][0]["account_group"]).first()
    if group is None:
        return None
    return FirstGroup(group.enable, group.account_mode == AccountMode.DEMO)


def find_payer(*, customer: User, login: int) -> Payer | None:
    """The customer's own account with this login; None for a stranger's or a phase account."""
    wallet = _own_accounts(customer).filter(pk=login).first()
    return None if wallet is None else _payer(wallet, _read_balance(wallet.pk))


def list_payers(*, customer: User) -> list[Payer]:
    """All of the customer's accounts that are no phase accounts, by login."""
    rows = _own_accounts(customer).order_by("pk")
    return [_payer(wallet, wallet.balance) for wallet in rows]


def _own_accounts(customer: User) -> Any:
    own = Wallet.objects.filter(user=customer, kind=WalletKind.PROP_FIRM)
    own = own.exclude(status=Wallet.Status.DELETED)
    own = own.exclude(prop_account__purpose=PropAccount.Purpose.PHASE)
    return own.select_related("firm_account", "prop_account__group")


def _payer(wallet: Wallet, balance: Decimal | None) -> Payer:
    account = getattr(wallet, "firm_account", None)
    is_open = account is None or account.status == FirmAccount.Status.ACTIVE
    prop_account = getattr(wallet, "prop_account", None)
    group = None if prop_account is None else prop_account.group
    return Payer(
        login=wallet.pk,
        currency=CURRENCY_DEFAULT if group is None else group.currency,
        is_enabled=is_open
        and wallet.status == Wallet.Status.ACTIVE
        and wallet.trading_state == Wallet.TradingState.OPEN,
        is_group_enabled=group is not None and group.enable,
        is_real=group is not None and group.account_mode == AccountMode.REAL,
        balance=balance,
    )


def _read_balance(login: int) -> Decimal | None:
    """Free cash in a statement of its own, None when the database does not give it in time."""
    try:
        with transaction.atomic():
            balance: Decimal = Wallet.objects.values_list("balance", flat=True).get(pk=login)
    except OperationalError:
        return None
    return balance
