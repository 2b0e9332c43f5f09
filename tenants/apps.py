"""Who is calling, and for which firm."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Django application `tenants`."""

    name = "tenants"
    label = "tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tenants import news  # noqa: F401 (connects the receivers)
