"""Challenge, phase, snapshot, metric and breach as JSON objects (prop-backoffice 2)."""

from collections.abc import Iterable
from typing import Any

from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    DailySnapshot,
    MetricSnapshot,
    RuleBreach,
)
from prop.objects.values import money_number, percent_number, time_number
from prop.selectors.account_ids import find_account_ids


def challenge_objects(challenges: Iterable[Challenge]) -> list[dict[str, Any]]:
    """Challenges with their account ids, in one query for all."""
    rows = list(challenges)
    account_ids = find_account_ids(row.account_login for row in rows)
    return [_challenge(row, account_ids.get(row.account_login)) for row in rows]


def challenge_object(challenge: Challenge) -> dict[str, Any]:
    """One challenge; `end_time` is 0 until it ends."""
    return challenge_objects([challenge])[0]


def phase_objects(phases: Iterable[ChallengePhase]) -> list[dict[str, Any]]:
    """Runtime rows with their account ids; `latest_metric`, `progress` are the caller's."""
    rows = list(phases)
    account_ids = find_account_ids(row.account_login for row in rows)
    return [_phase(row, account_ids.get(row.account_login)) for row in rows]


def phase_object(phase: ChallengePhase) -> dict[str, Any]:
    """One runtime row."""
    return phase_objects([phase])[0]


def snapshot_object(snapshot: DailySnapshot) -> dict[str, Any]:
    """A local calendar day of a phase."""
    amounts = (
        "daily_start_balance",
        "daily_start_equity",
        "current_balance",
        "current_equity",
        "min_equity",
        "max_equity",
    )
    return {
        "id": snapshot.pk,
        "challenge_id": snapshot.challenge_id,
        "phase_id": snapshot.phase_id,
        "local_date": snapshot.local_date.isoformat(),
        **{name: money_number(getattr(snapshot, name)) for name in amounts},
        "created_time": time_number(snapshot.created_at),
        "updated_time": time_number(snapshot.updated_at),
    }


def metric_object(metric: MetricSnapshot) -> dict[str, Any]:
    """A phase's measures at a moment; `profit_target` is the profit so far in percent."""
    return {
        "id": metric.pk,
        "challenge_id": metric.challenge_id,
        "phase_id": metric.phase_id,
        "phase_index": metric.phase_index,
        "account_login": metric.account_login,
        "event": metric.event,
        "balance": money_number(metric.balance),
        "equity": money_number(metric.equity),
        "profit_target": percent_number(metric.profit_target),
        "daily_loss": percent_number(metric.daily_loss),
        "total_loss": percent_number(metric.total_loss),
        "daily_profit": percent_number(metric.daily_profit),
        "trading_days": metric.trading_days,
        "open_positions": metric.open_positions,
        "daily_start_equity": money_number(metric.daily_start_equity),
        "created_time": time_number(metric.created_at),
    }


def breach_object(breach: RuleBreach) -> dict[str, Any]:
    """A rule that fired, with its numbers."""
    return {
        "id": breach.pk,
        "challenge_id": breach.challenge_id,
        "phase_id": breach.phase_id,
        "phase_index": breach.phase_index,
        "account_login": breach.account_login,
        "rule": breach.rule,
        "limit_value": percent_number(breach.limit_value),
        "actual_value": percent_number(breach.actual_value),
        "basis_value": money_number(breach.basis_value),
        "balance": money_number(breach.balance),
        "equity": money_number(breach.equity),
        "is_primary": breach.is_primary,
        "message": breach.message,
        "created_time": time_number(breach.created_at),
    }


def _challenge(row: Challenge, account_id: str | None) -> dict[str, Any]:
    return {
        "id": row.pk,
        "purchase_id": row.purchase_id,
        "program_id": row.program_id,
        "customer_id": row.customer_id,
        "account_login": row.account_login,
        "account_id": account_id,
        "current_phase_index": row.current_phase_index,
        "status": row.status,
        "status_name": row.get_status_display(),
        "fail_rule": row.fail_rule,
        "attempt": row.attempt,
        "cancel_reason": row.cancel_reason,
        "start_time": time_number(row.start_at),
        "end_time": time_number(row.end_at),
        "snapshot_time": time_number(row.snapshot_at),
        "created_time": time_number(row.created_at),
        "updated_time": time_number(row.updated_at),
    }


def _phase(row: ChallengePhase, account_id: str | None) -> dict[str, Any]:
    amounts = ("initial_balance", "initial_equity", "final_balance", "final_equity")
    return {
        "id": row.pk,
        "challenge_id": row.challenge_id,
        "program_id": row.program_id,
        "phase_index": row.phase_index,
        "phase_type": row.phase_type,
        "account_group": row.account_group,
        "account_login": row.account_login,
        "account_id": account_id,
        **{name: money_number(getattr(row, name)) for name in amounts},
        "status": row.status,
        "status_name": ChallengeStatus(row.status).label,
        "start_time": time_number(row.start_at),
        "end_time": time_number(row.end_at),
        "created_time": time_number(row.created_at),
        "updated_time": time_number(row.updated_at),
    }
