"""`/v1`: the caller and the caller's wallets (accounts-api 5.1, 6.3, 6.5).

What ends a wallet's orders and positions (archive, reset) is mounted by `trading.api`.
"""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import Text
from polysim.kernel.api.identity import READ, TRADE, Access
from polysim.kernel.api.paging import PageQuery
from polysim.kernel.api.views import ApiView, QuerySerializer, read_body, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.money import money_text
from polysim.kernel.tenancy import enter_building
from tenants.api.idempotency import idempotent
from tenants.models import WalletKind
from tenants.selectors import count_active_keys
from wallets.api.rows import MeAnswer, WalletAnswer, wallet_row
from wallets.selectors import (
    enter_read_scope,
    get_api_wallet,
    list_own_wallets,
    wallets_by_id,
)
from wallets.services.opening import create_sandbox_wallet


@extend_schema_field(
    {
        "type": "string",
        "pattern": "^([aA][pP][iI]|[aA][lL][lL]|[1-9][0-9]{0,17})?$",
        "description": "A wallet id, `api` (default) or `all`.",
    }
)
class WalletScopeField(serializers.CharField):
    """`wallet_id` of a read; what it means is decided by `enter_read_scope`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=20, **options)


class WalletScopeQuery(QuerySerializer):
    """`wallet_id` of accounts-api 2.5."""

    wallet_id = WalletScopeField()


class MeView(ApiView):
    """Who calls (5.1)."""

    access = Access.KEY_OR_USER

    @extend_schema(operation_id="get_me", parameters=[WalletScopeQuery], responses=MeAnswer)
    def get(self, request: Request) -> Response:
        user = self.identity.user
        wanted = read_query(request, WalletScopeQuery).get("wallet_id")
        with enter_read_scope(user_id=user.pk, value=wanted, is_key=self.identity.is_key) as scope:
            wallets = wallets_by_id(wallet_ids=scope.wallet_ids)
        cash = sum((wallet.balance for wallet in wallets.values()), Decimal(0))
        with enter_building(settings.RETAIL_SCHEMA):
            api_wallet = get_api_wallet(user_id=user.pk)
        return Response(
            {
                "user_id": user.pk,
                "id": user.pk,
                "username": user.handle,
                "email": user.email,
                "auth_user_id": str(user.auth_user_id),
                "balance": money_text(cash),
                "api_balance": money_text(api_wallet.balance if api_wallet else Decimal(0)),
                "currency": "USD",
                "tier": self.identity.tier,
                "permissions": sorted(self.identity.permissions) or [READ, TRADE],
                "key_count": count_active_keys(user=user),
            }
        )


class NewWallet(serializers.Serializer[Any]):
    """A wallet to be made; only SANDBOX wallets can be."""

    kind = serializers.ChoiceField(choices=[WalletKind.SANDBOX.value])
    label = Text(required=False, allow_null=True, allow_blank=True, default=None, max_length=64)


class WalletListView(ApiView):
    """The caller's wallets (6.3); a new sandbox (6.5)."""

    access = Access.KEY_OR_USER

    @extend_schema(
        operation_id="list_wallets",
        parameters=[PageQuery],
        responses=WalletAnswer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = read_query(request, PageQuery)
        wallets = list_own_wallets(
            user=self.identity.user, limit=page["limit"], offset=page["offset"]
        )
        return Response([wallet_row(wallet, firm) for wallet, firm in wallets])

    @extend_schema(
        operation_id="create_sandbox_wallet", request=NewWallet, responses={201: WalletAnswer}
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        sent = read_body(request, NewWallet)
        user = self.identity.user
        wallet = create_sandbox_wallet(user=user, label=sent["label"], actor=user, now=utc_now())
        return Response(wallet_row(wallet), status=201)


urlpatterns = [
    path("me", MeView.as_view()),
    path("me/wallets", WalletListView.as_view()),
]
