"""Bringing the caches of metrics and breaches up to date after the commit (6.5)."""

from collections.abc import Sequence

from django.db import transaction

from polysim.kernel.tenancy import enter_building, require_building
from prop.cache import BREACHES, METRICS, push_rows
from prop.models import MetricSnapshot, RuleBreach
from prop.objects import breach_object, metric_object


def cache_after_commit(
    *, metrics: Sequence[MetricSnapshot] = (), breaches: Sequence[RuleBreach] = ()
) -> None:
    """Put stored rows first in their challenges' lists once the transaction is committed."""
    schema = require_building()
    rows = [(METRICS, row.challenge_id, metric_object(row)) for row in metrics]
    rows += [(BREACHES, row.challenge_id, breach_object(row)) for row in breaches]

    def push() -> None:
        with enter_building(schema):
            push_rows(rows)

    transaction.on_commit(push)
