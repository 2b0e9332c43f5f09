"""The base of every endpoint.

How to write one::

    class PositionsQuery(QuerySerializer):
        status = serializers.CharField(required=False)
        envelope = Flag(default=False)


    class PositionsView(ApiView):
        access = Access.KEY                      # PUBLIC, KEY, KEY_OR_USER or USER
        # scopes = {"POST": "read"}              # only where a method differs from the rule

        @extend_schema(
            operation_id="list_positions", parameters=[PositionsQuery],
            responses=PositionRow(many=True),
        )
        def get(self, request: Request) -> Response:
            wanted = read_query(request, PositionsQuery)
            rows = list_positions(user=self.identity.user, status=wanted.get("status"))
            return Response([position_row(row) for row in rows])

`GET`, `HEAD` need the scope `read`, all other methods `trade`; sessions and tokens carry both.
The order of checks is accounts-api 2.1: credential, rate limit, account gate, scope; then the
view's own validation, plan gate, resource, state. Refusals are raised as PolysimError anywhere
below. URLs are mounted without trailing slash in the app's `api/client.py: urlpatterns`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from polysim.kernel import ratelimits
from polysim.kernel.api.identity import ALL_PERMISSIONS, READ, TRADE, Access, Credential, Identity
from polysim.kernel.api.refusals import AccessRestricted, InsufficientPermission, RateLimitExceeded
from polysim.kernel.api.schema import ApiSchema

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class JsonOnly(BaseContentNegotiation):
    """Answers are JSON whatever `Accept` says; bodies must be JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        content_type = (request.content_type or "").split(";")[0].strip().lower()
        return next((one for one in parsers if one.media_type == content_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """One address of the API; see the module's text."""

    access: ClassVar[Access] = Access.KEY
    scopes: ClassVar[Mapping[str, str]] = {}
    is_metered: ClassVar[bool] = True
    metadata_class = None
    throttle_classes = []
    content_negotiation_class = JsonOnly
    schema = ApiSchema()

    @property
    def identity(self) -> Identity:
        """Who calls."""
        caller: Any = self.request.auth
        identity: Identity = caller
        return identity

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Everything that is decided before the endpoint's own code."""
        self.format_kwarg = None
        neg = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = neg
        self.perform_authentication(request)
        identity = self.identity
        if self.is_metered and not self._count(request, identity):
            # A credential died somewhere since this process read it: look again.
            identity = self._identify_again(request)
        check_gate(identity)
        check_scope(identity, self.scope_of(request.method or "GET"))

    def scope_of(self, method: str) -> str:
        """The permission that a key needs for `method` here."""
        rule = READ if method in SAFE_METHODS else TRADE
        return self.scopes.get("GET" if method == "HEAD" else method, rule)

    def _count(self, request: Request, identity: Identity) -> bool:
        """Count the request; False when this process's cached identities were out of date."""
        terms = get_limits(identity)
        address = ratelimits.client_address(request)
        meter = ratelimits.count_request(
            identity.meter_name or ratelimits.address_meter_name(address),
            tier=identity.tier,
            per_second=terms[0],
            per_minute=terms[1],
        )
        if meter is None:
            return True
        http: Any = request._request
        http.api_headers.update(meter.headers())
        if not meter.is_allowed:
            raise RateLimitExceeded(retry_after_s=meter.retry_after_s, window=meter.full_window)
        is_current: bool = import_string(settings.IDENTITY_VERSION_CHECK)(meter.identity_version)
        return is_current

    def _identify_again(self, request: Request) -> Identity:
        again: Any = request
        again._authenticate()
        return self.identity


def get_limits(identity: Identity) -> tuple[int, int]:
    """(requests a second, requests a minute) of the caller's tier (accounts-api 3)."""
    if identity.is_anonymous:
        return ratelimits.ANONYMOUS_PER_SECOND, ratelimits.ANONYMOUS_PER_MINUTE
    terms = import_string(settings.PLAN_TERMS_SELECTOR)(identity.tier)
    return terms.requests_per_second, terms.requests_per_minute


def check_gate(identity: Identity) -> None:
    """Accounts kept out of the API: AccessRestricted. The site's own session passes."""
    if identity.is_anonymous or identity.credential is Credential.SESSION:
        return
    if not identity.user.is_api_admitted:
        raise AccessRestricted()


def check_scope(identity: Identity, scope: str) -> None:
    """Raises InsufficientPermission when a key lacks `scope`."""
    if identity.is_key and scope in ALL_PERMISSIONS and scope not in identity.permissions:
        raise InsufficientPermission(scope)


class QuerySerializer(serializers.Serializer[Any]):
    """Base of query parameters: unknown ones are ignored."""


def read_query(request: Request, serializer_class: type[serializers.Serializer[Any]]) -> Any:
    """The validated query parameters as a dict; raises ValidationFailed (422).

    An empty text counts as not sent; an empty number, flag or time is refused.
    """
    texts = _text_names(serializer_class)
    sent = {
        name: value
        for name, value in request.query_params.items()
        if value != "" or name not in texts
    }
    serializer = serializer_class(data=sent, context={"request": request})
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


@lru_cache(maxsize=256)
def _text_names(serializer_class: type[serializers.Serializer[Any]]) -> frozenset[str]:
    return frozenset(
        name
        for name, field in serializer_class().fields.items()
        if isinstance(field, serializers.CharField | serializers.ChoiceField)
    )


def read_body(request: Request, serializer_class: type[serializers.Serializer[Any]]) -> Any:
    """The validated body as a dict; raises ValidationFailed (422), BadRequest (400)."""
    serializer = serializer_class(data=request.data, context={"request": request})
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data
