"""`/v1/partner/accounts/{id}/orders`: a firm's server trades for its traders (partner-api B2)."""

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import WholeNumber
from polysim.kernel.api.parsers import storable_text
from polysim.kernel.api.partner_cursors import decode_list_cursor, encode_list_cursor
from polysim.kernel.api.partner_parsers import UNKNOWN
from polysim.kernel.api.refusals import BadRequest
from polysim.kernel.api.views import QuerySerializer, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound, ValidationFailed
from tenants.api.partner_door import PartnerView, parse_uuid
from tenants.models.partners import ACCOUNTS_READ, ORDERS_WRITE
from trading.api import partner_rows as rows
from trading.api.order_rows import NewOrder, one_order_row
from trading.api.orders import STATUSES, TRADES_SHOWN_MAX, read_order_id
from trading.errors import AccountNotFound
from trading.models import PlacedBy
from trading.selectors import get_order, list_fills
from trading.selectors.orders import list_account_orders
from trading.selectors.trades import LIMIT_MAX
from trading.services.firm_accounts import find_account
from trading.services.firm_orders import (
    cancel_account_order,
    cancel_account_orders,
    place_account_order,
)


class PageLimit(WholeNumber):
    """Rows of a page: 1 to 200, 50 by default."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LIMIT_MAX, "default": 50, **options})


def account_id_of(text: str) -> UUID:
    """The id of a path; a malformed one is as unknown as any (AccountNotFound)."""
    found = parse_uuid(text)
    if found is None:
        raise AccountNotFound()
    return found


class NewAccountOrder(NewOrder):
    """The native body; the address names the account."""

    wallet_id = None  # type: ignore[assignment]


class OrdersQuery(QuerySerializer):
    """Filter and page of an account's orders."""

    status = serializers.ChoiceField(choices=STATUSES, required=False)
    cursor = serializers.CharField(required=False, max_length=1024)
    limit = PageLimit()


class CancelQuery(QuerySerializer):
    """One market's orders, or all."""

    market_id = serializers.CharField(required=False, max_length=256)


class ServerOrdersView(PartnerView):
    """Base: the endpoints exist for firms with server-side orders only."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not self.firm.has_server_orders:
            raise NotFound()


class AccountOrdersView(ServerOrdersView):
    """Place an order; list orders; cancel the resting ones."""

    permissions = {"POST": ORDERS_WRITE, "GET": ACCOUNTS_READ, "DELETE": ORDERS_WRITE}

    @extend_schema(
        operation_id="place_account_order",
        request=NewAccountOrder,
        responses={
            201: OpenApiResponse(rows.PlacedOrderAnswer, "A new order."),
            200: OpenApiResponse(rows.PlacedOrderAnswer, "The order of an earlier call."),
        },
    )
    def post(self, request: Request, account_id: str) -> Response:
        found_id = account_id_of(account_id)
        answer = place_account_order(
            account_id=found_id, body=_order_body(request), actor=self.actor, now=utc_now()
        )
        shown = rows.with_placed_by(answer, PlacedBy.PARTNER.value)
        return Response(shown, status=200 if answer["is_replay"] else 201)

    @extend_schema(
        operation_id="list_account_orders",
        parameters=[OrdersQuery],
        responses=rows.AccountOrderPageAnswer,
    )
    def get(self, request: Request, account_id: str) -> Response:
        account = find_account(account_id=account_id_of(account_id))
        query = read_query(request, OrdersQuery)
        status = query.get("status")
        scope = {"list": "orders", "account": account.pk, "status": status}
        before_id = decode_list_cursor(query.get("cursor"), scope=scope)
        found, has_more = list_account_orders(
            wallet_id=account.pk, status=status, before_id=before_id, limit=query["limit"]
        )
        following = encode_list_cursor(found[-1].order_id, scope=scope) if has_more else None
        return Response(
            {
                "data": [rows.account_order_row(order) for order in found],
                "next_cursor": following,
                "has_more": has_more,
            }
        )

    @extend_schema(
        operation_id="cancel_account_orders",
        parameters=[CancelQuery],
        responses=rows.CancelledIdsAnswer,
    )
    def delete(self, request: Request, account_id: str) -> Response:
        ids = cancel_account_orders(
            account_id=account_id_of(account_id),
            market_id=read_query(request, CancelQuery).get("market_id"),
            actor=self.actor,
            now=utc_now(),
        )
        return Response({"cancelled": ids})


ORDER_ID = OpenApiParameter("order_id", int, OpenApiParameter.PATH)


class AccountOrderView(ServerOrdersView):
    """One order; cancelling it."""

    permissions = {"GET": ACCOUNTS_READ, "DELETE": ORDERS_WRITE}

    @extend_schema(
        operation_id="get_account_order",
        parameters=[ORDER_ID],
        responses=rows.AccountOneOrderAnswer,
    )
    def get(self, request: Request, account_id: str, order_id: str) -> Response:
        account = find_account(account_id=account_id_of(account_id))
        order = get_order(wallet_ids=[account.pk], order_id=read_order_id(order_id))
        fills = list_fills(wallet_ids=[account.pk], order_id=order.order_id, limit=TRADES_SHOWN_MAX)
        trade_ids = [str(fill.fill_id) for fill in reversed(fills)]
        return Response(
            rows.with_placed_by(one_order_row(order, trade_ids=trade_ids), order.placed_by)
        )

    @extend_schema(
        operation_id="cancel_account_order",
        parameters=[ORDER_ID],
        responses=rows.CancelledIdsAnswer,
    )
    def delete(self, request: Request, account_id: str, order_id: str) -> Response:
        ids = cancel_account_order(
            account_id=account_id_of(account_id),
            order_id=read_order_id(order_id),
            actor=self.actor,
            now=utc_now(),
        )
        return Response({"cancelled": ids})


def _order_body(request: Request) -> dict[str, Any]:
    """The body's known fields; `parse_order` reads them. Raises BadRequest, ValidationFailed."""
    sent = request.data
    if not isinstance(sent, dict):
        raise BadRequest("The body must be a JSON object.")
    known = NewAccountOrder().fields
    unknown = [(storable_text(name), UNKNOWN) for name in sent if name not in known]
    if unknown:
        raise ValidationFailed(unknown)
    return dict(sent)


order_urls = [
    path("accounts/<str:account_id>/orders", AccountOrdersView.as_view()),
    path("accounts/<str:account_id>/orders/<str:order_id>", AccountOrderView.as_view()),
]
