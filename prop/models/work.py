"""What follows from verdicts: jobs, payouts, events (prop-backoffice 6.6, 6.7)."""

from django.conf import settings
from django.db import models

from polysim.kernel.tenancy import BuildingModel
from prop.models.challenges import Challenge, ChallengePhase
from prop.models.programs import MONEY, PERCENT, Program


class PayoutStatus(models.IntegerChoices):
    PENDING = 0, "pending"
    APPROVED = 1, "approved"
    PAID = 2, "paid"
    REJECTED = 3, "rejected"
    SKIPPED = 4, "skipped"


class JobKind(models.TextChoices):
    READ_ONLY = "read_only", "Make the account read-only"
    LIQUIDATE = "liquidate", "Close positions"
    NEXT_PHASE = "next_phase", "Open the next phase's account"
    DEPOSIT = "deposit", "Book the initial balance"
    PAYOUT = "payout", "Work out the payout"
    PAY = "pay", "Book the payout"
    EVENT = "event", "Tell of it"


class JobStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Job(BuildingModel):
    """One piece of work, run once; safe to run again."""

    kind = models.CharField(max_length=16, choices=JobKind)
    key = models.CharField(max_length=80, unique=True)
    challenge = models.ForeignKey(
        Challenge, null=True, on_delete=models.CASCADE, related_name="jobs"
    )
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=8, choices=JobStatus, default=JobStatus.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    run_after = models.DateTimeField()
    locked_until = models.DateTimeField(null=True, help_text="A running job's worker has died by.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["run_after", "id"],
                condition=models.Q(status__in=["queued", "running"]),
                name="job_due",
            ),
            models.Index(fields=["status", "-id"], name="job_by_status"),
        ]

    def __str__(self) -> str:
        return self.key


class Payout(BuildingModel):
    """A funded phase's profit and its split; one a phase. Links are emptied with the program."""

    challenge = models.ForeignKey(
        Challenge, null=True, on_delete=models.SET_NULL, related_name="payouts"
    )
    phase = models.OneToOneField(
        ChallengePhase, null=True, on_delete=models.SET_NULL, related_name="payout"
    )
    program = models.ForeignKey(
        Program, null=True, on_delete=models.SET_NULL, related_name="payouts"
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    payer_login = models.BigIntegerField(default=0)
    funded_login = models.BigIntegerField()
    profit = models.DecimalField(**MONEY)
    profit_split = models.DecimalField(**PERCENT)
    amount = models.DecimalField(default=0, **MONEY)
    firm_amount = models.DecimalField(default=0, **MONEY)
    currency = models.CharField(max_length=5)
    status = models.PositiveSmallIntegerField(choices=PayoutStatus, default=PayoutStatus.PENDING)
    reason = models.CharField(max_length=255, blank=True, default="")
    first_approval_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    first_approval_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    decided_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gte=0, firm_amount__gte=0),
                name="payout_amounts_are_not_negative",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=2) | models.Q(paid_at__isnull=False),
                name="payout_paid_has_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-created_at", "-id"], name="payout_of_customer"),
            models.Index(fields=["status", "created_at"], name="payout_queue"),
        ]

    def __str__(self) -> str:
        return f"payout {self.pk}"


class PropEvent(BuildingModel):
    """A transition that customers, staff and partners are told of, once each (6.7)."""

    key = models.CharField(max_length=80, unique=True)
    event = models.CharField(max_length=40)
    challenge = models.ForeignKey(
        Challenge, null=True, on_delete=models.CASCADE, related_name="events"
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    data = models.JSONField()
    created_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(mailed_at__isnull=True),
                name="prop_event_to_mail",
            ),
            models.Index(fields=["customer", "-id"], name="prop_event_of_customer"),
            models.Index(fields=["challenge", "-id"], name="prop_event_of_challenge"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"
