"""`/v1/partner/users`: the firm's traders and how many accounts they have (partner-api 1, 2)."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import WholeNumber
from polysim.kernel.api.paging import CursorField
from polysim.kernel.api.partner_cursors import decode_list_cursor, encode_list_cursor
from polysim.kernel.api.partner_fields import (
    EmailText,
    ExternalId,
    JsonObject,
    PartnerMoment,
    parse_user_id,
)
from polysim.kernel.api.partner_parsers import read_partner_body
from polysim.kernel.api.views import QuerySerializer, read_query
from polysim.kernel.clock import iso_micro_text, utc_now
from tenants.api.partner_door import PartnerView
from tenants.models import ACCOUNTS_READ, USERS_WRITE, Participant
from tenants.services.participants import register_trader
from wallets.selectors.traders import Trader, find_trader, list_traders


class UserBody(serializers.Serializer[Any]):
    """A trader of the firm: its stable id and address."""

    external_id = ExternalId(help_text="Unique in the tenant; the idempotency key.")
    email = EmailText()
    metadata = JsonObject(required=False)


class RegisteredAnswer(serializers.Serializer[Any]):
    """The mapping; `created` speaks of it alone, never of the native account."""

    user_id = serializers.IntegerField()
    tenant_user_id = serializers.UUIDField()
    external_id = serializers.CharField()
    email = serializers.CharField()
    created = serializers.BooleanField()
    metadata = JsonObject()


class AccountCounts(serializers.Serializer[Any]):
    """How many of the trader's accounts are active, and closed or archived."""

    active = serializers.IntegerField()
    closed = serializers.IntegerField()


class UserAnswer(serializers.Serializer[Any]):
    """A trader with the count of their accounts."""

    user_id = serializers.IntegerField()
    tenant_user_id = serializers.UUIDField()
    external_id = serializers.CharField()
    email = serializers.CharField()
    metadata = JsonObject()
    created_at = PartnerMoment()
    accounts = AccountCounts()


class UserPage(serializers.Serializer[Any]):
    """A page of traders, oldest first."""

    data = UserAnswer(many=True)
    next_cursor = serializers.CharField(help_text="Continue here, now or later.")
    has_more = serializers.BooleanField()


class UsersQuery(QuerySerializer):
    """Exact filters; one without a hit gives an empty list."""

    external_id = serializers.CharField(required=False, max_length=255, trim_whitespace=False)
    email = serializers.CharField(required=False, max_length=320)
    created_since = PartnerMoment(required=False)
    limit = WholeNumber(min_value=1, max_value=200, default=50)
    cursor = CursorField()


class UsersView(PartnerView):
    """Register or resolve a trader; the list of all."""

    permissions = {"POST": USERS_WRITE, "GET": ACCOUNTS_READ}

    @extend_schema(
        operation_id="register_user",
        request=UserBody,
        responses={200: RegisteredAnswer, 201: RegisteredAnswer},
    )
    def post(self, request: Request) -> Response:
        sent = read_partner_body(request, UserBody)
        registration = register_trader(
            firm=self.firm,
            external_id=sent["external_id"],
            email=sent["email"],
            metadata=sent.get("metadata", {}),
            actor=self.actor,
            now=utc_now(),
        )
        body = {**names_of(registration.participant), "created": registration.is_created}
        return Response(
            {**body, "metadata": registration.participant.metadata},
            status=201 if registration.is_created else 200,
        )

    @extend_schema(operation_id="list_users", parameters=[UsersQuery], responses=UserPage)
    def get(self, request: Request) -> Response:
        wanted = read_query(request, UsersQuery)
        limit, cursor = wanted.pop("limit"), wanted.pop("cursor", None)
        if "email" in wanted:
            wanted["email"] = wanted["email"].lower()
        scope = {"list": "users", "firm": self.firm.pk, **wanted}
        after_id = decode_list_cursor(cursor, scope=scope)
        rows = list_traders(firm=self.firm, limit=limit + 1, after_id=after_id, **wanted)
        shown = rows[:limit]
        last_id = shown[-1].participant.pk if shown else after_id
        return Response(
            {
                "data": [trader_row(row) for row in shown],
                "next_cursor": encode_list_cursor(last_id, scope=scope),
                "has_more": len(rows) > limit,
            }
        )


class UserView(PartnerView):
    """One trader of the firm."""

    permissions = {"GET": ACCOUNTS_READ}

    @extend_schema(operation_id="get_user", responses=UserAnswer)
    def get(self, request: Request, user_id: str) -> Response:
        return Response(trader_row(find_trader(firm=self.firm, user_id=parse_user_id(user_id))))


def names_of(participant: Participant) -> dict[str, Any]:
    """How the firm and Polysim call a trader."""
    return {
        "user_id": participant.user_id,
        "tenant_user_id": str(participant.tenant_user_id),
        "external_id": participant.external_id,
        "email": participant.email,
    }


def trader_row(trader: Trader) -> dict[str, Any]:
    """The object of section 2."""
    participant = trader.participant
    return {
        **names_of(participant),
        "metadata": participant.metadata,
        "created_at": iso_micro_text(participant.created_at),
        "accounts": {"active": trader.active_count, "closed": trader.closed_count},
    }


urlpatterns = [
    path("users", UsersView.as_view()),
    path("users/<str:user_id>", UserView.as_view()),
]
