"""The BackOffice: a site of its own on every firm's host, for that firm's staff alone.

Who gets in is decided by the membership of the host's firm, never by `is_staff`; what a member
sees and does by the rights of the role (`tenants.office.rights`). Contract: ui.md, BackOffice.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth import REDIRECT_FIELD_NAME, login, logout
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from polysim.kernel.ratelimits import client_address, count_tries
from tenants.models import Firm, FirmKind, StaffMembership, User
from tenants.office.menu import build_menu
from tenants.office.models import FirmAuditEntry
from tenants.office.rights import RIGHTS, has_right
from tenants.office.services import Actor
from tenants.selectors import find_membership

LOGIN_TRIES_PER_MINUTE = 5


class StaffLoginForm(AuthenticationForm):
    """E-mail and password of a member of this firm's staff; everybody else reads one refusal."""

    def clean(self) -> dict[str, Any]:
        wait_s = count_tries(
            f"backoffice:{client_address(self.request)}",
            limit=LOGIN_TRIES_PER_MINUTE,
            period_s=60,
        )
        if wait_s:
            raise ValidationError(f"Too many tries. Try again in {wait_s} s.")
        cleaned: dict[str, Any] = super().clean()
        return cleaned

    def confirm_login_allowed(self, user: User) -> None:
        """Refuse without telling whether the password was right."""
        if not user.is_active or find_membership(user=user, firm=self.request.tenant) is None:
            raise self.get_invalid_login_error()


class BackOfficeSite(UnfoldAdminSite):
    """Screens register with it like models with an admin; their addresses are their slugs."""

    site_title = "BackOffice"
    site_header = "BackOffice"
    login_form = StaffLoginForm
    dashboard: Callable[[HttpRequest], HttpResponse] | None = None
    finders: list[Callable[[HttpRequest, str], str | None]]
    extra_paths: list[Callable[[], URLPattern]]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.finders = []
        self.extra_paths = []

    def has_permission(self, request: HttpRequest) -> bool:
        """A member of the staff of the firm whose host this is."""
        return membership_of(request) is not None

    def get_urls(self) -> list[URLPattern]:
        """The screens' own addresses; nothing of the stock admin is reachable."""
        urls = [
            path("", self.admin_view(self.index), name="index"),
            path("login/", self.login, name="login"),
            path("logout/", self.logout, name="logout"),
            path("find/", self.admin_view(self.find), name="find"),
        ]
        urls += [make() for make in self.extra_paths]
        for screen in self._registry.values():
            urls += screen.get_urls()
        return urls

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """For staff of the host's firm alone, with its time zone active."""
        guarded = super().admin_view(view, cacheable)

        @wraps(view)
        def inner(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
            with timezone.override(zone_of(request)):
                page: HttpResponse = guarded(request, *arguments, **named)
                return page

        return inner

    def screen_of(self, model: Any) -> Any:
        """The screen that shows a model."""
        return self._registry[model]

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The dashboard of the part that stands furthest right."""
        assert self.dashboard is not None, "a part of Polysim registers the dashboard"
        return self.dashboard(request)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The way in; says the same to a wrong password and to a person without a role here."""
        if firm_of(request).kind == FirmKind.RETAIL:
            raise PermissionDenied
        target = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
            target = reverse("backoffice:index")
        if request.method == "GET" and self.has_permission(request):
            return redirect(target)
        form = StaffLoginForm(request, data=request.POST or None)
        if request.method == "POST" and form.is_valid():
            login(request, form.get_user())
            return redirect(target)
        context = {"form": form, "firm": firm_of(request), "next": target}
        return render(request, "office/login.html", context)

    @method_decorator(never_cache)
    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """End the session, by POST only."""
        if request.method == "POST":
            logout(request)
        return redirect("backoffice:login")

    def find(self, request: HttpRequest) -> HttpResponse:
        """Straight to what an id, an external id or an e-mail names; else the list of traders."""
        term = request.GET.get("q", "").strip()[:320].replace("\x00", "")
        if term:
            for finder in self.finders:
                target = finder(request, term)
                if target:
                    return redirect(target)
        context = page_context(request, title="Nothing found", crumbs=[("Search", "")])
        return render(request, "office/nothing_found.html", context | {"term": term})


backoffice = BackOfficeSite(name="backoffice")


def firm_of(request: HttpRequest) -> Firm:
    """The firm whose host was called."""
    firm: Firm = request.tenant  # type: ignore[attr-defined]
    return firm


def membership_of(request: HttpRequest) -> StaffMembership | None:
    """The caller's role at the host's firm, asked once a request; None for everybody else."""
    found = getattr(request, "_office_membership", False)
    if found is False:
        user: Any = request.user
        firm = firm_of(request)
        found = None
        if user.is_authenticated and user.is_active and firm.kind != FirmKind.RETAIL:
            found = find_membership(user=user, firm=firm)
        request._office_membership = found  # type: ignore[attr-defined]
    membership: StaffMembership | None = found
    return membership


def may(request: HttpRequest, right: str) -> bool:
    """Whether the caller has a right here."""
    membership = membership_of(request)
    taken = firm_of(request).taken_rights
    return membership is not None and has_right(role=membership.role, right=right, taken=taken)


def require_right(request: HttpRequest, right: str) -> None:
    """403 for staff without the right."""
    if not may(request, right):
        raise PermissionDenied("Your role here has no right to this.")


def actor_of(request: HttpRequest) -> Actor:
    """The member of staff who acts, for the audit."""
    membership = membership_of(request)
    assert membership is not None
    user: Any = request.user
    return Actor(
        kind=FirmAuditEntry.ActorKind.STAFF,
        name=user.email,
        user=user,
        role=membership.role,
        request_id=getattr(request, "request_id", ""),
        remote_address=client_address(request),
    )


def zone_of(request: HttpRequest) -> ZoneInfo:
    """The firm's time zone, in which the BackOffice writes its times."""
    try:
        return ZoneInfo(firm_of(request).time_zone)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def page_context(
    request: HttpRequest, *, title: str, crumbs: list[tuple[str, str]], section: str = ""
) -> dict[str, Any]:
    """What every page of the BackOffice shows around its content."""
    membership = membership_of(request)
    return {
        "firm": firm_of(request),
        "title": title,
        "crumbs": crumbs,
        "menu": build_menu(section, lambda right: may(request, right)),
        "membership": membership,
        "rights": {right for right in RIGHTS if may(request, right)},
        "themes": (("system", "System"), ("light", "Light"), ("dark", "Dark")),
        "section": section,
    }
