"""`/v1/me/wallets/{id}` and resets: what may end a wallet's orders (accounts-api 6.4 to 6.9)."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import BIGINT_MAX, Text
from polysim.kernel.api.identity import Access
from polysim.kernel.api.schema import IDEMPOTENCY_PARAMETER
from polysim.kernel.api.views import ApiView, read_body
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import ValidationFailed
from polysim.kernel.money import money_text
from polysim.kernel.tenancy import enter_building
from tenants.api.idempotency import idempotent
from trading.services import archive_wallet, reset_api_wallet, reset_wallet
from wallets.api.rows import WalletAnswer, wallet_row
from wallets.selectors import building_of, find_own_wallet
from wallets.services import (
    WalletNotArchivable,
    WalletNotFound,
    WalletNotResettable,
    rename_wallet,
)

WALLET_ID = OpenApiParameter("wallet_id", int, OpenApiParameter.PATH)


class WalletChange(serializers.Serializer[Any]):
    """The new label; null or blank = none. Nothing else can be changed."""

    label = Text(allow_null=True, allow_blank=True, max_length=64)


class WalletView(ApiView):
    """One wallet: read (6.4), rename (6.6), archive (6.7)."""

    access = Access.KEY_OR_USER

    @extend_schema(operation_id="get_wallet", parameters=[WALLET_ID], responses=WalletAnswer)
    def get(self, request: Request, wallet_id: str) -> Response:
        wallet, firm = find_own_wallet(user=self.identity.user, wallet_id=read_wallet_id(wallet_id))
        return Response(wallet_row(wallet, firm))

    @extend_schema(
        operation_id="rename_wallet",
        parameters=[WALLET_ID],
        request=WalletChange,
        responses=WalletAnswer,
    )
    def patch(self, request: Request, wallet_id: str) -> Response:
        number = read_wallet_id(wallet_id)
        sent = read_body(request, WalletChange)
        user = self.identity.user
        with enter_building(settings.RETAIL_SCHEMA):
            wallet = rename_wallet(
                user=user, wallet_id=number, label=sent["label"], actor=user, now=utc_now()
            )
        return Response(wallet_row(wallet))

    @extend_schema(operation_id="archive_wallet", parameters=[WALLET_ID], responses=WalletAnswer)
    def delete(self, request: Request, wallet_id: str) -> Response:
        user, number = self.identity.user, read_wallet_id(wallet_id)
        if is_firm_account(user_id=user.pk, wallet_id=number):
            raise WalletNotArchivable()
        wallet = archive_wallet(user=user, wallet_id=number, actor=user, now=utc_now())
        return Response(wallet_row(wallet))


class WalletResetView(ApiView):
    """Start a MAIN or SANDBOX wallet anew (6.8)."""

    access = Access.KEY_OR_USER

    @extend_schema(
        operation_id="reset_wallet",
        parameters=[WALLET_ID, IDEMPOTENCY_PARAMETER],
        request=None,
        responses=WalletAnswer,
    )
    @idempotent()
    def post(self, request: Request, wallet_id: str) -> Response:
        user, number = self.identity.user, read_wallet_id(wallet_id)
        if is_firm_account(user_id=user.pk, wallet_id=number):
            raise WalletNotResettable()
        done = reset_wallet(user=user, wallet_id=number, actor=user, now=utc_now())
        return Response(wallet_row(done.wallet))


class ApiResetAnswer(serializers.Serializer[Any]):
    """What the API wallet was reset to."""

    message = serializers.CharField()
    new_api_balance = serializers.CharField()
    positions_closed = serializers.IntegerField()
    cooldown_days = serializers.IntegerField()


class ApiResetView(ApiView):
    """Start the API wallet anew in place; its keys keep working (6.9)."""

    access = Access.KEY_OR_USER

    @extend_schema(
        operation_id="reset_api_balance",
        parameters=[IDEMPOTENCY_PARAMETER],
        request=None,
        responses=ApiResetAnswer,
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        user = self.identity.user
        done = reset_api_wallet(user=user, actor=user, now=utc_now())
        balance = done.wallet.balance
        return Response(
            {
                "message": f"API balance reset to ${balance:,.2f}",
                "new_api_balance": money_text(balance),
                "positions_closed": done.positions_closed,
                "cooldown_days": settings.API_RESET_COOLDOWN_DAYS,
            }
        )


def read_wallet_id(text: str) -> int:
    """The number of a wallet's address: ValidationFailed for what is no integer (6.4)."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise ValidationFailed([("wallet_id", "must be a whole number")])
    if digits != text or len(digits) > 19 or not 0 < int(digits) <= BIGINT_MAX:
        raise WalletNotFound()
    return int(digits)


def is_firm_account(*, user_id: int, wallet_id: int) -> bool:
    """Whether it is the user's account at a firm, which only the firm ends or resets."""
    return building_of(user_id=user_id, wallet_id=wallet_id) != settings.RETAIL_SCHEMA
