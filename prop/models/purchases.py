"""Who bought what, and the accounts behind it (prop-backoffice 2, 5; prop-client 4)."""

from django.conf import settings
from django.db import models

from polysim.kernel.tenancy import BuildingModel
from prop.models.programs import MONEY, AccountGroup, Program
from wallets.models import Wallet


class PurchaseStatus(models.IntegerChoices):
    PENDING = 0, "pending"
    PAID = 1, "paid"
    ACCOUNT_CREATED = 2, "account_created"
    ACTIVE = 3, "active"
    FAILED = 4, "failed"
    REFUNDED = 5, "refunded"


class PaymentStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    PAID = "paid", "Paid"
    FAILED = "failed", "Failed"
    REFUNDED = "refunded", "Refunded"


class ActivationStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    ACCOUNT_CREATED = "account_created", "Account created"
    ACTIVE = "active", "Active"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class PropAccount(BuildingModel):
    """An account of a group: a trader's payer account, or a phase's. Its login is the wallet id."""

    class Purpose(models.TextChoices):
        PAYER = "payer", "Payer"
        PHASE = "phase", "Phase"

    wallet = models.OneToOneField(
        Wallet, primary_key=True, on_delete=models.PROTECT, related_name="prop_account"
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    group = models.ForeignKey(AccountGroup, on_delete=models.PROTECT, related_name="accounts")
    purpose = models.CharField(max_length=8, choices=Purpose)
    key = models.CharField(
        max_length=64, unique=True, help_text="What it was opened for: it is opened once."
    )
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["customer", "purpose"], name="prop_account_of_customer")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.wallet_id}"


class Purchase(BuildingModel):
    """A bought challenge and how far its activation has come."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="purchases")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    payer_login = models.BigIntegerField(default=0, help_text="0: granted by staff.")
    account_login = models.BigIntegerField(default=0)
    status = models.PositiveSmallIntegerField(
        choices=PurchaseStatus, default=PurchaseStatus.PENDING
    )
    amount = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=5)
    conversion_rate = models.DecimalField(default=1, **MONEY)
    amount_account_currency = models.DecimalField(**MONEY)
    comment = models.CharField(max_length=255, blank=True, default="")
    idempotency_key = models.CharField(max_length=128, null=True)
    payment_status = models.CharField(
        max_length=12, choices=PaymentStatus, default=PaymentStatus.PENDING
    )
    activation_status = models.CharField(
        max_length=16, choices=ActivationStatus, default=ActivationStatus.PENDING
    )
    failure_reason = models.CharField(max_length=64, blank=True, default="")
    terms = models.JSONField(default=dict, help_text="Program and steps as they were bought.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "idempotency_key"],
                name="purchase_idempotency_key_once_per_customer",
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="purchase_amount_is_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=PurchaseStatus.values),
                name="purchase_status_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-created_at", "-id"], name="purchase_of_customer"),
            models.Index(fields=["program", "-id"], name="purchase_of_program"),
            models.Index(
                fields=["updated_at"],
                condition=models.Q(status__in=[0, 1, 2]),
                name="purchase_to_resume",
            ),
        ]

    def __str__(self) -> str:
        return f"purchase {self.pk}"
