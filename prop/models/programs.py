"""What a firm sells: account groups, programs and their steps (prop-backoffice 2)."""

from decimal import Decimal
from typing import Any

from django.core.validators import RegexValidator
from django.db import models

from polysim.kernel.tenancy import BuildingModel

MONEY: dict[str, Any] = {"max_digits": 18, "decimal_places": 6}
PERCENT: dict[str, Any] = {"max_digits": 12, "decimal_places": 6}


class AccountMode(models.IntegerChoices):
    DEMO = 0, "demo"
    REAL = 1, "real"


class ProgramStatus(models.IntegerChoices):
    ACTIVE = 0, "active"
    DISABLED = 1, "disabled"
    ARCHIVED = 2, "archived"


class PhaseType(models.IntegerChoices):
    EVALUATION = 0, "evaluation"
    FUNDED = 1, "funded"


class TradingDaysMode(models.TextChoices):
    FILLS = "fills", "Days with a fill"
    SNAPSHOTS = "snapshots", "Days with a snapshot"


class OnFail(models.TextChoices):
    READ_ONLY = "read_only", "Positions stay until they settle"
    LIQUIDATE = "liquidate", "Positions are closed at the market"


class PayoutMode(models.TextChoices):
    AUTO = "auto", "Paid at once"
    APPROVAL = "approval", "Paid after approval"


class AccountGroup(BuildingModel):
    """A kind of account: its mode, currency and first deposit."""

    group = models.CharField(max_length=64, unique=True)
    brand = models.CharField(max_length=64, blank=True, default="default")
    account_mode = models.PositiveSmallIntegerField(choices=AccountMode, default=AccountMode.DEMO)
    public_opening = models.BooleanField(default=False)
    currency = models.CharField(max_length=5, validators=[RegexValidator(r"^[A-Z]{3,5}$")])
    enable = models.BooleanField(default=True)
    default_deposit = models.DecimalField(**MONEY)
    maxpositions = models.PositiveIntegerField(default=0, help_text="0: no limit.")
    grp_index = models.IntegerField(default=0)

    class Meta:
        verbose_name = "account group"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(default_deposit__gte=0), name="group_deposit_is_not_negative"
            )
        ]

    def __str__(self) -> str:
        return self.group


class PropSettings(BuildingModel):
    """A firm's own choices for its challenges; one row, made when first needed."""

    payer_group = models.ForeignKey(
        AccountGroup, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    stale_after_s = models.PositiveIntegerField(
        default=300, help_text="Verdicts wait while a held market has no newer price."
    )
    four_eyes_above = models.DecimalField(
        null=True, blank=True, help_text="Payouts above need a second approval.", **MONEY
    )

    class Meta:
        verbose_name = "settings of challenges"
        verbose_name_plural = "settings of challenges"

    def __str__(self) -> str:
        return "Settings of challenges"


class Program(BuildingModel):
    """A challenge that can be bought; its steps are its phases."""

    brand = models.CharField(max_length=64, default="default")
    name = models.CharField(max_length=128)
    description = models.TextField(blank=True, default="", max_length=4000)
    price = models.DecimalField(**MONEY)
    price_currency = models.CharField(max_length=5)
    status = models.PositiveSmallIntegerField(choices=ProgramStatus, default=ProgramStatus.ACTIVE)
    sort_index = models.IntegerField(default=0)
    trading_days_mode = models.CharField(
        max_length=12, choices=TradingDaysMode, default=TradingDaysMode.FILLS
    )
    on_fail = models.CharField(max_length=12, choices=OnFail, default=OnFail.READ_ONLY)
    payout_mode = models.CharField(max_length=12, choices=PayoutMode, default=PayoutMode.AUTO)
    timezone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price__gte=0), name="program_price_is_not_negative"
            )
        ]
        indexes = [models.Index(fields=["status", "sort_index", "id"], name="program_in_the_shop")]

    def __str__(self) -> str:
        return self.name


class Step(BuildingModel):
    """One phase of a program; a rule field of 0 is off (prop-backoffice 2, 6.2, 8)."""

    class DrawdownMode(models.TextChoices):
        STATIC = "static", "From the start balance"
        TRAILING = "trailing", "Trails the highest equity"
        TRAILING_EOD = "trailing_eod", "Trails the highest equity at day's end"
        TRAILING_LOCKED = "trailing_locked", "Trails until it reaches the start balance"

    class DailyBasis(models.TextChoices):
        EQUITY = "equity", "Equity at the day's start"
        BALANCE = "balance", "Balance at the day's start"
        HIGHER = "higher", "The higher of both"
        INITIAL = "initial", "Initial balance"

    program = models.ForeignKey(Program, on_delete=models.CASCADE, related_name="steps")
    phase_index = models.PositiveSmallIntegerField()
    phase_type = models.PositiveSmallIntegerField(choices=PhaseType, default=PhaseType.EVALUATION)
    name = models.CharField(max_length=128)
    account_group = models.ForeignKey(
        AccountGroup, to_field="group", on_delete=models.PROTECT, related_name="steps"
    )
    duration_days = models.PositiveIntegerField(default=0)
    max_daily_loss_pct = models.DecimalField(default=0, **PERCENT)
    max_total_loss_pct = models.DecimalField(default=0, **PERCENT)
    max_daily_profit_pct = models.DecimalField(default=0, **PERCENT)
    profit_target_pct = models.DecimalField(default=0, **PERCENT)
    profit_split = models.DecimalField(default=0, **PERCENT)
    min_trading_days = models.PositiveIntegerField(default=0)
    max_trading_days = models.PositiveIntegerField(default=0)
    max_positions = models.PositiveIntegerField(default=0)
    drawdown_mode = models.CharField(
        max_length=16, choices=DrawdownMode, default=DrawdownMode.STATIC
    )
    daily_basis = models.CharField(max_length=8, choices=DailyBasis, default=DailyBasis.EQUITY)
    consistency_pct = models.DecimalField(default=0, **PERCENT)
    min_profitable_days = models.PositiveIntegerField(default=0)
    profitable_day_pct = models.DecimalField(default=0, **PERCENT)
    max_inactive_days = models.PositiveIntegerField(default=0)
    max_exposure_market_pct = models.DecimalField(default=0, **PERCENT)
    max_exposure_event_pct = models.DecimalField(default=0, **PERCENT)
    warning_pct = models.DecimalField(
        default=Decimal(80),
        help_text="Part of a loss limit at which the trader is warned; 0: off.",
        **PERCENT,
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["program", "phase_index"], name="step_index_once_per_program"
            ),
            models.CheckConstraint(
                condition=models.Q(profit_split__gte=0, profit_split__lte=1),
                name="step_split_is_a_ratio",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.phase_index}. {self.name}"
