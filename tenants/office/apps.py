"""A firm's office: what it keeps about its own doings, in its building."""

from django.apps import AppConfig


class OfficeConfig(AppConfig):
    """Django application `office`: audit log and webhooks of every building."""

    name = "tenants.office"
    label = "office"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tenants.office import checks  # noqa: F401 (registers them)
