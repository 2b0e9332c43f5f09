"""The person behind every request."""

import secrets
import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

# What partner-api 1 allows; allauth's table has the same (ACCOUNT_EMAIL_MAX_LENGTH).
EMAIL_LENGTH_MAX = 320
# Nine or ten digits, below 2**31 (the user's lock is named by a 32-bit number).
USER_ID_MIN = 100_000_000
USER_ID_END = 2**31


def make_user_id() -> int:
    """A random free id: firms see it, and it must not tell who was here before (partner-api 1)."""
    while True:
        number = USER_ID_MIN + secrets.randbelow(USER_ID_END - USER_ID_MIN)
        if not User.objects.filter(pk=number).exists():
            return number


class Plan(models.TextChoices):
    """What a retail user pays for (accounts-api 3); the figures stand in `billing.PlanTerms`."""

    FREE = "free", "Free"
    PRO = "pro", "Pro"
    PRO_PLUS = "pro_plus", "Pro Plus"
    ENTERPRISE = "enterprise", "Enterprise"


class UserManager(BaseUserManager["User"]):
    """Makes users from an e-mail address; the address is kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A user with a hashed password (None: an unusable one)."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A platform administrator."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Log in by e-mail address in any case."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Never deleted: deactivated and anonymised (rows in every building name it)."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "Follow the system"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    class Confirmation(models.TextChoices):
        """When the order ticket asks before it places (ui.md, Order ticket)."""

        ALWAYS = "always", "Always"
        ABOVE = "above", "Above an amount"
        NEVER = "never", "Never"

    auth_user_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(max_length=EMAIL_LENGTH_MAX)
    handle = models.CharField(max_length=32, unique=True, help_text="Public name; no e-mail in it.")
    display_name = models.CharField(max_length=64, blank=True, default="")
    plan = models.CharField(max_length=16, choices=Plan, default=Plan.FREE)
    is_api_admitted = models.BooleanField(default=True, help_text="Off: keys answer 403.")
    time_zone = models.CharField(max_length=64, default="UTC")
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.SYSTEM)
    order_confirmation = models.CharField(
        max_length=8, choices=Confirmation, default=Confirmation.ALWAYS
    )
    confirm_above_usd = models.DecimalField(max_digits=12, decimal_places=2, default=100)
    has_single_key_shortcuts = models.BooleanField(default=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May enter the platform's admin.")
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_is_unique_in_any_case"),
            models.CheckConstraint(
                condition=models.Q(plan__in=Plan.values), name="user_plan_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **options: Any) -> None:
        """As Django's; a new person gets a random id."""
        if self._state.adding and self.pk is None:
            self.pk = make_user_id()
            options["force_insert"] = True
        super().save(*args, **options)

    @property
    def shown_name(self) -> str:
        """What pages call this person."""
        return self.display_name or self.handle
