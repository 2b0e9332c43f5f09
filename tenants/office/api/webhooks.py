"""`/v1/partner/webhooks`: endpoints, secrets, deliveries and replays (partner-api B3)."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.partner_cursors import decode_list_cursor, encode_list_cursor
from polysim.kernel.api.partner_parsers import read_partner_body
from polysim.kernel.api.views import read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound, ValidationFailed
from tenants.api.partner_door import PartnerView, parse_uuid
from tenants.models.partners import WEBHOOKS_WRITE
from tenants.office import selectors, services
from tenants.office.api.webhook_rows import (
    DeliveriesAnswer,
    DeliveriesQuery,
    DeliveryAnswer,
    EmptyBody,
    EndpointAnswer,
    EndpointBody,
    EndpointChange,
    EndpointsAnswer,
    EndpointSecretAnswer,
    ReplayAnswer,
    ReplayBody,
    delivery_row,
    endpoint_row,
)
from tenants.office.services.dispatching import ALL_TYPES


def read_id(text: str) -> UUID:
    """The id of a path; one of a wrong form is as unknown as any other."""
    found = parse_uuid(text)
    if found is None:
        raise NotFound()
    return found


def answer_with_secret(made: services.EndpointWithSecret, *, status: int) -> Response:
    """The endpoint and its secret, shown this once."""
    return Response({**endpoint_row(made.endpoint), "secret": made.secret}, status=status)


class WebhookView(PartnerView):
    """Reading needs the permission too: URLs may hold secrets of the firm's."""

    permissions = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), WEBHOOKS_WRITE)


class WebhooksView(WebhookView):
    """The firm's endpoints."""

    @extend_schema(operation_id="list_webhooks", responses=EndpointsAnswer)
    def get(self, request: Request) -> Response:
        rows = [endpoint_row(one) for one in selectors.list_endpoints()]
        return Response({"data": rows, "next_cursor": None, "has_more": False})

    @extend_schema(
        operation_id="create_webhook",
        request=EndpointBody,
        responses={201: EndpointSecretAnswer},
    )
    def post(self, request: Request) -> Response:
        sent = read_partner_body(request, EndpointBody)
        made = services.create_endpoint(**sent, actor=self.actor, now=utc_now())
        return answer_with_secret(made, status=201)


class OneWebhookView(WebhookView):
    """One endpoint."""

    @extend_schema(operation_id="get_webhook", responses=EndpointAnswer)
    def get(self, request: Request, webhook_id: str) -> Response:
        endpoint = selectors.find_endpoint(endpoint_id=read_id(webhook_id))
        if endpoint is None:
            raise NotFound()
        return Response(endpoint_row(endpoint))

    @extend_schema(operation_id="update_webhook", request=EndpointChange, responses=EndpointAnswer)
    def patch(self, request: Request, webhook_id: str) -> Response:
        endpoint_id = read_id(webhook_id)
        sent = read_partner_body(request, EndpointChange)
        if not sent:
            raise ValidationFailed([("body", "must name at least one field")])
        if "enabled" in sent:
            sent["is_enabled"] = sent.pop("enabled")
        endpoint = services.update_endpoint(
            endpoint_id=endpoint_id, **sent, actor=self.actor, now=utc_now()
        )
        return Response(endpoint_row(endpoint))

    @extend_schema(operation_id="delete_webhook", responses={204: None})
    def delete(self, request: Request, webhook_id: str) -> Response:
        services.delete_endpoint(endpoint_id=read_id(webhook_id), actor=self.actor, now=utc_now())
        return Response(status=204)


class WebhookSecretView(WebhookView):
    """A new secret; the former one signs too for 24 h."""

    @extend_schema(
        operation_id="rotate_webhook_secret", request=None, responses=EndpointSecretAnswer
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        endpoint_id = read_id(webhook_id)
        read_partner_body(request, EmptyBody)
        made = services.rotate_secret(endpoint_id=endpoint_id, actor=self.actor, now=utc_now())
        return answer_with_secret(made, status=200)


class WebhookTestView(WebhookView):
    """A `webhook.test` event to this endpoint."""

    @extend_schema(operation_id="test_webhook", request=None, responses={202: DeliveryAnswer})
    def post(self, request: Request, webhook_id: str) -> Response:
        endpoint_id = read_id(webhook_id)
        read_partner_body(request, EmptyBody)
        delivery = services.send_test_event(
            endpoint_id=endpoint_id, actor=self.actor, now=utc_now()
        )
        return Response(delivery_row(delivery), status=202)


class WebhookDeliveriesView(WebhookView):
    """What was sent, and what came of it."""

    @extend_schema(
        operation_id="list_webhook_deliveries",
        parameters=[DeliveriesQuery],
        responses=DeliveriesAnswer,
    )
    def get(self, request: Request, webhook_id: str) -> Response:
        endpoint_id = read_id(webhook_id)
        if selectors.find_endpoint(endpoint_id=endpoint_id) is None:
            raise NotFound()
        wanted = read_query(request, DeliveriesQuery)
        filters = {name: wanted.get(name) for name in ("status", "type", "since")}
        scope = {"list": "deliveries", "webhook": endpoint_id, **filters}
        cursor = wanted.get("cursor")
        rows = selectors.list_deliveries(
            endpoint_id=endpoint_id,
            **filters,
            before_event=decode_list_cursor(cursor, scope=scope) or None,
            limit=wanted["limit"] + 1,
        )
        page, has_more = rows[: wanted["limit"]], len(rows) > wanted["limit"]
        return Response(
            {
                "data": [delivery_row(row) for row in page],
                "next_cursor": (
                    encode_list_cursor(page[-1].event_id, scope=scope) if has_more else None
                ),
                "has_more": has_more,
            }
        )


class DeliveryReplayView(WebhookView):
    """One delivery again: same id, new timestamp, a new schedule."""

    @extend_schema(
        operation_id="replay_webhook_delivery", request=None, responses={202: DeliveryAnswer}
    )
    def post(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        ids = read_id(webhook_id), read_id(delivery_id)
        read_partner_body(request, EmptyBody)
        delivery = services.replay_delivery(
            endpoint_id=ids[0], delivery_id=ids[1], actor=self.actor, now=utc_now()
        )
        return Response(delivery_row(delivery), status=202)


class WebhookReplayView(WebhookView):
    """Many events again."""

    @extend_schema(operation_id="replay_webhook", request=ReplayBody, responses={202: ReplayAnswer})
    def post(self, request: Request, webhook_id: str) -> Response:
        endpoint_id = read_id(webhook_id)
        sent = read_partner_body(request, ReplayBody)
        types = sent.get("types")
        count = services.replay_deliveries(
            endpoint_id=endpoint_id,
            since=sent["since"],
            until=sent.get("until"),
            types=None if types is None or ALL_TYPES in types else types,
            only_failed=sent["only_failed"],
            actor=self.actor,
            now=utc_now(),
        )
        return Response({"count": count}, status=202)
