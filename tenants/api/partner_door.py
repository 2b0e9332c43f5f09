"""The base of every endpoint of the partner door.

How to write one::

    class CloseBody(serializers.Serializer[Any]):
        reason = PlainText(max_length=255, required=False)


    class AccountCloseView(PartnerView):
        permissions = {"POST": ACCOUNTS_WRITE}          # tenants.models.partners has the names

        @extend_schema(operation_id="close_account", request=CloseBody, responses=EnvelopeAnswer)
        def post(self, request: Request, account_id: str) -> Response:
            sent = read_partner_body(request, CloseBody)
            account = close_account(
                account_id=account_id, reason=sent.get("reason", ""), actor=self.actor,
                now=utc_now(),
            )
            return Response(envelope_row(account))

- The tenant key was read before the address was resolved (`tenants.api.partner_admission`): the
  connection stands in the firm's schema, `self.firm` is the Firm, `self.caller` the key.
- A method without an entry in `permissions` needs none; one that the view lacks answers 405.
- `read_partner_body` takes objects only, refuses unknown fields, floats for money and broken
  characters with `details.fields`; fields stand in `polysim.kernel.api.partner_fields`. Queries
  are read with `polysim.kernel.api.views.read_query`, cursors with `kernel.api.partner_cursors`.
- Ids in paths are `<str:…>`: a malformed one answers the same 404 as an unknown one
  (`parse_user_id`, `parse_uuid` answer None for it).
- Money, prices and times of answers are text: `money_text`, `four_places_text`, `iso_micro_text`.
- Refusals are PolysimErrors raised anywhere below; their bodies and headers are made for you.
- `self.actor` goes to `write_firm_audit` and to services that write.

Views join `urlpatterns` of their app's `api/partner.py`, without trailing slash; the paths are
relative to `/v1/partner/`. Contract: partner-api.
"""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request

from polysim.kernel.api.partner_parsers import PartnerJSONParser
from polysim.kernel.api.refusals import InsufficientPermission, MissingApiKey
from polysim.kernel.api.views import ApiView
from polysim.kernel.ratelimits import client_address
from tenants.api.partner_admission import PartnerCaller
from tenants.api.partner_schema import PartnerSchema
from tenants.models import Firm
from tenants.office.models import FirmAuditEntry
from tenants.office.services import Actor


class PartnerView(ApiView):
    """One address of the partner door; see the module's text."""

    permissions: ClassVar[Mapping[str, str]] = {}
    authentication_classes = []
    parser_classes = [PartnerJSONParser]
    schema = PartnerSchema()

    @property
    def caller(self) -> PartnerCaller:
        """The key that calls; raises MissingApiKey where none was admitted."""
        found: PartnerCaller | None = getattr(self.request._request, "partner_caller", None)
        if found is None:
            raise MissingApiKey()
        return found

    @property
    def firm(self) -> Firm:
        """Whose key it is."""
        http: Any = self.request._request
        firm: Firm = http.tenant
        return firm

    @property
    def actor(self) -> Actor:
        """The key as the writer of audit entries."""
        http: Any = self.request._request
        return Actor(
            kind=FirmAuditEntry.ActorKind.KEY,
            name=self.caller.key_prefix,
            request_id=http.request_id,
            remote_address=client_address(http),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Key, firm and limits are decided; what is left is the permission of this method."""
        self.format_kwarg = None
        neg = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = neg
        method = request.method or "GET"
        permission = self.permissions.get("GET" if method == "HEAD" else method)
        if permission is not None and permission not in self.caller.permissions:
            raise InsufficientPermission(permission)


def parse_uuid(text: str) -> uuid.UUID | None:
    """The UUID of a path in its usual form; None for what cannot be one."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
