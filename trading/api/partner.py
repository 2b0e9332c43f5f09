"""`/v1/partner`: accounts and trades of a firm's traders (partner-api 4 to 9, B1)."""

from decimal import Decimal
from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import BIGINT_MAX, WholeNumber
from polysim.kernel.api.partner_cursors import decode_list_cursor, encode_list_cursor
from polysim.kernel.api.partner_fields import (
    ExternalId,
    JsonObject,
    Money,
    PartnerMoment,
    PlainText,
    UserId,
)
from polysim.kernel.api.partner_parsers import read_partner_body
from polysim.kernel.api.schema import IDEMPOTENCY_PARAMETER
from polysim.kernel.api.views import QuerySerializer, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import ValidationFailed
from tenants.api.idempotency import run_once
from tenants.api.partner_door import PartnerView
from tenants.models.partners import ACCOUNTS_READ, ACCOUNTS_WRITE
from trading.api import partner_rows as rows
from trading.api.partner_orders import PageLimit, account_id_of, order_urls
from trading.selectors.envelopes import get_envelope, list_envelopes
from trading.selectors.trades import TradeFilters, list_trades
from trading.services.firm_accounts import (
    close_account,
    find_account_owner,
    provision_account,
    reset_account,
    update_account,
)

REASON_LENGTH_MAX = 255


class NewAccount(serializers.Serializer[Any]):
    """A firm account to open (section 4)."""

    user_id = UserId()
    external_id = ExternalId()
    stage = serializers.RegexField(r"\A[a-z0-9_-]{1,32}\Z", trim_whitespace=False)
    starting_balance = Money(min_value=Decimal("0.01"), max_value=Decimal("10000000.00"))
    rules = JsonObject(required=False)
    metadata = JsonObject(required=False)


class NewSandboxAccount(NewAccount):
    """With the test clock that the account lives on (B5)."""

    test_clock_id = serializers.UUIDField(required=False, allow_null=True)


class AccountsQuery(QuerySerializer):
    """Filters and page of the list (B1)."""

    user_id = WholeNumber(min_value=1, max_value=BIGINT_MAX, required=False)
    external_id = serializers.CharField(required=False, max_length=255, trim_whitespace=False)
    stage = serializers.CharField(required=False, max_length=32)
    status = serializers.ChoiceField(choices=rows.STATUSES, required=False)
    updated_since = PartnerMoment(required=False)
    cursor = serializers.CharField(required=False, max_length=1024)
    limit = PageLimit()


class AccountsView(PartnerView):
    """Open an account (4); list accounts (B1)."""

    permissions = {"POST": ACCOUNTS_WRITE, "GET": ACCOUNTS_READ}

    @extend_schema(
        operation_id="provision_account",
        request=NewAccount,
        responses={
            201: OpenApiResponse(rows.EnvelopeAnswer, "A new account."),
            200: OpenApiResponse(rows.EnvelopeAnswer, "The account of an earlier call."),
        },
    )
    def post(self, request: Request) -> Response:
        form = NewSandboxAccount if self.firm.is_sandbox else NewAccount
        sent = read_partner_body(request, form)
        done = provision_account(firm=self.firm, actor=self.actor, now=utc_now(), **sent)
        return Response(done.envelope, status=201 if done.is_new else 200)

    @extend_schema(
        operation_id="list_accounts",
        parameters=[AccountsQuery],
        responses=rows.AccountPageAnswer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, AccountsQuery)
        limit, cursor = query.pop("limit"), query.pop("cursor", None)
        scope = {"list": "accounts", "firm": self.firm.pk, **query}
        after_id = decode_list_cursor(cursor, scope=scope)
        page = list_envelopes(after_id=after_id, limit=limit, now=utc_now(), **query)
        return Response(
            {
                "data": page.rows,
                "next_cursor": encode_list_cursor(page.last_id, scope=scope),
                "has_more": page.has_more,
            }
        )


class AccountChange(serializers.Serializer[Any]):
    """What a firm keeps with an account; each replaces the stored object as a whole."""

    rules = JsonObject(required=False, allow_null=True)
    metadata = JsonObject(required=False, allow_null=True)


