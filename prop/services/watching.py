"""The alarm of the evaluator: a trouble that is still there at the next look."""

from datetime import datetime

from django.core.cache import cache

from prop.selectors.evaluator import find_evaluator_trouble

TROUBLE_KEY = "prop:evaluator:trouble"
REMEMBERED_S = 60


def watch_evaluator(*, now: datetime) -> list[str]:
    """Sentences to say loudly: what is wrong now and was wrong at the look before.

    Phases that began a moment ago are no trouble: the next full pass finds them.
    """
    troubles = find_evaluator_trouble(now=now)
    if not troubles:
        cache.delete(TROUBLE_KEY)
        return []
    is_new = cache.add(TROUBLE_KEY, True, REMEMBERED_S)
    return [] if is_new else troubles
