"""What the venue says."""

from django.apps import AppConfig


class MarketsConfig(AppConfig):
    """Django application `markets`."""

    name = "trading.markets"
    label = "markets"
    default_auto_field = "django.db.models.BigAutoField"
