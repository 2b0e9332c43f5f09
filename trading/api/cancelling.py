"""Bulk cancels: `/v1/cancel-all` and `/v1/cancel-market-orders` (trading-api 4.5)."""

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import BIGINT_MAX, Text, WholeNumber
from polysim.kernel.api.schema import ApiSchema
from polysim.kernel.api.views import ApiView, QuerySerializer, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError, ValidationFailed
from trading.api import order_rows as rows
from trading.services.doors import cancel_own_market_orders, cancel_own_orders

# The alias stays for Polymarket's client; others move on before this day (accounts-api 2.6).
SUNSET = "Thu, 01 Jul 2027 00:00:00 GMT"
DEPRECATION = "Use POST /v1/cancel-all"
# This client cannot confirm.
UNCONFIRMING_AGENT = "py_clob_client"
TRUE_WORDS = ("true", "1")


class ConfirmationRequired(PolysimError):
    """Everything would be cancelled, and nobody said that it was meant."""

    code = "CONFIRMATION_REQUIRED"
    status = 400
    message = "Send ?confirm=true or X-Confirm-Cancel-All: true to cancel every resting order."


class CancelAllQuery(QuerySerializer):
    """`wallet_id` narrows to one wallet."""

    wallet_id = WholeNumber(min_value=1, max_value=BIGINT_MAX, required=False)


CONFIRM = OpenApiParameter(
    "confirm",
    str,
    required=True,
    enum=TRUE_WORDS,
    description="Or the header `X-Confirm-Cancel-All: true`.",
)


class CancelAllView(ApiView):
    """Every resting order of the account."""

    @extend_schema(
        operation_id="cancel_all_orders",
        parameters=[CONFIRM, CancelAllQuery],
        request=None,
        responses=rows.CancelledAnswer,
    )
    def post(self, request: Request) -> Response:
        if not is_confirmed(request):
            raise ConfirmationRequired()
        return self._cancel(request)

    @extend_schema(
        operation_id="cancel_all_orders_by_delete",
        parameters=[CONFIRM, CancelAllQuery],
        deprecated=True,
        responses=rows.CancelledAnswer,
    )
    def delete(self, request: Request) -> Response:
        http: Any = request._request
        http.api_headers.update({"X-Deprecation": DEPRECATION, "Sunset": SUNSET})
        agent = request.META.get("HTTP_USER_AGENT", "")
        if not is_confirmed(request) and not agent.startswith(UNCONFIRMING_AGENT):
            raise ConfirmationRequired()
        return self._cancel(request)

    def _cancel(self, request: Request) -> Response:
        query = read_query(request, CancelAllQuery)
        done = cancel_own_orders(
            user=self.identity.user,
            is_key=self.identity.is_key,
            wallet_id=query.get("wallet_id"),
            now=utc_now(),
        )
        return Response(rows.cancelled_row(done.cancelled, done.not_cancelled))


def is_confirmed(request: Request) -> bool:
    """Whether the query or the header says that all orders are meant."""
    sent = request.query_params.get("confirm") or request.META.get("HTTP_X_CONFIRM_CANCEL_ALL", "")
    return sent.strip().lower() in TRUE_WORDS


IS_NAME = RegexValidator(r"\A[!-~]+\Z", "must be an id")


class MarketOrdersQuery(QuerySerializer):
    """A market, a token, or both (orders that match both)."""

    market = Text(required=False, allow_null=True, max_length=256, validators=[IS_NAME])
    asset_id = Text(required=False, allow_null=True, max_length=256, validators=[IS_NAME])
    wallet_id = WholeNumber(min_value=1, max_value=BIGINT_MAX, required=False)


_NAME = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$"}
_NAMING_BODY = {
    "description": "Or the same as query parameters. Orders match both where both are named.",
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"market": _NAME, "asset_id": _NAME},
                "anyOf": [{"required": ["market"]}, {"required": ["asset_id"]}],
            }
        }
    },
}


class NamingSchema(ApiSchema):
    """A DELETE whose body says what is cancelled."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            operation["requestBody"] = _NAMING_BODY
        return operation


class CancelMarketOrdersView(ApiView):
    """Resting orders of a market or token, named in the query or in a JSON body."""

    schema = NamingSchema()

    @extend_schema(
        operation_id="cancel_market_orders",
        parameters=[CancelAllQuery],
        responses=rows.CancelledAnswer,
    )
    def delete(self, request: Request) -> Response:
        sent = read_query(request, MarketOrdersQuery)
        if not sent.get("market") and not sent.get("asset_id"):
            sent = {**read_named(request), **{k: v for k, v in sent.items() if v}}
        done = cancel_own_market_orders(
            user=self.identity.user,
            is_key=self.identity.is_key,
            condition_id=sent.get("market"),
            token_id=sent.get("asset_id"),
            wallet_id=sent.get("wallet_id"),
            now=utc_now(),
        )
        return Response(rows.cancelled_row(done.cancelled, done.not_cancelled))


def read_named(request: Request) -> dict[str, Any]:
    """What the body names; an absent body names nothing."""
    body = request.data
    if not isinstance(body, dict):
        raise ValidationFailed([("body", "must be a JSON object")])
    serializer = MarketOrdersQuery(data={k: v for k, v in body.items() if v not in (None, "")})
    serializer.is_valid(raise_exception=True)
    validated: dict[str, Any] = serializer.validated_data
    return validated
