"""Reading the table of plans (accounts-api 3)."""

import time

from wallets.billing.models import PlanTerms

LIFETIME_S = 5.0
_remembered: tuple[float, dict[str, PlanTerms]] = (0.0, {})


def get_plan_terms(plan: str) -> PlanTerms:
    """The figures of one plan, at most 5 s old; raises KeyError for an unknown plan."""
    return _all_terms()[plan]


def list_plan_terms() -> list[PlanTerms]:
    """All four plans, lowest first, at most 5 s old."""
    return sorted(_all_terms().values(), key=lambda terms: terms.position)


def clear_plan_terms() -> None:
    """Forget what this process remembers: after an edit here, and between tests."""
    global _remembered
    _remembered = (0.0, {})


def _all_terms() -> dict[str, PlanTerms]:
    global _remembered
    now_s = time.monotonic()
    read_until_s, terms = _remembered
    if now_s >= read_until_s:
        terms = {row.plan: row for row in PlanTerms.objects.all()}
        _remembered = (now_s + LIFETIME_S, terms)
    return terms
