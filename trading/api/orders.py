"""`/v1/orders`: placing, previewing, reading and cancelling one order (trading-api 4.1 to 4.5)."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import BIGINT_MAX, WholeNumber
from polysim.kernel.api.paging import PageQuery, TimeCursor
from polysim.kernel.api.schema import IDEMPOTENCY_PARAMETER
from polysim.kernel.api.views import ApiView, QuerySerializer, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import ValidationFailed
from trading.api import order_rows as rows
from trading.selectors import OrderNotFound, get_order, list_fills, list_orders
from trading.services.doors import (
    cancel_own_order,
    place_own_batch,
    place_own_order,
    preview_own_order,
    reachable_wallet_ids,
)
from wallets.api.client import WalletScopeField
from wallets.billing.selectors import get_plan_terms
from wallets.selectors import enter_read_scope, list_wallet_ids

STATUSES = ("PENDING", "OPEN", "FILLED", "CANCELLED", "EXPIRED")
TRADES_SHOWN_MAX = 1000


class UpperChoice(serializers.ChoiceField):
    """A choice in any case of letters."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(str(data).upper())


class OrdersQuery(PageQuery):
    """Filters and page of 4.4; `offset` is ignored with a cursor."""

    status = UpperChoice(choices=STATUSES, required=False)
    market_id = serializers.CharField(required=False, max_length=256)
    side = UpperChoice(choices=("BUY", "SELL"), required=False)
    cursor = TimeCursor()
    wallet_id = WalletScopeField()


class TradingView(ApiView):
    """Base of the order endpoints: a key, or the site's own session (trading-api 0)."""

    @property
    def daily_order_limit(self) -> int | None:
        """Orders a UTC day by key; the website has no such limit (accounts-api 3, 5.2)."""
        identity = self.identity
        return get_plan_terms(identity.tier).daily_order_limit if identity.is_key else None


class OrdersView(TradingView):
    """Place an order (4.1); list orders (4.4)."""

    @extend_schema(
        operation_id="place_order",
        request=rows.NewOrder,
        parameters=[IDEMPOTENCY_PARAMETER],
        responses=rows.OrderAnswer,
    )
    def post(self, request: Request) -> Response:
        answer = place_own_order(
            user=self.identity.user,
            body=request.data,
            is_key=self.identity.is_key,
            idempotency_key=request.META.get("HTTP_IDEMPOTENCY_KEY"),
            daily_order_limit=self.daily_order_limit,
            now=utc_now(),
        )
        return Response(answer)

    @extend_schema(
        operation_id="list_orders", parameters=[OrdersQuery], responses=rows.OrderPageAnswer
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, OrdersQuery)
        with enter_read_scope(
            user_id=self.identity.user.pk,
            value=query.get("wallet_id"),
            is_key=self.identity.is_key,
        ) as scope:
            page = list_orders(
                wallet_ids=scope.wallet_ids,
                status=query.get("status"),
                condition_id=query.get("market_id"),
                side=query.get("side"),
                limit=query["limit"],
                offset=query["offset"],
                cursor=query.get("cursor"),
                with_total=True,
            )
        return Response(
            {
                "orders": [rows.order_row(order) for order in page.rows],
                "next_cursor": page.next_cursor,
                "has_more": page.has_more,
                "total_hint": page.total_hint,
            }
        )


class BatchView(TradingView):
    """Several orders in one request (4.3)."""

    @extend_schema(operation_id="place_orders", request=rows.NewBatch, responses=rows.BatchAnswer)
    def post(self, request: Request) -> Response:
        body = request.data
        bodies = body.get("orders") if isinstance(body, dict) else None
        if not isinstance(bodies, list) or not bodies:
            raise ValidationFailed([("orders", "must be a list of at least one order")])
        answer = place_own_batch(
            user=self.identity.user,
            bodies=bodies,
            is_key=self.identity.is_key,
            orders_max=get_plan_terms(self.identity.tier).max_batch_size,
            daily_order_limit=self.daily_order_limit,
            now=utc_now(),
        )
        return Response(answer)


class PreviewView(TradingView):
    """What an order would do; refused as the order would be."""

    @extend_schema(
        operation_id="preview_order", request=rows.NewOrder, responses=rows.PreviewAnswer
    )
    def post(self, request: Request) -> Response:
        preview = preview_own_order(
            user=self.identity.user,
            body=request.data,
            is_key=self.identity.is_key,
            now=utc_now(),
        )
        return Response(rows.preview_row(preview))


class OneOrderQuery(QuerySerializer):
    """`source` narrows to resting or filled orders."""

    source = UpperChoice(choices=("PENDING", "FILLED"), required=False)
    wallet_id = WalletScopeField()


class CancelQuery(QuerySerializer):
    """The wallet of the order; needed for accounts of firms only."""

    wallet_id = WholeNumber(min_value=1, max_value=BIGINT_MAX, required=False)


ORDER_ID = OpenApiParameter("order_id", int, OpenApiParameter.PATH)


class OrderView(TradingView):
    """One order (4.4); cancelling it (4.5)."""

    @extend_schema(
        operation_id="get_order",
        parameters=[ORDER_ID, OneOrderQuery],
        responses=rows.OneOrderAnswer,
    )
    def get(self, request: Request, order_id: str) -> Response:
        query = read_query(request, OneOrderQuery)
        value = query.get("wallet_id")
        with enter_read_scope(
            user_id=self.identity.user.pk, value=value, is_key=self.identity.is_key
        ) as scope:
            wallet_ids = scope.wallet_ids if value else self._own_wallet_ids()
            order = get_order(wallet_ids=wallet_ids, order_id=read_order_id(order_id))
            if query.get("source") not in (None, order.status):
                raise OrderNotFound()
            fills = list_fills(
                wallet_ids=[order.wallet_id], order_id=order.order_id, limit=TRADES_SHOWN_MAX
            )
        trade_ids = [str(fill.fill_id) for fill in reversed(fills)]
        return Response(rows.one_order_row(order, trade_ids=trade_ids))

    def _own_wallet_ids(self) -> list[int]:
        """Without `wallet_id`: a key's own wallets, all of a session's."""
        user = self.identity.user
        reachable = reachable_wallet_ids(user=user, is_key=self.identity.is_key)
        return list_wallet_ids(user_id=user.pk) if reachable is None else reachable

    @extend_schema(
        operation_id="cancel_order",
        parameters=[ORDER_ID, CancelQuery],
        responses=rows.OrderAnswer,
    )
    def delete(self, request: Request, order_id: str) -> Response:
        query = read_query(request, CancelQuery)
        answer = cancel_own_order(
            user=self.identity.user,
            order_id=read_order_id(order_id),
            is_key=self.identity.is_key,
            wallet_id=query.get("wallet_id"),
            now=utc_now(),
        )
        return Response(answer)


def read_order_id(text: str) -> int:
    """The number of an order's address; raises OrderNotFound for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise OrderNotFound()
    return int(text)
