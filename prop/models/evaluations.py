"""The optional rule engine on a firm's own accounts (partner-api B4)."""

from django.db import models

from polysim.kernel.tenancy import BuildingModel
from wallets.models import FirmAccount


class AccountEvaluation(BuildingModel):
    """An account's state under `rules.engine = "polysim"`, for one attempt of the account."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    account = models.ForeignKey(FirmAccount, on_delete=models.PROTECT, related_name="evaluations")
    attempt = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    latest_metric = models.JSONField(null=True)
    latest_breach = models.JSONField(null=True)
    metrics = models.JSONField(default=list, help_text="Newest first, bounded.")
    breaches = models.JSONField(default=list)
    measured_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "attempt"], name="evaluation_once_per_account_and_attempt"
            )
        ]

    def __str__(self) -> str:
        return f"evaluation of {self.account_id} attempt {self.attempt}"
