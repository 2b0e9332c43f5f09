"""The partner door's OpenAPI document tells the truth: schemathesis finds nothing else.

Operations of every part of the door are found in the document; `ready` prepares what they need.
"""

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

from polysim.wsgi import application
from tenants.api import partner_admission
from tenants.api.partner_schema import partner_document
from tenants.models import Firm
from tests.support.door import FirmServer
from tests.support.exchange import make_firm_trader, make_market
from trading.markets.models import Outcome

EXAMPLES_MAX = 8
# Webhooks take addresses outside private networks only; this one needs no name server.
PUBLIC_URL = "https://93.184.216.34/hooks"
UNLIMITED = (1_000_000, 1_000_000)


def load_document() -> Any:
    return json.loads(partner_document())


def operation_names() -> list[str]:
    methods = ("get", "post", "put", "patch", "delete")
    return sorted(
        f"{method.upper()} {path}"
        for path, item in load_document()["paths"].items()
        for method in item
        if method in methods
    )


@pytest.fixture
def ready(alpha: Firm, monkeypatch: Any) -> Iterator[FirmServer]:
    """Alpha as a sandbox with every flag on, a trader with an account, and no limits."""
    flags = ("is_sandbox", "has_server_orders", "has_rule_engine")
    for flag in flags:
        setattr(alpha, flag, True)
    alpha.save(update_fields=flags)
    monkeypatch.setattr(
        partner_admission, "LIMITS", {"enterprise": UNLIMITED, "sandbox": UNLIMITED}
    )
    make_firm_trader()
    make_market()
    # As Django's own test client does: the test's transaction outlives its requests.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield FirmServer(alpha)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.schemathesis
@pytest.mark.parametrize("name", operation_names())
def test_answers_are_as_described(name: str, ready: FirmServer) -> None:
    method, path = name.split(" ")
    schema = schemathesis.openapi.from_dict(load_document())
    schema.app = application
    for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
        strategy = schema[path][method].as_strategy(generation_mode=mode)
        is_good = mode is GenerationMode.POSITIVE
        send_made_up(strategy, ready.headers, examples=EXAMPLES_MAX, is_good=is_good)
        send_made_up(strategy, {}, examples=1)


def send_made_up(
    strategy: Any, headers: dict[str, str], *, examples: int, is_good: bool = False
) -> None:
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
        if is_good:
            obey_the_prose(case)
        case.call_and_validate(headers=headers)

    # An operation without parameters cannot be called wrongly.
    with contextlib.suppress(Unsatisfiable):
        send()


def obey_the_prose(case: Any) -> None:
    """What JSON Schema cannot say: cursors are opaque, free objects shallow and storable, tokens
    those of markets."""
    if case.query:
        case.query.pop("cursor", None)
    if isinstance(case.body, dict):
        if case.path.endswith("/prices"):
            token_ids = Outcome.objects.values_list("token_id", flat=True)
            case.body = dict.fromkeys(token_ids, "0.50")
        if "url" in case.body:
            case.body["url"] = PUBLIC_URL
        case.body.update(
            {name: {"made": "up"} for name, value in case.body.items() if isinstance(value, dict)}
        )


def test_every_address_of_the_door_is_described() -> None:
    from polysim.urls_partner import urlpatterns

    shown = {name.removeprefix("/v1/partner/") for name in load_document()["paths"]}
    assert len(shown) == len({str(one.pattern) for one in urlpatterns}) - 1
