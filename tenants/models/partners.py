"""What a firm has in the street: its traders, its tenant keys, the links that let traders in.

Contract: partner-api (Authentication, 1, 3). All rows lie in `public`, as the firm is found from
the key or the link, not from the host.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tenants.models.firms import Firm
from tenants.models.users import User

USERS_WRITE = "users:write"
ACCOUNTS_WRITE = "accounts:write"
ACCOUNTS_READ = "accounts:read"
ORDERS_WRITE = "orders:write"
WEBHOOKS_WRITE = "webhooks:write"
TENANT_PERMISSIONS = (USERS_WRITE, ACCOUNTS_WRITE, ACCOUNTS_READ, ORDERS_WRITE, WEBHOOKS_WRITE)
DEFAULT_PERMISSIONS = (USERS_WRITE, ACCOUNTS_WRITE, ACCOUNTS_READ)


class Participant(models.Model):
    """A firm's trader: the firm's `external_id` mapped to the native user."""

    tenant_user_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    firm = models.ForeignKey(Firm, on_delete=models.PROTECT, related_name="participants")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="participations")
    external_id = models.CharField(max_length=255)
    email = models.CharField(max_length=320, help_text="As the firm registered it, normalised.")
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "trader"
        verbose_name_plural = "traders"
        constraints = [
            models.UniqueConstraint(
                fields=["firm", "external_id"], name="participant_external_id_once_per_firm"
            ),
            models.UniqueConstraint(fields=["firm", "user"], name="participant_user_once_per_firm"),
            models.UniqueConstraint(
                fields=["firm", "email"], name="participant_email_once_per_firm"
            ),
        ]
        indexes = [models.Index(fields=["firm", "id"], name="participant_oldest_of_firm")]

    def __str__(self) -> str:
        return self.external_id


class TenantKey(models.Model):
    """A firm's server key: shown once, found by its SHA-256 (partner-api, Authentication)."""

    firm = models.ForeignKey(Firm, on_delete=models.PROTECT, related_name="tenant_keys")
    name = models.CharField(max_length=100)
    key_prefix = models.CharField(max_length=12, db_index=True)
    key_hash = models.CharField(max_length=64, unique=True)
    permissions = ArrayField(models.CharField(max_length=32))
    tier = models.CharField(max_length=16, default="enterprise")
    is_active = models.BooleanField(default=True, help_text="Off: switched off, can be on again.")
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, help_text="Ended for good.")
    rotated_from = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="successors"
    )

    class Meta:
        verbose_name = "tenant key"
        verbose_name_plural = "tenant keys"
        indexes = [models.Index(fields=["firm", "-id"], name="tenant_key_newest_of_firm")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(permissions__contained_by=list(TENANT_PERMISSIONS))
                & models.Q(permissions__len__gt=0),
                name="tenant_key_permissions_are_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.key_prefix}… ({self.name})"


class RedirectOrigin(models.Model):
    """An origin to which a firm's login link may lead: scheme, host and port, nothing else."""

    firm = models.ForeignKey(Firm, on_delete=models.PROTECT, related_name="redirect_origins")
    origin = models.CharField(max_length=300)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["firm", "origin"], name="redirect_origin_once_per_firm")
        ]

    def __str__(self) -> str:
        return self.origin


class LoginLink(models.Model):
    """A one-time way in, mailed to a trader; only its token's hash is kept (partner-api 3)."""

    participant = models.ForeignKey(
        Participant, on_delete=models.PROTECT, related_name="login_links"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    redirect_url = models.CharField(max_length=2048, blank=True, default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant"],
                condition=models.Q(consumed_at__isnull=True, voided_at__isnull=True),
                name="login_link_is_open_once_per_trader",
            )
        ]
        indexes = [
            models.Index(fields=["participant", "-created_at"], name="login_link_newest_of_trader")
        ]

    def __str__(self) -> str:
        return f"login link {self.pk}"
