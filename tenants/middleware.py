"""Chooses the building of every request, before sessions are read (architecture, Schemas).

Below `/v1/partner` the tenant key leads to its firm's building. Elsewhere an API key leads to
retail; else the host name decides; else the platform host is retail.
A host that belongs to nobody answers 404.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connection as django_connection
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.urls import set_urlconf

from polysim.kernel.api.errors import error_response, to_refusal
from polysim.kernel.api.middleware import error_page, is_api_path
from polysim.kernel.errors import NotFound, PolysimError
from tenants.api.partner_admission import admit_partner, is_partner_path
from tenants.credentials import read_sent_key
from tenants.lookups import find_firm_by_host, get_retail_firm
from tenants.models import Firm, FirmKind

# django-tenants' wrapper, which knows buildings.
connection: Any = django_connection
# Asked by orchestrators, also while the database is down.
HEALTH_PREFIX = "/v1/health"


class BuildingMiddleware:
    """Sets `request.tenant`, the connection's schema and the URLs of the host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(HEALTH_PREFIX):
            return self.get_response(request)
        former = connection.tenant
        connection.set_schema_to_public()
        try:
            firm = choose_firm(request)
        except Exception as error:
            connection.set_tenant(former)
            refusal = to_refusal(error)
            if refusal is None:
                raise
            return self._refuse(request, refusal)
        request.tenant = firm  # type: ignore[attr-defined]
        if firm.kind != FirmKind.RETAIL:
            request.urlconf = settings.FIRM_URLCONF  # type: ignore[attr-defined]
            set_urlconf(settings.FIRM_URLCONF)
        connection.set_tenant(firm)
        try:
            return self.get_response(request)
        finally:
            # A thread never keeps a building it did not enter for its present request.
            connection.set_tenant(former)

    def _refuse(self, request: HttpRequest, error: PolysimError) -> HttpResponseBase:
        if is_api_path(request.path_info):
            return error_response(error, request)
        return error_page(request, error)


def choose_firm(request: HttpRequest) -> Firm:
    """The building of a request; raises NotFound for an unknown host.

    Below `/v1/partner` raises what `admit_partner` raises.
    """
    if is_partner_path(request.path_info):
        return admit_partner(request)
    if is_api_path(request.path_info) and read_sent_key(request):
        return get_retail_firm()
    try:
        host, _ = split_domain_port(request.get_host())
    except DisallowedHost as error:
        raise NotFound() from error
    firm = find_firm_by_host(host)
    if firm is None:
        raise NotFound()
    return firm
