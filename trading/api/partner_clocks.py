"""`/v1/partner/test-clocks`: a sandbox firm's own time and prices (partner-api B5)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.parsers import storable_text
from polysim.kernel.api.partner_fields import PartnerMoment, PlainText, Price
from polysim.kernel.api.partner_parsers import read_partner_body
from polysim.kernel.api.refusals import BadRequest
from polysim.kernel.clock import iso_micro_text, utc_now
from polysim.kernel.errors import NotFound, ValidationFailed
from polysim.kernel.money import four_places_text
from tenants.api.partner_door import PartnerView, parse_uuid
from tenants.models.partners import ACCOUNTS_READ, ACCOUNTS_WRITE
from trading.selectors.clocks import find_clock, list_clock_wallet_ids
from trading.services.test_clocks import (
    advance_clock,
    create_clock,
    delete_clock,
    set_clock_prices,
)
from wallets.models import TestClock

TOKENS_MAX = 500
STATUSES = [TestClock.Status.READY.value, TestClock.Status.ADVANCING.value]


class ClockBody(serializers.Serializer[Any]):
    """A new clock."""

    name = PlainText(min_length=1, max_length=100)
    frozen_time = PartnerMoment(help_text="Where it stands.")


class AdvanceBody(serializers.Serializer[Any]):
    """Where the clock goes: forward, at most 400 days."""

    to = PartnerMoment()


class ClockAnswer(serializers.Serializer[Any]):
    """A test clock."""

    test_clock_id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    frozen_time = serializers.DateTimeField(help_text="The time of its accounts.")
    target_time = serializers.DateTimeField(allow_null=True, help_text="While it advances.")
    prices = serializers.DictField(child=serializers.CharField())
    active_accounts = serializers.IntegerField()
    created_at = serializers.DateTimeField()


def clock_row(clock: TestClock) -> dict[str, Any]:
    """The JSON object of a clock, inside its building."""
    return {
        "test_clock_id": str(clock.pk),
        "name": clock.name,
        "status": clock.status,
        "frozen_time": iso_micro_text(clock.frozen_time),
        "target_time": iso_micro_text(clock.target_time),
        "prices": {
            token: four_places_text(Decimal(price)) for token, price in clock.prices.items()
        },
        "active_accounts": len(list_clock_wallet_ids(clock_id=clock.pk)),
        "created_at": iso_micro_text(clock.created_at),
    }


def read_id(text: str) -> UUID:
    """The id of a path; one of a wrong form is as unknown as any other."""
    found = parse_uuid(text)
    if found is None:
        raise NotFound()
    return found


class ClockView(PartnerView):
    """Sandbox firms only: for all others there is nothing at these addresses."""

    permissions = {
        "GET": ACCOUNTS_READ,
        "POST": ACCOUNTS_WRITE,
        "PUT": ACCOUNTS_WRITE,
        "DELETE": ACCOUNTS_WRITE,
    }

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not self.firm.is_sandbox:
            raise NotFound()


class ClocksView(ClockView):
    """Making clocks."""

    @extend_schema(
        operation_id="create_test_clock", request=ClockBody, responses={201: ClockAnswer}
    )
    def post(self, request: Request) -> Response:
        sent = read_partner_body(request, ClockBody)
        clock = create_clock(**sent, actor=self.actor, now=utc_now())
        return Response(clock_row(clock), status=201)


class OneClockView(ClockView):
    """One clock."""

    @extend_schema(operation_id="get_test_clock", responses=ClockAnswer)
    def get(self, request: Request, clock_id: str) -> Response:
        clock = find_clock(clock_id=read_id(clock_id))
        if clock is None:
            raise NotFound()
        return Response(clock_row(clock))

    @extend_schema(operation_id="delete_test_clock", responses={204: None})
    def delete(self, request: Request, clock_id: str) -> Response:
        delete_clock(clock_id=read_id(clock_id), actor=self.actor, now=utc_now())
        return Response(status=204)


class ClockAdvanceView(ClockView):
    """Setting a clock on its way; `test_clock.ready` tells when it arrived."""

    @extend_schema(
        operation_id="advance_test_clock", request=AdvanceBody, responses={202: ClockAnswer}
    )
    def post(self, request: Request, clock_id: str) -> Response:
        wanted = read_id(clock_id)
        sent = read_partner_body(request, AdvanceBody)
        clock = advance_clock(clock_id=wanted, to=sent["to"], actor=self.actor, now=utc_now())
        return Response(clock_row(clock), status=202)


class ClockPricesView(ClockView):
    """The script: `{"<token_id>": "0.61", …}` replaces the former one; `{}` ends it."""

    @extend_schema(
        operation_id="set_test_clock_prices",
        request={
            "application/json": {
                "type": "object",
                "additionalProperties": {"type": "string", "pattern": r"^0\.[0-9]{1,4}$"},
            }
        },
        responses=ClockAnswer,
    )
    def put(self, request: Request, clock_id: str) -> Response:
        wanted = read_id(clock_id)
        prices = read_prices(request.data)
        clock = set_clock_prices(clock_id=wanted, prices=prices, actor=self.actor, now=utc_now())
        return Response(clock_row(clock))


def read_prices(sent: Any) -> dict[str, Decimal]:
    """Prices by token id; raises BadRequest or ValidationFailed."""
    if not isinstance(sent, dict):
        raise BadRequest("The body must be a JSON object.")
    if len(sent) > TOKENS_MAX:
        raise ValidationFailed([("body", f"may name at most {TOKENS_MAX} tokens")])
    field, prices, wrong = Price(), {}, []
    for token, value in sent.items():
        name = storable_text(token)
        try:
            prices[name] = field.to_internal_value(value)
        except serializers.ValidationError as error:
            wrong += [(name, str(text)) for text in error.detail]
    if wrong:
        raise ValidationFailed(wrong)
    return prices


ONE = "test-clocks/<str:clock_id>"

urlpatterns = [
    path("test-clocks", ClocksView.as_view()),
    path(ONE, OneClockView.as_view()),
    path(f"{ONE}/advance", ClockAdvanceView.as_view()),
    path(f"{ONE}/prices", ClockPricesView.as_view()),
]
