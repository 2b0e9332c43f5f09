"""Purchase as a JSON object (prop-backoffice 2, prop-client 3.2 and 4)."""

from collections.abc import Iterable
from typing import Any

from prop.lifecycle import lifecycle_of
from prop.models import Purchase
from prop.objects.values import money_number, percent_number, time_number
from prop.selectors.account_ids import find_account_ids


def purchase_objects(purchases: Iterable[Purchase]) -> list[dict[str, Any]]:
    """Purchases with their account ids, in one query for all."""
    rows = list(purchases)
    account_ids = find_account_ids(row.account_login for row in rows)
    return [_purchase(row, account_ids.get(row.account_login)) for row in rows]


def purchase_object(purchase: Purchase) -> dict[str, Any]:
    """One purchase with its computed fields."""
    return purchase_objects([purchase])[0]


def _purchase(row: Purchase, account_id: str | None) -> dict[str, Any]:
    lifecycle = lifecycle_of(
        status=row.status, payment_status=row.payment_status, failure_reason=row.failure_reason
    )
    return {
        "id": row.pk,
        "program_id": row.program_id,
        "customer_id": row.customer_id,
        "payer_login": row.payer_login,
        "account_login": row.account_login,
        "account_id": account_id,
        "status": row.status,
        "status_name": row.get_status_display(),
        "next_action": lifecycle.next_action,
        "can_retry": lifecycle.can_retry,
        "can_cancel": lifecycle.can_cancel,
        "amount": money_number(row.amount),
        "currency": row.currency,
        "conversion_rate": percent_number(row.conversion_rate),
        "amount_account_currency": money_number(row.amount_account_currency),
        "comment": row.comment,
        "idempotency_key": row.idempotency_key or "",
        "payment_status": row.payment_status,
        "activation_status": row.activation_status,
        "failure_reason": row.failure_reason,
        "created_time": time_number(row.created_at),
        "updated_time": time_number(row.updated_at),
    }
