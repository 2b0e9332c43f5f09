"""Accounts of challenge phases: opened once, funded once (prop-backoffice 1, 5, 6.6).

Both functions are keyed and may be repeated: a step that was done answers what is there.
"""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from polysim.kernel.errors import PolysimError
from polysim.kernel.money import cents
from prop.models import AccountGroup, PhaseType, PropAccount
from tenants.models import User
from wallets.models import FirmAccount, LedgerTransaction
from wallets.services import fund_firm_account, lock_user, open_firm_account

STAGES = {PhaseType.EVALUATION: "challenge", PhaseType.FUNDED: "funded"}


class AccountGroupUnavailable(PolysimError):
    """The group of a phase is gone or switched off."""

    code = "ACCOUNT_GROUP_NOT_FOUND"
    status = 400
    message = "The account group of this phase does not exist or is switched off."


def phase_account_key(*, purchase_id: int, attempt: int, phase_index: int) -> str:
    """What a phase's account is opened for; the first of a purchase has the contract's name."""
    if attempt == 1 and phase_index == 1:
        return f"purchase:{purchase_id}:account"
    return f"purchase:{purchase_id}:account:{attempt}:{phase_index}"


def phase_deposit_reference(*, purchase_id: int, attempt: int, phase_index: int) -> str:
    """The ledger reference of a phase's initial balance."""
    if attempt == 1 and phase_index == 1:
        return f"purchase:{purchase_id}:deposit"
    return f"purchase:{purchase_id}:deposit:{attempt}:{phase_index}"


@transaction.atomic
def open_phase_account(
    *,
    customer: User,
    purchase_id: int,
    attempt: int,
    phase_index: int,
    phase_type: int,
    account_group: str,
    time_zone: str,
    now: datetime,
) -> PropAccount:
    """The account of one phase, without money yet; an existing one is answered as it is.

    Stage `challenge` or `funded`, managed by the program, with the group's limit of positions.
    Raises AccountGroupUnavailable when the group is unknown or not enabled.
    """
    lock_user(user_id=customer.pk)
    names = {"purchase_id": purchase_id, "attempt": attempt, "phase_index": phase_index}
    key = phase_account_key(**names)
    existing = PropAccount.objects.filter(key=key).first()
    if existing is not None:
        return existing
    group = AccountGroup.objects.filter(group=account_group, enable=True).first()
    if group is None:
        raise AccountGroupUnavailable()
    account = open_firm_account(
        user=customer,
        external_id=f"polysim:phase:{purchase_id}:{attempt}:{phase_index}",
        stage=STAGES[PhaseType(phase_type)],
        starting_balance=Decimal(0),
        now=now,
        is_managed=True,
        positions_max=group.maxpositions,
        time_zone=time_zone,
        label=f"Challenge {purchase_id}, phase {phase_index}",
    )
    return PropAccount.objects.create(
        wallet=account.wallet,
        customer=customer,
        group=group,
        purpose=PropAccount.Purpose.PHASE,
        key=key,
        created_at=now,
    )


@transaction.atomic
def deposit_phase_account(
    *,
    login: int,
    purchase_id: int,
    attempt: int,
    phase_index: int,
    amount: Decimal,
    now: datetime,
) -> FirmAccount:
    """Book a phase's initial balance (dollars, to whole cents) once; a repeat books nothing."""
    account = FirmAccount.objects.select_related("wallet").get(pk=login)
    lock_user(user_id=account.wallet.user_id)
    reference = phase_deposit_reference(
        purchase_id=purchase_id, attempt=attempt, phase_index=phase_index
    )
    if LedgerTransaction.objects.filter(reference=reference).exists():
        account.refresh_from_db()
        return account
    return fund_firm_account(account=account, amount=cents(amount), reference=reference, now=now)
