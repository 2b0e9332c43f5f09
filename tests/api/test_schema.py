"""The OpenAPI document tells the truth: schemathesis finds nothing to the contrary."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from polysim.kernel import ratelimits
from polysim.kernel.clock import utc_now
from polysim.wsgi import application
from tenants.api.client import openapi_document
from tests.support.door import Bot
from wallets.billing.models import PlanTerms
from wallets.billing.selectors import clear_plan_terms

WITH_KEY_MAX = 6
WITHOUT_MAX = 2
UNLIMITED = 1_000_000


def load_document() -> Any:
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
    PlanTerms.objects.update(
        requests_per_second=UNLIMITED,
        requests_per_minute=UNLIMITED,
        max_sandbox_wallets=UNLIMITED,
    )
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


@pytest.fixture
def _a_market(db: None) -> None:
    """Lists are 503 while the catalogue is empty."""
    from tests.support.exchange import make_market, set_book

    set_book(make_market(), asks=[("0.65", 100)], bids=[("0.60", 100)], now=utc_now())


@pytest.mark.schemathesis
@pytest.mark.usefixtures("_no_limits", "_a_market")
@pytest.mark.parametrize("name", operation_names())
def test_answers_are_as_described(name: str) -> None:
    method, path = name.split(" ")
    schema = schemathesis.openapi.from_dict(load_document())
    schema.app = application
    with_key = Bot(plan="pro").headers
    for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
        strategy = schema[path][method].as_strategy(generation_mode=mode)
        send_made_up(strategy, with_key, examples=WITH_KEY_MAX)
        send_made_up(strategy, {}, examples=WITHOUT_MAX)


def send_made_up(strategy: Any, headers: dict[str, str], *, examples: int) -> None:
    """Send requests of this kind; every answer must be as the document says."""

    @seed(1)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: Any) -> None:
        case.call_and_validate(headers=headers)

    # An operation without parameters cannot be called wrongly.
    with contextlib.suppress(Unsatisfiable):
        send()
