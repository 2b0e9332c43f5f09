"""What all pages share: who may see them, where to return, fragments of a page."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from polysim.kernel.errors import NotFound
from trading.selectors.pages.accounts import Account
from trading.views.context import get_shell

View = Callable[..., HttpResponse]


class SeeOther(HttpResponseRedirect):
    """After a POST: the browser asks for the next page by GET, so that a reload repeats nothing."""

    status_code = 303


def is_fragment(request: HttpRequest) -> bool:
    """Whether a script of ours asks for a part of a page."""
    asked = request.headers.get("X-Requested-With") == "fetch"
    return asked or request.headers.get("HX-Request") == "true"


def signed_in(view: View) -> View:
    """Send visitors to the log-in page, which leads back; scripts hear 401."""

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if get_shell(request).user is not None:
            return view(request, *arguments, **named)
        if is_fragment(request):
            return HttpResponse("Your session has ended. Log in again.", status=401)
        back = request.get_full_path() if request.method == "GET" else "/markets/"
        return HttpResponseRedirect(f"{resolve_url('/login/')}?{urlencode({'next': back})}")

    return guarded


def next_path(request: HttpRequest, default: str) -> str:
    """The page a form wants to return to, if it is one of ours."""
    wanted = request.POST.get("next", "")
    is_own = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_own and wanted.startswith("/") else default


def own_account(request: HttpRequest, text: str | None) -> Account:
    """The person's account named by a form; raises NotFound for a stranger's or unknown one."""
    for account in get_shell(request).accounts:
        if str(account.id) == text:
            return account
    raise NotFound("There is no such account. Nothing was changed.")
