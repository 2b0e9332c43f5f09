"""The firm's audit log and its webhooks, in every building.

An event is written in the transaction that causes it (outbox) and kept 30 days; deliveries to the
endpoints that want it follow from it. Audit entries are append-only (trigger).
Contract: partner-api Invariants 3, B3; ui.md, BackOffice, Audit log.
"""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from polysim.kernel.tenancy import BuildingModel

EVENT_TYPES = (
    "user.registered",
    "account.created",
    "account.updated",
    "account.closed",
    "account.reset",
    "trade.filled",
    "position.settled",
    "order.cancelled",
    "account.breached",
    "prop.challenge.failed",
    "prop.challenge.phase_changed",
    "prop.challenge.passed",
    "test_clock.ready",
    "webhook.test",
)


class FirmAuditEntry(BuildingModel):
    """One write: a dotted action, who did it from where, the object, before and after."""

    class ActorKind(models.TextChoices):
        STAFF = "staff", "Staff"
        KEY = "key", "Tenant key"
        TRADER = "trader", "Trader"
        SYSTEM = "system", "System"

    actor_kind = models.CharField(max_length=8, choices=ActorKind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    actor_name = models.CharField(max_length=254, help_text="E-mail, key prefix, or what acted.")
    role = models.CharField(max_length=16, blank=True, default="")
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.CharField(max_length=64)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True, default="")
    remote_address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["object_type", "object_id", "-id"], name="firm_audit_by_object"),
            models.Index(fields=["action", "-id"], name="firm_audit_by_action"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class WebhookEndpoint(BuildingModel):
    """Where the firm wants to hear of events. Secrets are sealed (kernel.seals)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.CharField(max_length=2048)
    description = models.CharField(max_length=255, blank=True, default="")
    event_types = ArrayField(models.CharField(max_length=40), help_text='["*"] is all.')
    secret_sealed = models.TextField()
    former_secret_sealed = models.TextField(blank=True, default="")
    former_secret_until = models.DateTimeField(null=True)
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=64, blank=True, default="")
    disabled_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True, help_text="Slowed down by 429, 502 or 504.")
    last_success_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.url


class WebhookEvent(BuildingModel):
    """One thing that happened; `data` holds ids, and the rest once it is rendered."""

    id = models.BigAutoField(primary_key=True)
    message_id = models.CharField(max_length=40, unique=True, help_text="msg_…, no dot.")
    type = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True, help_text="Deliveries were made.")

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(dispatched_at__isnull=True),
                name="webhook_event_to_dispatch",
            ),
            models.Index(fields=["occurred_at"], name="webhook_event_by_age_for_sweep"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"


class WebhookDelivery(BuildingModel):
    """An event on its way to an endpoint; tried until it succeeds or its schedule is used up."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries"
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    round_started_at = models.DateTimeField(help_text="Made, or replayed last.")
    next_attempt_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(
        null=True, help_text="A worker is sending it; after this moment it is anybody's again."
    )
    last_attempt_at = models.DateTimeField(null=True)
    last_status_code = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=255, blank=True, default="")
    last_duration_ms = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "endpoint"], name="webhook_delivery_once_per_event_and_endpoint"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status="pending"),
                name="webhook_delivery_due",
            ),
            models.Index(
                fields=["endpoint", "-created_at", "-id"], name="webhook_delivery_of_endpoint"
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.id}"


class SandboxMail(BuildingModel):
    """A login mail of a sandbox firm, link included, for its tests (partner-api B5)."""

    id = models.BigAutoField(primary_key=True)
    recipient = models.CharField(max_length=320)
    subject = models.CharField(max_length=200)
    link = models.CharField(max_length=2048)
    body = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"mail to {self.recipient}"
