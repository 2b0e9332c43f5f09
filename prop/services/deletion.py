"""Removing purchases with everything that ran under them (prop-backoffice 4.1, 4.3).

Trading accounts and ledgers stay. All in the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

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
from wallets.models import Wallet

RUNNING = (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE)


def delete_purchases(*, purchase_ids: Sequence[int], reason: str, now: datetime) -> dict[str, int]:
    """Delete purchases and their challenges; answers how many rows of each kind went.

    Accounts of running phases become read-only with `reason`; payouts stay with empty links.
    """
    locked = Purchase.objects.select_for_update().filter(pk__in=purchase_ids).order_by("pk")
    purchases = [row.pk for row in locked]
    challenges = Challenge.objects.select_for_update().filter(purchase__in=purchases)
    challenge_ids = [row.pk for row in challenges.order_by("pk").only("pk")]
    _close_accounts(challenge_ids, reason=reason, now=now)
    counts = _delete_challenges(challenge_ids)
    gone, _ = Purchase.objects.filter(pk__in=purchases).delete()
    return {"purchases": gone, **counts}


def _close_accounts(challenge_ids: Sequence[int], *, reason: str, now: datetime) -> None:
    phases = ChallengePhase.objects.filter(challenge__in=challenge_ids)
    logins = phases.filter(status__in=RUNNING).exclude(account_login=0)
    wallets = Wallet.objects.filter(pk__in=logins.values_list("account_login", flat=True))
    # People are locked by ascending id, so that two deletions never wait for each other.
    for wallet_id in wallets.order_by("user_id", "pk").values_list("pk", flat=True):
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
    transaction.on_commit(lambda: _forget(challenge_ids))
    return {
        "challenges": challenges,
        "challenge_phases": phases,
        "daily_snapshots": snapshots,
        "rule_breaches": breaches,
        "metric_snapshots": metrics,
    }


def _forget(challenge_ids: Iterable[int]) -> None:
    for challenge_id in challenge_ids:
        cache.clear(challenge_id)
