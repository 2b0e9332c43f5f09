"""Removing purchases with everything that ran under them (prop-backoffice 4.1, 4.3).

Trading accounts and ledgers stay. All in the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from polysim.kernel.tenancy import enter_building, require_building
from prop import cache
from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    DailySnapshot,
    Job,
    MetricSnapshot,
    Payout,
    PropEvent,
    Purchase,
    RuleBreach,
    Verdict,
)
from trading.services.firm_accounts import make_read_only
from wallets.services import lock_user

RUNNING = (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE)


def delete_purchases(*, purchase_ids: Sequence[int], reason: str, now: datetime) -> dict[str, int]:
    """Delete purchases and their challenges; answers how many rows of each kind went.

    Accounts of running phases become read-only with `reason`; payouts stay with empty links.
    """
    _lock_customers(purchase_ids)
    locked = Purchase.objects.select_for_update().filter(pk__in=purchase_ids).order_by("pk")
    purchases = [row.pk for row in locked]
    challenges = Challenge.objects.select_for_update().filter(purchase__in=purchases)
    challenge_ids = [row.pk for row in challenges.order_by("pk").only("pk")]
    # The evaluator writes metrics of phases that it has locked: none may follow the deletion.
    phases = ChallengePhase.objects.select_for_update().filter(challenge__in=challenge_ids)
    list(phases.order_by("pk").values_list("pk", flat=True))
    _close_accounts(challenge_ids, reason=reason, now=now)
    counts = _delete_challenges(challenge_ids)
    gone, _ = Purchase.objects.filter(pk__in=purchases).delete()
    return {"purchases": gone, **counts}


def _lock_customers(purchase_ids: Sequence[int]) -> None:
    """Those with running challenges, before any row, as refunds and orders do; ascending."""
    running = Challenge.objects.filter(purchase__in=purchase_ids, status__in=RUNNING)
    for customer_id in sorted(set(running.values_list("customer_id", flat=True))):
        lock_user(user_id=customer_id)


def _close_accounts(challenge_ids: Sequence[int], *, reason: str, now: datetime) -> None:
    phases = ChallengePhase.objects.filter(challenge__in=challenge_ids)
    logins = phases.filter(status__in=RUNNING).exclude(account_login=0)
    for wallet_id in logins.order_by("account_login").values_list("account_login", flat=True):
        make_read_only(wallet_id=wallet_id, reason=reason, now=now)


def _delete_challenges(challenge_ids: Sequence[int]) -> dict[str, int]:
    of_challenges = {"challenge__in": challenge_ids}
    Job.objects.filter(**of_challenges).delete()
    PropEvent.objects.filter(**of_challenges).delete()
    Verdict.objects.filter(phase__challenge__in=challenge_ids).delete()
    Payout.objects.filter(**of_challenges).update(challenge=None, phase=None, program=None)
    snapshots, _ = DailySnapshot.objects.filter(**of_challenges).delete()
    breaches, _ = RuleBreach.objects.filter(**of_challenges).delete()
    metrics, _ = MetricSnapshot.objects.filter(**of_challenges).delete()
    phases, _ = ChallengePhase.objects.filter(**of_challenges).delete()
    challenges, _ = Challenge.objects.filter(pk__in=challenge_ids).delete()
    schema = require_building()
    transaction.on_commit(lambda: _forget(schema, challenge_ids))
    return {
        "challenges": challenges,
        "challenge_phases": phases,
        "daily_snapshots": snapshots,
        "rule_breaches": breaches,
        "metric_snapshots": metrics,
    }


def _forget(schema: str, challenge_ids: Iterable[int]) -> None:
    with enter_building(schema):
        for challenge_id in challenge_ids:
            cache.clear(challenge_id)
