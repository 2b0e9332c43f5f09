"""`/v1`: tokens, health, status and the OpenAPI document (accounts-api 2.1, 4.9, 12)."""

import time
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.urls import path, re_path
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from redis import RedisError
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.identity import READ, Access
from polysim.kernel.api.views import ApiView, read_body
from polysim.kernel.clock import iso_text, utc_now
from polysim.kernel.ratelimits import client_address
from polysim.kernel.redis import get_redis
from tenants.credentials import ACCESS_LIFETIME, SOCKET_LIFETIME
from tenants.services import issue_access_token, issue_ws_token

STARTED_S = time.monotonic()


class TokenRequest(serializers.Serializer[Any]):
    """E-mail and password of a user."""

    email = serializers.CharField(max_length=254, allow_blank=True, trim_whitespace=False)
    password = serializers.CharField(max_length=1024, allow_blank=True, trim_whitespace=False)


class TokenAnswer(serializers.Serializer[Any]):
    """An access token for `Authorization: Bearer`."""

    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds.")


class TokenView(ApiView):
    """An access token for an e-mail address and a password (2.1)."""

    access = Access.PUBLIC

    @extend_schema(operation_id="issue_access_token", request=TokenRequest, responses=TokenAnswer)
    def post(self, request: Request) -> Response:
        sent = read_body(request, TokenRequest)
        http: Any = request._request
        token = issue_access_token(
            request=http,
            email=sent["email"],
            password=sent["password"],
            firm=http.tenant,
            address=client_address(http),
            now=utc_now(),
        )
        lifetime_s = int(ACCESS_LIFETIME.total_seconds())
        return Response({"access_token": token, "token_type": "bearer", "expires_in": lifetime_s})


class SocketTokenAnswer(serializers.Serializer[Any]):
    """A token for `?token=` on a socket."""

    token = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds within which a socket may be opened.")


class SocketTokenView(ApiView):
    """A token that opens sockets (4.9)."""

    access = Access.KEY_OR_USER
    scopes = {"POST": READ}

    @extend_schema(operation_id="issue_ws_token", request=None, responses=SocketTokenAnswer)
    def post(self, request: Request) -> Response:
        token = issue_ws_token(identity=self.identity, now=utc_now())
        return Response({"token": token, "expires_in": int(SOCKET_LIFETIME.total_seconds())})


class HealthAnswer(serializers.Serializer[Any]):
    """Whether the process answers."""

    status = serializers.ChoiceField(choices=["healthy", "unhealthy"])
    timestamp = serializers.DateTimeField()
    version = serializers.CharField()


class ReadyAnswer(serializers.Serializer[Any]):
    """Whether what Polysim stands on answers."""

    status = serializers.ChoiceField(choices=["healthy", "unhealthy"])
    timestamp = serializers.DateTimeField()
    checks = serializers.DictField(child=serializers.DictField(child=serializers.BooleanField()))


class HealthView(ApiView):
    """The process is alive (12)."""

    access = Access.PUBLIC
    is_metered = False

    @extend_schema(operation_id="health", responses=HealthAnswer)
    def get(self, request: Request) -> Response:
        return Response(
            {"status": "healthy", "timestamp": iso_text(utc_now()), "version": settings.VERSION}
        )


class ReadyView(ApiView):
    """The process can serve: its database and Valkey answer; 503 if one does not (12)."""

    access = Access.PUBLIC
    is_metered = False

    @extend_schema(operation_id="health_ready", responses={200: ReadyAnswer, 503: ReadyAnswer})
    def get(self, request: Request) -> Response:
        checks = {"database": {"ok": is_database_up()}, "redis": {"ok": is_valkey_up()}}
        is_ready = all(check["ok"] for check in checks.values())
        body = {
            "status": "healthy" if is_ready else "unhealthy",
            "timestamp": iso_text(utc_now()),
            "checks": checks,
        }
        if is_ready:
            return Response(body)
        return Response(body, status=503, headers={"X-Polysim-Code": "SERVICE_UNAVAILABLE"})


def is_database_up() -> bool:
    """Whether the database answers a trivial question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def is_valkey_up() -> bool:
    """Whether Valkey answers a ping."""
    try:
        return bool(get_redis().ping())
    except (RedisError, OSError):
        return False


def uptime_s() -> int:
    """Whole seconds since this process was loaded."""
    return int(time.monotonic() - STARTED_S)


class SchemaView(ApiView):
    """The OpenAPI document of this API, with and without a trailing slash (2.6)."""

    access = Access.PUBLIC

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(openapi_document(), content_type="application/vnd.oai.openapi+json")


@lru_cache(maxsize=1)
def openapi_document() -> bytes:
    """The document as JSON; the same for everybody, so made once per process."""
    generator = spectacular_settings.DEFAULT_GENERATOR_CLASS(
        urlconf=spectacular_settings.SERVE_URLCONF
    )
    return JSONRenderer().render(generator.get_schema(request=None, public=True))


class LiveView(HealthView):
    """The same under the name that orchestrators ask for."""

    @extend_schema(operation_id="health_live", responses=HealthAnswer)
    def get(self, request: Request) -> Response:
        return super().get(request)


urlpatterns = [
    path("auth/token", TokenView.as_view()),
    path("keys/ws-token", SocketTokenView.as_view()),
    path("health", HealthView.as_view()),
    path("health/live", LiveView.as_view()),
    path("health/ready", ReadyView.as_view()),
    re_path(r"^schema/?$", SchemaView.as_view(), name="api_schema"),
]
