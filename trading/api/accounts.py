"""`/v1/account`: balance, positions, portfolio, history, settlements (accounts-api 7.1 to 7.5)."""

from contextlib import AbstractContextManager
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import Flag, Moment, WholeNumber
from polysim.kernel.api.identity import Access, Identity
from polysim.kernel.api.paging import OFFSET_MAX, IdCursor
from polysim.kernel.api.views import ApiView, read_query
from polysim.kernel.clock import utc_now
from trading.api import account_rows as rows
from trading.selectors import (
    get_portfolio,
    get_trade_stats,
    list_history,
    list_positions,
    list_settlements,
)
from wallets.api.client import WalletScopeQuery
from wallets.selectors import ReadScope, enter_read_scope


def own_scope(identity: Identity, value: str | None) -> AbstractContextManager[ReadScope]:
    """Enter the building that a `wallet_id` parameter leads to (accounts-api 2.5)."""
    return enter_read_scope(user_id=identity.user.pk, value=value, is_key=identity.is_key)


class BalanceView(ApiView):
    """Cash and worth of the API wallet (7.1)."""

    access = Access.KEY_OR_USER

    @extend_schema(operation_id="get_balance", responses=rows.BalanceAnswer)
    def get(self, request: Request) -> Response:
        with own_scope(self.identity, None) as scope:
            if scope.cash_wallet_id is None:
                return Response(rows.no_balance_row())
            portfolio = get_portfolio(wallet_ids=scope.wallet_ids, now=utc_now())
        return Response(rows.balance_row(portfolio))


class PositionsQuery(WalletScopeQuery):
    """Filters of 7.2; a status other than OPEN and CLOSED filters nothing."""

    status = serializers.CharField(required=False, max_length=40)
    envelope = Flag(default=False)


class PositionsView(ApiView):
    """Positions, newest first (7.2)."""

    @extend_schema(
        operation_id="list_positions",
        parameters=[PositionsQuery],
        responses=PolymorphicProxySerializer(
            component_name="Positions",
            serializers=[rows.PositionAnswer(many=True), rows.PositionEnvelope],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, PositionsQuery)
        status = query.get("status", "").upper()
        with own_scope(self.identity, query.get("wallet_id")) as scope:
            found = list_positions(
                wallet_ids=scope.wallet_ids,
                now=utc_now(),
                status=status if status in ("OPEN", "CLOSED") else None,
            )
        listed = [rows.position_row(position) for position in found]
        return Response({"data": listed, "next_cursor": ""} if query["envelope"] else listed)


class PortfolioView(ApiView):
    """Balance, open positions and how often trades won (7.3)."""

    @extend_schema(
        operation_id="get_portfolio",
        parameters=[WalletScopeQuery],
        responses=rows.PortfolioAnswer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, WalletScopeQuery)
        now = utc_now()
        with own_scope(self.identity, query.get("wallet_id")) as scope:
            portfolio = get_portfolio(wallet_ids=scope.wallet_ids, now=now)
            cash_ids = (scope.cash_wallet_id,) if scope.cash_wallet_id else ()
            cash = (
                portfolio
                if cash_ids == scope.wallet_ids
                else get_portfolio(wallet_ids=cash_ids, now=now)
            )
            stats = get_trade_stats(wallet_ids=scope.wallet_ids)
        return Response(rows.portfolio_row(portfolio, cash, stats))


@extend_schema_field({"type": "string", "pattern": "^([bB][uU][yY]|[sS][eE][lL][lL])?$"})
class SideField(serializers.CharField):
    """BUY or SELL in any case of letters."""


class HistoryQuery(WalletScopeQuery):
    """Filters of 7.4."""

    market_id = serializers.CharField(required=False, max_length=256)
    side = SideField(required=False, max_length=8)
    limit = WholeNumber(min_value=1, max_value=200, default=50)
    offset = WholeNumber(min_value=0, max_value=OFFSET_MAX, default=0)
    envelope = Flag(default=False)

    def validate_side(self, value: str) -> str:
        """BUY or SELL in any case."""
        if value.upper() not in ("BUY", "SELL"):
            raise serializers.ValidationError("must be BUY or SELL")
        return value.upper()


class HistoryView(ApiView):
    """Filled orders, newest first (7.4)."""

    @extend_schema(
        operation_id="list_history",
        parameters=[HistoryQuery],
        responses=PolymorphicProxySerializer(
            component_name="AccountHistory",
            serializers=[rows.HistoryAnswer(many=True), rows.HistoryEnvelope],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, HistoryQuery)
        with own_scope(self.identity, query.get("wallet_id")) as scope:
            found = list_history(
                wallet_ids=scope.wallet_ids,
                condition_id=query.get("market_id"),
                side=query.get("side"),
                limit=query["limit"],
                offset=query["offset"],
            )
        listed = [rows.history_row(order) for order in found]
        if not query["envelope"]:
            return Response(listed)
        is_full = len(listed) == query["limit"]
        next_cursor = str(query["offset"] + query["limit"]) if is_full else ""
        return Response({"data": listed, "next_cursor": next_cursor})


class SettlementsQuery(WalletScopeQuery):
    """Filters of 7.5; `from` and `to` are inclusive."""

    market_id = serializers.CharField(required=False, max_length=256)
    limit = WholeNumber(min_value=1, max_value=500, default=100)
    cursor = IdCursor()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is a word of Python, so the two bounds are added by name."""
        fields = super().get_fields()
        fields["from"] = Moment(required=False)
        fields["to"] = Moment(required=False, is_upper_bound=True)
        return fields


class SettlementsView(ApiView):
    """Positions closed by a resolution (7.5)."""

    @extend_schema(
        operation_id="list_settlements",
        parameters=[SettlementsQuery],
        responses=rows.SettlementEnvelope,
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, SettlementsQuery)
        with own_scope(self.identity, query.get("wallet_id")) as scope:
            found, next_cursor = list_settlements(
                wallet_ids=scope.wallet_ids,
                limit=query["limit"],
                cursor=query.get("cursor"),
                condition_id=query.get("market_id"),
                settled_from=query.get("from"),
                settled_to=query.get("to"),
            )
        listed = [rows.settlement_row(settlement) for settlement in found]
        return Response({"data": listed, "next_cursor": next_cursor})
