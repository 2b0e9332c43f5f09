"""Opening a firm account once, and changing what the firm keeps with it (partner-api 4, 7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from polysim.kernel.errors import ValidationFailed
from tenants.models import Firm, Participant
from tenants.office.services import Actor
from tenants.services.participants import TraderNotFound
from trading.errors import AccountExternalIdConflict, AccountLimitReached
from trading.rule_checks import require_sound_rules
from trading.selectors.envelopes import get_envelope
from trading.services.firm_accounts.rows import (
    lock_account,
    moment_of,
    record_change,
    require_open,
    require_unmanaged,
)
from trading.services.refusals import ClockAdvancing
from wallets.models import FirmAccount, TestClock
from wallets.services import lock_user, open_firm_account

ACTIVE_ACCOUNTS_MAX = 50
# External ids of accounts that prop programs open begin so; a firm's own may not.
RESERVED_PREFIX = "polysim:"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The account's envelope, and whether this call opened it."""

    envelope: dict[str, Any]
    is_new: bool


def provision_account(
    *,
    firm: Firm,
    user_id: int,
    external_id: str,
    stage: str,
    starting_balance: Decimal,
    actor: Actor,
    now: datetime,
    rules: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    test_clock_id: UUID | None = None,
) -> Provisioned:
    """A funded account of one of the firm's traders, once per `external_id` (dollars).

    The same trader, stage and starting balance answer the first account, closed or not. Raises
    TraderNotFound, AccountExternalIdConflict, AccountLimitReached (50 active ones),
    TradeInProgress, ClockAdvancing, ValidationFailed for a reserved `external_id` or new rules
    with faults.
    """
    if external_id.startswith(RESERVED_PREFIX):
        raise ValidationFailed([("external_id", f"may not begin with {RESERVED_PREFIX}")])
    participant = (
        Participant.objects.select_related("user")
        .filter(firm=firm, user_id=user_id, user__is_active=True)
        .first()
    )
    if participant is None:
        raise TraderNotFound()
    defining = (user_id, stage, starting_balance)
    found = _find_earlier(external_id, defining)
    if found is None:
        try:
            with transaction.atomic():
                return _open(
                    participant,
                    external_id=external_id,
                    defining=defining,
                    rules=rules or {},
                    metadata=metadata or {},
                    test_clock=_find_clock(test_clock_id),
                    time_zone=firm.time_zone,
                    actor=actor,
                    now=now,
                )
        except IntegrityError:
            # Another trader's account took the external_id at this moment.
            found = _find_earlier(external_id, defining)
            if found is None:
                raise
    return Provisioned(get_envelope(wallet_id=found.pk, now=now), is_new=False)


def _find_clock(clock_id: UUID | None) -> TestClock | None:
    if clock_id is None:
        return None
    clock = TestClock.objects.filter(pk=clock_id).exclude(status=TestClock.Status.DELETED).first()
    if clock is None:
        raise ValidationFailed([("test_clock_id", "is no test clock of yours")])
    if clock.status == TestClock.Status.ADVANCING:
        raise ClockAdvancing()
    return clock


def _find_earlier(external_id: str, defining: tuple[int, str, Decimal]) -> FirmAccount | None:
    account: FirmAccount | None = (
        FirmAccount.objects.select_related("wallet").filter(external_id=external_id).first()
    )
    if account is None:
        return None
    if (account.wallet.user_id, account.stage, account.starting_balance) != defining:
        raise AccountExternalIdConflict()
    return account


def _open(
    participant: Participant,
    *,
    external_id: str,
    defining: tuple[int, str, Decimal],
    rules: Mapping[str, Any],
    metadata: Mapping[str, Any],
    test_clock: TestClock | None,
    time_zone: str,
    actor: Actor,
    now: datetime,
) -> Provisioned:
    """Under the trader's lock: an identical call that was first is found here."""
    user_id, stage, starting_balance = defining
    lock_user(user_id=user_id)
    found = _find_earlier(external_id, defining)
    if found is not None:
        return Provisioned(get_envelope(wallet_id=found.pk, now=now), is_new=False)
    require_sound_rules(rules)
    active = FirmAccount.objects.filter(
        wallet__user_id=user_id, status=FirmAccount.Status.ACTIVE
    ).count()
    if active >= ACTIVE_ACCOUNTS_MAX:
        raise AccountLimitReached()
    account = open_firm_account(
        user=participant.user,
        external_id=external_id,
        stage=stage,
        starting_balance=starting_balance,
        rules=rules,
        metadata=metadata,
        time_zone=time_zone,
        test_clock=test_clock,
        now=now if test_clock is None else test_clock.frozen_time,
    )
    envelope = get_envelope(wallet_id=account.pk, now=now)
    names = ("external_id", "user_id", "stage", "starting_balance", "rules", "metadata")
    record_change(
        account=account,
        action="account.created",
        envelope=envelope,
        after={name: envelope[name] for name in names},
        actor=actor,
        now=now,
    )
    return Provisioned(envelope, is_new=True)


@transaction.atomic
def update_account(
    *,
    actor: Actor,
    now: datetime,
    account_id: UUID | None = None,
    wallet_id: int | None = None,
    rules: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Replace `rules` or `metadata` as a whole (None: as they are); answers the envelope.

    Raises AccountNotFound, AccountClosed, ManagedByProgram for the rules of a program's account,
    TradeInProgress, ClockAdvancing, ValidationFailed for rules with faults.
    """
    account = lock_account(account_id=account_id, wallet_id=wallet_id)
    require_open(account)
    moment_of(account, now=now)
    if rules is not None:
        require_unmanaged(account)
        require_sound_rules(rules)
    changes = {"rules": rules, "metadata": metadata}
    chosen = {name: dict(value) for name, value in changes.items() if value is not None}
    before = {name: getattr(account, name) for name in chosen}
    for name, value in chosen.items():
        setattr(account, name, value)
    account.updated_at = max(account.updated_at, now)
    account.save(update_fields=[*chosen, "updated_at"])
    envelope = get_envelope(wallet_id=account.pk, now=now)
    record_change(
        account=account,
        action="account.updated",
        envelope=envelope,
        before=before,
        after=chosen,
        actor=actor,
        now=now,
    )
    return envelope
