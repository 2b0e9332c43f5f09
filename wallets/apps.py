"""How much, and why."""

from django.apps import AppConfig


class WalletsConfig(AppConfig):
    """Django application `wallets`."""

    name = "wallets"
    label = "wallets"
    default_auto_field = "django.db.models.BigAutoField"
