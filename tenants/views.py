"""The few pages of a firm's host outside its BackOffice."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from tenants.selectors import find_membership


def firm_home(request: HttpRequest) -> HttpResponse:
    """Whose host this is, and the way in for its staff."""
    firm = request.tenant  # type: ignore[attr-defined]
    user = request.user
    membership = find_membership(user=user, firm=firm) if user.is_authenticated else None
    return render(request, "tenants/firm_home.html", {"firm": firm, "membership": membership})


def to_platform(request: HttpRequest, slug: str = "") -> HttpResponse:
    """The same address on the platform's host, where the terminal is; it remembers the firm."""
    firm = request.tenant  # type: ignore[attr-defined]
    return redirect(f"{settings.BASE_URL.rstrip('/')}{request.path}?tenant={firm.slug}")


def firm_signup(request: HttpRequest) -> HttpResponse:
    """Nobody signs up at a firm's host: its traders are invited, its staff too."""
    return redirect("account_login")
