"""Whose challenges a page shows: the firm from the address, the active account, or the only one.

The pages stand on the platform's host; every page but the overview works inside one firm's
building, which `in_firm` enters.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from polysim.kernel.errors import NotFound
from polysim.kernel.tenancy import enter_building
from prop.selectors.pages.firms import list_own_firms
from tenants.models import Firm
from trading.views.common import signed_in
from trading.views.context import get_shell

TENANT = "tenant"


def own_firms(request: HttpRequest) -> list[Firm]:
    """The person's firms, read once a request."""
    found: list[Firm] | None = getattr(request, "_own_firms", None)
    if found is None:
        found = list_own_firms(user=get_shell(request).user)
        request._own_firms = found  # type: ignore[attr-defined]
    return found


def firm_of(request: HttpRequest) -> Firm:
    """The firm a page means; NotFound for one the person has nothing to do with."""
    firms = own_firms(request)
    asked = request.GET.get(TENANT) or request.POST.get(TENANT)
    if asked:
        firm = next((one for one in firms if one.slug == asked), None)
    else:
        account = get_shell(request).account
        schema = account.schema if account is not None else ""
        firm = next((one for one in firms if one.schema_name == schema), None)
        if firm is None and len(firms) == 1:
            firm = firms[0]
    if firm is None:
        raise NotFound()
    return firm


def in_firm(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A signed-in page inside the firm's building; the view gets `firm` and draws its page there.

    Somebody without an account here sees the same 404 as for an unknown address.
    """

    @wraps(view)
    @signed_in
    def inner(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        firm = firm_of(request)
        # Read in the building of the host: the switcher looks into all of them.
        _ = get_shell(request).accounts
        with enter_building(firm.schema_name):
            return view(request, *arguments, firm=firm, **named)

    return inner


def address(name: str, firm: Firm, *arguments: Any) -> str:
    """A page's address with its firm."""
    return f"{reverse(name, args=arguments)}?{urlencode({TENANT: firm.slug})}"
