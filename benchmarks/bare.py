"""A yardstick: one row read by Django REST framework, without middleware, as a WSGI application.

    granian --interface wsgi benchmarks.bare:application

`GET /<wallet id>` answers a row of the directory in the database of the same installation.
"""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polysim.settings")

import django
from django.conf import settings

django.setup()
# Read when the handler is made; an app of the installation insists on its own at set-up.
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = "benchmarks.bare"

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from tenants.models import AccountDirectoryEntry  # noqa: E402


class RowAnswer(serializers.ModelSerializer[Any]):
    """A row of the directory of accounts."""

    class Meta:
        model = AccountDirectoryEntry
        fields = ("wallet_id", "account_id", "kind", "user_id", "created_at")


class BareView(APIView):
    """Nothing but one row."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request, wallet_id: int) -> Response:
        return Response(RowAnswer(AccountDirectoryEntry.objects.get(pk=wallet_id)).data)


def ready(request: HttpRequest) -> HttpResponse:
    """For whoever waits until the server answers."""
    return HttpResponse("ok")


urlpatterns = [
    path("ready", ready),
    path("<int:wallet_id>", BareView.as_view()),
]
application = WSGIHandler()
