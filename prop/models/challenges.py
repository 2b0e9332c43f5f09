"""Challenges as they run: phases, daily snapshots, metrics, breaches, verdicts (prop-backoffice 2).

The program's terms are copied into the challenge and each phase when it begins; nothing here reads
the program's rules again. Numbers named `*_login` are wallet ids; 0 = none.
"""

from django.conf import settings
from django.db import models

from polysim.kernel.tenancy import BuildingModel
from prop.models.programs import MONEY, PhaseType, Program
from prop.models.purchases import Purchase

EXACT: dict[str, int] = {"max_digits": 30, "decimal_places": 12}


class ChallengeStatus(models.IntegerChoices):
    """Of challenges and of their phases."""

    PENDING = 0, "pending"
    ACTIVE = 1, "active"
    PASSED = 2, "passed"
    FAILED = 3, "failed"
    CANCELLED = 4, "cancelled"


class Challenge(BuildingModel):
    """One run of a purchase; `attempt` counts resets."""

    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="challenges")
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="challenges")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account_login = models.BigIntegerField(default=0)
    current_phase_index = models.PositiveSmallIntegerField(default=1)
    status = models.PositiveSmallIntegerField(
        choices=ChallengeStatus, default=ChallengeStatus.PENDING
    )
    fail_rule = models.CharField(max_length=40, blank=True, default="")
    attempt = models.PositiveSmallIntegerField(default=1)
    terms = models.JSONField(help_text="Program and steps it runs on.")
    snapshot_at = models.DateTimeField(help_text="When the terms were copied.")
    start_at = models.DateTimeField(null=True)
    end_at = models.DateTimeField(null=True)
    cancel_reason = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["purchase", "attempt"], name="challenge_attempt_once_per_purchase"
            ),
            models.UniqueConstraint(
                fields=["purchase"],
                condition=models.Q(status__in=[0, 1]),
                name="challenge_active_once_per_purchase",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=ChallengeStatus.values),
                name="challenge_status_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-created_at", "-id"], name="challenge_of_customer"),
            models.Index(fields=["status", "-id"], name="challenge_by_status"),
            models.Index(fields=["program", "status", "-id"], name="challenge_of_program"),
            models.Index(fields=["account_login"], name="challenge_by_login"),
            models.Index(fields=["fail_rule", "-end_at"], name="challenge_failed_by_rule"),
        ]

    def __str__(self) -> str:
        return f"challenge {self.pk}"


class ChallengePhase(BuildingModel):
    """A phase as it runs, with the measures that let an evaluator start anew at any time."""

    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="phases")
    program_id = models.BigIntegerField()
    phase_index = models.PositiveSmallIntegerField()
    phase_type = models.PositiveSmallIntegerField(choices=PhaseType)
    account_group = models.CharField(max_length=64)
    account_login = models.BigIntegerField(default=0)
    initial_balance = models.DecimalField(default=0, **MONEY)
    initial_equity = models.DecimalField(default=0, **MONEY)
    final_balance = models.DecimalField(default=0, **MONEY)
    final_equity = models.DecimalField(default=0, **MONEY)
    status = models.PositiveSmallIntegerField(
        choices=ChallengeStatus, default=ChallengeStatus.PENDING
    )
    terms = models.JSONField(help_text="prop.rules.Terms as a dict, with time zone and modes.")
    peak_equity = models.DecimalField(default=0, **MONEY)
    end_of_day_peak = models.DecimalField(default=0, **MONEY)
    trading_days = models.PositiveIntegerField(default=0)
    last_trading_date = models.DateField(null=True)
    last_fill_at = models.DateTimeField(null=True)
    warned = models.JSONField(default=dict, help_text="Rule to the local date it was warned of.")
    last_metric_at = models.DateTimeField(null=True)
    last_evaluated_at = models.DateTimeField(null=True)
    start_at = models.DateTimeField(null=True)
    end_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["challenge", "phase_index"], name="phase_index_once_per_challenge"
            ),
            models.UniqueConstraint(
                fields=["account_login"],
                condition=~models.Q(account_login=0),
                name="phase_account_is_its_own",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=ChallengeStatus.values), name="phase_status_is_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(status=1), name="phase_active_for_evaluator"
            )
        ]

    def __str__(self) -> str:
        return f"phase {self.phase_index} of challenge {self.challenge_id}"


