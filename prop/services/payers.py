"""Payer accounts: from which traders pay for challenges and to which profit goes (4.5).

A payer account is a trader's account in a REAL group. All functions run in the firm's building.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from polysim.kernel.api.refusals import IdempotencyKeyReuse
from polysim.kernel.errors import NotFound, PolysimError
from polysim.kernel.money import cents
from prop.models import AccountGroup, AccountMode, PropAccount, PropSettings
from tenants.models import User
from tenants.office.services import Actor, write_firm_audit
from wallets.models import LedgerEntry, LedgerTransaction, Wallet
from wallets.services import lock_user, open_firm_account, transfer_money

PAYER_STAGE = "payer"
KEY_LENGTH_MAX = 128
# A ledger reference has room for a short key as it is; a longer one goes in as its hash.
KEY_SHOWN_MAX = 64


class PropAccountLocked(PolysimError):
    """The account belongs to a challenge: its money is the program's matter."""

    code = "PROP_ACCOUNT_LOCKED"
    status = 409
    message = "This account belongs to a challenge. Its balance cannot be changed."


class AmountRefused(PolysimError):
    """The amount is zero or has fractions of a cent."""

    code = "INVALID_DATA"
    status = 400
    message = "The amount must be a number of whole cents other than 0."


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """The answer of MngAddBalance; `entry_id` is the ledger entry of the account's cash."""

    login: int
    balance: Decimal
    entry_id: int


def payer_key(*, customer_id: int) -> str:
    """What a trader's own payer account is opened for: once."""
    return f"payer:{customer_id}"


def find_payer_group() -> AccountGroup | None:
    """The group of payer accounts that traders are given, None when the firm names no usable one.

    It must be enabled, REAL and open to the public.
    """
    chosen = PropSettings.objects.select_related("payer_group").order_by("pk").first()
    group: AccountGroup | None = chosen.payer_group if chosen is not None else None
    if group is None or not group.enable or not group.public_opening:
        return None
    return group if group.account_mode == AccountMode.REAL else None


def ensure_payer_account(*, customer: User, now: datetime) -> PropAccount | None:
    """The trader's oldest payer account; the first look-up opens one where the firm wants that.

    It starts with its group's default_deposit. None when there is none and none may be opened.
    Two at once open one.
    """
    existing = _find_payer(customer)
    if existing is not None:
        return existing
    group = find_payer_group()
    if group is None:
        return None
    with transaction.atomic():
        lock_user(user_id=customer.pk)
        existing = _find_payer(customer)
        if existing is not None:
            return existing
        return _open_payer(customer, group, now)


def _find_payer(customer: User) -> PropAccount | None:
    own = PropAccount.objects.filter(customer=customer, purpose=PropAccount.Purpose.PAYER)
    return own.select_related("group", "wallet").order_by("pk").first()


def _open_payer(customer: User, group: AccountGroup, now: datetime) -> PropAccount:
    account = open_firm_account(
        user=customer,
        external_id=f"polysim:payer:{customer.pk}",
        stage=PAYER_STAGE,
        starting_balance=cents(group.default_deposit),
        now=now,
        is_managed=True,
        positions_max=group.maxpositions,
        label="Payer account",
    )
    return PropAccount.objects.create(
        wallet=account.wallet,
        customer=customer,
        group=group,
        purpose=PropAccount.Purpose.PAYER,
        key=payer_key(customer_id=customer.pk),
        created_at=now,
    )


@transaction.atomic
def add_balance(
    *,
    login: int,
    amount: Decimal,
    comment: str,
    idempotency_key: str,
    actor: Actor,
    now: datetime,
) -> BalanceChange:
    """Book `amount` dollars (signed, whole cents, not 0) on a payer account, once per key.

    Raises NotFound for what is no payer account, PropAccountLocked for a phase account,
    AmountRefused, NotEnoughFunds below zero, IdempotencyKeyReuse for a key that booked something
    else. A repeat answers the first entry and the balance of now.
    """
    account = PropAccount.objects.filter(pk=login).first()
    if account is None:
        raise NotFound("There is no payer account with this login.")
    if account.purpose == PropAccount.Purpose.PHASE:
        raise PropAccountLocked()
    if not amount.is_finite() or amount == 0 or amount != cents(amount):
        raise AmountRefused()
    lock_user(user_id=account.customer_id)
    reference = _adjustment_reference(idempotency_key)
    former = LedgerTransaction.objects.filter(reference=reference).first()
    if former is not None:
        return _repeat(former, login, amount)
    before = Wallet.objects.get(pk=login).balance
    wallet = transfer_money(
        wallet_id=login,
        type=LedgerTransaction.Type.ADJUSTMENT,
        amount=amount,
        reference=reference,
        memo=comment[:200],
        now=now,
    )
    write_firm_audit(
        actor=actor,
        action="prop.balance.added",
        object_type="account",
        object_id=login,
        now=now,
        before={"balance": str(before)},
        after={"balance": str(wallet.balance), "amount": str(amount), "comment": comment},
    )
    return BalanceChange(login, wallet.balance, _cash_entry(reference).pk)


def _adjustment_reference(idempotency_key: str) -> str:
    if len(idempotency_key) > KEY_SHOWN_MAX:
        return f"adjustment:sha256:{hashlib.sha256(idempotency_key.encode()).hexdigest()}"
    return f"adjustment:{idempotency_key}"


def _repeat(former: LedgerTransaction, login: int, amount: Decimal) -> BalanceChange:
    entry = _cash_entry(former.reference)
    if former.wallet_id != login or entry.amount != amount:
        raise IdempotencyKeyReuse("This idempotency_key already booked something else.")
    return BalanceChange(login, Wallet.objects.get(pk=login).balance, entry.pk)


def _cash_entry(reference: str) -> LedgerEntry:
    entry: LedgerEntry = LedgerEntry.objects.get(
        transaction__reference=reference, account=LedgerEntry.Account.CASH
    )
    return entry
