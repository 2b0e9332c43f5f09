"""Plans and what they allow."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Django application `billing`."""

    name = "wallets.billing"
    label = "billing"
    default_auto_field = "django.db.models.BigAutoField"
