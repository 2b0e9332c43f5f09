"""Payout, job and event as JSON objects (prop-backoffice 2, 6.6, 6.7; prop-client 5)."""

from collections.abc import Iterable
from typing import Any

from prop.models import Job, Payout, PropEvent
from prop.objects.values import money_number, percent_number, time_number
from prop.selectors.account_ids import find_account_ids

TRADER_PAYOUT_FIELDS = (
    "id",
    "challenge_id",
    "payer_login",
    "profit",
    "profit_split",
    "amount",
    "currency",
    "status",
    "status_name",
    "reason",
    "paid_time",
    "created_time",
)


def payout_objects(payouts: Iterable[Payout]) -> list[dict[str, Any]]:
    """Payouts with the account id of their funded accounts, in one query for all."""
    rows = list(payouts)
    account_ids = find_account_ids(row.funded_login for row in rows)
    return [{**payout_values(row), "account_id": account_ids.get(row.funded_login)} for row in rows]


def payout_object(payout: Payout) -> dict[str, Any]:
    """One payout; its links are null once their program was deleted."""
    return payout_objects([payout])[0]


def trader_payout_object(payout: Payout) -> dict[str, Any]:
    """What the trader sees of a payout (prop-client 5)."""
    values = payout_values(payout)
    return {name: values[name] for name in TRADER_PAYOUT_FIELDS}


def payout_values(row: Payout) -> dict[str, Any]:
    """The contract's Payout fields in their order: also the columns of the table."""
    return {
        "id": row.pk,
        "challenge_id": row.challenge_id,
        "phase_id": row.phase_id,
        "program_id": row.program_id,
        "customer_id": row.customer_id,
        "payer_login": row.payer_login,
        "funded_login": row.funded_login,
        "profit": money_number(row.profit),
        "profit_split": percent_number(row.profit_split),
        "amount": money_number(row.amount),
        "firm_amount": money_number(row.firm_amount),
        "currency": row.currency,
        "status": row.status,
        "status_name": row.get_status_display(),
        "reason": row.reason,
        "decided_by": row.decided_by_id or 0,
        "decided_time": time_number(row.decided_at),
        "paid_time": time_number(row.paid_at),
        "created_time": time_number(row.created_at),
        "updated_time": time_number(row.updated_at),
    }


def job_object(job: Job) -> dict[str, Any]:
    """A piece of work and how far it is."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "key": job.key,
        "challenge_id": job.challenge_id,
        "payload": job.payload,
        "status": job.status,
        "attempts": job.attempts,
        "last_error": job.last_error,
        "run_after": time_number(job.run_after),
        "created_time": time_number(job.created_at),
        "updated_time": time_number(job.updated_at),
    }


def event_object(event: PropEvent) -> dict[str, Any]:
    """An event as it goes to sockets."""
    return {
        "event": event.event,
        "id": event.pk,
        "time": time_number(event.created_at),
        "data": event.data,
    }
