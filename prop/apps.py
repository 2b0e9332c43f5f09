"""Does the trader pass."""

from django.apps import AppConfig


class PropConfig(AppConfig):
    """Django application `prop`."""

    name = "prop"
    label = "prop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from prop.views.context import read_account_room
        from trading.views.rooms import register_room_reader

        register_room_reader(read_account_room)
