"""The base of the manager door: staff of the host's firm, 300 calls a minute, its own errors.

Staff come with the BackOffice's session and its CSRF token, or with an access token of this
firm's host. Everybody else is refused. Contract: prop-backoffice 1.2, 1.3.
"""

import logging
from typing import Any, ClassVar

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel import ratelimits
from polysim.kernel.api.errors import to_refusal
from polysim.kernel.api.identity import ALL_PERMISSIONS, Access, Credential, Identity
from polysim.kernel.api.refusals import MissingAuth, RateLimitExceeded
from polysim.kernel.api.views import ApiView
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import current_schema
from prop.api.manager_errors import TechProblem, error_members
from prop.errors import NotEnoughRights
from tenants.api.authentication import identify, identify_key
from tenants.credentials import read_sent_key
from tenants.lookups import find_tenant_key
from tenants.models import Firm, FirmKind, StaffMembership
from tenants.office.models import FirmAuditEntry
from tenants.office.services import Actor
from tenants.selectors import find_membership

logger = logging.getLogger(__name__)

CALLS_PER_MINUTE = 300


class ManagerView(ApiView):
    """One address of the manager door; `self.membership` is the caller's role at the firm."""

    access: ClassVar[Access] = Access.USER
    authentication_classes = []
    membership: StaffMembership

    @property
    def firm(self) -> Firm:
        """Whose host was asked."""
        http: Any = self.request._request
        firm: Firm = http.tenant
        return firm

    @property
    def actor(self) -> Actor:
        """The caller as the writer of audit entries."""
        http: Any = self.request._request
        return Actor(
            kind=FirmAuditEntry.ActorKind.STAFF,
            name=self.membership.user.email,
            user=self.membership.user,
            role=self.membership.role,
            request_id=http.request_id,
            remote_address=ratelimits.client_address(http),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Credential, limit, role; then the command's own checks."""
        self.format_kwarg = None
        neg = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = neg
        http: Any = request._request
        identity = identify_staff(http)
        if not count_call(http, identity):
            # A credential died since this process read it: look again.
            identity = identify_staff(http)
        membership = None
        if self.firm.kind != FirmKind.RETAIL:
            membership = find_membership(user=identity.user, firm=self.firm)
        if membership is None:
            raise NotEnoughRights("You have no role at this firm.")
        membership.user = identity.user
        self.membership = membership

    def handle_exception(self, exc: Exception) -> Response:
        """Every failure as a row of the contract's table."""
        error = to_refusal(exc)
        if error is None:
            logger.exception("A command failed unexpectedly")
            error = TechProblem()
        return self.refusal(error)

    def refusal(self, error: PolysimError) -> Response:
        """The REST form: the error object without `extID` and `status`."""
        members = error_members(error)
        status = members.pop("status")
        http: Any = self.request._request
        return error_answer(error, {**members, "request_id": http.request_id}, status)


def error_answer(error: PolysimError, body: dict[str, Any], status: int) -> Response:
    """A refusal's answer with its headers."""
    response = Response(body, status=status, headers=dict(error.headers))
    response["X-Polysim-Code"] = str(body["error"])
    return response


def identify_staff(request: Any) -> Identity:
    """The person behind a session or access token.

    Keys are never staff: raises NotEnoughRights for a good one, a 401 for a bad one.
    """
    sent = read_sent_key(request)
    if sent:
        if find_tenant_key(sent, now=utc_now()) is None:
            identify_key(sent)
        raise NotEnoughRights("Keys do not open the manager API.")
    identity = identify(request, Access.USER)
    if identity.user is None or not identity.user.is_active:
        raise MissingAuth()
    return Identity(Credential(identity.credential), identity.user, None, "staff", ALL_PERMISSIONS)


def count_call(request: Any, identity: Identity) -> bool:
    """Count a call of the user at this firm; False when cached identities were out of date."""
    meter = ratelimits.count_request(
        f"manager:{current_schema()}:{identity.user.pk}",
        tier="staff",
        per_second=CALLS_PER_MINUTE,
        per_minute=CALLS_PER_MINUTE,
    )
    if meter is None:
        return True
    request.api_headers.update(meter.headers())
    if not meter.is_allowed:
        raise RateLimitExceeded(retry_after_s=meter.retry_after_s, window=meter.full_window)
    is_current: bool = import_string(settings.IDENTITY_VERSION_CHECK)(meter.identity_version)
    return is_current
