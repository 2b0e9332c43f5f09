"""The OpenAPI document tells the truth: schemathesis finds nothing to the contrary."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis.generation import GenerationMode

from polysim.kernel import ratelimits
from polysim.wsgi import application
from tenants.api.client import openapi_document
from tests.support.door import Bot
from wallets.billing.models import PlanTerms
from wallets.billing.selectors import clear_plan_terms

EXAMPLES_MAX = 12
UNLIMITED = 1_000_000


def load_document() -> Any:
    import json

    return json.loads(openapi_document())


def operation_names() -> list[str]:
    methods = ("get", "post", "put", "patch", "delete")
    return sorted(
        f"{method.upper()} {path}"
        for path, item in load_document()["paths"].items()
        for method in item
        if method in methods
    )


@pytest.fixture
def _no_limits(db: None, monkeypatch: Any) -> Iterator[None]:
    PlanTerms.objects.update(requests_per_second=UNLIMITED, requests_per_minute=UNLIMITED)
    monkeypatch.setattr(ratelimits, "ANONYMOUS_PER_SECOND", UNLIMITED)
    monkeypatch.setattr(ratelimits, "ANONYMOUS_PER_MINUTE", UNLIMITED)
    clear_plan_terms()
    # As Django's own test client does: the test's transaction outlives its requests.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    clear_plan_terms()


@pytest.mark.schemathesis
@pytest.mark.usefixtures("_no_limits")
@pytest.mark.parametrize("credential", ["key", "nothing"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", operation_names())
def test_answers_are_as_described(name: str, mode: GenerationMode, credential: str) -> None:
    method, path = name.split(" ")
    schema = schemathesis.openapi.from_dict(load_document())
    schema.app = application
    operation = schema[path][method]
    headers = Bot(plan="enterprise").headers if credential == "key" else {}

    @seed(1)
    @settings(
        max_examples=EXAMPLES_MAX,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        case.call_and_validate(headers=headers)

    send()
