"""API keys of retail users. Only the hash of a key is kept (accounts-api 4.1)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tenants.models.users import Plan, User


class ApiKey(models.Model):
    """A key: shown once, found by its SHA-256, acting at min(tier, plan of its user)."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=100, null=True, blank=True)
    key_prefix = models.CharField(max_length=16, db_index=True)
    key_hash = models.CharField(max_length=64, unique=True)
    tier = models.CharField(max_length=16, choices=Plan)
    permissions = ArrayField(models.CharField(max_length=16))
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        indexes = [models.Index(fields=["user", "-id"], name="api_key_newest_of_user")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(permissions__contained_by=["read", "trade"])
                & models.Q(permissions__len__gt=0),
                name="api_key_permissions_are_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.key_prefix}… of {self.user}"
