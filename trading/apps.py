"""Orders, fills and positions."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Django application `trading`."""

    name = "trading"
    label = "trading"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from trading import receivers  # noqa: F401 (connects them)
        from trading.selectors.events import register_renderers

        register_renderers()