class AccountView(PartnerView):
    """Read an account's envelope (5); change its rules and metadata (7)."""

    permissions = {"GET": ACCOUNTS_READ, "PATCH": ACCOUNTS_WRITE}

    @extend_schema(operation_id="get_account", responses=rows.EnvelopeAnswer)
    def get(self, request: Request, account_id: str) -> Response:
        return Response(get_envelope(account_id=account_id_of(account_id), now=utc_now()))

    @extend_schema(
        operation_id="update_account", request=AccountChange, responses=rows.EnvelopeAnswer
    )
    def patch(self, request: Request, account_id: str) -> Response:
        found_id = account_id_of(account_id)
        sent = read_partner_body(request, AccountChange)
        if not sent:
            raise ValidationFailed([("rules", "rules or metadata is required")])
        changes = {name: {} if value is None else value for name, value in sent.items()}
        answer = update_account(account_id=found_id, actor=self.actor, now=utc_now(), **changes)
        return Response(answer)


class Reason(serializers.Serializer[Any]):
    """Why, in the firm's words."""

    reason = PlainText(required=False, allow_blank=True, max_length=REASON_LENGTH_MAX)


class AccountCloseView(PartnerView):
    """Close an account for good (8); a repeat answers the same."""

    permissions = {"POST": ACCOUNTS_WRITE}

    @extend_schema(operation_id="close_account", request=Reason, responses=rows.EnvelopeAnswer)
    def post(self, request: Request, account_id: str) -> Response:
        found_id = account_id_of(account_id)
        sent = read_partner_body(request, Reason)
        answer = close_account(
            account_id=found_id, actor=self.actor, now=utc_now(), reason=sent.get("reason", "")
        )
        return Response(answer)


class AccountResetView(PartnerView):
    """Begin the next attempt on an account (9)."""

    permissions = {"POST": ACCOUNTS_WRITE}

    @extend_schema(
        operation_id="reset_account",
        request=Reason,
        parameters=[IDEMPOTENCY_PARAMETER],
        responses=rows.ResetAnswer,
    )
    def post(self, request: Request, account_id: str) -> Response:
        found_id = account_id_of(account_id)
        sent = read_partner_body(request, Reason)

        def reset() -> Response:
            answer = reset_account(
                account_id=found_id, actor=self.actor, now=utc_now(), reason=sent.get("reason", "")
            )
            return Response(answer)

        return run_once(
            reset,
            request=request,
            user_of=lambda: find_account_owner(account_id=found_id),
            path=f"POST /v1/partner/accounts/{found_id}/reset",
        )


class TradesQuery(QuerySerializer):
    """Filters and page of the feed; a cursor repeats the filters that it was made with."""

    cursor = serializers.CharField(required=False, max_length=1024)
    limit = PageLimit()
    since = PartnerMoment(required=False, help_text="Inclusive.")
    until = PartnerMoment(required=False, help_text="Exclusive.")
    side = serializers.ChoiceField(choices=("BUY", "SELL"), required=False)
    market_id = serializers.CharField(required=False, max_length=256)
    attempt = WholeNumber(min_value=1, max_value=2**31 - 1, required=False)
    kind = serializers.ChoiceField(choices=("fill", "settlement", "all"), default="fill")


class TradesView(PartnerView):
    """The trades feed of an account (6)."""

    permissions = {"GET": ACCOUNTS_READ}

    @extend_schema(
        operation_id="list_account_trades",
        parameters=[TradesQuery],
        responses=rows.TradePageAnswer,
    )
    def get(self, request: Request, account_id: str) -> Response:
        found_id = account_id_of(account_id)
        query = read_query(request, TradesQuery)
        limit, cursor = query.pop("limit"), query.pop("cursor", None)
        page = list_trades(
            account_id=found_id, filters=TradeFilters(**query), cursor=cursor, limit=limit
        )
        return Response(
            {"data": page.rows, "next_cursor": page.next_cursor, "has_more": page.has_more}
        )


urlpatterns = [
    path("accounts", AccountsView.as_view()),
    path("accounts/<str:account_id>", AccountView.as_view()),
    path("accounts/<str:account_id>/trades", TradesView.as_view()),
    path("accounts/<str:account_id>/close", AccountCloseView.as_view()),
    path("accounts/<str:account_id>/reset", AccountResetView.as_view()),
    *order_urls,
]
