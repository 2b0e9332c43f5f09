"""Answers kept for repeats: one row per user, path and Idempotency-Key (accounts-api 2.6)."""

from django.db import models

from tenants.models.users import User


class IdempotencyRecord(models.Model):
    """A request that ran or is running (`status` NULL); kept for 24 hours."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=200)
    key = models.CharField(max_length=128)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    headers = models.JSONField(default=dict)
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "path", "key"], name="idempotency_key_once_per_user_and_path"
            )
        ]
        indexes = [models.Index(fields=["started_at"], name="idempotency_by_age_for_sweep")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"