class DailySnapshot(BuildingModel):
    """A phase's local calendar day: its start, its present, its extremes (6.4)."""

    challenge = models.ForeignKey(
        Challenge, on_delete=models.CASCADE, related_name="daily_snapshots", db_index=False
    )
    phase = models.ForeignKey(
        ChallengePhase, on_delete=models.CASCADE, related_name="daily_snapshots", db_index=False
    )
    local_date = models.DateField()
    daily_start_balance = models.DecimalField(**MONEY)
    daily_start_equity = models.DecimalField(**MONEY)
    current_balance = models.DecimalField(**MONEY)
    current_equity = models.DecimalField(**MONEY)
    min_equity = models.DecimalField(**MONEY)
    max_equity = models.DecimalField(**MONEY)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["phase", "local_date"], name="snapshot_once_per_phase_and_local_date"
            )
        ]
        indexes = [models.Index(fields=["challenge", "local_date"], name="snapshot_of_challenge")]

    def __str__(self) -> str:
        return f"{self.phase_id} {self.local_date}"


class MetricSnapshot(BuildingModel):
    """A phase's measures at a moment (6.5). Append-only by convention; percents of 6.1."""

    class Event(models.TextChoices):
        TICK = "tick", "Tick"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    challenge = models.ForeignKey(
        Challenge, on_delete=models.CASCADE, related_name="metrics", db_index=False
    )
    phase = models.ForeignKey(
        ChallengePhase, on_delete=models.CASCADE, related_name="metrics", db_index=False
    )
    phase_index = models.PositiveSmallIntegerField()
    account_login = models.BigIntegerField()
    event = models.CharField(max_length=12, choices=Event, default=Event.TICK)
    balance = models.DecimalField(**MONEY)
    equity = models.DecimalField(**MONEY)
    profit_target = models.DecimalField(help_text="Profit so far, percent.", **EXACT)
    daily_loss = models.DecimalField(**EXACT)
    total_loss = models.DecimalField(**EXACT)
    daily_profit = models.DecimalField(**EXACT)
    trading_days = models.PositiveIntegerField()
    open_positions = models.PositiveIntegerField()
    daily_start_equity = models.DecimalField(**MONEY)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["challenge", "-created_at", "-id"], name="metric_of_challenge"),
            models.Index(fields=["phase", "-id"], name="metric_newest_of_phase"),
        ]

    def __str__(self) -> str:
        return f"metric {self.pk}"


class Verdict(BuildingModel):
    """What ended a phase, with every input, so that it can be computed again (law 9)."""

    class Outcome(models.TextChoices):
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    phase = models.OneToOneField(ChallengePhase, on_delete=models.CASCADE, related_name="verdict")
    outcome = models.CharField(max_length=8, choices=Outcome)
    rule = models.CharField(max_length=40, blank=True, default="")
    inputs = models.JSONField(help_text="Terms, measures, positions, marks with their times.")
    inputs_hash = models.CharField(max_length=64, help_text="SHA-256 of the canonical inputs.")
    decided_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"verdict {self.pk}"


class RuleBreach(BuildingModel):
    """A fail rule that fired in the deciding pass; evidence, never changed."""

    challenge = models.ForeignKey(
        Challenge, on_delete=models.CASCADE, related_name="breaches", db_index=False
    )
    phase = models.ForeignKey(ChallengePhase, on_delete=models.CASCADE, related_name="breaches")
    phase_index = models.PositiveSmallIntegerField()
    account_login = models.BigIntegerField()
    rule = models.CharField(max_length=40)
    limit_value = models.DecimalField(**EXACT)
    actual_value = models.DecimalField(**EXACT)
    basis_value = models.DecimalField(**EXACT)
    balance = models.DecimalField(**MONEY)
    equity = models.DecimalField(**MONEY)
    is_primary = models.BooleanField()
    message = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phase", "rule"], name="breach_once_per_phase_and_rule")
        ]
        indexes = [
            models.Index(fields=["challenge", "-created_at", "-id"], name="breach_of_challenge"),
            models.Index(fields=["-created_at"], name="breach_newest_for_dashboard"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.pk}"
