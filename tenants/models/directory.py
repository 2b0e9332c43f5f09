"""The directory of all wallets in all buildings: it issues their ids and leads to them."""

import uuid

from django.db import models
from django.utils import timezone

from tenants.models.firms import Firm
from tenants.models.users import User


class WalletKind(models.TextChoices):
    """Kinds of wallet (accounts-api 6.1)."""

    MAIN = "MAIN", "Main"
    SANDBOX = "SANDBOX", "Sandbox"
    API = "API", "API"
    COMPETITION = "COMPETITION", "Competition"
    PROP_FIRM = "PROP_FIRM", "Firm account"


class AccountDirectoryEntry(models.Model):
    """One wallet: its two ids (unique everywhere), its building and its user.

    Contract: contracts/README 2. Only identity stands here; money stands in the building.
    """

    wallet_id = models.BigAutoField(primary_key=True)
    account_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    firm = models.ForeignKey(Firm, on_delete=models.PROTECT, related_name="directory_entries")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="directory_entries")
    kind = models.CharField(max_length=16, choices=WalletKind)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "account"
        verbose_name_plural = "accounts"
        indexes = [models.Index(fields=["user", "firm"], name="directory_by_user_for_switcher")]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind"],
                condition=models.Q(kind__in=["MAIN", "API"]),
                name="directory_one_main_and_one_api_wallet_per_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.wallet_id}"
