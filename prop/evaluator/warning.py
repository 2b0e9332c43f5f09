"""Early warnings: the trader hears of a limit coming near, once a rule and local date (8)."""

from datetime import date, datetime

from django.db import transaction

from prop.evaluator.writing import claim_warning
from prop.events import WARNING
from prop.models import ChallengePhase
from prop.objects.values import money_number, percent_number
from prop.rules import Warned
from prop.services.events import tell


@transaction.atomic
def warn_trader(*, phase_id: int, warning: Warned, day: date, now: datetime) -> bool:
    """Store and send `prop.warning`; False when the trader was warned of it this day before."""
    if not claim_warning(phase_id=phase_id, rule=warning.rule, day=day.isoformat()):
        return False
    phase = ChallengePhase.objects.select_related("challenge").get(pk=phase_id)
    data = {
        "challenge_id": phase.challenge_id,
        "phase_id": phase.pk,
        "phase_index": phase.phase_index,
        "account_login": phase.account_login,
        "rule": warning.rule,
        "limit_value": percent_number(warning.limit_value),
        "actual_value": percent_number(warning.actual_value),
        "threshold": money_number(warning.threshold),
        "local_date": day.isoformat(),
        "message": warning.message,
    }
    told = tell(
        key=f"{WARNING}:{phase.pk}:{warning.rule}:{day.isoformat()}",
        event=WARNING,
        challenge=phase.challenge,
        data=data,
        now=now,
    )
    return told is not None
