"""Purchases, challenges and payouts of a trader, and a challenge in full (prop-client 4, 5).

Answers are the contract's JSON objects. With a `customer` only their own are found; staff read
without one. A stranger's raises NotFound like an unknown id.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from polysim.kernel.errors import NotFound
from prop import cache
from prop.models import (
    Challenge,
    ChallengePhase,
    MetricSnapshot,
    Payout,
    Purchase,
    RuleBreach,
)
from prop.objects import (
    breach_object,
    challenge_object,
    challenge_objects,
    metric_object,
    phase_objects,
    purchase_object,
    purchase_objects,
    terms_program_object,
    trader_payout_object,
)
from prop.selectors.progress import phase_progress
from tenants.models import User

NEWEST_FIRST = ("-created_at", "-pk")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a challenge's metrics or breaches: a page and its filters, times inclusive."""

    limit: int = 100
    offset: int = 0
    phase_index: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether it asks for a part of the rows only."""
        return (self.phase_index, self.since, self.until) != (None, None, None)


def list_purchases(
    *, customer: User, limit: int, offset: int, status: int | None = None
) -> tuple[list[dict[str, Any]], int]:
    """(purchases newest first, number of all that fit)."""
    chosen = Purchase.objects.filter(customer=customer)
    if status is not None:
        chosen = chosen.filter(status=status)
    rows = chosen.order_by(*NEWEST_FIRST)[offset : offset + limit]
    return purchase_objects(rows), chosen.count()


def list_challenges(
    *, customer: User, limit: int, offset: int, status: int | None = None
) -> tuple[list[dict[str, Any]], int]:
    """(challenges newest first, number of all that fit)."""
    chosen = Challenge.objects.filter(customer=customer)
    if status is not None:
        chosen = chosen.filter(status=status)
    rows = chosen.order_by(*NEWEST_FIRST)[offset : offset + limit]
    return challenge_objects(rows), chosen.count()


def list_payouts(*, customer: User, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """(payouts newest first as the trader sees them, number of all)."""
    chosen = Payout.objects.filter(customer=customer)
    rows = chosen.order_by(*NEWEST_FIRST)[offset : offset + limit]
    return [trader_payout_object(row) for row in rows], chosen.count()


def get_purchase_details(*, purchase_id: int, customer: User | None = None) -> dict[str, Any]:
    """`purchase`, `program` as it was bought, `challenges` newest first. Raises NotFound."""
    chosen = Purchase.objects.filter(pk=purchase_id)
    purchase = _only_own(chosen, customer).first()
    if purchase is None:
        raise NotFound("There is no such purchase.")
    challenges = Challenge.objects.filter(purchase=purchase).order_by("-attempt")
    return {
        "purchase": purchase_object(purchase),
        "program": terms_program_object(purchase.terms),
        "challenges": challenge_objects(challenges),
    }


def get_challenge_details(
    *, challenge_id: int, now: datetime, customer: User | None = None
) -> dict[str, Any]:
    """A running or ended challenge with its phases, their progress, metric and breach.

    `program` is the terms it was bought under. Raises NotFound.
    """
    challenge = find_challenge(challenge_id=challenge_id, customer=customer)
    phases = list(ChallengePhase.objects.filter(challenge=challenge).order_by("phase_index"))
    metrics = _latest_metrics(phases)
    rows = [
        {
            **row,
            "latest_metric": None if metric is None else metric_object(metric),
            "progress": phase_progress(phase, metric, now=now),
        }
        for phase, row in zip(phases, phase_objects(phases), strict=True)
        for metric in [metrics.get(phase.pk)]
    ]
    newest = max(metrics.values(), key=lambda one: (one.created_at, one.pk), default=None)
    breaches = RuleBreach.objects.filter(challenge=challenge, is_primary=True)
    breach = breaches.order_by(*NEWEST_FIRST).first()
    index = challenge.current_phase_index
    return {
        "challenge": challenge_object(challenge),
        "purchase": purchase_object(challenge.purchase),
        "program": terms_program_object(challenge.terms),
        "phases": rows,
        "current_phase": next((row for row in rows if row["phase_index"] == index), None),
        "latest_metric": None if newest is None else metric_object(newest),
        "latest_breach": None if breach is None else breach_object(breach),
    }


def find_challenge(*, challenge_id: int, customer: User | None = None) -> Challenge:
    """A challenge with its purchase. Raises NotFound."""
    chosen = Challenge.objects.filter(pk=challenge_id).select_related("purchase")
    challenge: Challenge | None = _only_own(chosen, customer).first()
    if challenge is None:
        raise NotFound("There is no such challenge.")
    return challenge


def read_metrics(*, challenge_id: int, wanted: Wanted, customer: User | None = None) -> cache.Page:
    """A page of a challenge's metrics, newest first. Raises NotFound."""
    challenge = find_challenge(challenge_id=challenge_id, customer=customer)
    rows = MetricSnapshot.objects.filter(challenge=challenge)
    return _read_page(cache.METRICS, challenge.pk, rows, metric_object, wanted)


def read_breaches(*, challenge_id: int, wanted: Wanted, customer: User | None = None) -> cache.Page:
    """A page of a challenge's breaches, newest first. Raises NotFound."""
    challenge = find_challenge(challenge_id=challenge_id, customer=customer)
    rows = RuleBreach.objects.filter(challenge=challenge)
    return _read_page(cache.BREACHES, challenge.pk, rows, breach_object, wanted)


def _read_page(
    kind: str,
    challenge_id: int,
    rows: QuerySet[Any],
    as_object: Callable[[Any], dict[str, Any]],
    wanted: Wanted,
) -> cache.Page:
    if wanted.phase_index is not None:
        rows = rows.filter(phase_index=wanted.phase_index)
    if wanted.since is not None:
        rows = rows.filter(created_at__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(created_at__lte=wanted.until)
    newest = rows.order_by(*NEWEST_FIRST)

    def load(limit: int, offset: int) -> list[dict[str, Any]]:
        return [as_object(row) for row in newest[offset : offset + limit]]

    count = rows.count()
    if wanted.is_filtered:
        return cache.Page(load(wanted.limit, wanted.offset), count)
    return cache.read_page(
        kind, challenge_id, limit=wanted.limit, offset=wanted.offset, count=count, load=load
    )


def _latest_metrics(phases: Sequence[ChallengePhase]) -> dict[int, MetricSnapshot]:
    """The newest metric of each phase that has one, by phase id."""
    newest = MetricSnapshot.objects.filter(phase=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    ids = ChallengePhase.objects.filter(pk__in=[phase.pk for phase in phases])
    wanted = ids.annotate(newest_id=Subquery(newest)).values_list("newest_id", flat=True)
    found = MetricSnapshot.objects.filter(pk__in=[pk for pk in wanted if pk is not None])
    return {metric.phase_id: metric for metric in found}


def _only_own(rows: QuerySet[Any], customer: User | None) -> QuerySet[Any]:
    return rows if customer is None else rows.filter(customer=customer)
