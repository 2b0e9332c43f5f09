"""Keeping answers for repeats: a request runs once per user, path and key (accounts-api 2.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from polysim.kernel.api.refusals import IdempotencyConflictPending, IdempotencyKeyReuse
from tenants.models import IdempotencyRecord, User

KEPT = timedelta(hours=24)
# A request that did not finish in this time died with its process; the next one may try.
RUNNING_MAX = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Claim:
    """A record to finish, or (`is_replay`) the answer to give again."""

    record: IdempotencyRecord
    is_replay: bool


@transaction.atomic
def claim_request(*, user: User, path: str, key: str, body_hash: str, now: datetime) -> Claim:
    """Begin a request, or find its first answer.

    Raises IdempotencyKeyReuse for another body, IdempotencyConflictPending while the first runs.
    """
    fields: dict[str, Any] = {"body_hash": body_hash, "status": None, "answer": None, "headers": {}}
    try:
        with transaction.atomic():
            record = IdempotencyRecord.objects.create(
                user=user, path=path, key=key, started_at=now, **fields
            )
        return Claim(record, is_replay=False)
    except IntegrityError:
        record = IdempotencyRecord.objects.select_for_update().get(user=user, path=path, key=key)
    is_dead = record.status is None and record.started_at < now - RUNNING_MAX
    if record.started_at < now - KEPT or (is_dead and record.body_hash == body_hash):
        for name, value in fields.items():
            setattr(record, name, value)
        record.started_at = now
        record.save()
        return Claim(record, is_replay=False)
    if record.body_hash != body_hash:
        raise IdempotencyKeyReuse()
    if record.status is None:
        raise IdempotencyConflictPending()
    return Claim(record, is_replay=True)


def finish_request(
    *, record: IdempotencyRecord, status: int, answer: Any, headers: Mapping[str, str]
) -> None:
    """Keep the answer; in the transaction of the change itself it exists exactly with it."""
    record.status, record.answer, record.headers = status, answer, dict(headers)
    record.save(update_fields=["status", "answer", "headers"])


def release_request(*, record: IdempotencyRecord) -> None:
    """Forget a request that failed on our side or lost a race: a repeat runs again."""
    record.delete()
