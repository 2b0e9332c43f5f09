"""Does the trader pass."""

from django.apps import AppConfig


class PropConfig(AppConfig):
    """Django application `prop`."""

    name = "prop"
    label = "prop"
    default_auto_field = "django.db.models.BigAutoField"
