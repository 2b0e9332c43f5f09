"""Does the trader pass."""

from django.apps import AppConfig


class PropConfig(AppConfig):
    """Django application `prop`."""

    name = "prop"
    label = "prop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from prop.selectors.account_rules import find_rule_faults
        from prop.services.account_rules import evaluate_on_clock
        from prop.views.context import read_account_room
        from trading.clock_ticks import register_clock_tick
        from trading.rule_checks import register_rules_check
        from trading.views.rooms import register_room_reader

        register_room_reader(read_account_room)
        register_rules_check(find_rule_faults)
        register_clock_tick(evaluate_on_clock)
