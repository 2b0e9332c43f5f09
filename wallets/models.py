"""Wallets and their ledger, in every building.

A wallet has two ledger accounts of its own, CASH (free to spend, shown as `balance`) and RESERVED
(behind resting buys, shown as `reserved`). Every movement is a LedgerTransaction whose entries sum
to zero: the wallet's accounts on one side, the house's (FUNDING, TRADING, FEES, SETTLEMENT) on the
other. `wallet.balance` equals the sum of its CASH entries, `wallet.reserved` of its RESERVED ones.
Nothing in the ledger is ever changed or deleted (triggers); a correction is another transaction.
Contract: accounts-api 6 and 13, architecture laws 1 and 3. Money: dollars, whole cents.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Round
from django.utils import timezone

from polysim.kernel.tenancy import BuildingModel
from tenants.models import WalletKind

MONEY: dict[str, Any] = {"max_digits": 20, "decimal_places": 6}


class Wallet(BuildingModel):
    """Cash, positions, orders and a ledger of its own; `id` comes from the directory."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        FROZEN = "FROZEN", "Frozen"
        ARCHIVED = "ARCHIVED", "Archived"
        DELETED = "DELETED", "Deleted"

    class TradingState(models.TextChoices):
        """Firm accounts: whether orders are taken (contracts/README 3)."""

        OPEN = "OPEN", "Open"
        READ_ONLY = "READ_ONLY", "Read only"
        CLOSED = "CLOSED", "Closed"

    id = models.BigIntegerField(primary_key=True)
    account_id = models.UUIDField(unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=True
    )
    kind = models.CharField(max_length=16, choices=WalletKind)
    label = models.CharField(max_length=64, null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    trading_state = models.CharField(max_length=12, choices=TradingState, default=TradingState.OPEN)
    balance = models.DecimalField(default=0, help_text="Cash free to spend.", **MONEY)
    reserved = models.DecimalField(default=0, help_text="Cash behind resting buys.", **MONEY)
    baseline = models.DecimalField(help_text="Starting balance when seeded or reset.", **MONEY)
    generation = models.PositiveIntegerField(default=1)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    competition_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    reset_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(balance__gte=0), name="wallet_balance_is_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(reserved__gte=0), name="wallet_reserved_is_not_negative"
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(kind="MAIN"),
                name="wallet_main_is_one_per_user",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(kind="API", status="ACTIVE"),
                name="wallet_active_api_is_one_per_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def shown_name(self) -> str:
        """What pages call this wallet."""
        return self.label or f"{self.get_kind_display()} wallet"


class LedgerTransaction(BuildingModel):
    """One movement of money with a reference that exists once: a repeat cannot move it again."""

    class Type(models.TextChoices):
        DEPOSIT = "DEPOSIT", "Deposit"
        BUY = "BUY", "Buy"
        SELL = "SELL", "Sell"
        FEE = "FEE", "Fee"
        SETTLEMENT = "SETTLEMENT", "Settlement"
        RESET = "RESET", "Reset"
        TOPUP = "TOPUP", "Top-up"
        TOPUP_REFUND = "TOPUP_REFUND", "Top-up refund"
        RESERVE = "RESERVE", "Reserve"
        RELEASE = "RELEASE", "Release"
        ADJUSTMENT = "ADJUSTMENT", "Adjustment"
        PROP_FEE = "PROP_FEE", "Challenge fee"
        PROP_FEE_REFUND = "PROP_FEE_REFUND", "Challenge fee refund"
        PROP_PROFIT_WITHDRAWAL = "PROP_PROFIT_WITHDRAWAL", "Profit withdrawal"
        PROP_PROFIT_PAYOUT = "PROP_PROFIT_PAYOUT", "Profit payout"
        PROP_FIRM_SHARE = "PROP_FIRM_SHARE", "Firm's share"

    id = models.BigAutoField(primary_key=True)
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="transactions", db_index=False
    )
    type = models.CharField(max_length=24, choices=Type)
    reference = models.CharField(max_length=120)
    memo = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reference"], name="ledger_reference_exists_once")
        ]
        indexes = [models.Index(fields=["wallet", "-id"], name="ledger_newest_of_wallet")]

    def __str__(self) -> str:
        return self.reference


