"""`@idempotent`: a changing endpoint that survives repeats (accounts-api 2.6).

class SandboxView(ApiView):
    @idempotent()
    def post(self, request: Request) -> Response: ...
"""

import json
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from polysim.kernel.api.errors import handle_exception, to_refusal
from polysim.kernel.api.views import ApiView
from polysim.kernel.clock import utc_now
from polysim.kernel.idempotency import hash_body, read_idempotency_key
from tenants.models import IdempotencyRecord, User
from tenants.services.idempotency import claim_request, finish_request, release_request

Method = Callable[..., Response]
KEPT_HEADERS = ("X-Polysim-Code", "Retry-After")


def idempotent(*, secrets: Sequence[str] = ()) -> Callable[[Method], Method]:
    """Run the method once per Idempotency-Key; `secrets` are members that a replay shows as null.

    With a key the method runs in one transaction with the record of its answer. 2xx and 4xx
    answers are kept, 409 and 5xx are not. Without the header the method simply runs.
    """

    def decorate(method: Method) -> Method:
        @wraps(method)
        def inner(self: ApiView, request: Request, *args: Any, **kwargs: Any) -> Response:
            return run_once(
                lambda: method(self, request, *args, **kwargs),
                request=request,
                user_of=lambda: self.identity.user,
                path=f"{request.method} {request.path}",
                secrets=secrets,
            )

        return inner

    return decorate


def run_once(
    run: Callable[[], Response],
    *,
    request: Request,
    user_of: Callable[[], User],
    path: str,
    secrets: Sequence[str] = (),
) -> Response:
    """What `idempotent` does, for a caller whose records are kept under somebody's name."""
    key = read_idempotency_key(request._request)
    if key is None:
        return run()
    claim = claim_request(
        user=user_of(), path=path, key=key, body_hash=hash_body(request.data), now=utc_now()
    )
    return _replay(claim.record) if claim.is_replay else _run(run, claim.record, request, secrets)


def _replay(record: IdempotencyRecord) -> Response:
    headers = {**record.headers, "Idempotent-Replayed": "true"}
    return Response(record.answer, status=record.status, headers=headers)


def _run(
    run: Callable[[], Response],
    record: IdempotencyRecord,
    request: Request,
    secrets: Sequence[str],
) -> Response:
    try:
        with transaction.atomic():
            response = run()
            _keep(record, response, secrets)
        return response
    except Exception as error:
        refusal = to_refusal(error)
        if refusal is None or refusal.status >= 500 or refusal.status == 409:
            release_request(record=record)
            raise
        answer = handle_exception(error, {"request": request})
        if answer is not None:
            _keep(record, answer, secrets)
        raise


def _keep(record: IdempotencyRecord, response: Response, secrets: Sequence[str]) -> None:
    answer = json.loads(json.dumps(response.data, cls=JSONEncoder))
    if isinstance(answer, dict):
        answer.update({name: None for name in secrets if name in answer})
    kept = {name: response[name] for name in KEPT_HEADERS if name in response}
    finish_request(record=record, status=response.status_code, answer=answer, headers=kept)
