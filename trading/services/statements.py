"""Calling the functions of trading/sql: one statement, one transaction, one round trip.

A lost connection is opened again. Every order carries a key, the client's or one made here, so
that the statement can be sent again: if the first one was committed the repeat answers it and
moves nothing (architecture law 2).
"""

import json
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError, connection

from polysim.kernel.errors import ServiceUnavailable
from trading.services.refusals import OutcomeUnknown, ServerBusy

RECONNECT_S_MAX = 4.0
RECONNECT_STEP_S = 0.1
_CONTENTION = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

_STATEMENTS = {
    name: f"SELECT {name}(%s::jsonb)"
    for name in (
        "place_order",
        "cancel_order",
        "end_orders",
        "fill_resting_order",
        "settle_position",
    )
}
# The answers come as one array.
_FOR_EACH = {
    "end_orders": "SELECT jsonb_agg(end_orders(each.request) ORDER BY each.place)"
    " FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS each (request, place)"
}


class _MaybeDone(Exception):
    """The statement was sent and its answer was lost."""


def call_once(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """Call a function in the current building. Raises ServerBusy on contended rows.

    Losing the connection raises Django's OperationalError.
    """
    answer: dict[str, Any] = _send(_STATEMENTS[name], request)
    return answer


def call_each(name: str, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Call a function once for each request, in their order, all in one round trip.

    Raises as `call_once`; then none of them is done.
    """
    return _send(_FOR_EACH[name], requests) if requests else []


def call_repeatable(name: str, request: dict[str, Any], *, has_client_key: bool) -> dict[str, Any]:
    """Call a function that may be sent twice, across a restart of PostgreSQL.

    Raises ServerBusy on contended rows; ServiceUnavailable when nothing was placed or a repeat
    with the client's key is safe; OutcomeUnknown when neither is known.
    """
    deadline = time.monotonic() + RECONNECT_S_MAX
    is_maybe_done = False
    while True:
        try:
            answer: dict[str, Any] = _execute(_STATEMENTS[name], request)
            return answer
        except _MaybeDone:
            is_maybe_done = True
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block:
                raise
        if connection.in_atomic_block or time.monotonic() > deadline:
            break
        connection.close()
        time.sleep(RECONNECT_STEP_S)
    if is_maybe_done and not has_client_key:
        raise OutcomeUnknown()
    raise ServiceUnavailable()


def _send(statement: str, request: object) -> Any:
    try:
        return _execute(statement, request)
    except _MaybeDone as error:
        raise OperationalError("the connection was lost") from error


def _execute(statement: str, request: object) -> Any:
    # Opening the cursor connects and sets the search path: what fails there was never sent.
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement, [json.dumps(request)])
            answer = cursor.fetchone()[0]
        except (OperationalError, InterfaceError) as error:
            if isinstance(error.__cause__, _CONTENTION):
                raise ServerBusy() from error
            raise _MaybeDone() from error
    return json.loads(answer) if isinstance(answer, str) else answer
