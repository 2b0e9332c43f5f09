"""Checks of the rules that a firm keeps with an account (partner-api 4, 7, B4).

`trading` stores rules and knows none of them. Apps right of this one register a check in
`AppConfig.ready`; it runs inside the firm's building before rules are stored.
"""

from collections.abc import Callable, Mapping
from typing import Any

from polysim.kernel.errors import ValidationFailed

# Answers (key, what is wrong with it), nothing for rules that may be stored.
RulesCheck = Callable[[Mapping[str, Any]], list[tuple[str, str]]]
_checks: list[RulesCheck] = []


def register_rules_check(check: RulesCheck) -> None:
    """Let `check` see all rules before they are stored; once per process."""
    if check not in _checks:
        _checks.append(check)


def require_sound_rules(rules: Mapping[str, Any]) -> None:
    """Raise ValidationFailed naming `rules.<key>` for each fault that a check finds."""
    faults = [fault for check in _checks for fault in check(rules)]
    if faults:
        raise ValidationFailed([(f"rules.{key}", text) for key, text in faults])
