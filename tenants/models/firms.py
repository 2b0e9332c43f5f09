"""Tenants: the retail building and one building per prop firm."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django_tenants.models import DomainMixin, TenantMixin
from django_tenants.utils import schema_exists

from tenants.models.users import User


class FirmKind(models.TextChoices):
    """Retail is the built-in tenant; all others are prop firms."""

    RETAIL = "retail", "Retail"
    PROP_FIRM = "prop_firm", "Prop firm"


class Firm(TenantMixin):
    """A tenant. Saving a new one creates and migrates its schema (architecture, Schemas)."""

    auto_create_schema = True
    auto_drop_schema = False

    slug = models.SlugField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", "Lower case letters, digits and _.")],
    )
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=FirmKind, default=FirmKind.PROP_FIRM)
    time_zone = models.CharField(max_length=64, default="UTC")
    accent_colour = models.CharField(max_length=7, blank=True, default="")
    logo = models.BinaryField(null=True, blank=True, help_text="PNG, JPEG or WebP, at most 64 KB.")
    logo_media_type = models.CharField(max_length=16, blank=True, default="")
    contact_email = models.EmailField(max_length=254, blank=True, default="")
    is_active = models.BooleanField(default=True)
    is_partner_enabled = models.BooleanField(
        default=True, help_text="Off: the partner API answers 404 to the firm's keys."
    )
    is_sandbox = models.BooleanField(
        default=False, help_text="Test keys, test clocks and readable mails."
    )
    has_server_orders = models.BooleanField(
        default=False, help_text="The firm's servers may place orders for its traders."
    )
    has_rule_engine = models.BooleanField(
        default=False, help_text="Accounts whose rules name the engine are evaluated."
    )
    taken_rights = models.JSONField(
        default=dict, blank=True, help_text="Role to the rights its Owner took from it."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(kind=FirmKind.RETAIL),
                name="firm_retail_exists_once",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def create_schema(
        self, check_if_exists: bool = False, sync_schema: bool = True, verbosity: int = 1
    ) -> bool:
        """django-tenants' hook: the building with its tables; False when it is there already."""
        from tenants.blueprints import build_schema

        if check_if_exists and schema_exists(self.schema_name):
            return False
        build_schema(self.schema_name, verbosity=verbosity)
        return True


class Domain(DomainMixin):
    """A host name that leads to a firm."""


class StaffRole(models.TextChoices):
    """One set of roles for BackOffice and manager API (contracts/README 5)."""

    ADMIN = "admin", "Owner"
    MANAGER = "manager", "Risk"
    DEALER = "dealer", "Dealer"
    CRM_ADMIN = "crm_admin", "Finance"
    CRM_MANAGER = "crm_manager", "Support"
    VIEWER = "viewer", "Viewer"


class StaffMembership(models.Model):
    """A person's role at a firm."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    firm = models.ForeignKey(Firm, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=16, choices=StaffRole)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "firm"], name="staff_has_one_role_per_firm"),
            models.CheckConstraint(
                condition=models.Q(role__in=StaffRole.values), name="staff_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.firm} ({self.role})"