class LedgerEntry(BuildingModel):
    """One leg of a transaction; `balance_after` is the wallet's account after it (own legs)."""

    class Account(models.TextChoices):
        CASH = "CASH", "Cash"
        RESERVED = "RESERVED", "Reserved"
        FUNDING = "FUNDING", "Funding"
        TRADING = "TRADING", "Trading"
        FEES = "FEES", "Fees"
        SETTLEMENT = "SETTLEMENT", "Settlement"
        FIRM = "FIRM", "Firm"
        PAYOUTS = "PAYOUTS", "Payouts in passing"

    id = models.BigAutoField(primary_key=True)
    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries"
    )
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+", db_index=False)
    account = models.CharField(max_length=16, choices=Account)
    amount = models.DecimalField(**MONEY)
    balance_after = models.DecimalField(null=True, **MONEY)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(amount=0), name="ledger_entry_moves_something"
            ),
            models.CheckConstraint(
                condition=models.Q(amount=Round(models.F("amount"), precision=2)),
                name="ledger_entry_is_whole_cents",
            ),
        ]
        indexes = [
            # The running balance of an account: read by the trigger that checks every entry.
            models.Index(
                fields=["wallet", "account", "-id"],
                condition=models.Q(account__in=["CASH", "RESERVED"]),
                name="entry_newest_of_account",
            )
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"


class Hold(BuildingModel):
    """Cash behind one resting buy; falls with fills and ends with the order (law 3)."""

    reference = models.CharField(max_length=64, primary_key=True, help_text="order:<id>")
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="holds")
    amount = models.DecimalField(help_text="Still held, dollars.", **MONEY)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="hold_amount_is_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(released_at__isnull=True) | models.Q(amount=0),
                name="hold_released_holds_nothing",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class WalletReset(BuildingModel):
    """A reset of a wallet in place, with the state it replaced (cap of accounts-api 6.8)."""

    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="resets", db_index=False
    )
    generation = models.PositiveIntegerField(help_text="The generation that ended.")
    is_paid = models.BooleanField(default=False)
    snapshot = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "generation"], name="reset_once_a_generation")
        ]
        indexes = [models.Index(fields=["wallet", "-created_at"], name="reset_newest_of_wallet")]

    def __str__(self) -> str:
        return f"reset of {self.wallet_id} generation {self.generation}"


class EquityPoint(BuildingModel):
    """A wallet's worth in one UTC hour; the last write in the hour wins (accounts-api 7.6)."""

    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="equity_points", db_index=False
    )
    hour_at = models.DateTimeField()
    cash = models.DecimalField(help_text="Free and reserved.", **MONEY)
    position_value = models.DecimalField(**MONEY)
    baseline = models.DecimalField(**MONEY)
    is_reset = models.BooleanField(default=False)
    written_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "hour_at"], name="equity_once_an_hour")
        ]

    def __str__(self) -> str:
        return f"{self.wallet_id} {self.hour_at}"


class TestClock(BuildingModel):
    """A sandbox firm's own time; accounts bound to it live on it (partner-api B5)."""

    # Not a test of pytest's, whatever its name says.
    __test__ = False

    class Status(models.TextChoices):
        READY = "ready", "Ready"
        ADVANCING = "advancing", "Advancing"
        DELETED = "deleted", "Deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    frozen_time = models.DateTimeField()
    target_time = models.DateTimeField(null=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.READY)
    prices = models.JSONField(default=dict, help_text="Token id to price per share, as text.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class FirmAccount(BuildingModel):
    """What a firm's account is beyond its wallet: names, rules and the measures of this attempt.

    Figures that only fills and settlements change (`last_seq` to `last_trade_at`) are kept by
    triggers in their transactions (trading/sql/trade_feed.sql); `peak_equity`, drawdowns and the
    day by the measuring service. Money in dollars. Contract: partner-api 4 to 9.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        CLOSED = "closed", "Closed"
        ARCHIVED = "archived", "Archived"

    wallet = models.OneToOneField(
        Wallet, primary_key=True, on_delete=models.PROTECT, related_name="firm_account"
    )
    external_id = models.CharField(max_length=255, unique=True)
    stage = models.CharField(max_length=32)
    status = models.CharField(max_length=12, choices=Status, default=Status.ACTIVE)
    starting_balance = models.DecimalField(**MONEY)
    net_transfers = models.DecimalField(default=0, **MONEY)
    rules = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    is_managed = models.BooleanField(default=False, help_text="Run by a prop program.")
    positions_max = models.PositiveIntegerField(default=0, help_text="0: no limit.")
    read_only_reason = models.CharField(max_length=200, blank=True, default="")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="Of its trading days.")
    attempt = models.PositiveIntegerField(default=1)
    test_clock = models.ForeignKey(
        TestClock, null=True, on_delete=models.PROTECT, related_name="accounts"
    )
    last_seq = models.BigIntegerField(default=0)
    realized_pnl = models.DecimalField(default=0, help_text="Net of fees.", **MONEY)
    fees_paid = models.DecimalField(default=0, **MONEY)
    trades_count = models.PositiveIntegerField(default=0)
    trading_days = models.PositiveIntegerField(default=0)
    last_trading_date = models.DateField(null=True)
    last_trade_at = models.DateTimeField(null=True)
    peak_equity = models.DecimalField(**MONEY)
    max_drawdown = models.DecimalField(default=0, **MONEY)
    max_drawdown_pct = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    day = models.DateField(null=True)
    day_start_equity = models.DecimalField(null=True, **MONEY)
    measured_at = models.DateTimeField(null=True)
    close_reason = models.CharField(max_length=255, blank=True, default="")
    closing_envelope = models.JSONField(null=True, help_text="The figures frozen at closing.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    reset_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(starting_balance__gte=0),
                name="firm_account_starts_with_no_debt",
            ),
            models.CheckConstraint(
                condition=models.Q(status="active") | models.Q(closed_at__isnull=False),
                name="firm_account_closed_has_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["updated_at"], name="firm_account_changed_since"),
            models.Index(fields=["stage", "wallet"], name="firm_account_by_stage"),
        ]

    def __str__(self) -> str:
        return self.external_id
